"""The base of all spiders: which pages are asked, one after the other, and how they are read.

A spider of your own says in `begin` and `follow` what is asked, in `entries` and `question` what
is read. How it asks (robots.txt, pauses, refusals, pages that are there already) is not its
business but that of `conduct` and `running`.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, NamedTuple

import scrapy
from pydantic import ValidationError
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response

from snaketune.config.sites import Site
from snaketune.crawling.page import Page, Unread, Unreadable
from snaketune.journal import Journal
from snaketune.questions import Question

MOST_FAILURES = 5
"""Pages in a row that fail; then the crawl stops."""


class Ask(NamedTuple):
    """A page to be asked."""

    path: str
    """Path and query, below the site's address."""
    items: int = 1
    """Questions on it; 0 for a list of them."""


class SiteSpider(scrapy.Spider):
    """Asks a site's pages one at a time, and reads the questions on them.

    Args:
        name: the site's name in the study; questions bear it as their source.
        site: its settings.
        address: where its pages are, without a slash at the end; not needed to read them.
        journal, identity: where pages are kept, and which pages there are this site's.
    """

    def __init__(
        self,
        name: str,
        site: Site,
        address: str = "",
        journal: Journal | None = None,
        identity: str = "",
    ):
        super().__init__(name)
        self.site, self.address = site, address
        self.journal, self.identity = journal, identity
        self.waiting: deque[Ask] = deque()
        self.seen: set[str] = set()
        self.used: list[str] = []
        self.forbidden: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.items = self.repeated = self._failures = 0
        self.limit: str | None = None
        self.refused: str | None = None
        self.error: Exception | None = None
        self.keep: Callable[[Page], None] = lambda page: None
        self._started = time.monotonic()

    # What a spider of your own says.

    def begin(self) -> Iterable[Ask]:
        """The pages to start from."""
        raise NotImplementedError

    def follow(self, page: Page) -> Iterable[Ask]:
        """Further pages, now that this one is there; each is asked once, however often named."""
        return ()

    def refusal(self, page: Page) -> str | None:
        """Why this is no page but a refusal, which ends the crawl; None for a page."""
        return "a captcha" if page.is_captcha else None

    def entries(self, page: Page) -> Iterable[Any]:
        """What `question` reads, one for each question of the page; none of a list."""
        raise NotImplementedError

    def question(self, entry: Any, page: Page) -> Question:
        """The question of an entry, by `made`; raises Unreadable with the reason otherwise."""
        raise NotImplementedError

    # What it can use.

    def made(self, page: Page, source_id: Any, **parts: Any) -> Question:
        """A question of this site, checked; parts are stem, options, answer, type and others."""
        about = {"source": self.name, "fetched": page.fetched, "robots": page.robots}
        try:
            return Question(
                id=f"{self.name}-{source_id}", source_id=str(source_id), **about, **parts
            )
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            reason = first["msg"].removeprefix("Value error, ")
            raise Unreadable(f"{place}: {reason}" if place else reason) from None

    def unique(self, ids: Iterable[Any]) -> list[str]:
        """The ids of a list, each once, and no more than may be asked for."""
        texts = [str(name) for name in ids]
        once = list(dict.fromkeys(texts))
        self.repeated += len(texts) - len(once)
        if self.site.max_items is None or len(once) <= self.site.max_items:
            return once
        self.limit = "max_items"
        return once[: self.site.max_items]

    # How pages are read.

    def read(self, page: Page) -> Iterator[Question | Unread]:
        """Every question of a page, or what could not be read and why."""
        try:
            entries = list(self.entries(page)) if page.status == 200 else []
        except Unreadable as error:
            yield Unread(page.path, None, str(error))
            return
        for entry in entries:
            try:
                yield self.question(entry, page)
            except Unreadable as error:
                yield Unread(page.path, self.id_of(entry), str(error))
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                reason = f"not as expected: {type(error).__name__} {error}"
                yield Unread(page.path, self.id_of(entry), reason)

    def id_of(self, entry: Any) -> str | None:
        """The site's id of an entry, for messages."""
        found = entry.get("id") if isinstance(entry, dict) else None
        return None if found is None else str(found)

    # How pages are asked.

    async def start(self) -> AsyncIterator[Request]:
        try:
            self.add(self.begin())
        except Exception as error:
            self.error = error
        for request in self.next_request():
            yield request

    def add(self, asks: Iterable[Ask]) -> None:
        """Put pages into the row of those that wait."""
        for ask in asks:
            if ask.path in self.seen:
                self.repeated += ask.items
            else:
                self.seen.add(ask.path)
                self.waiting.append(ask)

    def next_request(self) -> Iterator[Request]:
        """The next page, unless a limit or a refusal has ended the crawl."""
        if self.error or self.refused or not self.waiting:
            return
        ask = self.waiting.popleft()
        if self.site.max_items is not None and self.items + ask.items > self.site.max_items:
            self.limit = "max_items"
        elif self.seconds_left() <= 0:
            self.limit = "max_seconds"
        else:
            self.items += ask.items
            yield Request(
                self.address + ask.path,
                self.parse,
                errback=self.lost,
                meta={"path": ask.path},
                dont_filter=True,
            )

    def seconds_left(self) -> float:
        return self.site.max_seconds - (time.monotonic() - self._started)

    def parse(self, response: Response, **others: Any) -> Iterator[Request]:
        page: Page | None = response.meta.get("page")
        if page is None:
            self._failed(response.meta["path"], f"status {response.status}")
        else:
            self._failures = 0
            self.used.append(page.path)
            try:
                self.add(self.follow(page) if page.status == 200 else ())
                self.keep(page)
            except Unreadable as error:
                self.refused = f"{page.path}: {error}"
            except Exception as error:
                self.error = error
        yield from self.next_request()

    def lost(self, failure: Any) -> Iterator[Request]:
        """A page that did not come: forbidden by robots.txt, refused, or out of reach."""
        path = failure.request.meta["path"]
        if not failure.check(IgnoreRequest):
            self._failed(path, f"{failure.type.__name__} {failure.value}"[:200])
        elif not self.refused:
            self.forbidden.append(path)
        yield from self.next_request()

    def _failed(self, path: str, reason: str) -> None:
        self.failed.append((path, reason))
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self.refused = f"{MOST_FAILURES} pages in a row failed, the last {path} ({reason})"
