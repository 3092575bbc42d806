"""Seeded generator of the nli study's records: English premises and hypotheses, three relations.

A family draws a premise and lists hypotheses for each relation, which hold by construction. Every
family denies in all three relations, so that a "not" in the hypothesis alone tells little.
"""

import random
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from snaketune.config.sources import NliSource
from snaketune.files import digest
from snaketune.tinybase import words as w
from snaketune.tinybase.nli import VERBS

MOST_HYPOTHESES = 3
"""Of one premise, as in MNLI."""
THINGS = w.word_list(
    "book lamp cup plate spoon bottle basket bag coat hat shirt letter picture mirror clock phone "
    "radio camera ticket map pen pencil ring coin key rope hammer blanket pillow candle"
)
CROWDS = w.word_list(
    "children students workers doctors farmers guests players singers teachers drivers soldiers "
    "painters nurses visitors sailors neighbours"
)
TRADES = {past: VERBS[past] for past in w.word_list("bought sold hid used took cleaned painted")}
"""Past → infinitive."""
ATTEMPTS = {
    "done": ("managed", "remembered"),
    "open": ("planned", "wanted", "promised"),
    "undone": ("failed", "refused", "forgot"),
}
"""What came of it → verbs that say so."""
DEEDS = {
    **{"called": "call", "helped": "help", "met": "meet", "thanked": "thank", "saw": "see"},
    **{"greeted": "greet", "followed": "follow", "paid": "pay", "heard": "hear"},
}
ENDLESS = 10**9


class Instance:
    """A premise, what it is about, and hypotheses that follow from it, may be, or cannot be."""

    def __init__(
        self,
        about: tuple[str, ...],
        premise: str,
        entailment: list[str],
        neutral: list[str],
        contradiction: list[str],
    ):
        self.about, self.premise = about, premise
        lists = {"entailment": entailment, "neutral": neutral, "contradiction": contradiction}
        self.hypotheses = {relation: texts for relation, texts in lists.items() if texts}


def nli_records(source: NliSource) -> Iterator[dict]:
    """Yield `source.records` records with fields `premise` and `hypothesis`.

    Each relation has its share of the records, to one record. A relation is drawn, then a family,
    then a premise of it that has such a hypothesis; up to two more hypotheses of the premise may
    follow. The label is `source.labels[relation]`. The group is the family with the content words
    of the premise, so that a split by group parts no premise, nor two forms of one. Exact
    duplicates are possible, and rare.
    """
    rng = random.Random(source.seed)
    left = _quotas(source)
    while any(left.values()):
        relation = _drawn(rng, left)
        family = rng.choice(FAMILIES)
        instance = family(rng)
        while relation not in instance.hypotheses:
            instance = family(rng)
        group = " ".join((family.__name__, *instance.about))
        said: set[str] = set()
        for _ in range(rng.randint(1, MOST_HYPOTHESES)):
            hypothesis = rng.choice(instance.hypotheses[relation])
            if hypothesis not in said:
                said.add(hypothesis)
                left[relation] -= 1
                yield _record(instance.premise, hypothesis, source.labels[relation], group)
            offered = {name: n for name, n in left.items() if n and name in instance.hypotheses}
            if not offered:
                break
            relation = _drawn(rng, offered)


def _quotas(source: NliSource) -> dict[str, int]:
    """How many records each relation has."""
    total = sum(source.shares.values())
    bounds = [round(source.records * part / total) for part in accumulate(source.shares.values())]
    return {
        name: end - start
        for name, start, end in zip(source.shares, [0, *bounds], bounds, strict=False)
    }


def _drawn(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _record(premise: str, hypothesis: str, label: str, group: str) -> dict:
    """A record whose id follows from its content, so that it stays when others come or go."""
    fields = {"premise": _sentence(premise), "hypothesis": _sentence(hypothesis)}
    name = f"nli-{digest({'fields': fields, 'label': label})[:12]}"
    return {"id": name, "fields": fields, "label": label, "group": group}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def attempt(rng: Random) -> Instance:
    """Verbs that say that something was done, or was not, or leave it open."""
    name, thing, origin = rng.choice(w.EN_NAMES), rng.choice(THINGS), rng.choice(w.EN_PLACES)
    past, colour = rng.choice(list(TRADES)), rng.choice(w.EN_COLOURS)
    verb, outcome = TRADES[past], rng.choice(list(ATTEMPTS))
    things = (f"the {colour} {thing}", f"the {thing} from the {origin}")
    done = [f"{name} {past} {what}" for what in things]
    undone = [f"{name} did not {verb} {what}" for what in things]
    return Instance(
        (name, past, colour, thing, origin),
        f"{name} {rng.choice(ATTEMPTS[outcome])} to {verb} the {colour} {thing} from the {origin}",
        **_judged(outcome, done, undone),
    )


def _judged(outcome: str, done: list[str], undone: list[str]) -> dict[str, list[str]]:
    """Relations of what was done and what was not to a premise that says, denies or leaves open."""
    if outcome == "open":
        return {"entailment": [], "neutral": done + undone, "contradiction": []}
    true, false = (done, undone) if outcome == "done" else (undone, done)
    return {"entailment": true, "neutral": [], "contradiction": false}


def pair(rng: Random) -> Instance:
    """Both of two people, one of them or neither."""
    one, two, met = rng.sample(w.EN_NAMES, 3)
    past, place = rng.choice(list(DEEDS)), rng.choice(w.EN_PLACES)
    outcome = rng.choice(("done", "open", "undone"))
    subject = {"done": "{} and {}", "open": "either {} or {}", "undone": "neither {} nor {}"}
    done = [f"{who} {past} {met} near the {place}" for who in (one, two)]
    undone = [f"{who} did not {DEEDS[past]} {met} near the {place}" for who in (one, two)]
    return Instance(
        (*sorted((one, two)), past, met, place),
        f"{subject[outcome].format(one, two)} {past} {met} near the {place}",
        **_judged(outcome, done, undone),
    )


def count(rng: Random) -> Instance:
    """How many: a range of numbers around the premise's follows, one apart from it cannot be."""
    name, past, thing = rng.choice(w.EN_NAMES), rng.choice(list(TRADES)), rng.choice(THINGS)
    place, number = rng.choice(w.EN_PLACES), rng.randint(3, 60)
    known = rng.choice(list(RANGES))
    what = f"{number} {thing}s near the {place}"
    claims = {f"{past} {word}": word for word in RANGES if word != known}
    claims |= {f"did not {TRADES[past]} {word}": same for word, same in DENIED.items()}
    found: dict[str, list[str]] = {"entailment": [], "neutral": [], "contradiction": []}
    for claim, word in claims.items():
        relation = _relation(RANGES[known](number), RANGES[word](number))
        found[relation].append(f"{name} {claim} {what}")
    about = (name, past, str(number), thing, place)
    return Instance(about, f"{name} {past} {known} {what}", **found)


RANGES = {
    "more than": lambda n: (n + 1, ENDLESS),
    "at least": lambda n: (n, ENDLESS),
    "fewer than": lambda n: (0, n - 1),
    "at most": lambda n: (0, n),
}
DENIED = {"more than": "at most", "fewer than": "at least"}


def _relation(known: tuple[int, int], claimed: tuple[int, int]) -> str:
    """Relation of a claimed range of numbers, both ends included, to a known one."""
    if claimed[0] <= known[0] and known[1] <= claimed[1]:
        return "entailment"
    apart = known[1] < claimed[0] or claimed[1] < known[0]
    return "contradiction" if apart else "neutral"


def crowd(rng: Random) -> Instance:
    """All, some, not all or none of a group."""
    group, past = rng.choice(CROWDS), rng.choice(list(DEEDS))
    name, place = rng.choice(w.EN_NAMES), rng.choice(w.EN_PLACES)
    quantities = ("all", "some", "at least one", "not all", "none")
    rest = f"of the {group} near the {place} {past} {name}"
    all_, some, one, not_all, none = (f"{quantity} {rest}" for quantity in quantities)
    premise, follows, open_, cannot = rng.choice(
        (
            (all_, [some, one], [], [none, not_all]),
            (f"each {rest}", [all_, some], [], [none, not_all]),
            (some, [one], [all_, not_all], [none]),
            (not_all, [], [some, one, none], [all_]),
            (none, [not_all], [], [all_, some, one]),
            (f"not one {rest}", [none, not_all], [], [all_, some]),
        )
    )
    return Instance((group, past, name, place), premise, follows, open_, cannot)


FAMILIES = (attempt, pair, crowd, count)
