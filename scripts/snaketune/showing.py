"""What a run found, for the terminal: a short table a study and the paths of the rest."""

import unicodedata
from itertools import groupby
from pathlib import Path

from snaketune.errors import UserError
from snaketune.tables import percent, read_table


def summary(results: Path) -> str:
    """The headline metrics of each study under `results`, then the files worth opening."""
    tables = sorted(results.glob("*/accuracy.csv"))
    if not tables:
        raise UserError(f"{results}: no study has its accuracy.csv there. Run snakemake first.")
    parts = [_study(path) for path in tables]
    reports = sorted(p for kind in ("html", "zip") for p in results.glob(f"report*.{kind}"))
    if reports:
        parts.append("\n".join(f"report  {path}" for path in reports))
    return "\n\n".join(parts)


def is_headline(metric: str) -> bool:
    """Whether a metric is among the few that the terminal shows."""
    return metric in ("valid_json", "exact_match") or metric.startswith("field_match:")


def _study(path: Path) -> str:
    rows = [row for row in read_table(path) if is_headline(row["metric"])]
    parts = [path.parent.name]
    for (dataset, split), group in groupby(rows, key=lambda r: (r["dataset"], r["split"])):
        parts.append(_grid(dataset, split, list(group)))
    parts.append(f"  table   {path.with_suffix('.html')}")
    parts += [f"  figure  {figure}" for figure in sorted(path.parent.glob("figures/*.svg"))]
    return "\n".join(parts)


def _grid(dataset: str, split: str, rows: list[dict]) -> str:
    """A line a model, a column a metric."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    by = {(row["model"], row["metric"]): row for row in rows}
    lines = [[f"{dataset} / {split}", "n", *metrics]]
    for model in models:
        found = [by.get((model, metric)) for metric in metrics]
        n = next(row["n"] for row in found if row)
        lines.append([model, str(n), *(_number(row) for row in found)])
    return "\n".join(f"  {line}" for line in aligned(lines))


def _number(row: dict | None) -> str:
    if row is None or row["accuracy"] is None:
        return "–"
    low, high = percent(row["ci_low"]), percent(row["ci_high"])
    return f"{percent(row['accuracy'])} % [{low}, {high}]"


def aligned(lines: list[list[str]]) -> list[str]:
    """Lines of cells as text in columns; the first column flush left, the others flush right."""
    widths = [max(width(cell) for cell in column) for column in zip(*lines, strict=True)]
    return [
        "  ".join(_padded(cell, wide, left=i == 0) for i, (cell, wide) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    ]


def width(text: str) -> int:
    """Columns that a text takes in a terminal: a wide East Asian character takes two."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) for char in text)


def _padded(cell: str, wide: int, left: bool) -> str:
    gap = " " * (wide - width(cell))
    return cell + gap if left else gap + cell
