"""Leak check across the datasets of a study: what is asked must not have been trained on.

Near-duplicates are found by an exact set-similarity join with prefix filtering (Chaudhuri, Ganti,
Kaushik 2006; Bayardo, Ma, Srikant 2007): the evaluation side is indexed, the training side passes
by row by row, so memory follows from the evaluations alone.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from snaketune.config.common import Strict
from snaketune.files import read_jsonl

NEAR = (4, 5)
"""Numerator and denominator of the Jaccard similarity from which two records are near."""
DEPTH = 3
"""How many of their rarest tokens two records must share to be compared in full."""
MOST_EXAMPLES = 20
CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
PIECE = re.compile(rf"\d+(?:[.,:/-]\d+)*|[{CJK}]+|[^\W\d_{CJK}]+")
CJK_RUN = re.compile(f"[{CJK}]")


class Training(Strict):
    """Records that an adapter is trained on."""

    dataset: str
    path: str


class Evaluation(Strict):
    """Records that models are asked."""

    dataset: str
    split: str
    path: str
    against: list[str] | None = None
    """Datasets of the trainings that it is compared with; None: all."""

    def meets(self, training: Training) -> bool:
        """Whether it is compared with a training."""
        return self.against is None or training.dataset in self.against


class LeakSettings(Strict):
    """What is compared with what: every training with every evaluation that does not say less."""

    title: str
    training: list[Training]
    evaluation: list[Evaluation]


@dataclass(frozen=True)
class Text:
    """A record as it is compared."""

    whole: tuple[str, ...]
    """Its fields without case, white space and punctuation, in order; numbers keep their bounds."""
    tokens: set[str]
    """Words, numbers and pairs of neighbouring CJK characters of all fields."""

    @property
    def longest(self) -> str:
        """Its longest field."""
        return max(self.whole, key=len, default="")


def compared(record: dict) -> Text:
    """The form of a record in which it is compared."""
    whole, tokens = [], set()
    for value in record["fields"].values():
        plain = value.isascii()
        text = value.lower() if plain else unicodedata.normalize("NFKC", value).casefold()
        pieces = PIECE.findall(text)
        whole.append("".join([f" {p} " if p[0].isdigit() else p for p in pieces]))
        tokens.update(pieces if plain else _words(pieces))
    return Text(tuple(whole), tokens)


def _words(pieces: list[str]) -> Iterator[str]:
    """Pieces, those of CJK characters as pairs of neighbours."""
    for piece in pieces:
        if len(piece) > 1 and CJK_RUN.match(piece):
            yield from map("".join, pairwise(piece))
        else:
            yield piece


@dataclass(frozen=True)
class Twin:
    """A training record beside an evaluation record, the more like it the larger."""

    exact: bool
    similarity: float
    same_label: bool
    record: dict

    def rank(self) -> tuple[bool, float, bool]:
        """What decides which of two twins is reported."""
        return self.exact, self.similarity, self.same_label


@dataclass
class Found:
    """What the training has in common with the evaluation records, by their places."""

    twins: dict[int, Twin] = field(default_factory=dict)
    shared_field: set[int] = field(default_factory=set)

    def offer(self, place: int, twin: Twin) -> None:
        """Keep the first of the most similar twins."""
        known = self.twins.get(place)
        if known is None or twin.rank() > known.rank():
            self.twins[place] = twin


class Index:
    """Evaluation records, ready to be met by training records."""

    def __init__(self, records: Iterable[dict]):
        self.records = list(records)
        texts = [compared(record) for record in self.records]
        counts = Counter(token for text in texts for token in text.tokens)
        rare_first = sorted(counts, key=lambda token: (counts[token], token))
        self._ids = {token: number for number, token in enumerate(rare_first)}
        self._sets = [frozenset(map(self._ids.__getitem__, text.tokens)) for text in texts]
        self._whole: dict[tuple[str, ...], list[int]] = defaultdict(list)
        self._longest: dict[str, list[int]] = defaultdict(list)
        self._places: dict[int, list[int]] = defaultdict(list)
        self._sizes: dict[int, list[int]] = defaultdict(list)
        for place in sorted(range(len(texts)), key=lambda place: len(self._sets[place])):
            ids, text = self._sets[place], texts[place]
            if ids:
                self._whole[text.whole].append(place)
                self._longest[text.longest].append(place)
            for number in sorted(ids)[: len(ids) - _least(len(ids)) + _depth(len(ids))]:
                self._places[number].append(place)
                self._sizes[number].append(len(ids))

    def meet(self, training: Iterable[dict]) -> Found:
        """Compare every training record with all that could be like it."""
        found = Found()
        for record in training:
            text = compared(record)
            for value in text.whole:
                found.shared_field.update(self._longest.get(value, ()))
            exact = self._whole.get(text.whole, ())
            for place in exact:
                found.offer(place, self._twin(True, 1.0, record, place))
            for place, similarity in self._near(text.tokens):
                if place not in exact:
                    found.offer(place, self._twin(False, similarity, record, place))
        return found

    def _twin(self, exact: bool, similarity: float, record: dict, place: int) -> Twin:
        same = record["label"] == self.records[place]["label"]
        return Twin(exact, similarity, same, record)

    def _near(self, tokens: set[str]) -> Iterator[tuple[int, float]]:
        """Places of the records at least `NEAR` to the tokens, with their similarity.

        Sets so similar share some of their rarest tokens: of `size` tokens at least `least` are
        shared, so `depth` of the first `size - least + depth` are, in any order that both keep.
        Tokens that no evaluation has come first in it, and lead nowhere.
        """
        ids = [number for number in map(self._ids.get, tokens) if number is not None]
        size, least = len(tokens), _least(len(tokens))
        if not ids or len(ids) < least:
            return
        ids.sort()
        most, depth = size * NEAR[1] // NEAR[0], _depth(size)
        times: Counter[int] = Counter()
        for number in ids[: len(ids) - least + depth]:
            sizes = self._sizes.get(number)
            if sizes:
                start, end = bisect_left(sizes, least), bisect_right(sizes, most)
                times.update(self._places[number][start:end])
        enough = min(depth, _depth(least))  # the smallest of the others is of size `least`
        for place in [place for place, met in times.items() if met >= enough]:
            other = self._sets[place]
            shared = len(other.intersection(ids))
            union = size + len(other) - shared
            if shared * NEAR[1] >= union * NEAR[0]:
                yield place, shared / union


def _least(size: int) -> int:
    """How many tokens a set of `size` shares at least with one that is near it."""
    return -(-size * NEAR[0] // NEAR[1])


def _depth(size: int) -> int:
    """How many of its rarest tokens a set of `size` shares at least with one that is near it."""
    return min(DEPTH, _least(size))


def check_leaks(settings: LeakSettings) -> dict:
    """Compare every training with every evaluation of a study.

    Returns:
        `threshold`, and per pair `training`, `evaluation`, `split`, `same_file`, `n` (evaluation
        records), and of these how many have a twin in training: `exact` (all fields equal, in
        their order, but for case, white space and punctuation), `near` (Jaccard similarity of
        their tokens at or over the threshold, none exact), `same_label` (of both, those whose most
        similar twin has their label), `shared_field` (the longest field equals a field of a
        training record); at most 20 `examples`, most similar first. Of one file as both, only `n`
        is known, the others null.
    """
    pairs = []
    for training in settings.training:
        met = [e for e in settings.evaluation if e.meets(training)]
        apart = [e for e in met if e.path != training.path]
        parts = [list(read_jsonl(Path(evaluation.path))) for evaluation in apart]
        index = Index(record for part in parts for record in part)
        found = index.meet(read_jsonl(Path(training.path)))
        end = 0
        for evaluation, part in zip(apart, parts, strict=True):
            start, end = end, end + len(part)
            counts = _counts(index, found, range(start, end))
            pairs.append(_named(training, evaluation) | {"n": len(part)} | counts)
        for evaluation in met:
            if evaluation.path == training.path:
                count = sum(1 for _ in read_jsonl(Path(training.path)))
                pairs.append(_named(training, evaluation) | {"n": count} | NOT_COMPARED)
    return {"threshold": NEAR[0] / NEAR[1], "pairs": pairs}


COUNTS = ("exact", "near", "same_label", "shared_field")
NOT_COMPARED = {**dict.fromkeys(COUNTS), "examples": []}


def _named(training: Training, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "training": training.dataset,
        "evaluation": evaluation.dataset,
        "split": evaluation.split,
        "same_file": training.path == evaluation.path,
    }


def _counts(index: Index, found: Found, places: range) -> dict[str, Any]:
    twins = {place: found.twins[place] for place in places if place in found.twins}
    order = sorted(twins, key=lambda place: (*(-value for value in twins[place].rank()), place))
    exact = sum(twin.exact for twin in twins.values())
    return {
        "exact": exact,
        "near": len(twins) - exact,
        "same_label": sum(twin.same_label for twin in twins.values()),
        "shared_field": sum(place in found.shared_field for place in places),
        "examples": [
            _example(twins[place], index.records[place]) for place in order[:MOST_EXAMPLES]
        ],
    }


def _example(twin: Twin, record: dict) -> dict[str, Any]:
    return {
        "training_id": twin.record["id"],
        "evaluation_id": record["id"],
        "similarity": round(twin.similarity, 4),
        "exact": twin.exact,
        "same_label": twin.same_label,
        "training_text": _shown(twin.record),
        "evaluation_text": _shown(record),
    }


def _shown(record: dict) -> str:
    return " | ".join(record["fields"].values())
