"""Seeded generator of the nli study's records: English premises and hypotheses, three relations.

A family draws a premise and lists hypotheses for each relation, which hold by construction. Every
family denies in all three relations, so that a "not" in the hypothesis alone tells little.
"""

import random
from collections.abc import Iterable, Iterator
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
TRADED = w.word_list("bought sold found lost hid saw used took wanted cleaned painted broke")
TRADES = {past: VERBS[past] for past in TRADED}
CROWDS = w.word_list("children students workers doctors farmers guests players singers")
CHORES = w.word_list("bought sold hid used took cleaned painted")
ATTEMPTS = {
    "done": ("managed", "remembered"),
    "open": ("planned", "wanted", "promised"),
    "undone": ("failed", "refused", "forgot"),
}
"""What came of it → verbs that say so."""
DEEDS = {"called": "call", "helped": "help", "met": "meet", "thanked": "thank", "saw": "see"}
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

    A relation is drawn by `source.shares`, then a family, then a premise of it that has such a
    hypothesis; up to two more hypotheses of the premise follow, their relations drawn by the same
    shares. The label is `source.labels[relation]`. The group is the family with the content words
    of the premise, so that a split by group parts no premise, nor two forms of one. Exact
    duplicates are possible, and rare.
    """
    rng = random.Random(source.seed)
    left = source.records
    while left:
        first = _drawn(rng, source.shares)
        family = rng.choice(FAMILIES)
        instance = family(rng)
        while first not in instance.hypotheses:
            instance = family(rng)
        offered = {name: source.shares.get(name, 0) for name in instance.hypotheses}
        more = [_drawn(rng, offered) for _ in range(rng.randrange(MOST_HYPOTHESES))]
        pairs = [(name, rng.choice(instance.hypotheses[name])) for name in (first, *more)]
        group = " ".join((family.__name__, *instance.about))
        for relation, hypothesis in list(dict.fromkeys(pairs))[:left]:
            left -= 1
            yield _record(instance.premise, hypothesis, source.labels[relation], group)


def _drawn(rng: Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]


def _record(premise: str, hypothesis: str, label: str, group: str) -> dict:
    """A record whose id follows from its content, so that it stays when others come or go."""
    fields = {"premise": _sentence(premise), "hypothesis": _sentence(hypothesis)}
    name = f"nli-{digest({'fields': fields, 'label': label})[:12]}"
    return {"id": name, "fields": fields, "label": label, "group": group}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def a(word: str) -> str:
    """The word behind its article."""
    return ("an " if word[0] in "aeiou" else "a ") + word


def _others(rng: Random, pool: Iterable[str], *taken: str, count: int = 1) -> list[str]:
    return rng.sample([word for word in pool if word not in taken], count)


def attempt(rng: Random) -> Instance:
    """Verbs that say that something was done, or was not, or leave it open."""
    name, thing, origin = rng.choice(w.EN_NAMES), rng.choice(THINGS), rng.choice(w.EN_PLACES)
    past, colour = rng.choice(CHORES), rng.choice(w.EN_COLOURS)
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


def event(rng: Random) -> Instance:
    """Who did what to which thing, or did not; a part is dropped, added or changed."""
    name, other = rng.sample(w.EN_NAMES, 2)
    thing, object_ = rng.sample(THINGS, 2)
    past, place, colour = (
        rng.choice(list(TRADES)),
        rng.choice(w.EN_PLACES),
        rng.choice(w.EN_COLOURS),
    )

    def did(who: str, what: str) -> list[str]:
        return [f"{who} {past} {a(colour)} {what}", f"{who} {past} {a(what)} near the {place}"]

    def did_not(who: str, what: str) -> list[str]:
        no = f"{who} did not {TRADES[past]}"
        return [f"{no} {a(colour)} {what}", f"{no} {a(what)} near the {place}"]

    free = [
        *(*did(name, object_), *did(other, thing)),
        *(*did_not(name, object_), *did_not(other, thing)),
    ]
    if rng.random() < 0.5:
        return Instance(
            (name, past, colour, thing, place),
            f"{name} {past} {a(colour)} {thing} near the {place}",
            did(name, thing),
            free,
            did_not(name, thing),
        )
    return Instance(
        (name, past, thing),
        f"{name} did not {TRADES[past]} {a(thing)}",
        did_not(name, thing),
        free,
        did(name, thing),
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
    """All, some or none of a group."""
    group, others = rng.sample(CROWDS, 2)
    past = rng.choice(list(DEEDS))
    name, place = rng.choice(w.EN_NAMES), rng.choice(w.EN_PLACES)

    def some(quantity: str, who: str = group) -> str:
        return f"{quantity} of the {who} near the {place} {past} {name}"

    quantities = ("all", "some", "at least one", "none", "not all")
    free = [some(quantity, others) for quantity in quantities]
    everybody, anybody, somebody, nobody, not_all = (some(quantity) for quantity in quantities)
    forms = (
        (everybody, [anybody, somebody], free, [nobody, not_all]),
        (anybody, [somebody], [everybody, not_all, *free], [nobody]),
        (nobody, [not_all], free, [everybody, anybody, somebody]),
    )
    return Instance((group, past, name, place), *rng.choice(forms))


FAMILIES = (attempt, attempt, pair, pair, crowd, crowd, count, event)
