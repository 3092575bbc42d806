"""One bank of questions from several sites: what is one question, what only looks like it.

Questions with equal forms of stem and options, one type and one picture are one. Of the others,
those with like stems are looked at (see `snaketune.alike`), if type, picture and all numbers are
equal. Different questions with stems at least `near` to each other stay two, in one group, so that
no split parts them; so do all with equal stems.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, NamedTuple

from snaketune.alike import Swap, Wording, swaps
from snaketune.config.deduplicating import Deduplication
from snaketune.near_stems import near_stems
from snaketune.question_forms import Form, Levelling, pieces, similarity
from snaketune.questions import Question

MOST_EXAMPLES = 20
"""Of each kind, on the page."""
SMALL_BLOCK = 30
"""Stems with one set of options; of so many every two are looked at."""
PARTICULAR = 2
"""Questions of one site that may share an explanation which still says what they ask."""
LIKE_OPTIONS = 0.3
"""Similarity of two options that may be one in other words."""
REASONS = ("picture", "type", "numbers", "options", "wording")


class Pair(NamedTuple):
    """Places of two different heads, and how alike their stems are."""

    one: int
    other: int
    alike: float


@dataclass
class Deduplicated:
    """What is left of a bank, and what was found in it."""

    kept: list[tuple[Question, str]]
    """Questions that stay, in their order, each with its group."""
    counts: dict[str, Any]
    examples: dict[str, list[dict]] = field(default_factory=dict)


class Clusters:
    """Sets of places, joined two by two; a set is named by its smallest place."""

    def __init__(self, size: int):
        self._parent = list(range(size))

    def of(self, place: int) -> int:
        """Name of the set that a place is in."""
        while self._parent[place] != place:
            self._parent[place] = self._parent[self._parent[place]]
            place = self._parent[place]
        return place

    def join(self, one: int, other: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.of(one), self.of(other)))
        self._parent[high] = low


def deduplicate(questions: Sequence[Question], settings: Deduplication) -> Deduplicated:
    """Find what is there several times, what contradicts itself, and what is only much alike."""
    return _Bank(questions, settings).result()


class _Bank:
    def __init__(self, questions: Sequence[Question], settings: Deduplication):
        self.questions, self.settings = questions, settings
        level = Levelling(settings.synonyms)
        self.forms = [Form.of(question, level) for question in questions]
        self.same, self.groups = Clusters(len(questions)), Clusters(len(questions))
        self.wording = Wording()
        self.apart: Counter[str] = Counter()
        self.examples: dict[str, list[dict]] = defaultdict(list)
        self.members: dict[int, list[int]] = {}
        self._join_equal()

    def _join_equal(self) -> None:
        """One head for all questions with equal forms, whatever their answers."""
        first: dict[tuple, int] = {}
        for place, form in enumerate(self.forms):
            head = first.setdefault(form.exact, place)
            self.members.setdefault(head, []).append(place)
            self.same.join(head, place)
        self.sources = {
            head: {self.questions[place].source for place in places}
            for head, places in self.members.items()
        }
        self.by_stem: dict[str, list[int]] = defaultdict(list)
        self.explained: dict[str, Counter[str]] = defaultdict(Counter)
        for head in self.members:
            self.explained[self.forms[head].explanation].update(self.sources[head])
            self.by_stem[self.forms[head].stem].append(head)

    def result(self) -> Deduplicated:
        between = self._compared()
        self._learn(between)
        for pair in between:
            found = self._swaps(pair)
            explained = self._explained(pair)
            if found is not None and self.wording.same(found, explained):
                self.same.join(pair.one, pair.other)
            else:
                self._keep_apart(pair)
        return self._settled()

    # --- looking

    def _compared(self) -> list[Pair]:
        """Pairs of different sites that may be one question; all other pairs are settled here."""
        between: list[Pair] = []
        by_frame = {stem: self._by_frame(heads) for stem, heads in self.by_stem.items()}
        for one, other, alike in self._alike_stems():
            heads = self.by_stem[one], self.by_stem[other]
            frames = by_frame[one], by_frame[other]
            may_be = False
            for frame in frames[0].keys() & frames[1].keys():
                for pair in product(frames[0][frame], frames[1][frame]):
                    may_be = True
                    self._sort_out(Pair(*pair, alike), between)
            if not may_be and alike >= self.settings.near:
                self._keep_apart(Pair(heads[0][0], heads[1][0], alike))
        for stem, heads in self.by_stem.items():
            for head in heads[1:]:
                self._keep_apart(Pair(heads[0], head, 1.0))
            for places in by_frame[stem].values() if len(heads) > 1 else ():
                for pair in combinations(places[: SMALL_BLOCK * 2], 2):
                    self._sort_out(Pair(*pair, 1.0), between)
        return between

    def _by_frame(self, heads: list[int]) -> dict[tuple, list[int]]:
        found: dict[tuple, list[int]] = defaultdict(list)
        for head in heads:
            found[self.forms[head].frame].append(head)
        return found

    def _alike_stems(self) -> Iterator[tuple[str, str, float]]:
        """Stems that are alike, and those that share a picture or a rare set of options."""
        stems = list(self.by_stem)
        seen: set[tuple[str, str]] = set()
        place = {stem: number for number, stem in enumerate(stems)}
        blocks: dict[tuple, dict[str, None]] = defaultdict(dict)
        for head in self.members:
            form = self.forms[head]
            if form.type != "judge":
                blocks[form.options, form.picture][form.stem] = None
            if form.picture:
                blocks[form.type, form.picture][form.stem] = None
        for block in blocks.values():
            if 2 <= len(block) <= SMALL_BLOCK:
                for pair in combinations(block, 2):
                    one, other = sorted(pair, key=place.__getitem__)
                    if (one, other) not in seen:
                        seen.add((one, other))
                        yield one, other, similarity(pieces(one), pieces(other))
        for one, other, alike in near_stems(stems, self.settings.candidates):
            if (stems[one], stems[other]) not in seen:
                yield stems[one], stems[other], alike

    def _sort_out(self, pair: Pair, between: list[Pair]) -> None:
        """Two of different sites are decided later; two of one site teach what words tell apart."""
        if self.sources[pair.one].isdisjoint(self.sources[pair.other]):
            between.append(pair)
            return
        if self.forms[pair.one].options == self.forms[pair.other].options:
            found = self._swaps(pair) or []
            if self.wording.harmless(found):
                self.same.join(pair.one, pair.other)
                return
            if len(found) == 1:
                self.wording.tell_apart(found)
        self._keep_apart(pair)

    def _swaps(self, pair: Pair) -> list[Swap] | None:
        """What differs in stem and options; None where options have no counterparts."""
        one, other = self.forms[pair.one], self.forms[pair.other]
        found = swaps(one.stem, other.stem)
        if one.options != other.options:
            matched = _matched(one.options, other.options)
            if matched is None:
                return None
            for text, counterpart in matched.items():
                found += swaps(text, counterpart)
        return found

    def _right(self, pair: Pair) -> bool:
        """Whether two questions that may be one have one answer."""
        one, other = self.forms[pair.one], self.forms[pair.other]
        if one.options == other.options:
            return one.answer == other.answer
        matched = _matched(one.options, other.options) or {}
        return {matched.get(text, text) for text in one.answer} == other.answer

    def _explained(self, pair: Pair) -> bool:
        """Whether equal options, answers and explanations say that two stems mean the same."""
        one, other = self.forms[pair.one], self.forms[pair.other]
        keys = ("explanation", "options", "answer")
        same = all(getattr(one, key) == getattr(other, key) for key in keys)
        return bool(one.explanation) and same and self._is_particular(one.explanation)

    def _is_particular(self, explanation: str) -> bool:
        """Whether an explanation goes with hardly more than one question on each site."""
        return max(self.explained[explanation].values()) <= PARTICULAR

    # --- deciding

    def _learn(self, between: list[Pair]) -> None:
        """Words that sites swap, from each question and its likest one elsewhere."""
        best: dict[int, Pair] = {}
        for pair in between:
            for head in (pair.one, pair.other):
                if head not in best or pair.alike > best[head].alike:
                    best[head] = pair
        for head, pair in best.items():
            if head == pair.one and best[pair.other] == pair and self._right(pair):
                found = self._swaps(pair)
                if found:
                    self.wording.note(found, head)
        self.wording.learn()

    def _keep_apart(self, pair: Pair) -> None:
        if pair.alike < self.settings.near:
            return
        self.groups.join(pair.one, pair.other)
        one, other = self.forms[pair.one], self.forms[pair.other]
        differs = (
            one.picture != other.picture,
            one.type != other.type,
            one.frame[2] != other.frame[2],
            one.options != other.options,
            True,
        )
        reason = REASONS[differs.index(True)]
        self.apart[reason] += 1
        if self.apart[reason] <= MOST_EXAMPLES:
            shown = [self._shown(place) for place in pair[:2]]
            self.examples["apart"].append({"reason": reason, "questions": shown})

    def _shown(self, place: int) -> dict:
        question = self.questions[place]
        keys = ("id", "stem", "options", "answer", "media")
        return {key: getattr(question, key) for key in keys}

    def _settled(self) -> Deduplicated:
        """One question of each cluster, in the order of the bank, and the counts."""
        clusters: dict[int, list[int]] = defaultdict(list)
        for place in range(len(self.questions)):
            clusters[self.same.of(place)].append(place)
            self.groups.join(self.same.of(place), place)
        kept: list[int] = []
        dropped: Counter[str] = Counter(duplicate=0, conflict=0)
        conflicts = 0
        for places in clusters.values():
            answers: dict[frozenset[str], int] = {}
            for place in places:
                answers.setdefault(self.forms[place].answer, place)
            if len(answers) > 1 and not self._agree(list(answers.values())):
                conflicts += 1
                self._example("conflicts", list(answers.values()))
                stay = list(answers.values()) if self.settings.conflicts == "keep" else []
                dropped["conflict"] += 0 if stay else len(places)
                dropped["duplicate"] += len(places) - len(stay) if stay else 0
            else:
                stay = places[:1]
                dropped["duplicate"] += len(places) - 1
                if len(places) > 1:
                    self._example("merged", places)
            kept += stay
        kept.sort()
        named = [(self.questions[k], self.questions[self.groups.of(k)].id) for k in kept]
        counts = {
            "in": len(self.questions),
            "kept": len(kept),
            "dropped": dict(dropped),
            "conflicting_answers": conflicts,
            "kept_apart": {reason: self.apart[reason] for reason in REASONS},
            "sources": dict(Counter(question.source for question in self.questions)),
            "types": dict(Counter(question.type for question, _ in named)),
            "with_picture": sum(question.media is not None for question, _ in named),
        }
        return Deduplicated(named, counts, dict(self.examples))

    def _agree(self, places: list[int]) -> bool:
        return all(self._right(Pair(places[0], place, 1.0)) for place in places[1:])

    def _example(self, kind: str, places: list[int]) -> None:
        if len(self.examples[kind]) < MOST_EXAMPLES:
            self.examples[kind].append({"questions": [self._shown(place) for place in places[:5]]})


def _matched(one: tuple[str, ...], other: tuple[str, ...]) -> dict[str, str] | None:
    """Each option of one that other lacks, and its counterpart there; None where one has none."""
    mine, theirs = Counter(one) - Counter(other), Counter(other) - Counter(one)
    left = list(theirs.elements())
    matched = {}
    for text in mine.elements():
        found = pieces(text)
        likest = max(left, key=lambda counterpart: similarity(found, pieces(counterpart)))
        if len(theirs) > 1 and similarity(found, pieces(likest)) < LIKE_OPTIONS:
            return None
        matched[text] = likest
        left.remove(likest)
    return matched
