"""Texts of questions as sites write them: HTML, letters before options, digits, bit masks."""

import html
import re
from typing import Any

from snaketune.crawling.page import Unreadable
from snaketune.questions import JUDGE_OPTIONS

ATTRIBUTES = r"""(?:\s+[a-zA-Z][\w:-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))?)*\s*/?>"""
BREAKS = re.compile(rf"\s*</?(?:br|p|div|li|ul|ol|tr|table|h[1-6]){ATTRIBUTES}\s*", re.I)
TAGS = re.compile(
    "</?(?:a|b|big|em|font|i|img|label|mark|small|span|strong|sub|sup|tbody|td|th|u|video)"
    + ATTRIBUTES,
    re.I,
)
LETTERS = "ABCDEFGH"
LETTERED = re.compile(r"\s*([A-H])\s*[.．、:：]\s*")
JUDGED = {"对": "正确", "错": "错误", "√": "正确", "×": "错误"}


def plain(text: Any) -> str:
    """Text without HTML; breaks of lines and paragraphs become one new line.

    Only names of HTML are tags: 时速<60 stays.
    """
    if text is None:
        return ""
    lines = html.unescape(TAGS.sub("", BREAKS.sub("\n", str(text)))).replace("\xa0", " ")
    return "\n".join(line.strip() for line in lines.splitlines() if line.strip())


def options_of(texts: list[Any]) -> list[str]:
    """Options as texts, the unused ones at the end left out, and letters if all have theirs.

    Raises:
        Unreadable: there is a gap between them.
    """
    options = [plain(text) for text in texts]
    while options and not options[-1]:
        options.pop()
    if not all(options):
        raise Unreadable(f"option {LETTERS[options.index('')]} is empty")
    found = [LETTERED.match(option) for option in options]
    if all(m and m[1] == letter for m, letter in zip(found, LETTERS, strict=False)):
        options = [option[m.end() :] for option, m in zip(options, found, strict=True)]
    return options


def judged_options(texts: list[Any]) -> list[str]:
    """The options of a question to be judged: those that stand there, else 正确 and 错误."""
    options = [JUDGED.get(option, option) for option in options_of(texts)]
    return options or list(JUDGE_OPTIONS)


def from_bits(mask: Any, options: list[str]) -> list[str]:
    """The right options of a bit mask in which 16 is A, 32 is B, and so on to 2048, H."""
    try:
        bits = int(mask)
    except (TypeError, ValueError):
        raise Unreadable(f"answer {mask!r} is no bit mask") from None
    places = [place for place in range(len(LETTERS)) if bits >> (place + 4) & 1]
    if not places or bits != sum(16 << place for place in places):
        raise Unreadable(f"answer {bits} is no bit mask of options")
    return _picked(places, options)


def from_digits(digits: Any, options: list[str]) -> list[str]:
    """The right options of digits side by side: 134 is A, C and D."""
    written = str(digits or "")
    if not re.fullmatch(r"[1-8]+", written) or len(set(written)) < len(written):
        raise Unreadable(f"answer '{written}' is no row of digits")
    return _picked(sorted(int(digit) - 1 for digit in written), options)


def _picked(places: list[int], options: list[str]) -> list[str]:
    beyond = [LETTERS[place] for place in places if place >= len(options)]
    if beyond:
        raise Unreadable(f"the answer is {beyond[0]}, but there are {len(options)} options")
    return [options[place] for place in places]
