"""General ability before and after tuning: the table of a study's MMLU runs."""

import csv
import io
import statistics
from collections.abc import Iterable
from math import sqrt
from pathlib import Path
from typing import Any

from snaketune.config.common import Name, Strict
from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.html import page
from snaketune.pages import BLOCKS, blocks_as_markdown
from snaketune.significance import exact_p
from snaketune.tables import Block, p_value, percent

Z = 1.959963984540054
ALL = "all"
"""Stands for all subjects together."""
COLUMNS = (
    *("study", "model", "subject", "n", "correct", "accuracy", "stderr"),
    *("difference", "difference_low", "difference_high", "p_vs_base", "num_fewshot", "prompts_cut"),
)
SHARES = COLUMNS[5:11]


class Settings(Strict):
    """What tabulate_mmlu.py gets of the config."""

    study: Name
    title: str
    note: str = ""
    baseline: Name
    models: list[Name]
    """In the order of the table, the baseline first."""


def gather(settings: Settings, paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Rows of the table: all subjects together, then each; within them the models.

    Raises:
        UserError: models that were not asked the same questions with the same examples.
    """
    made = {one["model"]: one for one in map(read_json, paths)}
    base = made[settings.baseline]
    for name, one in made.items():
        if one["asked_sha256"] != base["asked_sha256"]:
            raise UserError(
                f"mmlu: {name} and {settings.baseline} were not asked the same questions with the "
                "same examples. Delete their files and run again."
            )
    subjects = [ALL, *(one["subject"] for one in base["subjects"])]
    return [
        _row(settings, made[model], base, subject)
        for subject in subjects
        for model in settings.models
    ]


def _row(settings: Settings, made: dict, base: dict, subject: str) -> dict[str, Any]:
    part = made
    if subject != ALL:
        part = next(one for one in made["subjects"] if one["subject"] == subject)
    row = {
        "study": settings.study,
        "model": made["model"],
        "subject": subject,
        **{key: part[key] for key in ("n", "correct", "accuracy", "stderr")},
        **{key: made[key] for key in ("num_fewshot", "prompts_cut")},
    }
    if made["model"] == settings.baseline:
        return row | dict.fromkeys(COLUMNS[7:11])
    return row | paired(_right(made, subject), _right(base, subject))


def _right(made: dict, subject: str) -> list[bool]:
    marks = made["right"]
    text = "".join(marks[name] for name in sorted(marks)) if subject == ALL else marks[subject]
    return [mark == "1" for mark in text]


def paired(ours: list[bool], theirs: list[bool]) -> dict[str, float | None]:
    """Difference of two accuracies on the same questions, its normal 95 % interval and McNemar's p.

    There are no ends where there is one question.
    """
    differences = [int(a) - int(b) for a, b in zip(ours, theirs, strict=True)]
    middle, reach = statistics.fmean(differences), None
    if len(differences) > 1:
        reach = Z * statistics.stdev(differences) / sqrt(len(differences))
    return {
        "difference": middle,
        "difference_low": None if reach is None else middle - reach,
        "difference_high": None if reach is None else middle + reach,
        "p_vs_base": exact_p(ours, theirs),
    }


def as_csv(rows: Iterable[dict]) -> str:
    """The table as CSV: shares with six decimals, empty cells where there is no number."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shares = {key: "" if row[key] is None else f"{row[key]:.6f}" for key in SHARES}
        writer.writerow({**row, **shares})
    return out.getvalue()


TEXT = (
    "Multiple-choice questions that tuning did not teach, by lm-evaluation-harness: the likeliest "
    "of the letters A to D behind {shots} examples, the same for every model. ± is one standard "
    "error. Difference: to {baseline} on the same questions, in points, with the normal 95 % "
    "interval of the paired differences; p: exact McNemar test. Guessing gets 25."
)
CUT = (
    " {count} prompts of {model} are longer than the model sees, so their first examples were cut."
)
BODY = """\
<h1>{{ title }}</h1>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
"""


def _blocks(settings: Settings, rows: list[dict]) -> list[Block]:
    head = ["subject", "model", "n", "accuracy %", f"against {settings.baseline}, points", "p"]
    text = TEXT.format(shots=rows[0]["num_fewshot"], baseline=settings.baseline)
    text += "".join(
        CUT.format(count=row["prompts_cut"], model=row["model"])
        for row in rows
        if row["subject"] == ALL and row["prompts_cut"]
    )
    return [Block("Accuracy by subject", text, head, [_cells(row) for row in rows], [])]


def _cells(row: dict) -> list[str]:
    apart = "–"
    if row["difference"] is not None:
        apart = f"{100 * row['difference']:+.1f}"
    if row["difference_low"] is not None:
        low, high = (100 * row[f"difference_{end}"] for end in ("low", "high"))
        apart += f" [{low:+.1f}, {high:+.1f}]"
    shown = f"{percent(row['accuracy'])} ± {percent(row['stderr'])}"
    return [row["subject"], row["model"], f"{row['n']:,}", shown, apart, p_value(row["p_vs_base"])]


def _title(settings: Settings) -> str:
    return f"{settings.title}: general ability before and after tuning"


def as_markdown(settings: Settings, rows: list[dict]) -> str:
    """The table as Markdown."""
    return blocks_as_markdown(_title(settings), settings.note, _blocks(settings, rows))


def as_html(settings: Settings, rows: list[dict]) -> str:
    """The table as a page of its own."""
    blocks = [block._asdict() for block in _blocks(settings, rows)]
    return page(BODY + BLOCKS, title=_title(settings), note=settings.note, blocks=blocks)
