"""A page as it was fetched, and what was read from it or not."""

import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

ESCAPES = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
CAPTCHA = re.compile(
    r"captcha|geetest|验证码|人机验证|安全验证|滑动验证|访问过于频繁", re.IGNORECASE
)


class Unreadable(Exception):
    """A page, or a question on it, that cannot be read; the message is the reason."""


@dataclass(frozen=True)
class Page:
    """What a site answered to one path."""

    path: str
    """Path and query, below the site's address."""
    status: int
    text: str
    fetched: str
    """When, in ISO 8601 (UTC)."""
    robots: str | None
    """What robots.txt said of it: allowed, or no robots.txt."""

    def row(self) -> dict:
        """The page as one line of a file of pages."""
        return asdict(self)

    @property
    def is_html(self) -> bool:
        return self.text.lstrip("\ufeff \r\n\t").startswith("<")

    @property
    def is_captcha(self) -> bool:
        return self.is_html and CAPTCHA.search(self.text) is not None

    @cached_property
    def json(self) -> Any:
        """The page's JSON; stray backslashes are left out, other faults are Unreadable."""
        try:
            return json.loads(self._mended, strict=False)
        except json.JSONDecodeError as error:
            what = "HTML in place of JSON" if self.is_html else f"not valid JSON ({error.msg})"
            raise Unreadable(what) from None

    @property
    def is_mended(self) -> bool:
        """Whether its JSON has backslashes before characters that need none."""
        return self._mended != self.text

    @cached_property
    def _mended(self) -> str:
        return ESCAPES.sub(lambda found: found[0] if found[1] else "", self.text)


@dataclass(frozen=True)
class Unread:
    """A question that could not be read, or a whole page."""

    path: str
    source_id: str | None
    reason: str
