"""Accuracy over all splits of a dataset together, where a model was asked all of them."""

from collections.abc import Iterable

from snaketune.significance import wilson
from snaketune.tables import Block, with_interval

SPLITS = {"train", "validation", "test"}
TITLE = "{dataset}: over the whole bank"
TEXT = (
    "Train, validation and test together, as a study has it that divides by the size of its whole "
    "bank. A tuned model has seen the train records with their answers, so this says nothing of "
    "records that it has not met; the test split does."
)
HEAD = ("model", "metric", "accuracy %, 95 % interval", "n", "correct", "unparsed", "errors")
SUMS = ("n", "correct", "unparsed", "errors")


def whole_datasets(rows: Iterable[dict]) -> list[Block]:
    """A table for each dataset of which some model was asked train, validation and test.

    Args:
        rows: of the accuracy table, in its order.
    """
    parts: dict[tuple[str, str, str], dict[str, dict]] = {}
    for row in rows:
        parts.setdefault((row["dataset"], row["metric"], row["model"]), {})[row["split"]] = row
    found: dict[str, list[list[str]]] = {}
    for (dataset, metric, model), splits in parts.items():
        if splits.keys() >= SPLITS:
            total = {key: sum(row[key] for row in splits.values()) for key in SUMS}
            found.setdefault(dataset, []).append(_row(model, metric, total))
    blocks: list[Block] = []
    for dataset, lines in found.items():
        title, text = TITLE.format(dataset=dataset), "" if blocks else TEXT
        blocks.append(Block(title, text, list(HEAD), lines, []))
    return blocks


def _row(model: str, metric: str, total: dict[str, int]) -> list[str]:
    low, high = wilson(total["correct"], total["n"])
    share = total["correct"] / total["n"] if total["n"] else None
    shown = with_interval({"accuracy": share, "ci_low": low, "ci_high": high})
    return [model, metric, shown, *(f"{total[key]:,}" for key in SUMS)]
