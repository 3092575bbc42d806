"""What a table's columns mean: which has the label, which are asked, what the labels are."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.config.common import nearest
from snaketune.config.data import CLAUSE_MARK, PLACEHOLDER
from snaketune.errors import UserError
from snaketune.starting.reading import Table

LABEL_NAMES = (
    *("label", "labels", "标签", "类别", "分类", "类型", "category", "class", "意图", "intent"),
    *("sentiment", "情感", "answer", "答案", "target", "gold", "topic", "主题", "tag", "y"),
)
"""Names that a label's column bears, the likeliest first."""
ID_NAMES = {"id", "idx", "index", "no", "no.", "guid", "uuid", "编号", "序号", "行号"}
MOST_LABELS = 20
"""Values of a column that is taken for the label's, unless its name says so."""
MOST_NAMED = 50
"""The most labels that a prompt can list."""
ROWS_PER_LABEL = 5
FEWEST = 30
"""Labelled rows; of fewer no split can be made that says anything."""
FEW = 150
"""Labelled rows; with fewer the tiny base learns little, and intervals are wide."""
TAKEN = {"unparsed": "not parsed", "error": "an error"}
"""Labels that are names of outcomes → what stands for them."""


class Guess(NamedTuple):
    """What a study needs to know of a table."""

    label: str
    """Column of the label."""
    fields: dict[str, str]
    """Field → column."""
    labels: list[str]
    """What a model may answer."""
    mapped: dict[str, str | None]
    """Value of the label's column → label; empty where they are the same."""
    record_id: str | None
    """Column of the records' names, if there is one."""
    labelled: int
    """Rows with a label."""
    longest: int
    """Bytes of the longest record's fields."""
    chinese: bool
    told: list[str]
    """What was guessed, and why."""


def guess(table: Table, label: str | None = None, fields: list[str] | None = None) -> Guess:
    """Guess what a table's columns mean, but for what is said.

    Raises:
        UserError: no column can be the label's, it is to be asked too, it has one value only or
            too many, nothing is left to be asked, or there are too few rows.
    """
    for name in [*filter(None, [label]), *(fields or [])]:
        if name not in table.columns:
            raise _unknown(table, name)
    told = list(table.told)
    label = label or _label_column(table, told)
    if label in (fields or []):
        raise UserError(
            f"{table.path}: column '{label}' has the label, so as a field it would put the answer "
            "into the question. Take it out of FIELDS, or name another LABEL."
        )
    values = Counter(_text(row.get(label)) for row in table.rows)
    mapped = _mapped(values, told)
    counts: Counter[str] = Counter()
    for value, number in values.items():
        counts[mapped.get(value, value) or ""] += number
    counts.pop("", None)
    _check_labels(table.path, label, counts)
    chosen = fields or _field_columns(table, label, told)
    record_id = _id_column(table, [label, *chosen], told)
    names = _as_fields(chosen)
    texts = [[_text(row.get(column)) for column in chosen] for row in table.rows]
    told += _remarks(label, counts)
    return Guess(
        label,
        names,
        sorted(counts),
        mapped,
        record_id,
        sum(counts.values()),
        max(len("".join(cells).encode()) for cells in texts),
        any("\u4e00" <= char <= "\u9fff" for cells in texts[:50] for char in "".join(cells)),
        told,
    )


def _unknown(table: Table, name: str) -> UserError:
    parts = [part for part in re.split("[,;，；、]", name) if part.strip()]
    if len(parts) > 1 and all(part.strip() in table.columns for part in parts):
        parted = " ".join(map(str.strip, parts))
        return UserError(f'FIELDS: part the columns by spaces: FIELDS="{parted}"')
    return UserError(f"{table.path}: no column '{name}'. {nearest(name, table.columns)}")


def _label_column(table: Table, told: list[str]) -> str:
    """The column whose name says that it has the label, or the one with few values, often."""
    by_name = [c for name in LABEL_NAMES for c in table.columns if c.lower() == name]
    values = {c: Counter(_folded(row.get(c)) for row in table.rows) for c in table.columns}
    for counts in values.values():
        counts.pop("", None)
    few = [c for c in table.columns if _could_be_labels(values[c])]
    for column in by_name:
        if len(values[column]) <= MOST_NAMED:
            others = [c for c in few if c != column]
            also = f" ({', '.join(others)} could be it too)" if others else ""
            told.append(f"label: column '{column}', by its name{also}")
            return column
    if not few:
        seen = "; ".join(f"{c}: {len(values[c]):,} different values" for c in table.columns)
        raise UserError(
            f"{table.path}: no column looks like a label, which has a few values that repeat "
            f"({seen}). Name it: LABEL=COLUMN. Answers that are free texts are no labels; a study "
            "that takes several parts out of a text is shown in the README's own study."
        )
    column = min(few, key=lambda c: (len(values[c]), -table.columns.index(c)))
    others = [c for c in few if c != column]
    also = f" ({', '.join(others)} could be it too)" if others else ""
    told.append(f"label: column '{column}', since it has {len(values[column])} values{also}")
    return column


def _could_be_labels(known: Counter) -> bool:
    return (
        2 <= len(known) <= MOST_LABELS
        and sum(known.values()) >= ROWS_PER_LABEL * len(known)
        and all(len(value) <= 20 for value in known)
    )


def _check_labels(path: Path, column: str, counts: Counter) -> None:
    if len(counts) < 2:
        what = f"only the value '{next(iter(counts))}'" if counts else "nothing"
        raise UserError(
            f"{path}: column '{column}' has {what}, so there is nothing to tell apart. If another "
            "has the label, name it: LABEL=COLUMN."
        )
    if len(counts) > MOST_NAMED:
        raise UserError(
            f"{path}: column '{column}' has {len(counts):,} different values; a prompt lists "
            f"{MOST_NAMED} labels at most. If another has the label, name it: LABEL=COLUMN."
        )
    if counts.total() < FEWEST:
        raise UserError(
            f"{path}: {counts.total()} rows with a label; {FEWEST} are the least of which a split "
            "can be made, and some hundreds are wanted for an interval that says something."
        )


def _mapped(values: Counter, told: list[str]) -> dict[str, str | None]:
    """A map for values that cannot be answered as they are, or {} where all can."""
    mapped: dict[str, str | None] = {}
    forms: dict[str, str] = {}
    blank = sum(number for value, number in values.items() if not value.strip())
    for value, _ in values.most_common():
        if not value.strip():
            mapped[value] = None
            continue
        plain = CLAUSE_MARK.sub(" ", _folded(value)).strip() or "other"
        plain = TAKEN.get(plain, plain)
        # of two that differ in their case alone the more frequent one is answered
        mapped[value] = forms.setdefault(plain.casefold(), plain)
    changed = {value: to for value, to in mapped.items() if to and value != to}
    for value, to in changed.items():
        told.append(f"labels: '{value}' is answered as '{to}'")
    if blank:
        told.append(f"labels: {blank} rows have none; they stay out of training and of the scores")
    labels = sorted(filter(None, mapped.values()))
    if labels and all(value.lstrip("-").isdecimal() for value in labels):
        told.append(
            f"labels: {', '.join(labels)} are numbers; words teach better: "
            "labels: {0: 不相同, 1: 相同}, and the same words in prompts and extract"
        )
    return mapped if changed or blank else {}


def _field_columns(table: Table, label: str, told: list[str]) -> list[str]:
    """Columns that are asked: all but the label, ids, blanks, and what is no text."""
    kept, left = [], {}
    for column in table.columns:
        cells = [row.get(column) for row in table.rows]
        texts = [_text(cell) for cell in cells]
        if column == label:
            continue
        if any(not _is_text(cell) for cell in cells):
            left[column] = "not always a text"
        elif not any(texts):
            left[column] = "empty"
        elif _is_id(column, texts):
            left[column] = "an id"
        elif len(set(texts)) == 1:
            left[column] = "the same in all rows"
        else:
            kept.append(column)
    if not kept:
        raise UserError(f"{table.path}: beside '{label}' no column has a text that could be asked.")
    told.append(f"fields: {', '.join(kept)}")
    told += [f"left out: column '{column}', {why}" for column, why in left.items()]
    return kept


def _is_id(column: str, texts: list[str]) -> bool:
    return column.lower() in ID_NAMES or (
        len(set(texts)) == len(texts) and all(re.fullmatch(r"[\w-]*\d", text) for text in texts)
    )


def _id_column(table: Table, used: list[str], told: list[str]) -> str | None:
    """The first column that names each record, if one does."""
    for column in (column for column in table.columns if column not in used):
        cells = [row.get(column) for row in table.rows]
        texts = [_text(cell) for cell in cells]
        unique = all(map(_is_text, cells)) and all(texts) and len(set(texts)) == len(texts)
        if unique and _is_id(column, texts):
            told.append(f"record_id: column '{column}', which names each record once")
            return column
    return None


def _as_fields(columns: list[str]) -> dict[str, str]:
    """Field → column; a name that cannot stand in a prompt's braces gets another."""
    fields: dict[str, str] = {}
    for number, column in enumerate(columns, start=1):
        usable = PLACEHOLDER.fullmatch(f"{{{column}}}") and column not in ("label", "reasoning")
        fields[column if usable else f"text{number}"] = column
    return fields


def _remarks(label: str, counts: Counter) -> list[str]:
    told = [
        f"labels of '{label}': " + ", ".join(f"{name} {n}" for name, n in counts.most_common(12))
    ]
    rare = [name for name, n in counts.items() if n < ROWS_PER_LABEL]
    if rare:
        told.append(f"few rows of {', '.join(rare)}: no model learns a label from so few")
    if counts.total() < FEW:
        told.append(
            f"{counts.total()} rows are few: the tiny base learns little from them, and the test "
            f"has some {counts.total() // 5}, so intervals will be wide"
        )
    return told


def _text(cell: Any) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _folded(cell: Any) -> str:
    """A cell's text without the blanks around it, and of several in it one."""
    return " ".join(_text(cell).split())


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str | int | float) and not isinstance(cell, bool)
