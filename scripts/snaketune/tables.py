"""The accuracy table of a study: one row a metric, as CSV, Markdown and a page of its own."""

import csv
import io
import logging
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.config.common import Name, Strict
from snaketune.config.study import Published
from snaketune.config.tuning import Variant
from snaketune.errors import UserError
from snaketune.files import read_json

log = logging.getLogger("snaketune")

COLUMNS = (
    "study",
    "model",
    "dataset",
    "split",
    "metric",
    "n",
    "correct",
    "unparsed",
    "errors",
    "accuracy",
    "ci_low",
    "ci_high",
    "mean",
    "sd",
    "seeds_mean",
    "seeds_sd",
    "f1",
    "majority_class",
    "published",
    "p_vs_base",
    "responses_per_record",
    "recipe_hash",
)
SHARES = (
    "accuracy",
    "ci_low",
    "ci_high",
    "mean",
    "sd",
    "seeds_mean",
    "seeds_sd",
    "f1",
    "majority_class",
    "published",
    "p_vs_base",
)
"""Columns with numbers from 0 to 1; empty where there is none."""
COUNTS = ("n", "correct", "unparsed", "errors", "responses_per_record")

CLEARLY = 0.01
"""A model that is more often right than the baseline, with a p below this, is marked."""


class Block(NamedTuple):
    """A part of the page below the table: heading, paragraph, table, list; text and list may be
    empty."""

    title: str
    text: str
    head: list[str]
    rows: list[list[str]]
    items: list[str]


class TableSettings(Strict):
    """What tabulate_scores.py is told about the study whose scores it gathers."""

    study: Name
    title: str
    models: list[Name]
    """In the order of the table."""
    baseline: Name
    scale: str
    run: str
    note: str = ""
    """A sentence for readers of the numbers, printed above them."""
    published: list[Published] = []
    variants: dict[Name, Variant] = {}
    """Of the models that come from sweeps."""


def gather(settings: TableSettings, paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Rows of the table, from score files: by dataset and split as they come, metric, model."""
    scores = [(path, read_json(path)) for path in paths]
    for path, made in scores:
        if made["study"] != settings.study or made["model"] not in settings.models:
            raise UserError(
                f"{path} holds scores of {made['study']}/{made['model']}, which is no model of "
                f"study '{settings.study}'. Delete the file and run again."
            )
    published = {(p.model, p.dataset, p.metric): p.value for p in settings.published}
    # a published number stands for all of a sweep
    of = {model: variant.of for model, variant in settings.variants.items()}
    rows = [_row(made, line, published, of) for _, made in scores for line in made["metrics"]]
    seen = {
        (name, row["dataset"], row["metric"])
        for row in rows
        for name in (row["model"], of.get(row["model"]))
    }
    for model, dataset, metric in sorted(published.keys() - seen):
        log.warning(
            "published: nothing was measured to set beside %s on %s, %s", model, dataset, metric
        )
    return _ordered(rows, settings.models)


def _row(made: dict, line: dict, published: dict, of: dict[str, str]) -> dict[str, Any]:
    names = (made["model"], of.get(made["model"]))
    keys = [(name, made["dataset"], line["metric"]) for name in names]
    found = next((published[key] for key in keys if key in published), None)
    known = {**made, **line, "published": found, "seeds_mean": None, "seeds_sd": None}
    return {column: known[column] for column in COLUMNS}


def _ordered(rows: list[dict], models: list[str]) -> list[dict]:
    places = list(dict.fromkeys((row["dataset"], row["split"]) for row in rows))
    metrics = list(dict.fromkeys(row["metric"] for row in rows))

    def order(row: dict) -> tuple[int, int, int]:
        return (
            places.index((row["dataset"], row["split"])),
            metrics.index(row["metric"]),
            models.index(row["model"]),
        )

    return sorted(rows, key=order)


def as_csv(rows: Iterable[dict]) -> str:
    """The table as CSV: shares with six decimals, empty cells where there is no number."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shares = {c: "" if row[c] is None else f"{row[c]:.6f}" for c in SHARES}
        if row["p_vs_base"] is not None:
            shares["p_vs_base"] = f"{row['p_vs_base']:.6g}"
        writer.writerow({**row, **shares})
    return out.getvalue()


def read_table(path: Path) -> list[dict[str, Any]]:
    """Rows of an accuracy.csv, numbers as numbers and None for empty cells."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path}: its first line is not that of an accuracy table.")
        try:
            return [_typed(row) for row in reader]
        except ValueError as error:
            raise UserError(f"{path}, line {reader.line_num}: {error}.") from None


def _typed(row: dict[str, str]) -> dict[str, Any]:
    shares = {c: float(row[c]) if row[c] else None for c in SHARES}
    return {**row, **shares, **{c: int(row[c]) for c in COUNTS}}


def are_readings(metrics: Iterable[str]) -> bool:
    """Whether a dataset's metrics are readings of a label; those of JSON have valid_json."""
    return "valid_json" not in metrics


def headline(metrics: Iterable[str]) -> list[str]:
    """Of a dataset's metrics in their order, the few that a terminal shows.

    JSON: valid_json, the fields and exact_match; labels: the first reading.
    """
    names = list(metrics)
    if are_readings(names):
        return names[:1]
    return [n for n in names if n in ("valid_json", "exact_match") or n.startswith("field_match:")]


def percent(share: float | None) -> str:
    """`97.3`, or a dash where there is no number."""
    return "–" if share is None else f"{100 * share:.1f}"


def with_interval(row: dict) -> str:
    """`97.3 [95.7, 98.4]`, in percent."""
    if row["accuracy"] is None:
        return "–"
    low, high = percent(row["ci_low"]), percent(row["ci_high"])
    return f"{percent(row['accuracy'])} [{low}, {high}]"


def with_spread(row: dict) -> str:
    """`97.1 ± 0.6`, in percent; a dash where each record has one response."""
    return "–" if row["mean"] is None else f"{percent(row['mean'])} ± {percent(row['sd'])}"


def p_value(p: float | None) -> str:
    """A p to two digits; tiny ones as a bound, since their digits mean nothing."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def sections(rows: list[dict], baseline: str) -> list[dict[str, Any]]:
    """The table as people read it: a section a dataset and split, with the cells as text.

    Each section is {"dataset", "split", "rows", "remarks"}; each row has metric, model, accuracy,
    n, correct, unparsed, errors, f1, spread, majority, published, p and `beats`: clearly better
    than the baseline.
    """
    base = {
        (row["dataset"], row["split"], row["metric"]): row["accuracy"]
        for row in rows
        if row["model"] == baseline
    }
    return [
        {
            "dataset": dataset,
            "split": split,
            "rows": [_cells(row, base.get((dataset, split, row["metric"]))) for row in group],
            "remarks": _remarks([row for row in group if row["model"] == baseline]),
        }
        for (dataset, split), lines in groupby(rows, key=lambda row: (row["dataset"], row["split"]))
        for group in [list(lines)]
    ]


def _remarks(rows: list[dict]) -> list[str]:
    """Where most answers of the baseline cannot be read: that they fail by their form."""
    return [
        f"{row['model']}: {row['unparsed']} of {row['n']} answers are unparsed ({row['metric']}): "
        "it fails by form, so its accuracy tells little of what it knows."
        for row in rows
        if 2 * row["unparsed"] > row["n"]
    ][:1]


def _cells(row: dict, base: float | None) -> dict[str, Any]:
    p = row["p_vs_base"]
    return {
        "metric": row["metric"],
        "model": row["model"],
        "accuracy": with_interval(row),
        "n": row["n"],
        "correct": row["correct"],
        "unparsed": row["unparsed"],
        "errors": row["errors"],
        "f1": percent(row["f1"]),
        "spread": with_spread(row),
        "majority": percent(row["majority_class"]),
        "published": percent(row["published"]),
        "p": p_value(p),
        "beats": p is not None and p < CLEARLY and base is not None and row["accuracy"] > base,
    }
