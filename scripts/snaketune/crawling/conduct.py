"""How every spider behaves towards a site: a downloader middleware.

Pages that are there already are not asked again. robots.txt is kept for a day and, where it cannot
be read, taken to forbid all. 429 and 503 are waited for as long as the site says, a few times; any
other refusal ends the crawl, and nothing is done to get around it.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from protego import Protego
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, Response, TextResponse

from snaketune.crawling.page import Page
from snaketune.crawling.spider import SiteSpider
from snaketune.files import digest
from snaketune.journal import Journal

log = logging.getLogger(__name__)

ROBOT = "Snaketune"
"""The name that a robots.txt may speak to."""
ROBOTS = "/robots.txt"
ROBOTS_AGE = 86400
"""Seconds for which a robots.txt holds (RFC 9309)."""
FORBID_ALL = b"User-agent: *\nDisallow: /\n"
WAIT_STATUS = (429, 503)
MOST_WAITS = 3
"""Times in one crawl that a site may ask to be left alone for a while."""
FIRST_WAIT = 30
"""Seconds to wait where the site does not say; doubled each time."""
LONGEST_WAIT = 600
"""Seconds; a site that asks for more ends the crawl."""
MOST_HOPS = 5
GONE = (404, 410)


class Refused(IgnoreRequest):
    """The site refuses to be asked."""


class Conduct:
    """Stands between the spider and the site.

    Args:
        crawler: Scrapy's; its spider has the journal of pages, and the site's identity in it.
    """

    def __init__(self, crawler: Crawler):
        self.spider: SiteSpider = crawler.spider
        self.journal: Journal = self.spider.journal
        self.spider.keep = self.keep
        self.robots: str | None = None
        self.asked = self.stored = self.waits = 0

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "Conduct":
        return cls(crawler)

    def key(self, path: str) -> str:
        """Name of a page in the journal."""
        return digest([self.spider.identity, path])

    def page(self, path: str) -> Page:
        """A page that is in the journal."""
        return Page(**self.journal[self.key(path)])

    def process_request(self, request: Request) -> Response | None:
        path = self._path(request)
        if self.key(path) in self.journal and "hops" not in request.meta:
            page = self.page(path)
            if path != ROBOTS or _age(page) < ROBOTS_AGE:
                self.stored += 1
                request.meta["page"] = page
                return _response(page, request)
        if self.spider.refused:
            raise Refused(self.spider.refused)
        return None

    async def process_response(self, request: Request, response: Response) -> Response | Request:
        path = self._path(request)
        page = request.meta.get("page")
        if page is None:
            self.asked += 1
            if response.status in WAIT_STATUS:
                return await self._wait(request, response)
            if 300 <= response.status < 400:
                followed = self._redirected(request, response)
                if followed:
                    return followed
            if response.status in (401, 403, 451):
                return self._refuse(path, f"status {response.status}", response)
            page = self._page(path, response)
        if path == ROBOTS:
            return self._robots(page, response)
        if page is None:
            return response
        refusal = self.spider.refusal(page) if page.status == 200 else None
        if refusal:
            return self._refuse(path, refusal, response)
        request.meta["page"] = page
        return response

    def process_exception(self, request: Request, exception: Exception) -> Response | None:
        """A robots.txt that cannot be fetched forbids all."""
        if self._path(request) == ROBOTS and not isinstance(exception, IgnoreRequest):
            self.spider.refused = f"{ROBOTS} cannot be fetched ({exception})"
            return TextResponse(request.url, body=FORBID_ALL, request=request)
        return None

    def _path(self, request: Request) -> str:
        return request.meta.get("path") or urlsplit(request.url).path

    def _page(self, path: str, response: Response) -> Page | None:
        """The page, where there is one or where the site says for good that there is none."""
        looped = 300 <= response.status < 400
        if response.status != 200 and response.status not in GONE and not looped:
            return None
        text = response.text if isinstance(response, TextResponse) else ""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Page(path, response.status, text, now, None if path == ROBOTS else self.robots)

    def keep(self, page: Page) -> None:
        """Write a page into the journal, if it is not the one that is there."""
        key = self.key(page.path)
        if key not in self.journal or self.page(page.path) != page:
            self.journal.add({key: page.row()})

    def _robots(self, page: Page | None, response: Response) -> Response:
        """What robots.txt allows; all is forbidden where that cannot be told."""
        reason = None
        if page is None or 300 <= page.status < 400:
            reason = f"status {response.status}"
        elif page.status == 200 and page.is_html:
            reason = "a captcha" if page.is_captcha else "HTML in place of a robots.txt"
        elif page.status == 200:
            reason = self._too_fast(page.text)
        if reason:
            self.spider.refused = f"{ROBOTS}: {reason}"
            return response.replace(status=200, body=FORBID_ALL)
        self.keep(page)
        self.robots = "allowed" if page.status == 200 else "no robots.txt"
        return response if page.status == 200 else response.replace(status=200, body=b"")

    def _too_fast(self, text: str) -> str | None:
        rules = Protego.parse(text)
        rate = rules.request_rate(ROBOT)
        wanted = max(rules.crawl_delay(ROBOT) or 0, rate.seconds / rate.requests if rate else 0)
        if wanted <= self.spider.site.delay:
            return None
        return f"it asks for {wanted:g} seconds between requests; set the site's delay to that"

    async def _wait(self, request: Request, response: Response) -> Request | Response:
        self.waits += 1
        path, said = self._path(request), response.headers.get("Retry-After", b"").decode("latin-1")
        seconds = _seconds(said)
        if seconds is None:
            seconds = FIRST_WAIT * 2 ** (self.waits - 1)
        if self.waits > MOST_WAITS:
            return self._refuse(
                path, f"status {response.status} for the {self.waits}th time", response
            )
        if seconds > min(LONGEST_WAIT, self.spider.seconds_left()):
            reason = f"status {response.status}, to be waited for {seconds:.0f} seconds"
            return self._refuse(path, reason, response)
        log.info("%s: status %d; waiting %.0f s.", path, response.status, seconds)
        await asyncio.sleep(seconds)
        return request.replace(dont_filter=True)

    def _redirected(self, request: Request, response: Response) -> Request | Response | None:
        """The request for where it leads; None where that goes round in a circle."""
        target = urljoin(request.url, response.headers.get("Location", b"").decode("latin-1"))
        if urlsplit(target).netloc != urlsplit(request.url).netloc:
            host = urlsplit(target).netloc
            return self._refuse(self._path(request), f"a redirect to {host}", response)
        hops = [*request.meta.get("hops", []), request.url]
        if target in hops or len(hops) > MOST_HOPS:
            return None
        meta = {**request.meta, "hops": hops, "path": self._path(request)}
        return request.replace(url=target, meta=meta, dont_filter=True)

    def _refuse(self, path: str, reason: str, response: Response) -> Response:
        self.spider.refused = f"{path}: {reason}"
        if path == ROBOTS:
            return response.replace(status=200, body=FORBID_ALL)
        raise Refused(reason)


def _response(page: Page, request: Request) -> Response:
    """A kept page, as if it came from the site."""
    body = page.text.encode("utf-8")
    return TextResponse(
        request.url, page.status, body=body, encoding="utf-8", request=request, flags=["stored"]
    )


def _age(page: Page) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(page.fetched)).total_seconds()


def _seconds(retry_after: str) -> float | None:
    """Seconds that a Retry-After names, as a number or as a time."""
    if re.fullmatch(r"\d+", retry_after):
        return float(retry_after)
    try:
        wanted = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (wanted - datetime.now(UTC)).total_seconds())
