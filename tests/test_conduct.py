"""How a spider behaves towards a site, step by step, without a network."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Request, TextResponse
from sites import live

from snaketune.config.sites import Site
from snaketune.crawling import conduct as module
from snaketune.crawling.conduct import Conduct
from snaketune.crawling.jxedt import JxedtSpider
from snaketune.crawling.running import check, site_address
from snaketune.errors import UserError
from snaketune.journal import Journal

ADDRESS = "http://127.0.0.1:1"
ONE = "/get_question?index=1"
ROBOTS = "/robots.txt"


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Seconds that were waited, without waiting."""
    seconds: list[float] = []

    async def sleep(wanted: float) -> None:
        seconds.append(wanted)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    return seconds


class Harness:
    """A conduct between a spider and answers that a test makes up."""

    def __init__(self, folder, **settings):
        self.journal = Journal(folder)
        site = Site(**live("jxedt", ADDRESS, **settings))
        self.spider = JxedtSpider("town", site, ADDRESS, self.journal, "key")
        self.conduct = Conduct(SimpleNamespace(spider=self.spider))

    def request(self, path: str = ONE, **meta) -> Request:
        meta = meta if path == ROBOTS else {"path": path, **meta}
        return Request(ADDRESS + path, meta=meta)

    def answered(self, request: Request, status: int = 200, text: str = "{}", **headers):
        """What comes of an answer, once it has passed."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        response = TextResponse(
            request.url, status, headers=sent, body=text.encode(), encoding="utf-8", request=request
        )
        return asyncio.run(self.conduct.process_response(request, response))

    def refused(self, request: Request, *answer, **headers) -> str:
        with pytest.raises(IgnoreRequest):
            self.answered(request, *answer, **headers)
        assert "page" not in request.meta
        return self.spider.refused


@pytest.fixture
def harness(tmp_path) -> Harness:
    return Harness(tmp_path)


def test_a_page_that_is_kept_is_not_asked_again(harness):
    request = harness.request()
    assert harness.conduct.process_request(request) is None
    harness.answered(request)
    harness.conduct.keep(request.meta["page"])
    again = harness.request()
    assert harness.conduct.process_request(again).text == "{}"
    assert again.meta["page"] == request.meta["page"]
    assert harness.conduct.process_request(harness.request("/get_question?index=2")) is None


@pytest.mark.parametrize("status", [401, 403, 451])
def test_a_forbidding_status_ends_the_crawl(harness, status):
    assert harness.refused(harness.request(), status) == f"{ONE}: status {status}"
    with pytest.raises(IgnoreRequest):
        harness.conduct.process_request(harness.request("/get_question?index=2"))


@pytest.mark.parametrize("text", ["<html>忙</html>", "<html>请输入验证码</html>"])
def test_html_in_place_of_json_ends_the_crawl(harness, text):
    assert harness.refused(harness.request(), 200, text).startswith(ONE)


def test_busy_is_waited_for_as_long_as_the_site_says(harness, waits):
    tomorrow = datetime.now(UTC) + timedelta(seconds=100)
    for said in ("7", format_datetime(tomorrow, usegmt=True), "nonsense"):
        again = harness.answered(harness.request(), 429, "busy", Retry_After=said)
        assert isinstance(again, Request) and again.url == ADDRESS + ONE
    assert waits[0] == 7
    assert 50 < waits[1] <= 100
    assert waits[2] == module.FIRST_WAIT * 4
    refused = harness.refused(harness.request(), 429, "busy", Retry_After="1")
    assert refused == f"{ONE}: status 429 for the 4th time"
    assert len(waits) == module.MOST_WAITS


def test_a_wait_that_is_too_long_ends_the_crawl(harness, waits):
    assert "3600 seconds" in harness.refused(harness.request(), 503, "", Retry_After="3600")
    assert waits == []


def test_a_wait_beyond_the_time_limit_ends_the_crawl(tmp_path, waits):
    harness = Harness(tmp_path, max_seconds=5)
    assert "20 seconds" in harness.refused(harness.request(), 429, "", Retry_After="20")


def test_a_redirect_on_the_site_is_followed_and_a_circle_is_not(harness):
    first = harness.answered(harness.request(), 302, "", Location="/circle")
    assert first.url == f"{ADDRESS}/circle" and first.meta["path"] == ONE
    assert harness.conduct.process_request(first) is None
    end = harness.answered(first, 302, "", Location=ONE)
    assert end.status == 302
    assert first.meta["page"].status == 302
    assert harness.spider.refused is None


def test_a_long_chain_of_redirects_ends(harness):
    request = harness.request()
    for hop in range(module.MOST_HOPS):
        request = harness.answered(request, 301, "", Location=f"/{hop}")
        assert isinstance(request, Request)
    assert harness.answered(request, 301, "", Location="/last").status == 301


def test_a_redirect_to_another_host_ends_the_crawl(harness):
    told = harness.refused(harness.request(), 302, "", Location="https://login.example.org/")
    assert told == f"{ONE}: a redirect to login.example.org"


def test_a_missing_page_is_kept_as_missing(harness):
    request = harness.request()
    harness.answered(request, 404, "<html>404</html>")
    assert request.meta["page"].status == 404


def test_a_server_fault_is_no_page(harness):
    request = harness.request()
    assert harness.answered(request, 500).status == 500
    assert "page" not in request.meta
    assert harness.spider.refused is None


def test_robots_txt_is_kept_and_told_of_each_page(harness):
    text = "User-agent: *\nDisallow: /private/\n"
    request = harness.request(ROBOTS)
    assert harness.answered(request, 200, text).text == text
    page = harness.request()
    harness.answered(page)
    assert page.meta["page"].robots == "allowed"
    again = harness.request(ROBOTS)
    assert harness.conduct.process_request(again).text == text


def test_an_old_robots_txt_is_asked_again(harness, monkeypatch):
    harness.answered(harness.request(ROBOTS), 200, "User-agent: *\n")
    monkeypatch.setattr(module, "ROBOTS_AGE", -1)
    assert harness.conduct.process_request(harness.request(ROBOTS)) is None


def test_no_robots_txt_forbids_nothing(harness):
    got = harness.answered(harness.request(ROBOTS), 404, "Disallow: /")
    assert (got.status, got.text) == (200, "")
    page = harness.request()
    harness.answered(page)
    assert page.meta["page"].robots == "no robots.txt"


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (403, "", "status 403"),
        (500, "", "status 500"),
        (200, "<html></html>", "HTML in place of a robots.txt"),
        (200, "<html>captcha</html>", "a captcha"),
        (200, "User-agent: *\nCrawl-delay: 10\n", "set the site's delay to that"),
        (200, "User-agent: *\nRequest-rate: 1/20s\n", "20 seconds"),
        (200, "User-agent: Snaketune\nCrawl-delay: 9\n\nUser-agent: *\nDisallow:\n", "9 seconds"),
    ],
)
def test_a_robots_txt_that_cannot_be_followed_forbids_all(harness, status, text, reason):
    got = harness.answered(harness.request(ROBOTS), status, text)
    assert "Disallow: /\n" in got.text
    assert reason in harness.spider.refused
    assert len(harness.journal) == 0


def test_a_pause_that_robots_txt_asks_for_is_kept(tmp_path):
    harness = Harness(tmp_path, delay=10)
    harness.answered(harness.request(ROBOTS), 200, "User-agent: *\nCrawl-delay: 10\n")
    assert harness.spider.refused is None


def test_a_robots_txt_out_of_reach_forbids_all(harness):
    got = harness.conduct.process_exception(harness.request(ROBOTS), OSError("no line"))
    assert "Disallow: /\n" in got.text
    assert "no line" in harness.spider.refused
    assert harness.conduct.process_exception(harness.request(), OSError("no line")) is None


def test_two_crawls_of_one_host_wait_for_each_other(tmp_path):
    site = Site(**live("jxedt", ADDRESS))
    entered: list[str] = []

    def enter() -> None:
        with site_address("town", site, tmp_path) as (address, _):
            entered.append(address)

    second = threading.Thread(target=enter)
    with site_address("town", site, tmp_path):
        second.start()
        second.join(0.3)
        assert entered == []
    second.join(60)
    assert entered == [ADDRESS]


def test_a_crawl_that_robots_txt_forbids_is_told(tmp_path):
    harness = Harness(tmp_path)
    harness.spider.forbidden = [ONE]
    with pytest.raises(UserError, match=r"robots\.txt of http://127\.0\.0\.1:1 forbids /get_q"):
        check("town", harness.spider.site, harness.spider)
    harness.spider.forbidden, harness.spider.limit = [], "max_seconds"
    with pytest.raises(UserError, match="no page came \\(max_seconds ended it\\)"):
        check("town", harness.spider.site, harness.spider)
