"""Rows of TSV, CSV, JSON and JSON-lines files, each with the place where it stands."""

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from snaketune.columns import Mapper, Number, Rows, missing_column, wanted_columns
from snaketune.config.sources import TableSource
from snaketune.errors import UserError

DELIMITERS = {"tsv": "\t", "csv": ","}
FORMATS = (*DELIMITERS, "json", "jsonl")
LONGEST_CELL = 1_000_000
"""Characters; a longer cell is a quote that was never closed."""
DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number)
"""Numbers stay as they are written, and so differ from texts and from true and false."""


def table_records(source: TableSource, key: str) -> Iterator[dict]:
    """Yield the raw records of a table's files, split by split as the source names them.

    Args:
        source: which files, and how their columns become records.
        key: the source's place in the config, for messages.

    Raises:
        UserError: names file, line and column of what cannot be read, and the mend.
    """
    mapper = Mapper(source, key)
    for split, path in source.paths().items():
        yield from mapper.records(_rows(Path(path), None if split == "all" else split, source, key))
    mapper.finish()


def _rows(path: Path, split: str | None, source: TableSource, key: str) -> Rows:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Mend {key}.path.")
    form = source.format or path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise UserError(
            f"{path}: its name does not say what it is. Set {key}.format to one of "
            f"{', '.join(FORMATS)}."
        )
    if form in DELIMITERS:
        return Rows(f"{path}, line", split, _cells(path, form, source, key))
    if source.columns or source.quoting:
        what = "columns" if source.columns else "quoting"
        raise UserError(f"{key}.{what}: is for TSV and CSV, but {path} is {form}. Leave it out.")
    if form == "json":
        return Rows(f"{path}, row", split, _listed(path, source, key))
    return Rows(f"{path}, line", split, _lined(path, source, key))


def _lines(path: Path, encoding: str, key: str) -> Iterator[str]:
    """The lines of a text file with their ends, without a byte-order mark."""
    try:
        with path.open(encoding=encoding, newline="") as file:
            for number, line in enumerate(file, start=1):
                if "\0" in line:
                    raise UserError(
                        f"{path}, line {number}: a NUL, which is no text. If the file is UTF-16, "
                        f"set {key}.encoding: utf-16."
                    )
                yield line if number > 1 else line.removeprefix("\ufeff")
    except UnicodeError:
        line = _undecodable_line(path, encoding)
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        with path.open("rb") as file:
            hint = "Chinese ones often are gb18030, Western ones cp1252"
            hint = "its first bytes are those of utf-16" if file.read(2) in marks else hint
        raise UserError(
            f"{path}, line {line}: not {encoding}. Set {key}.encoding to what the file is in "
            f"({hint}), or save it as UTF-8."
        ) from None


def _undecodable_line(path: Path, encoding: str) -> int:
    data = path.read_bytes()
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data[: error.start].decode(encoding, "replace").count("\n") + 1
    return 1


def _cells(path: Path, form: str, source: TableSource, key: str) -> Iterator[tuple[int, Sequence]]:
    """Line (the first of a row) and wanted cells of a TSV or CSV."""
    quoting = source.quoting or ("none" if form == "tsv" else "double")
    style = csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL
    csv.field_size_limit(LONGEST_CELL)
    lines = _lines(path, source.encoding, key)
    reader = csv.reader(lines, delimiter=DELIMITERS[form], quoting=style, strict=True)
    names = source.columns
    pick = _picker(names, path, source, key) if names else None
    start = 1
    try:
        for row in reader:
            if not row:
                pass
            elif row == names:
                mend = f"Leave {key}.columns out." if source.columns else "Delete it."
                raise UserError(
                    f"{path}, line {start}: not a row but the names of the columns. {mend}"
                )
            elif pick is None:
                names = row
                pick = _picker(names, path, source, key)
            elif len(row) == len(names):
                yield start, pick(row)
            else:
                raise UserError(
                    f"{path}, line {start}: {len(row)} cells, but the columns are {len(names)}. "
                    f"{_quote_hint(quoting, key)}"
                )
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{path}, line {start}: the cells cannot be told apart ({error}). "
            f"{_quote_hint(quoting, key)}"
        ) from None


def _quote_hint(quoting: str, key: str) -> str:
    if quoting == "none":
        return f"Mend the line; if quotes enclose cells in this file, set {key}.quoting: double."
    return (
        "A quote may be the reason: mend the line; if a quote is a character like others in this "
        f"file, set {key}.quoting: none."
    )


def _picker(names: list[str], path: Path, source: TableSource, key: str) -> Any:
    """A function that takes the wanted cells out of a row."""
    wanted = wanted_columns(source)
    for column in wanted:
        if column not in names:
            error = missing_column(str(path), key, column, names)
            if not source.columns:
                error.args = (f"{error} Has it no line of names? Give {key}.columns.",)
            raise error
        if names.count(column) > 1:
            raise UserError(f"{path}: two columns are called '{column}'. Rename one.")
    if len(wanted) == 1:
        only = names.index(wanted[0])
        return lambda row: (row[only],)
    return itemgetter(*map(names.index, wanted))


def _lined(path: Path, source: TableSource, key: str) -> Iterator[tuple[int, Sequence]]:
    """Line and wanted values of JSON lines."""
    wanted = wanted_columns(source)
    for number, line in enumerate(_lines(path, source.encoding, key), start=1):
        if not line.strip():
            continue
        try:
            row = DECODER.decode(line)
        except json.JSONDecodeError as error:
            raise UserError(
                f"{path}, line {number}: not valid JSON ({error.msg}). Mend or delete the line; if "
                f"the file is one list over many lines, set {key}.format: json."
            ) from None
        except RecursionError:
            raise UserError(
                f"{path}, line {number}: lists in lists without end. Mend it."
            ) from None
        yield number, _values(row, wanted, f"{path}, line {number}", key)


def _listed(path: Path, source: TableSource, key: str) -> Iterator[tuple[int, Sequence]]:
    """Row, counted from 1, and wanted values of a JSON list."""
    try:
        rows = DECODER.decode("".join(_lines(path, source.encoding, key)))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}). Mend it; if each line is "
            f"an object of its own, set {key}.format: jsonl."
        ) from None
    except RecursionError:
        raise UserError(f"{path}: lists in lists without end. Mend it.") from None
    if not isinstance(rows, list):
        raise UserError(
            f"{path}: a list of objects is expected. If each line is an object of its own, set "
            f"{key}.format: jsonl."
        )
    wanted = wanted_columns(source)
    for number, row in enumerate(rows, start=1):
        yield number, _values(row, wanted, f"{path}, row {number}", key)


def _values(row: Any, wanted: list[str], where: str, key: str) -> list:
    if not isinstance(row, dict):
        raise UserError(f"{where}: an object of names and values is expected.")
    try:
        return [row[column] for column in wanted]
    except KeyError as error:
        raise missing_column(where, key, error.args[0], row) from None
