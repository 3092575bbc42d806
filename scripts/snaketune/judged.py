"""Verdicts of a judge beside the key: the metric `judged`, and the agreement of the two."""

from collections.abc import Iterable
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.answers import by_id
from snaketune.config.data import JUDGED
from snaketune.errors import UserError
from snaketune.metrics import Metric
from snaketune.tables import Block, percent

Z = 1.959963984540054

METRIC = Metric(
    JUDGED,
    lambda read: read["verdict"],
    lambda read: read["verdict"] is None,
    lambda verdict, label: verdict == "right",
    None,
)
"""Of rows as `judged_rows` makes them."""


def read_judgements(path: Path, rows: Iterable[dict]) -> dict[str, dict]:
    """The rows of a file of judgements by id; one of a record that was not asked is refused."""
    found = by_id(path)
    if odd := sorted(found.keys() - {row["id"] for row in rows}):
        raise UserError(
            f"{path} judges records that were not asked, such as '{odd[0]}'. Delete it and judge "
            "again."
        )
    return found


def judged_rows(rows: Iterable[dict], judgements: dict[str, dict]) -> list[dict]:
    """Rows of an answers file with the verdict as what was read.

    An answer that was not judged because it says nothing is unparsed; a record without a response,
    or whose request to the judge failed, is an error.
    """
    return [{**row, "read": _verdict(row, judgements.get(row["id"]))} for row in rows]


def _verdict(row: dict, judgement: dict | None) -> list[dict]:
    if row["text"] is None or (judgement and judgement["error"]):
        return []
    return [{"verdict": judgement["verdict"] if judgement else None}]


class Kappa(NamedTuple):
    """Cohen's kappa (1960) with the ends of its 95 % interval; None where it is undefined."""

    kappa: float | None
    low: float | None
    high: float | None


def cohens_kappa(both: int, only_one: int, only_other: int, neither: int) -> Kappa:
    """Agreement of two yes-or-no judgements beyond chance.

    Undefined where both always say the same one thing, since chance then explains everything.
    The interval is the simple large-sample one, with the observed agreement's binomial variance.
    """
    n = both + only_one + only_other + neither
    if not n:
        return Kappa(None, None, None)
    observed = (both + neither) / n
    yes = (both + only_one) / n, (both + only_other) / n
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    if chance == 1:
        return Kappa(None, None, None)
    kappa = (observed - chance) / (1 - chance)
    reach = Z * sqrt(observed * (1 - observed) / n) / (1 - chance)
    return Kappa(kappa, max(-1.0, kappa - reach), min(1.0, kappa + reach))


def agreement(
    metric: str, rows: list[dict], right: list[bool], judgements: dict[str, dict]
) -> dict[str, Any]:
    """How far a judge agrees with a metric of the key.

    Args:
        metric: its name.
        rows: of the answers file, those with a gold answer.
        right: whether the metric calls each right; an unparsed answer it calls wrong.
        judgements: by id; records without a verdict are left out and counted.

    Returns:
        `against`, `n`, `no_verdict`, the four counts, `agreement`, and kappa with its interval.
    """
    verdicts = [judgements.get(row["id"], {}).get("verdict") for row in rows]
    pairs = [
        (verdict == "right", by_key)
        for verdict, by_key in zip(verdicts, right, strict=True)
        if verdict is not None
    ]
    counts = {
        "both_right": pairs.count((True, True)),
        "only_judge": pairs.count((True, False)),
        "only_key": pairs.count((False, True)),
        "both_wrong": pairs.count((False, False)),
    }
    kappa = cohens_kappa(*counts.values())
    return {
        "against": metric,
        "n": len(pairs),
        "no_verdict": len(rows) - len(pairs),
        **counts,
        "agreement": (counts["both_right"] + counts["both_wrong"]) / len(pairs) if pairs else None,
        "kappa": kappa.kappa,
        "kappa_low": kappa.low,
        "kappa_high": kappa.high,
    }


TITLE = "{dataset} / {split}: the judge against the key"
TEXT = (
    "The same answers, called right by the judge and by the metric of the key. Kappa: Cohen's, "
    "agreement beyond chance, with its large-sample 95 % interval; – where both say one and the "
    "same of every answer. Answers without a verdict (not judged, or the judge's reply says none) "
    "are left out and counted. A judge of the same family as a judged model may favour it."
)
HEAD = (
    *("model", "metric", "n", "agree %", "kappa"),
    *("both right", "only judge", "only key", "both wrong", "no verdict"),
)


def agreements(scores: Iterable[dict], models: list[str]) -> list[Block]:
    """A table for each dataset and split with a judge; the first says how to read all.

    Args:
        scores: contents of score files.
        models: of the study, in order.
    """
    places: dict[tuple[str, str], list[dict]] = {}
    for score in scores:
        if score.get("judge"):
            places.setdefault((score["dataset"], score["split"]), []).append(score)
    blocks: list[Block] = []
    for (dataset, split), group in places.items():
        group.sort(key=lambda score: models.index(score["model"]))
        title, text = TITLE.format(dataset=dataset, split=split), "" if blocks else TEXT
        blocks.append(Block(title, text, list(HEAD), [_row(score) for score in group], []))
    return blocks


def _row(score: dict) -> list[str]:
    found = score["judge"]
    kappa = "–"
    if found["kappa"] is not None:
        low, high = found["kappa_low"], found["kappa_high"]
        kappa = f"{found['kappa']:.2f} [{low:.2f}, {high:.2f}]"
    counts = ("both_right", "only_judge", "only_key", "both_wrong", "no_verdict")
    return [
        *(score["model"], found["against"], str(found["n"]), percent(found["agreement"]), kappa),
        *(str(found[key]) for key in counts),
    ]
