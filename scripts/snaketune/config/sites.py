"""Sites that questions are crawled from: live ones, and local ones that show made questions."""

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from snaketune.config.common import Strict
from snaketune.config.driving import DrivingSettings

OWN_SPIDER = r"^\S+\.py:[A-Za-z_]\w*$"
LIVE_DELAY = 2.0
"""Seconds; a live site is never asked faster."""


def _known_spider(name: str) -> str:
    if name not in ("jkbd", "jxedt") and not re.match(OWN_SPIDER, name):
        raise ValueError("jkbd, jxedt, or a spider of your own as path/to/file.py:ClassName")
    return name


class Faults(Strict):
    """What a local site does to those who ask, besides the oddities that its pages always have.

    As they stand here, a crawl gets through all of them.
    """

    robots: Literal["some", "none", "all", "broken"] = "some"
    """Its robots.txt forbids one path; is not there; forbids all; fails."""
    crawl_delay: float | None = Field(None, ge=0)
    """Seconds between requests that its robots.txt asks for."""
    busy: int = Field(1, ge=0)
    """How often 429 is answered, from the third page of questions on."""
    loop: bool = True
    """One page leads from one address to another in a circle (jxedt)."""
    missing: bool = True
    """One question of the list is not there."""
    torn: bool = True
    """One question cannot be read."""
    refuse: Literal["403", "captcha", "html", "redirect", "error"] | None = None
    """Refuse for good: by a 403, a captcha, a page of HTML in place of JSON, a redirect to another
    host, a 500."""
    refuse_after: int = Field(3, ge=0)
    """Pages of questions that are still answered then."""
    fastest: float = Field(0, ge=0)
    """Seconds; who asks sooner after the last request gets HTML with status 200."""


class Site(Strict):
    """Where questions are crawled, how gently, and what is asked for there."""

    spider: Annotated[str, AfterValidator(_known_spider)]
    """jkbd, jxedt, or `path/to/file.py:ClassName` with a spider of your own."""
    url: str | None = None
    """Address of a live site, such as https://www.example.org; with it, `contact` and
    `accept_terms` must be set."""
    local: DrivingSettings | None = None
    """In place of a live site: these made questions, served on this machine while they are
    crawled."""
    faults: Faults = Faults()
    """What the local site does."""
    contact: str | None = None
    """Mail or web address at which the site can reach you; part of the user agent."""
    accept_terms: bool = False
    """That you have read the live site's terms and may fetch its questions."""
    delay: float | None = Field(None, ge=0)
    """Seconds from one request to the next, at least; null: 3 for a live site, 0 for a local one.
    A slow site is asked more slowly."""
    throttle: float = Field(0.5, gt=0, le=1)
    """Greatest share of the time in which a request may be under way."""
    max_items: int | None = Field(None, gt=0)
    """Questions that are asked for at most."""
    max_seconds: float = Field(3600, gt=0)
    """Time after which a crawl ends with what it has; the next one goes on from there."""
    batch: int = Field(25, gt=0, le=30)
    """Questions a page, where the site gives several (jkbd)."""
    car: Literal["car", "bus", "truck", "moto"] = "car"
    """Kind of vehicle."""
    course: Literal[1, 4] = 1
    """科目一 or 科目四."""
    city: str = "110000"
    """Code of the city (jkbd)."""
    parameters: dict[str, str] = {}
    """Further query parameters of each request, or settings of a spider of your own."""

    @model_validator(mode="after")
    def _live_or_local(self) -> "Site":
        if (self.url is None) == (self.local is None):
            raise ValueError("either url (a live site) or local (made questions) is needed")
        if self.local is not None and self.own_file():
            raise ValueError(
                "local: only the shapes of jkbd and jxedt can be served; give a spider of your own "
                "a url"
            )
        if self.url is not None:
            self._check_live()
        if self.contact is not None and not re.fullmatch(
            r"[!-~]+@[!-~]+|https?://[!-~]+", self.contact
        ):
            raise ValueError("contact: a mail address, or a web address with https://")
        if self.delay is None:
            self.delay = 3.0 if self.local is None else 0.0
        return self

    def _check_live(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: an address begins with http:// or https://")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("url: only scheme, host and folder; parameters stand under parameters")
        self.url = self.url.rstrip("/")
        if self.contact is None:
            raise ValueError("contact: a live site must be able to reach you; give an address")
        if not self.accept_terms:
            raise ValueError(
                "accept_terms: read the site's terms and its robots.txt; if they let you fetch its "
                "questions, set it to true"
            )
        fast = self.delay is not None and self.delay < LIVE_DELAY
        if fast and not _is_this_machine(parts.hostname):
            raise ValueError(f"delay: under {LIVE_DELAY:g} seconds, which is rude to a live site")

    def own_file(self) -> str | None:
        """The file of a spider of the user's own."""
        return self.spider.rpartition(":")[0] or None


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
