"""What a run found, for the terminal: a short table a study and the paths of the rest."""

import unicodedata
from itertools import groupby
from pathlib import Path

from snaketune.errors import UserError
from snaketune.tables import headline, percent, read_table

MOST_MODELS = 12
"""Lines a dataset and split; a grid may have many more models than a terminal can show."""


def summary(results: Path) -> str:
    """The headline metrics of each study under `results`, then the files worth opening."""
    tables = sorted(results.glob("*/accuracy.csv"))
    if not tables:
        raise UserError(f"{results}: no study has its accuracy.csv there. Run snakemake first.")
    parts = [_study(path) for path in tables]
    if (results / "index.html").is_file():
        parts.append(f"all     {results / 'index.html'}")
    reports = sorted(p for kind in ("html", "zip") for p in results.glob(f"report*.{kind}"))
    if reports:
        parts.append("\n".join(f"report  {path}" for path in reports))
    return "\n\n".join(parts)


def _study(path: Path) -> str:
    parts = [path.parent.name]
    rows = read_table(path)
    for (dataset, split), group in groupby(rows, key=lambda r: (r["dataset"], r["split"])):
        parts.append(_grid(dataset, split, list(group)))
    parts.append(f"  table   {path.with_suffix('.html')}")
    parts += [f"  answers {page}" for page in path.parent.glob("answers.html")]
    parts += [f"  MMLU    {page}" for page in path.parent.glob("mmlu.html")]
    parts += [f"  figure  {figure}" for figure in sorted(path.parent.glob("figures/*.svg"))]
    return "\n".join(parts)


def _grid(dataset: str, split: str, rows: list[dict]) -> str:
    """A line a model, a column a metric; of many models the first ones."""
    metrics = headline(dict.fromkeys(row["metric"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    by = {(row["model"], row["metric"]): row for row in rows}
    lines = [[f"{dataset} / {split}", "n", *metrics]]
    rest = models[MOST_MODELS - 1 :] if len(models) > MOST_MODELS else []
    for model in models[: len(models) - len(rest)]:
        found = [by.get((model, metric)) for metric in metrics]
        n = next(row["n"] for row in found if row)
        lines.append([model, str(n), *(_number(row) for row in found)])
    shown = aligned(lines)
    if rest:
        shown.append(f"and {len(rest)} more models, see the table")
    return "\n".join(f"  {line}" for line in shown)


def _number(row: dict | None) -> str:
    if row is None or row["accuracy"] is None:
        return "–"
    low, high = percent(row["ci_low"]), percent(row["ci_high"])
    f1 = "" if row["f1"] is None else f", F1 {percent(row['f1'])}"
    return f"{percent(row['accuracy'])} % [{low}, {high}]{f1}"


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
