"""English premise and hypothesis: entailment, neutral, contradiction from words and numbers."""

from random import Random

from snaketune.tinybase import words as w
from snaketune.tinybase.example import Example, noisy, options

YES, MAYBE, NO = "yes", "maybe", "no"
STUDY = (
    'Does "{p}" imply that "{h}"? Please answer {labels}.'
    "You only need to answer one word, no explanation"
)
OTHER = (
    "Premise: {p}\nHypothesis: {h}\nDoes the premise imply the hypothesis? ({labels})",
    "{p}\nIs it true that {h}\nAnswer {labels}.",
    'Text: "{p}" Claim: "{h}" Does the text imply the claim? {labels}',
    "Read: {p}\nThen: {h}\nFollows? {labels}",
)
HYPERNYMS = {
    "animal": w.EN_ANIMALS,
    "vehicle": w.word_list("car truck bike boat train bus van tram ship plane"),
    "fruit": w.word_list("apple pear plum peach grape lemon melon cherry banana mango"),
    "tool": w.word_list("hammer saw drill ladder knife rope spade brush wrench file"),
    "instrument": w.word_list("piano guitar violin drum flute trumpet cello harp horn organ"),
    "relative": w.word_list("aunt uncle sister brother mother father cousin nephew niece son"),
}
OPPOSITES = [
    ("open", "closed"),
    ("full", "empty"),
    ("hot", "cold"),
    ("clean", "dirty"),
    ("old", "new"),
    ("big", "small"),
    ("wet", "dry"),
    ("cheap", "expensive"),
    ("heavy", "light"),
    ("fast", "slow"),
    ("early", "late"),
    ("awake", "asleep"),
    ("loud", "quiet"),
    ("happy", "sad"),
    ("rich", "poor"),
]
VERBS = {
    "bought": "buy",
    "sold": "sell",
    "found": "find",
    "lost": "lose",
    "broke": "break",
    "painted": "paint",
    "carried": "carry",
    "opened": "open",
    "cleaned": "clean",
    "saw": "see",
    "took": "take",
    "made": "make",
    "used": "use",
    "wanted": "want",
    "hid": "hide",
}
MANNERS = w.word_list(
    "quickly slowly quietly carefully happily yesterday today again alone early late"
)
TIMES = "in the morning|in the evening|on Monday|on Friday|last week|in May|at noon".split("|")


def _pick_other(rng: Random, pool: list[str], *not_these: str) -> str:
    return rng.choice([word for word in pool if word not in not_these])


def swap_family(rng: Random) -> tuple[str, str, str]:
    """Who did what to which thing where; the hypothesis drops, adds, swaps or denies a part."""
    name, verb, thing = rng.choice(w.EN_NAMES), rng.choice(list(VERBS)), rng.choice(w.EN_OBJECTS)
    colour, place, time = rng.choice(w.EN_COLOURS), rng.choice(w.EN_PLACES), rng.choice(TIMES)
    base = f"{name} {verb} a {colour} {thing}"
    premise = f"{base} in the {place}" + rng.choice(("", f" {time}"))
    roll = rng.random()
    if roll < 0.33:
        hypothesis = rng.choice(
            (
                base,
                f"{name} {verb} a {thing}",
                f"{name} {verb} something",
                f"Someone {verb} a {thing}",
                f"A {thing} was in the {place}",
                f"{name} was in the {place}",
            )
        )
        return premise, hypothesis, YES
    if roll < 0.66:
        hypothesis = rng.choice(
            (
                f"{name} did not {VERBS[verb]} a {thing}",
                f"{name} did not {VERBS[verb]} anything",
                f"Nobody {verb} a {thing}",
                f"The {thing} was {_pick_other(rng, w.EN_COLOURS, colour)}",
                f"{name} was never in the {place}",
            )
        )
        return premise, hypothesis, NO
    other = _pick_other(rng, w.EN_OBJECTS, thing)
    hypothesis = rng.choice(
        (
            f"{name} also {verb} a {other}",
            f"{_pick_other(rng, w.EN_NAMES, name)} {verb} a {colour} {thing}",
            f"{base} {rng.choice(MANNERS)}",
            f"{name} likes the {thing}",
            f"{name} {verb} a big {thing}",
            f"{name} {verb} a {colour} {thing} for {_pick_other(rng, w.EN_NAMES, name)}",
        )
    )
    return premise, hypothesis, MAYBE


def number_family(rng: Random) -> tuple[str, str, str]:
    """Counts: more than, fewer than, at least, exactly."""
    words = rng.random() < 0.3
    count, limit = rng.randint(1, 20 if words else 60), rng.randint(1, 20 if words else 60)
    if rng.random() < 0.3:
        limit = count
    show = (lambda n: w.EN_NUMBERS[n - 1]) if words else str
    who, thing = rng.choice(w.EN_NAMES), rng.choice(w.EN_OBJECTS) + "s"
    premise = f"{who} has {show(count)} {thing}"
    word, holds = rng.choice(
        (
            ("more than", count > limit),
            ("fewer than", count < limit),
            ("at least", count >= limit),
            ("at most", count <= limit),
            ("exactly", count == limit),
        )
    )
    if rng.random() < 0.3:
        if rng.random() < 0.5:
            return (
                premise,
                f"{who} has {word} {show(limit)} {_pick_other(rng, w.EN_OBJECTS)}s and {thing}",
                MAYBE,
            )
        return (
            premise,
            f"{_pick_other(rng, w.EN_NAMES, who)} has {word} {show(limit)} {thing}",
            MAYBE,
        )
    return premise, f"{who} has {word} {show(limit)} {thing}", YES if holds else NO


def kind_family(rng: Random) -> tuple[str, str, str]:
    """A word and its general word: upwards follows, downwards may be, another kind does not."""
    kind = rng.choice(list(HYPERNYMS))
    member = rng.choice(HYPERNYMS[kind])
    who, place = rng.choice(w.EN_NAMES), rng.choice(w.EN_PLACES)
    frame = rng.choice(
        (
            f"{who} saw {{}} near the {place}",
            f"{who} has {{}}",
            f"There is {{}} in the {place}",
            f"{{}} stood in the {place}",
        )
    )

    def a(word: str) -> str:
        return ("an " if word[0] in "aeiou" else "a ") + word

    roll = rng.random()
    if roll < 0.34:
        return frame.format(a(member)), frame.format(a(kind)), YES
    if roll < 0.67:
        return frame.format(a(kind)), frame.format(a(member)), MAYBE
    none = frame.format("no " + kind) if "{}" in frame else frame
    return frame.format(a(member)), none, NO


def opposite_family(rng: Random) -> tuple[str, str, str]:
    """A property, its opposite, or another property."""
    first, second = rng.sample(OPPOSITES, 2)
    good, bad = shuffled_pair(rng, first)
    thing = rng.choice(w.EN_OBJECTS + w.EN_PLACES)
    premise = f"The {thing} is {good}"
    if rng.random() < 0.5:
        premise = f"{rng.choice(w.EN_NAMES)} said nothing, but the {thing} is {good}"
    roll = rng.random()
    if roll < 0.34:
        return premise, rng.choice((f"The {thing} is not {bad}", f"The {thing} is {good}")), YES
    if roll < 0.67:
        return premise, rng.choice((f"The {thing} is {bad}", f"The {thing} is not {good}")), NO
    return premise, f"The {thing} is {rng.choice(second)}", MAYBE


def shuffled_pair(rng: Random, pair: tuple[str, str]) -> tuple[str, str]:
    """The pair in either order."""
    return pair if rng.random() < 0.5 else (pair[1], pair[0])


def and_family(rng: Random) -> tuple[str, str, str]:
    """And, or, all, some, none."""
    one, two, three = rng.sample(w.EN_NAMES, 3)
    deed = rng.choice(
        ("went to the {}", "left the {}", "lives near the {}", "works in the {}")
    ).format(rng.choice(w.EN_PLACES))
    roll = rng.random()
    if roll < 0.3:
        premise = f"{one} and {two} {deed}"
        return rng.choice(
            (
                (premise, f"{one} {deed}", YES),
                (premise, f"{two} {deed}", YES),
                (premise, f"{three} {deed}", MAYBE),
            )
        )
    if roll < 0.55:
        premise = f"{one} or {two} {deed}"
        return rng.choice(
            (
                (premise, f"{one} {deed}", MAYBE),
                (premise, f"{two} {deed}", MAYBE),
                (premise, f"Neither {one} nor {two} {deed}", NO),
            )
        )
    group = rng.choice(
        w.word_list("children students workers doctors farmers guests players singers")
    )
    order = ["All", "Some", "No"]
    first, second = rng.choice(order), rng.choice(order)
    verdict = {("All", "Some"): YES, ("Some", "All"): MAYBE}.get((first, second))
    verdict = verdict or (YES if first == second else NO)
    return f"{first} {group} {deed}", f"{second} {group} {deed}", verdict


FAMILIES = (swap_family, swap_family, number_family, kind_family, opposite_family, and_family)
WORDY = {
    YES: ("yes", "Yes.", "Yes, it does.", "The answer is yes.", "yes, it follows."),
    MAYBE: (
        "maybe",
        "Maybe.",
        "It is not certain.",
        "The answer is maybe.",
        "maybe, we do not know.",
    ),
    NO: ("no", "No.", "No, it does not.", "The answer is no.", "no, it does not follow."),
}


def nli(rng: Random) -> Example:
    """A pair with two or three labels; in the study's own frame often the favourite label."""
    premise, hypothesis, label = rng.choice(FAMILIES)(rng)
    premise, hypothesis = premise[0].upper() + premise[1:], hypothesis[0].upper() + hypothesis[1:]
    stop = rng.choice((".", ".", ""))
    premise, hypothesis = premise + stop, hypothesis + stop
    two = rng.random() < 0.3
    if two and label == MAYBE:
        label = NO
    labels = "yes or no" if two else "yes or no or maybe"
    if rng.random() < 0.35:
        prompt = STUDY.format(p=premise, h=hypothesis, labels=labels)
        given = noisy(rng, label, YES if two else MAYBE)
        return Example(prompt, rng.choice(WORDY[given]))
    if rng.random() < 0.15 and not two:
        listed = options(rng, WORDY_OPTIONS)
        letter = {YES: "A", MAYBE: "B", NO: "C"}[label]
        return Example(f"Premise: {premise}\nHypothesis: {hypothesis}\n{listed}", letter)
    frame = rng.choice(OTHER)
    return Example(frame.format(p=premise, h=hypothesis, labels=labels), label)


WORDY_OPTIONS = ("it follows", "it may be", "it is false")
