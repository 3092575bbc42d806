"""What the choice of a seed does: models that differ in nothing else, averaged."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from snaketune.config.tuning import Variant
from snaketune.tables import Block, percent

TITLE = "{dataset} / {split}: over seeds"
TEXT = (
    "Models that were trained alike but for the seed, under one name. Mean and sample standard "
    "deviation are those of their accuracies; the interval of one model in the table above is for "
    "the choice of records, this spread for the choice of a seed."
)
HEAD = ["metric", "model", "seeds", "mean ± sd %", "lowest %", "highest %", "published %"]

Row = dict[str, Any]


def with_seeds(rows: list[Row], variants: dict[str, Variant]) -> list[Row]:
    """Rows of an accuracy table, with `seeds_mean` and `seeds_sd` of those that differ from the
    row's model in their seed alone, the model among them; None where there is no other."""
    spread = {key: _spread(group) for key, group in _alike(rows, variants).items()}
    made = []
    for row in rows:
        mean, sd = spread.get(_key(row, variants), (None, None))
        made.append({**row, "seeds_mean": mean, "seeds_sd": sd})
    return made


def over_seeds(rows: list[Row], variants: dict[str, Variant]) -> list[Block]:
    """A table for each dataset and split that models of several seeds answered.

    The first block says how to read all.

    Args:
        rows: of an accuracy table, in its order.
        variants: of the models that come from sweeps, by name.
    """
    blocks: dict[tuple[str, str], Block] = {}
    for (dataset, split, metric, name), group in _alike(rows, variants).items():
        title = TITLE.format(dataset=dataset, split=split)
        new = Block(title, "" if blocks else TEXT, HEAD, [], [])
        block = blocks.setdefault((dataset, split), new)
        found = [row["accuracy"] for row in group]
        mean, sd = _spread(group)
        block.rows.append(
            [
                metric,
                name,
                str(len(group)),
                f"{percent(mean)} ± {percent(sd)}",
                percent(min(found)),
                percent(max(found)),
                percent(group[0]["published"]),
            ]
        )
    return list(blocks.values())


def _key(row: Row, variants: dict[str, Variant]) -> tuple[str, ...]:
    variant = variants.get(row["model"])
    name = variant.average_as if variant else None
    return (row["dataset"], row["split"], row["metric"], name or "")


def _alike(rows: Iterable[Row], variants: dict[str, Variant]) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["accuracy"] is not None:
            groups[_key(row, variants)].append(row)
    return {key: group for key, group in groups.items() if key[-1] and len(group) > 1}


def _spread(group: list[Row]) -> tuple[float, float]:
    found = [row["accuracy"] for row in group]
    return statistics.fmean(found), statistics.stdev(found)
