"""What voting is worth in a study, from its score files: a table a dataset and split."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from snaketune.tables import Block, percent, with_spread

TITLE = "{dataset} / {split}: {k} responses a record, n = {n}"
TEXT = (
    "Each record is asked several times, and the reading's rule makes one answer of what the "
    "responses say. Majority: the label that most valid responses have; any: the named label if a "
    "single response has it; threshold: the named label from that share of the valid responses "
    "on. Whole replies: not labels are counted but replies, equal to the character, and the most "
    "frequent one is read. One response: mean and sample standard deviation of the accuracies of "
    "each response index by itself. Gain: the vote less one response, in points, with the normal "
    "95 % interval of the paired differences over the records. All agree: share of the records "
    "with two valid votes or more whose valid votes are the same; pairs agree: mean share of two "
    "valid votes that are. Abstained: records whose vote gives no label, by a tie or because too "
    "few votes are valid; they count as wrong. Unreadable, failed: shares of all single responses."
)
HEAD = (
    "model",
    "reading: vote",
    "one response %",
    "voted %",
    "gain, points",
    "all agree %",
    "pairs agree %",
    "abstained (tie, too few)",
    "unreadable %",
    "failed %",
)


class Voted(NamedTuple):
    """A reading of a model that votes: its score file and its line among the metrics."""

    score: dict
    line: dict


def votes_taken(scores: Iterable[dict], models: list[str]) -> Iterator[list[Voted]]:
    """For each dataset and split, the readings whose responses vote, ordered as in the table.

    Readings that take the first response are none of them, nor are records asked once.

    Args:
        scores: contents of score files.
        models: of the study, in order.
    """
    found = [
        Voted(score, line)
        for score in scores
        for line in score["metrics"]
        if line.get("votes") and line["votes"]["rule"]["rule"] != "first"
    ]
    places = list(dict.fromkeys(map(place, found)))
    readings = list(dict.fromkeys(one.line["metric"] for one in found))
    found.sort(
        key=lambda one: (
            places.index(place(one)),
            readings.index(one.line["metric"]),
            models.index(one.score["model"]),
        )
    )
    return (list(group) for _, group in groupby(found, key=place))


def place(one: Voted) -> tuple[str, str]:
    """Dataset and split."""
    return one.score["dataset"], one.score["split"]


def voted(scores: Iterable[dict], models: list[str]) -> list[Block]:
    """A table for each dataset and split with a vote; the first says how to read all."""
    blocks: list[Block] = []
    for group in votes_taken(scores, models):
        score, line = group[0]
        title = TITLE.format(
            dataset=score["dataset"],
            split=score["split"],
            k=score["responses_per_record"],
            n=f"{line['n']:,}",
        )
        text = "" if blocks else TEXT
        blocks.append(Block(title, text, list(HEAD), [_row(one) for one in group], []))
    return blocks


def _row(one: Voted) -> list[str]:
    score, line = one
    votes = line["votes"]
    return [
        score["model"],
        reading_name(line),
        with_spread(line),
        percent(line["accuracy"]),
        gain_in_points(votes["curve"][-1]),
        percent(votes["agreement"]),
        percent(votes["pairwise_agreement"]),
        f"{votes['abstained']} ({votes['tied']}, {votes['too_few']})",
        percent(votes["unreadable"] / votes["responses"]),
        percent(votes["failed"] / votes["responses"]),
    ]


def reading_name(line: dict) -> str:
    """A reading and its rule: `strict: any 不相同`, `some: threshold 不相同 from 60 %`; what is not
    usual stands behind it: `voted: majority, 3 valid, tie: first`."""
    rule = line["votes"]["rule"]
    parts = [f"{rule['rule']} {rule['label'] or ''}".strip()]
    if rule["rule"] == "threshold":
        parts[0] += f" from {100 * rule['share']:g} %"
    if rule["min_valid"] > 1:
        parts.append(f"{rule['min_valid']} valid")
    if rule["of"] == "raw":
        parts.append("whole replies")
    if rule["tie"] == "first":
        parts.append("tie: first")
    return f"{line['metric']}: {', '.join(parts)}"


def gain_in_points(point: dict) -> str:
    """`+2.1 [0.4, 3.8]`."""
    gained = f"{100 * point['gain']:+.1f}".replace("-0.0", "0.0")
    if point["gain_low"] is None:
        return gained
    return f"{gained} [{100 * point['gain_low']:.1f}, {100 * point['gain_high']:.1f}]"
