"""City lists in the shapes that people have them: lines, CSV, TSV, JSON; UTF-8, GBK, UTF-16."""

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from snaketune.errors import UserError
from snaketune.places import place_name

HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003134f]")
PLACEHOLDER = re.compile(
    r"^(市辖区|市辖县|县|市|区|(省|自治区|市)?直辖县级行政(区划|单位|区)|省直辖行政单位|其[他它]"
    r"|中华人民共和国|中国|全国)$"
)
"""Rows of the official division that stand for a level without naming a place."""

NAME_HEADERS = (
    *("name", "名称", "城市名称", "城市名", "市名", "城市", "地名", "地区", "行政区划名称"),
    *("单位名称", "cityname", "city", "citynamezh", "cityzh", "locationnamezh", "namezh", "namecn"),
    *("中文名", "地级市", "地市", "市"),
)
"""Headers of a name column, best first, in lower case without blanks, brackets, hyphens."""

NAME_HEADER = re.compile(r".*(名称?|城市|name(zh|cn)?)")
HEADER = re.compile(
    r"(中[文国]|英文|全国|主要|热门|所[属在]|标准|[地县省市]级|自治[区州县]|直辖|特别|行政|区划|单位"
    r"|城市|地[区方市点]|省份?|市|区|县|全|简|名[称字]?|编[码号]|代码|[序区]号|级别|拼音|备注|[经纬]度"
    r"|邮编)+|.*(名称|[省市县区地]名|列表|名单|一览表?)|[a-z]*name(zh|cn)?"
)
"""Words that are headers and no places, unlike 茂名, 运城市 and 共青城市."""

NAME = re.compile(r"(?=.{1,30}$)[^\W\d_]([^\W\d_]|[·()（）' -])*(?<![·(（' -])")
NO_CITY = re.compile(rf"{HEADER.pattern}|.*(省|自治区)")
SEPARATORS = (",，、", "\t", ";；", "|｜", "=＝", ":：")
"""Characters that part cells; those that stand together count as one."""


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

    Shapes: a name a line; all names on one line; code and name parted by blanks or one of
    `, ; | = :` (also full-width); CSV or TSV with a header that has a name column (after one
    title line, if any), or without one (then the Chinese column with most distinct places); a
    JSON list of strings. Dropped and counted: placeholders such as 市辖区, repeated names, headers
    further down, rows without a Chinese name, lines that begin with #. A UserError names the file,
    and the line: a name with other characters than letters and ·()' -, say, or rows with several
    names of which no header tells which to take.
    """
    path = Path(path)
    rows, comments = _rows(path, _decode(path, _bytes(path)))
    dropped = Counter({"comment": comments} if comments else {})
    if not rows:
        raise UserError(f"{path}: the city list is empty. {_WANTED}")
    if len(rows) == 1 and all(HAN.search(cell) for cell in _filled(rows[0])):
        rows = [Row(rows[0].line, [cell]) for cell in _filled(rows[0])]
    below, headers = _header(rows)
    column = _name_column(path, rows[below:], headers) if rows[below:] else 0
    names: dict[str, None] = {}
    for row in rows[below:]:
        name = _name(row, column)
        if name is None:
            found = HAN.search("".join(row.cells))
            dropped["Chinese, but not in the name column" if found else "no Chinese name"] += 1
        elif PLACEHOLDER.match(name):
            dropped[f"placeholder {name}"] += 1
        elif HEADER.fullmatch(_plain(name)):
            dropped["header"] += 1
        elif name in names:
            dropped["repeated"] += 1
        elif not NAME.fullmatch(name):
            raise UserError(
                f"{path}, line {row.line}: '{name[:20]}{'…' if name[20:] else ''}' is no place "
                f"name, which is made of letters and ·()' - only. {_WANTED}"
            )
        else:
            names[name] = None
    if not names:
        raise UserError(f"{path}: no Chinese place name in {len(rows)} lines. {_WANTED}")
    return CityList(list(names), dict(dropped))


_WANTED = "A city list has a name, or code and name, on each line, or is a CSV with a name column."


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such city list. Mend the path in 'cities'.") from None
    except OSError as error:
        raise UserError(f"{path}: the city list cannot be read ({error.strerror}).") from None


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


def _rows(path: Path, text: str) -> tuple[list[Row], int]:
    """Cut the text into rows of stripped cells, without blank lines; and how many are comments."""
    if text.lstrip().startswith(("[", "{")):
        return _json_rows(path, text), 0
    filled = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    kept = [(n, line) for n, line in filled if not line.lstrip().startswith("#")]
    cut = [Row(number, cells) for number, cells in _cut(path, kept) if any(cells)]
    return cut, len(filled) - len(kept)


def _cut(path: Path, lines: list[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Cut each line by itself (an open quote swallows none) at the sign most have, or at blanks."""
    half = len(lines) / 2
    found = [s for s in SEPARATORS if sum(any(c in x for c in s) for _, x in lines) > half]
    sign, *same = found[0] if found else " "
    if sign == "\t" and all(len(line.split()) <= 2 for _, line in lines):
        sign = " "  # «code name» with any number of tabs
    same_sign = str.maketrans(dict.fromkeys(same, sign))
    for number, line in lines:
        plain = " ".join(line.split()) if sign == " " else line.translate(same_sign)
        try:
            cells = next(csv.reader([plain], delimiter=sign, strict=True, skipinitialspace=True))
            yield number, [cell.strip() for cell in cells]
        except csv.Error as error:
            message = f"not CSV ({error}). Close the quotes of a cell on its line."
            raise UserError(f"{path}, line {number}: {message}") from None


def _json_rows(path: Path, text: str) -> list[Row]:
    advice = "Only a JSON list of strings is read: save the names one a line instead."
    try:
        names = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"{path}, line {getattr(error, 'lineno', 1)}"
        raise UserError(f"{where}: it looks like JSON but is not. {advice}") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}, line 1: JSON that is no list of strings. {advice}")
    strings = re.finditer(r'"(?:[^"\\]|\\.)*"', text)
    return [
        Row(text.count("\n", 0, string.start()) + 1, [name.strip()])
        for name, string in zip(names, strings, strict=True)
        if name.strip()
    ]


def _filled(row: Row) -> list[str]:
    return [cell for cell in row.cells if cell]


def _plain(cell: str) -> str:
    return re.sub(r"[\s_()（）-]", "", cell).lower()


def _header(rows: list[Row]) -> tuple[int, list[str]]:
    """Number of rows up to the first name, and the plain cells of the header if there is one."""
    for at, row in enumerate(rows[:2]):
        if at and HAN.search("".join(rows[0].cells)) and len(_filled(rows[0])) >= len(_filled(row)):
            break  # the row above is no title but a row of the list
        cells = [_plain(cell) for cell in row.cells]
        below = rows[at + 1].cells if rows[at + 1 :] else []
        # 市 above 区 is a column of ranks, not a header.
        known = [
            (cell in NAME_HEADERS or HEADER.fullmatch(cell)) and not HEADER.fullmatch(_plain(under))
            for cell, under in zip_longest(cells, below, fillvalue="")
        ]
        if any(known) and not any(cell.isdecimal() for cell in cells):
            return at + 1, cells
    if _codes_begin_below(rows):
        return 1, [_plain(cell) for cell in rows[0].cells]
    return 0, []


def _codes_begin_below(rows: list[Row]) -> bool:
    """Whether a column has a word in the first row and digits in all others."""
    first, others = rows[0].cells, [row.cells for row in rows[1:]]
    return bool(others) and any(
        any(map(str.isalpha, cell))
        and not re.search(r"\d", cell)
        and all(len(x) == len(first) and re.search(r"\d", x[column]) for x in others)
        for column, cell in enumerate(first)
    )


def _name_column(path: Path, rows: list[Row], headers: list[str]) -> int:
    """The Chinese column that the header calls the name, else that with most distinct places."""
    columns = range(max(len(row.cells) for row in rows))
    named = {c: [_name(row, c) for row in rows] for c in columns}
    chinese = [c for c in named if 2 * sum(name is not None for name in named[c]) > len(rows)]
    for header in NAME_HEADERS:
        if header in headers and headers.index(header) in chinese:
            return headers.index(header)
    places = {c: {place_name(x) for x in named[c] if x and not NO_CITY.fullmatch(x)} for c in named}
    called = [c for c in chinese if c < len(headers) and NAME_HEADER.fullmatch(headers[c])]
    # 青岛市 and 青岛 beside each other are one place, other pairs are two.
    found = max(called or chinese or [0], key=lambda c: len(places[c]))
    if not called and 2 * len(set().union(*places.values())) > 3 * max(len(places[found]), 1):
        raise UserError(
            f"{path}, line {rows[0].line}: several Chinese names on a line, and no header says "
            f"which to take. Save one name a line, or write a header such as '省,城市'. {_WANTED}"
        )
    return found


def _name(row: Row, column: int) -> str | None:
    if len(row.cells) > column and HAN.search(row.cells[column]):
        return row.cells[column]
    return None
