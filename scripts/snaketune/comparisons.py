"""The comparisons of a study's models: the CSV file, and a matrix of each split for people."""

import csv
import io
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from snaketune.errors import UserError
from snaketune.tables import CLEARLY, Block, p_value, percent

COLUMNS = (
    "study",
    "dataset",
    "split",
    "metric",
    "model",
    "other",
    "n",
    "model_accuracy",
    "other_accuracy",
    "only_model",
    "only_other",
    "difference",
    "p",
)
SHARES = ("model_accuracy", "other_accuracy", "difference")

TITLE = "{dataset} / {split}: models compared by {metric}, n = {n}"
TEXT = (
    "Any two models on the same records. On the diagonal: accuracy in percent. Below it: by how "
    "many points the model of the row is ahead of the model of the column. Above it: p of the "
    f"exact McNemar test of the same two; • marks p < {CLEARLY:g}. p is not adjusted for the "
    "number of pairs: of a hundred pairs of equally good models, up to one gets a •."
)


def as_csv(rows: Iterable[dict]) -> str:
    """Comparisons as CSV: shares with six decimals, empty cells where there is no number."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shares = {c: "" if row[c] is None else f"{row[c]:.6f}" for c in SHARES}
        writer.writerow({**row, **shares, "p": f"{row['p']:.6g}"})
    return out.getvalue()


def read_comparisons(path: Path) -> list[dict]:
    """Rows of a comparisons.csv, numbers as numbers and None for empty cells."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(f"{path}: its first line is not that of a table of comparisons.")
        return [
            {
                **row,
                **{c: float(row[c]) if row[c] else None for c in SHARES},
                **{c: int(row[c]) for c in ("n", "only_model", "only_other")},
                "p": float(row["p"]),
            }
            for row in reader
        ]


def matrices(rows: list[dict]) -> list[Block]:
    """A matrix for each split that more than two models answered, in its first metric.

    The first block says how to read all.

    Args:
        rows: of a comparisons.csv.
    """
    blocks = []
    for _, group in groupby(rows, key=lambda r: (r["dataset"], r["split"])):
        pairs = list(group)
        first = [row for row in pairs if row["metric"] == pairs[0]["metric"]]
        if len(first) > 1 and first[0]["n"]:
            title = TITLE.format(**{**first[0], "n": f"{first[0]['n']:,}"})
            blocks.append(_matrix(title, "" if blocks else TEXT, first))
    return blocks


def _matrix(title: str, text: str, pairs: list[dict]) -> Block:
    accuracy = {row["other"]: row["other_accuracy"] for row in pairs}
    accuracy |= {row["model"]: row["model_accuracy"] for row in pairs}
    by = {(row["model"], row["other"]): row for row in pairs}
    models = list(accuracy)

    def cell(line: int, column: int) -> str:
        one, other = models[line], models[column]
        if line == column:
            return percent(accuracy[one])
        if line > column:
            return f"{100 * by[one, other]['difference']:+.1f}"
        p = by[other, one]["p"]
        return f"{p_value(p)}{' •' if p < CLEARLY else ''}"

    places = range(len(models))
    return Block(
        title,
        text,
        ["", "model", *(str(place + 1) for place in places)],
        [[str(i + 1), models[i], *(cell(i, j) for j in places)] for i in places],
        [],
    )
