"""What a record's responses answer together, and what asking more than once is worth."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import sqrt
from typing import Literal, NamedTuple

from snaketune.config.data import Vote

MOST_EXACT = 10
"""Responses up to which a curve takes every subset of them (1,023 of ten)."""
Z = statistics.NormalDist().inv_cdf(0.975)


class Raw(NamedTuple):
    """A whole reply as a vote: equal ones are one candidate, whatever they say."""

    text: int
    """Stands for the text."""
    label: str | None
    """What it says; None where that cannot be read."""


class Outcome(NamedTuple):
    """The label that a vote gives, or why it gives none."""

    label: str | None
    why: Literal["too_few", "tie", "unreadable"] | None = None


class Ballot(NamedTuple):
    """What each response to a record says, None for one that says nothing, and the gold label."""

    says: tuple[str | Raw | None, ...]
    """Empty where the record has no response at all, because of an error."""
    gold: str


def decide(says: Sequence[str | Raw | None], rule: Vote) -> Outcome:
    """The vote over the labels that a record's responses say, by a rule of the config.

    Valid votes are those that say a label; a response that could not be read, or failed, is None.
    Where whole replies vote, each that did not fail is valid, and the winner may be unreadable.
    """
    valid = [label for label in says if label is not None]
    if len(valid) < rule.min_valid:
        return Outcome(None, "too_few")
    if rule.rule == "first":
        return Outcome(says[0], None if says[0] is not None else "unreadable")
    if rule.rule == "any" and rule.label in valid:
        return Outcome(rule.label)
    if rule.rule == "threshold":
        if valid.count(rule.label) / len(valid) >= rule.share:
            return Outcome(rule.label)
        valid = [label for label in valid if label != rule.label]
    return _most(valid, rule)


def label_of(vote: str | Raw | None) -> str | None:
    """What a vote says."""
    return vote.label if isinstance(vote, Raw) else vote


def _most(valid: list[str | Raw], rule: Vote) -> Outcome:
    """The label that most votes have; of equally many the first seen, if ties go to the first."""
    ranked = Counter(valid).most_common()
    if len(ranked) > 1 and ranked[0][1] == ranked[1][1] and rule.tie == "abstain":
        return Outcome(None, "tie")
    label = label_of(ranked[0][0])
    return Outcome(label, None if label is not None else "unreadable")


class Point(NamedTuple):
    """What a vote over so many of the responses gives, as shares."""

    accuracy: float
    gain: float
    """Less the accuracy of one response."""
    gain_low: float | None
    """With `gain_high` the 95 % interval of the gain; None where there is one record."""
    gain_high: float | None


def measured(ballots: Sequence[Ballot], rule: Vote, k: int) -> dict:
    """What k responses and a vote give, against one response.

    Args:
        ballots: of the records with a gold label, at least one; each of k responses or of none.
        rule: how they vote.
        k: responses a record.

    Returns:
        `rule`; `curve`, a point for 1 to k responses (see `curve`); `errors_alone`, for each
        response index the share of records that it gets wrong by itself; of the records with two
        valid votes or more, `agreement`, the share whose valid votes are all the same, and
        `pairwise_agreement`, the mean share of pairs of valid votes that are the same, None where
        there is no such record; `abstained`, records that were answered but whose vote gives no
        label, and how many of them `tied` or had `too_few` valid votes.
    """
    outcomes = [decide(ballot.says, rule) for ballot in ballots if ballot.says]
    why = Counter(outcome.why for outcome in outcomes if outcome.label is None)
    unanimous, pairs = agreement(ballots)
    return {
        "rule": rule.model_dump(),
        "curve": [point._asdict() for point in curve(ballots, rule, k)],
        "errors_alone": [
            statistics.fmean(not says or label_of(says[index]) != gold for says, gold in ballots)
            for index in range(k)
        ],
        "agreement": unanimous,
        "pairwise_agreement": pairs,
        "abstained": why.total(),
        "tied": why["tie"],
        "too_few": why["too_few"],
    }


def curve(ballots: Sequence[Ballot], rule: Vote, k: int) -> list[Point]:
    """The vote over j of the k responses, for j = 1 … k, a mean over draws of j.

    Up to ten responses, the draws are all subsets of j; of more, the k runs of j successive
    responses, where the first follows the last. So one is the mean of single responses and k the
    vote itself, and no response counts more than another. Where `min_valid` is above j, all j
    must be valid. An even number can tie, so a curve may fall before it rises.

    The gain of j responses is the mean over the records of a difference: the share of the draws
    that are right, less the share of the record's responses that are. Its interval is the normal
    one of a mean.
    """
    counted = Counter(ballots)
    points = []
    for j in range(1, k + 1):
        label = _labels(rule.model_copy(update={"min_valid": min(rule.min_valid, j)}))
        shares = []
        for (says, gold), times in counted.items():
            drawn = [label(votes) == gold for votes in _draws(says, j)]
            right = statistics.fmean(drawn) if drawn else 0.0
            alone = sum(label_of(vote) == gold for vote in says) / k
            shares.append((right, right - alone, times))
        accuracy = sum(right * times for right, _, times in shares) / len(ballots)
        gains = [(difference, times) for _, difference, times in shares]
        points.append(Point(accuracy, *_mean_with_interval(gains)))
    return points


def _mean_with_interval(
    values: list[tuple[float, int]],
) -> tuple[float, float | None, float | None]:
    """Mean of values that each stand so many times, and the ends of its 95 % interval."""
    n = sum(times for _, times in values)
    mean = sum(value * times for value, times in values) / n
    if n == 1:
        return mean, None, None
    variance = sum((value - mean) ** 2 * times for value, times in values) / (n - 1)
    reach = Z * sqrt(variance / n)
    return mean, mean - reach, mean + reach


def _labels(rule: Vote) -> Callable[[tuple[str | None, ...]], str | None]:
    """`decide`, once for equal votes."""
    return cache(lambda votes: decide(votes, rule).label)


def _draws(says: tuple[str | None, ...], j: int) -> Iterator[tuple[str | None, ...]]:
    """Every j of the responses, or of many responses the runs of j, each in their order."""
    k = len(says)
    if k <= MOST_EXACT:
        return combinations(says, j)
    runs = ({(start + i) % k for i in range(j)} for start in range(k))
    return (tuple(says[i] for i in sorted(run)) for run in runs)


def agreement(ballots: Sequence[Ballot]) -> tuple[float | None, float | None]:
    """Of records with two valid votes or more: the share whose valid votes are all the same, and
    the mean share of their pairs of votes that are."""
    labels = [[label_of(vote) for vote in says] for says, _ in ballots]
    counts = [Counter(label for label in said if label is not None) for said in labels]
    counts = [count for count in counts if count.total() > 1]
    if not counts:
        return None, None
    pairs = [
        sum(votes * (votes - 1) for votes in count.values()) / (count.total() * (count.total() - 1))
        for count in counts
    ]
    return sum(len(count) == 1 for count in counts) / len(counts), statistics.fmean(pairs)
