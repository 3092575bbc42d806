"""A file of somebody's records, read without being told what it is."""

import codecs
import csv
import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.errors import UserError

SUFFIXES = ("csv", "tsv", "json", "jsonl")
OTHERS = {"xlsx", "xls", "ods", "parquet", "docx", "pdf", "zip", "gz"}
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
COMMON = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\u2010-\u2027]")
"""What Chinese text consists of; bytes read in a wrong encoding rarely give only these."""
SENTENCE = re.compile(r"[。！？，]|[.!?,;] |[.!?]$")


class Table(NamedTuple):
    """What a file holds: its rows by column, and how it was read."""

    path: Path
    format: str
    encoding: str
    columns: list[str]
    named: bool
    """Whether the file itself names its columns."""
    quoting: str | None
    """What a source must be told: null where the format's own is right."""
    rows: list[dict[str, Any]]
    told: list[str]
    """What was guessed, and why."""


def read_table(path: Path) -> Table:
    """Read CSV, TSV, JSON or JSON lines; format, encoding and line of names are found out.

    Raises:
        UserError: no such file, no text, a format that is none of these, or no rows.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder. Name a file in it.")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    suffix = path.suffix.lower().removeprefix(".")
    if suffix in OTHERS:
        raise UserError(f"{path}: a .{suffix} is not read here. Save it as CSV (UTF-8) first.")
    encoding, told = _encoding(path)
    text = path.read_bytes().decode(encoding).removeprefix("\ufeff")
    if not text.strip():
        raise UserError(f"{path} is empty.")
    form = suffix if suffix in SUFFIXES else _format(text)
    if form != suffix:
        told.append(f"format: {form}, by its first characters; its name does not say")
    read = _objects if form in ("json", "jsonl") else _cells
    table = read(path, form, encoding, text, told)
    if not table.rows:
        raise UserError(f"{path}: no rows in it.")
    return table


def _encoding(path: Path) -> tuple[str, list[str]]:
    """The encoding, and what is to be said of it."""
    data = path.read_bytes()
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding, [] if encoding == "utf-8" else [f"encoding: {encoding}, by its mark"]
    try:
        data.decode("utf-8")
        return "utf-8", []
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    for encoding in ("gb18030", "big5", "cp1252"):
        text = _decoded(data, encoding)
        foreign = [char for char in text or "" if ord(char) > 127]
        chinese = sum(bool(COMMON.match(char)) for char in foreign)
        if text is not None and (encoding == "cp1252" or chinese >= 0.98 * len(foreign)):
            first = " ".join(text.split("\n", 2)[1 if "\n" in text.strip() else 0].split())[:40]
            return encoding, [
                f"encoding: {encoding}, since line {line} is no UTF-8. Does this read well: {first}"
            ]
    raise UserError(
        f"{path}, line {line}: neither UTF-8 nor another encoding that is known here. Open it in "
        "an editor that shows it well and save it as UTF-8."
    )


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _format(text: str) -> str:
    start = text.lstrip()
    if start[0] in "[{":
        return "json" if start[0] == "[" else "jsonl"
    return "tsv" if "\t" in start.split("\n", 1)[0] else "csv"


def _objects(path: Path, form: str, encoding: str, text: str, told: list[str]) -> Table:
    rows = _listed(path, text) if form == "json" else _lined(path, text)
    for number, row in rows:
        if not isinstance(row, dict):
            raise UserError(f"{path}, {number}: an object is expected, {{column: value}}.")
        if isinstance(row.get("fields"), dict):
            raise UserError(
                f"{path} has the project's own form already (id, fields, label): name it as "
                "`source: {kind: file}`, as the README's own study shows."
            )
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    return Table(path, form, encoding, columns, True, None, [row for _, row in rows], told)


def _listed(path: Path, text: str) -> list[tuple[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise UserError(f"{path}: no JSON ({error}). One object a line is a .jsonl.") from None
    if not isinstance(rows, list):
        raise UserError(f"{path}: a list of objects is expected, [{{…}}, {{…}}].")
    return [(f"row {number}", row) for number, row in enumerate(rows, start=1)]


def _lined(path: Path, text: str) -> list[tuple[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            rows += [(f"line {number}", json.loads(line))] if line.strip() else []
        except ValueError as error:
            raise UserError(f"{path}, line {number}: no JSON ({error}).") from None
    return rows


def _cells(path: Path, form: str, encoding: str, text: str, told: list[str]) -> Table:
    first = text.split("\n", 1)[0]
    delimiter = "\t" if form == "tsv" else ","
    if delimiter not in first:
        other = next((mark for mark in ("\t", ";", "|") if mark in first), None)
        if form == "csv" and other == "\t":
            raise UserError(f"{path}: its cells are parted by tabs. Rename it to .tsv.")
        if other:
            raise UserError(
                f"{path}: its cells are parted by '{other}'. Save it with commas, or tabs as .tsv."
            )
    quoted = form == "csv" or 2 < text.count('\t"') == text.count('"\t')
    style = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=style))
    except csv.Error as error:
        raise UserError(f"{path}: {error}. Is a quote in it that is never closed?") from None
    lines = [line for line in lines if line]
    named = _are_names(lines)
    columns = [name.strip() for name in lines[0]] if named else _names_for(lines)
    if named and columns != lines[0]:
        raise UserError(f"{path}: blanks around the names of its columns. Delete them.")
    for column in (name for name in columns if columns.count(name) > 1):
        raise UserError(
            f"{path}: two columns are called '{column}'. Rename one of them in its first line."
        )
    for number, line in enumerate(lines, start=1):
        if len(line) != len(columns):
            raise UserError(
                f"{path}, row {number}: {len(line)} cells, but the columns are {len(columns)}. A "
                'comma in a cell needs quotes around the cell: "a, b".'
            )
    if not named:
        told.append(
            f"columns: {', '.join(columns)}, named by us: the first line looks like a record"
        )
    rows = [dict(zip(columns, line, strict=True)) for line in lines[named:]]
    quoting = "double" if form == "tsv" and quoted else None
    return Table(path, form, encoding, columns, named, quoting, rows, told)


def _are_names(lines: list[list[str]]) -> bool:
    """Whether a first line names columns: no sentence in it, no value that its column repeats."""
    first, rest = lines[0], lines[1:]
    if any(len(cell) > 30 or SENTENCE.search(cell) for cell in first):
        return False
    return not any(
        cell and sum(len(line) > at and line[at] == cell for line in rest) > 1
        for at, cell in enumerate(first)
    )


def _names_for(lines: list[list[str]]) -> list[str]:
    return [f"column{number}" for number in range(1, len(lines[0]) + 1)]
