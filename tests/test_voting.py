"""Votes: the truth tables of all rules, what they flip, and what asking more than once is worth."""

import random
from itertools import product

import pytest

from snaketune.config.data import Vote
from snaketune.voting import Ballot, Outcome, agreement, curve, decide, measured

SAME, DIFFERENT = "相同", "不相同"
FIRST = Vote()
MAJORITY = Vote(rule="majority")
STRICT = Vote(rule="any", label=DIFFERENT)
TIE, FEW = Outcome(None, "tie"), Outcome(None, "too_few")


def _says(text: str) -> list[str | None]:
    """Labels by their letters: s, d and o for labels, - for what says nothing."""
    return [{"s": SAME, "d": DIFFERENT, "o": "其他", "-": None}[letter] for letter in text]


def _rule(**parts) -> Vote:
    return Vote.model_validate(parts)


def _threshold(share, **parts) -> Vote:
    return _rule(rule="threshold", label=DIFFERENT, share=share, **parts)


@pytest.mark.parametrize(
    ("rule", "says", "outcome"),
    [
        # first
        (FIRST, "sdddd", SAME),
        (FIRST, "d", DIFFERENT),
        (FIRST, "-ssss", Outcome(None, "unreadable")),
        (FIRST, "-", FEW),
        (_rule(min_valid=3), "sd---", FEW),
        # majority; a plurality is enough
        (MAJORITY, "sdsds", SAME),
        (MAJORITY, "ddsss", SAME),
        (MAJORITY, "ssddo", TIE),
        (MAJORITY, "sdo", TIE),
        (MAJORITY, "ssdo", SAME),
        (MAJORITY, "s----", SAME),
        (MAJORITY, "-----", FEW),
        (_rule(rule="majority", min_valid=3), "ss---", FEW),
        (_rule(rule="majority", min_valid=3), "ssd--", SAME),
        # quirk Y11: a dropped vote leaves four, which can tie; the published tie is the first seen
        (MAJORITY, "dssd-", TIE),
        (_rule(rule="majority", tie="first"), "dssd-", DIFFERENT),
        (_rule(rule="majority", tie="first"), "-sdds", SAME),
        (_rule(rule="majority", tie="first"), "odssd", DIFFERENT),
        (_rule(rule="majority", tie="first", min_valid=5), "dssd-", FEW),
        # any: the published strict
        (STRICT, "ssssd", DIFFERENT),
        (STRICT, "sssss", SAME),
        (STRICT, "----d", DIFFERENT),
        (STRICT, "s----", SAME),
        (STRICT, "-----", FEW),
        (STRICT, "ssoo", TIE),
        (_rule(rule="any", label=DIFFERENT, tie="first"), "ossoo", "其他"),
        (_rule(rule="any", label=DIFFERENT, min_valid=2), "d----", FEW),
        # threshold: the share is of the valid votes
        (_threshold(0.6), "dddss", DIFFERENT),
        (_threshold(0.6), "ddsss", SAME),
        (_threshold(0.6), "ddd--", DIFFERENT),
        (_threshold(0.6), "dds--", DIFFERENT),
        (_threshold(0.5), "ds", DIFFERENT),
        (_threshold(0.5, min_valid=3), "ds", FEW),
        # below it the others decide, though the label has more votes than any of them
        (_threshold(0.6), "dddsoo", "其他"),
        (_threshold(0.6), "dddsso-", SAME),
        (_threshold(0.6), "ddso", TIE),
        (_threshold(0.6, tie="first"), "ddso", SAME),
        (_threshold(1), "ddddd", DIFFERENT),
        (_threshold(1), "dddds", SAME),
        # shares that binary fractions only come near to
        (_threshold(0.55), "d" * 11 + "s" * 9, DIFFERENT),
        (_threshold(0.3), "dddsssssss", DIFFERENT),
    ],
)
def test_truth_table(rule, says, outcome):
    assert decide(_says(says), rule) == (
        outcome if isinstance(outcome, Outcome) else Outcome(outcome)
    )


@pytest.mark.parametrize(
    ("wrong", "strict", "majority"),
    [(0.05, 22.6, 0.12), (0.1, 41.0, 0.86), (0.2, 67.2, 5.8), (0.3, 83.2, 16.3)],
)
def test_how_often_five_votes_flip_a_label(wrong, strict, majority):
    """Quirk Y1: the answer is 相同, and each vote says 不相同 with this probability."""
    flipped = {"strict": 0.0, "majority": 0.0}
    for says in product((SAME, DIFFERENT), repeat=5):
        probability = wrong ** says.count(DIFFERENT) * (1 - wrong) ** says.count(SAME)
        for name, rule in (("strict", STRICT), ("majority", MAJORITY)):
            flipped[name] += probability * (decide(says, rule).label == DIFFERENT)
    assert flipped["strict"] == pytest.approx(1 - (1 - wrong) ** 5)
    assert 100 * flipped["strict"] == pytest.approx(strict, abs=0.05)
    assert 100 * flipped["majority"] == pytest.approx(majority, abs=0.05 if wrong > 0.1 else 0.005)


def _ballots(*pairs: tuple[str, str]) -> list[Ballot]:
    return [Ballot(tuple(_says(says)), _says(gold)[0]) for says, gold in pairs]


def _random_ballots(n: int, k: int, right: float, seed: int = 7) -> list[Ballot]:
    draw = random.Random(seed)
    letters = ["s" if draw.random() < 0.5 else "d" for _ in range(n)]
    other = {"s": "d", "d": "s"}
    return _ballots(
        *(
            ("".join(gold if draw.random() < right else other[gold] for _ in range(k)), gold)
            for gold in letters
        )
    )


def accuracies(ballots: list[Ballot], rule: Vote, k: int) -> list[float]:
    return [point.accuracy for point in curve(ballots, rule, k)]


def gain(ballots: list[Ballot], rule: Vote, k: int) -> tuple[float | None, float, float | None]:
    """Lower end, value, upper end of what all k votes gain."""
    point = curve(ballots, rule, k)[-1]
    return point.gain_low, point.gain, point.gain_high


RULES = [
    FIRST,
    MAJORITY,
    STRICT,
    _threshold(0.6),
    _rule(rule="majority", min_valid=3, tie="first"),
    _rule(rule="majority", min_valid=2),
]


@pytest.mark.parametrize("k", [2, 5, 12])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.rule}-{rule.min_valid}")
def test_a_curve_begins_at_the_mean_and_ends_at_the_vote(rule, k):
    ballots = _random_ballots(60, k, 0.7)
    blank = (None,) * (k - 1)
    ballots += [Ballot((*blank, SAME), SAME), Ballot((), DIFFERENT), Ballot((None, *blank), SAME)]
    points = accuracies(ballots, rule, k)
    mean = sum(says.count(gold) for says, gold in ballots) / (k * len(ballots))
    enough = rule.model_copy(update={"min_valid": min(rule.min_valid, k)})
    vote = sum(bool(says) and decide(says, enough).label == gold for says, gold in ballots)
    assert len(points) == k
    assert points[0] == pytest.approx(mean)
    assert points[-1] == vote / len(ballots)


def test_a_curve_is_the_mean_over_all_choices():
    one = _ballots(("ssd", "s"))
    assert accuracies(one, MAJORITY, 3) == pytest.approx(
        [2 / 3, 1 / 3, 1]
    )  # two of three pairs tie
    assert accuracies(one, _rule(rule="majority", tie="first"), 3) == pytest.approx([2 / 3, 1, 1])
    assert accuracies(
        _ballots(("dss", "s")), _rule(rule="majority", tie="first"), 3
    ) == pytest.approx([2 / 3, 1 / 3, 1])
    assert accuracies(one, STRICT, 3) == pytest.approx([2 / 3, 1 / 3, 0])


def test_a_curve_of_many_responses_follows_the_binomial():
    points = accuracies(_random_ballots(4000, 5, 0.7), MAJORITY, 5)
    exact = {1: 0.7, 3: 0.784, 5: 0.83692}
    for votes, share in exact.items():
        assert points[votes - 1] == pytest.approx(share, abs=0.02)


def test_runs_of_many_responses_use_each_equally_often():
    ballots = _ballots(("s" * 8 + "d" * 4, "s"))
    points = accuracies(ballots, MAJORITY, 12)
    assert points[0] == pytest.approx(8 / 12)
    # of the runs of three round the circle, those with at most one of the four d
    assert points[2] == pytest.approx(8 / 12)
    assert points[-1] == 1


def test_gain_is_the_mean_of_paired_differences():
    ballots = _ballots(("ssd", "s"), ("sdd", "s"), ("sss", "s"), ("ssd", "s"))
    low, middle, high = gain(ballots, MAJORITY, 3)
    differences = [1 / 3, -1 / 3, 0, 1 / 3]
    mean = sum(differences) / 4
    sd = (sum((d - mean) ** 2 for d in differences) / 3) ** 0.5
    assert middle == pytest.approx(3 / 4 - 8 / 12) == pytest.approx(mean)
    assert (low, high) == pytest.approx((mean - 1.959964 * sd / 2, mean + 1.959964 * sd / 2))
    assert gain(ballots[:1], MAJORITY, 3) == (None, pytest.approx(1 / 3), None)
    assert gain([*ballots[:1], Ballot((), SAME)], MAJORITY, 3)[1] == pytest.approx(1 / 6)


def test_one_vote_gains_nothing_and_each_number_of_votes_has_its_gain():
    points = curve(_random_ballots(500, 5, 0.7), MAJORITY, 5)
    assert points[0][1:] == (0, 0, 0)
    for point in points[1:]:
        assert point.gain == pytest.approx(point.accuracy - points[0].accuracy)
        assert point.gain_low < point.gain < point.gain_high
    # two votes that differ tie, so a pair is right as often as both of it are
    assert points[1].accuracy < points[0].accuracy < points[2].accuracy < points[4].accuracy


def test_the_interval_of_the_gain_holds_the_truth_about_as_often_as_it_says():
    # Each response is right with 0.7, so that five by majority gain 0.13692.
    held = 0
    for seed in range(200):
        low, _, high = gain(_random_ballots(150, 5, 0.7, seed), MAJORITY, 5)
        held += low <= 0.83692 - 0.7 <= high
    assert 181 <= held <= 198  # 190 expected, standard deviation 3.1


def test_agreement_is_of_valid_votes():
    ballots = _ballots(("sss", "s"), ("ssd", "d"), ("s-d", "s"), ("d-d", "s"), ("s--", "s"))
    ballots.append(Ballot((), SAME))
    unanimous, pairs = agreement(ballots)
    assert unanimous == 2 / 4
    assert pairs == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert agreement(_ballots(("s--", "s"))) == (None, None)


def test_abstentions_are_told_apart_and_errors_are_none():
    ballots = _ballots(("sd-", "s"), ("ds-", "s"), ("s--", "s"), ("---", "s"), ("ssd", "s"))
    made = measured([*ballots, Ballot((), SAME)], _rule(rule="majority", min_valid=2), 3)
    assert {key: made[key] for key in ("abstained", "tied", "too_few")} == {
        "abstained": 4, "tied": 2, "too_few": 2,
    }  # fmt: skip
    assert made["rule"]["min_valid"] == 2
    assert made["curve"][-1]["accuracy"] == 1 / 6
    assert made["errors_alone"] == pytest.approx([1 - 3 / 6, 1 - 2 / 6, 1])
