"""JSON out of a reply: its first object, or nothing.

Tolerated around the object: chatter, code fences, white space. Tolerated inside it: one comma
before a closing brace. Anything else is read as a JSON reader would, so unquoted values
(`{"city":三亚}`), full-width quotes and a reply cut off inside the object are `unparsed`.
"""

import json
import math
import re
from typing import Any, NamedTuple

TRAILING_COMMA = re.compile(r",\s*\}")
STRING_OR_BRACE = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}]')


class Reply(NamedTuple):
    """What one reply says: its first JSON object, and whether that object is all there is."""

    answer: dict[str, Any] | None
    valid: bool


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is too large")
    return number


# Python's reader lets NaN and Infinity pass, which JSON does not know, and reads 1e999 as infinity.
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def read_reply(text: str) -> Reply:
    """Read the first JSON object of a reply.

    A broken object is passed over to its closing brace, so that an object inside a broken or
    unfinished one does not count. Of a key given twice the last value holds, and brackets around
    the object are chatter.
    """
    answer = first_object(text)
    return Reply(answer, answer is not None and _is_whole(text.strip()))


def first_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in `text`, None where there is none."""
    start = text.find("{")
    while start >= 0:
        try:
            found = _object_at(text, start)
        except RecursionError:  # thousands of nested braces: a model that ran wild
            return None
        if found is not None:
            return found
        start = text.find("{", _closing(text, start))
    return None


def _object_at(text: str, start: int) -> dict[str, Any] | None:
    """The object that begins at `start`, None where it is broken or unfinished."""
    found, failed = _decode(text, start)
    if found is None:
        for comma in TRAILING_COMMA.finditer(text, start):
            if comma.start() <= failed < comma.end():
                without = f"{text[: comma.start()]} {text[comma.start() + 1 :]}"
                found, _ = _decode(without, start)
    return found


def _closing(text: str, start: int) -> int:
    """Where the broken object at `start` is closed: the end of the text if it never is.

    Braces in strings do not count; a quote without a second one on its line opens no string.
    """
    depth = 0
    for token in STRING_OR_BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0 and token.group() == "}":
            return token.end()
    return len(text)


def _decode(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    """The object at `start`, or None and the place where reading it failed."""
    try:
        found, end = _DECODER.raw_decode(text, start)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        return None, error.pos
    except ValueError:  # NaN, a number too long or large to read, half a surrogate pair
        return None, start
    return found, end


def _is_whole(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        _, end = _DECODER.raw_decode(text)
    except ValueError:
        return False
    return end == len(text)
