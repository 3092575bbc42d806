"""City lists in the shapes that people have them: text lines, CSV, TSV; UTF-8, GBK, UTF-16."""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from snaketune.errors import UserError

HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003134f]")
PLACEHOLDER = re.compile(
    r"^(市辖区|市辖县|县|市|区|(省|自治区|市)?直辖县级行政(区划|单位|区)|省直辖行政单位|其[他它]"
    r"|中华人民共和国|中国|全国)$"
)
"""Rows of the official division that stand for a level without naming a place."""

NAME_HEADERS = (
    *("name", "名称", "城市名称", "城市名", "城市", "地名", "地区", "行政区划名称", "单位名称"),
    *("cityname", "city", "citynamezh", "cityzh", "locationnamezh", "namezh", "namecn", "中文名"),
)
"""Headers of a name column, best first, in lower case without blanks, hyphens, underscores."""

SEPARATORS = (",", "\t", ";", "=")
LONGEST_NAME = 30


@dataclass(frozen=True)
class CityList:
    """Names in file order, each once, and how many rows were dropped for which reason."""

    names: list[str]
    dropped: dict[str, int]


@dataclass(frozen=True)
class Row:
    """One line of a list, cut into cells; `line` counts from 1."""

    line: int
    cells: list[str]


def read_cities(path: Path | str) -> CityList:
    """Read a city list whose encoding and shape are found by themselves.

    Shapes: a name a line; code and name parted by blanks; code=name; CSV or TSV with a header
    that has a name column (after one VERSION line, if any), or without one (then the first column
    in Chinese). Dropped and counted: placeholders such as 市辖区, repeated names, rows without a
    Chinese name, lines that begin with #. A UserError names the file, and the line where one.
    """
    path = Path(path)
    rows = _rows(path, _decode(path, _bytes(path)))
    if not rows:
        raise UserError(f"{path}: the city list is empty. {_WANTED}")
    header, column = _name_column(rows)
    names: dict[str, None] = {}
    dropped: Counter[str] = Counter()
    for row in rows[header:]:
        name = _name(row, column)
        if row.cells[0].startswith("#"):
            dropped["comment"] += 1
        elif name is None:
            dropped["no Chinese name"] += 1
        elif PLACEHOLDER.match(name):
            dropped[f"placeholder {name}"] += 1
        elif name in names:
            dropped["repeated"] += 1
        elif len(name) > LONGEST_NAME or "\ufffd" in name:
            raise UserError(
                f"{path}, line {row.line}: '{name[:20]}…' is no place name. Give a city list: "
                "a name, or code and name, on each line, or a CSV with a name column."
            )
        else:
            names[name] = None
    if not names:
        raise UserError(f"{path}: no Chinese place name in {len(rows)} lines. {_WANTED}")
    return CityList(list(names), dict(dropped))


_WANTED = "A city list has a name, or code and name, on each line, or is a CSV with a name column."


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such city list. Mend the path in 'cities'.") from None
    except OSError as error:
        raise UserError(f"{path}: the city list cannot be read ({error.strerror}).") from None
    return data


def _decode(path: Path, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decode_as("utf-16", "UTF-16", path, data)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UserError(f"{path}, line {line}: a binary file, not a city list. {_WANTED}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Chinese GBK bytes are nearly never valid UTF-8, so a few bad bytes mean damaged UTF-8.
        lenient = data.decode("utf-8", errors="replace")
        damaged = len(HAN.findall(lenient)) > 10 * lenient.count("\ufffd")
    if damaged:
        return _decode_as("utf-8", "UTF-8", path, data)
    return _decode_as("gb18030", "UTF-8, UTF-16 or GB18030", path, data)


def _decode_as(encoding: str, called: str, path: Path, data: bytes) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise UserError(
            f"{path}, line {line}: bytes that are not {called}. Save the list as UTF-8."
        ) from None


def _rows(path: Path, text: str) -> list[Row]:
    """Cut the text into rows of stripped cells; blank lines are left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    separator = next((s for s in SEPARATORS if 2 * sum(s in x for x in lines) > len(lines)), None)
    if separator == "\t" and all(len(line.split()) <= 2 for line in lines):
        separator = None  # «code name» with any number of tabs
    if separator in (None, "="):
        cut = [
            Row(number, [cell.strip() for cell in line.split(separator, 1 if separator else -1)])
            for number, line in enumerate(text.splitlines(), start=1)
        ]
        return [row for row in cut if any(row.cells)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    try:
        for cells in reader:
            rows.append(Row(reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None
    return [row for row in rows if any(row.cells)]


def _name_column(rows: list[Row]) -> tuple[int, int]:
    """Number of rows up to the first name, and the index of the column that holds the names."""
    for skipped, row in enumerate(rows[:2], start=1):
        headers = [re.sub(r"[\s_-]", "", cell).lower() for cell in row.cells]
        columns = [headers.index(known) for known in NAME_HEADERS if known in headers]
        if columns:
            return skipped, _first_chinese(rows[skipped:], [*columns, *range(len(headers))])
    return 0, _first_chinese(rows, list(range(max(len(row.cells) for row in rows))))


def _first_chinese(rows: list[Row], columns: list[int]) -> int:
    """The first of the columns that has Chinese text in most rows; else simply the first."""
    for column in columns:
        if 2 * sum(_name(row, column) is not None for row in rows) > len(rows):
            return column
    return columns[0]


def _name(row: Row, column: int) -> str | None:
    if len(row.cells) > column and HAN.search(row.cells[column]):
        return row.cells[column]
    return None
