"""Files that are either whole or not there: text, JSON, JSON lines; and their hashes."""

import codecs
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snaketune.errors import UserError

_to_json = json.JSONEncoder(ensure_ascii=False).encode


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path` that takes its name only when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` in one move."""
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, keys in their given order."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a broken one is a UserError that names the file and the line."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}).") from None


def write_jsonl(path: Path, rows: Iterable[dict]) -> int:
    """Write one JSON object a line; returns the number of rows."""
    return write_lines(path, (json_line(row) for row in rows))


def json_line(value: Any) -> bytes:
    """The one line of UTF-8 JSON that files of JSON lines have for `value`, without its end."""
    return _to_json(value).encode("utf-8")


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines that have no ends yet; returns their number."""
    count = 0
    with whole(path) as partial, partial.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[dict]:
    """Yield the objects of a JSON-lines file; a broken line is a UserError with file and line."""
    return (row for _, _, row in jsonl_lines(path))


def jsonl_lines(path: Path) -> Iterator[tuple[int, bytes, dict]]:
    """Yield (line number from 1, the line without its end, its object), blank lines left out."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            line = line.strip()
            if line:
                yield number, line, _parsed(line, path, number)


def _parsed(line: bytes, path: Path, number: int) -> dict:
    where = f"{path}, line {number}"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"{where}: not UTF-8. Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{where}: not valid JSON ({error.msg}). Mend or delete the line."
        ) from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: a JSON object is expected on each line.")
    return row


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 in hex of a JSON-able value, independent of the order of its keys."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
