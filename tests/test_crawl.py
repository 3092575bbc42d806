"""Crawls of local sites in processes of their own; the logs of the sites tell how they asked."""

import signal
import time
from collections import Counter

import pytest
from sites import Crawl, bank, live, meaning

from snaketune.config.sites import Faults
from snaketune.crawling.local_site import LocalSite, served
from snaketune.files import read_jsonl
from snaketune.questions import Question

pytestmark = pytest.mark.slow
BOTH = pytest.mark.parametrize("kind", ["jkbd", "jxedt"])


def paths(site: LocalSite) -> list[str]:
    return [row["path"] for row in site.requests]


def until(holds, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@BOTH
def test_a_crawl_gets_every_question_and_a_second_one_asks_nothing(kind, tmp_path):
    made = bank()
    site = LocalSite(kind, made, Faults())
    with served(site) as address:
        crawl = Crawl(tmp_path, "town", **live(kind, address, batch=5))
        crawl.run()
        asked, pages = paths(site), crawl.pages.read_bytes()
        crawl.run()
    assert paths(site) == asked
    assert crawl.pages.read_bytes() == pages
    assert crawl.manifest["this_time"]["asked"] == 0

    assert asked[0] == "/robots.txt"
    assert asked.count("/robots.txt") == 1
    assert {row["agent"] for row in site.requests} == {"Snaketune/0.1 (+us@example.org)"}
    twice = {path for path, count in Counter(asked).items() if count > 1}
    assert twice == {row["path"] for row in site.requests if row["status"] == 429}
    forbidden = f"/get_question?index={site.forbidden}"
    assert forbidden not in asked
    assert crawl.manifest["robots"]["said"] == "allowed"
    assert crawl.manifest["robots"]["forbidden"] == ([forbidden] if kind == "jxedt" else [])
    assert sum("circle" in path for path in asked) == (kind == "jxedt")

    counts = crawl.parse()
    questions = [Question(**row) for row in read_jsonl(crawl.questions)]
    assert [meaning(item) for item in questions] == [meaning(item) for item in made]
    assert counts["questions"] == len(made)
    assert counts["unread"] == len(counts["unread_questions"]) == sum(counts["reasons"].values())
    assert counts["unread"] == {"jkbd": 1, "jxedt": 2}[kind]


def test_requests_come_one_after_the_other_with_pauses(tmp_path):
    site = LocalSite("jxedt", bank(12), Faults(busy=0, loop=False, robots="none"))
    with served(site) as address:
        Crawl(tmp_path, "town", **live("jxedt", address, delay=0.2)).run()
    times = [row["time"] for row in site.requests]
    assert len(times) == 2 + 12 + 2
    # the pause runs from sending to sending, so a slow machine can only shorten a single one
    assert times[-1] - times[0] >= 0.5 * 0.2 * (len(times) - 1)
    assert paths(site)[2:5] == [f"/get_question?index={number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_crawl_goes_on_where_it_stopped(sent, tmp_path):
    made = bank(60)
    site = LocalSite("jxedt", made, Faults(busy=0, loop=False))
    with served(site) as address:
        crawl = Crawl(tmp_path, "town", **live("jxedt", address, delay=0.1))
        process = crawl.start()
        try:
            until(lambda: len(site.requests) >= 12 or process.poll() is not None)
            process.send_signal(sent)
            printed, _ = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == (75 if sent == signal.SIGTERM else -signal.SIGKILL), printed
        assert not crawl.pages.exists()
        before = len(site.requests)
        assert 12 <= before < len(made)
        crawl.settings["delay"] = 0
        crawl.run()
    twice = [path for path, count in Counter(paths(site)).items() if count > 1]
    assert len(twice) <= 1
    assert set(twice) <= {paths(site)[before - 1]}
    assert crawl.parse()["questions"] == len(made)


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        ("403", "status 403"),
        ("captcha", "a captcha"),
        ("html", "HTML in place of JSON"),
        ("redirect", "a redirect to login.invalid"),
    ],
)
def test_a_refused_crawl_stops_and_goes_on_later(refuse, reason, tmp_path):
    made = bank(8)
    site = LocalSite("jxedt", made, Faults(busy=0, loop=False, refuse=refuse, refuse_after=3))
    with served(site) as address:
        crawl = Crawl(tmp_path, "town", **live("jxedt", address))
        printed = crawl.run(rc=75)
        assert f"stopped at /get_question?index=4: {reason}" in printed
        assert "Traceback" not in printed
        assert paths(site)[-1] == "/get_question?index=4"  # and nothing after it
        assert len(site.requests) == 6
        site.faults.refuse = None
        crawl.run()
    twice = [path for path, count in Counter(paths(site)).items() if count > 1]
    assert twice == ["/get_question?index=4"]
    assert crawl.parse()["questions"] == len(made)


def test_a_site_that_says_busy_again_and_again_is_left_alone(tmp_path):
    site = LocalSite("jkbd", bank(), Faults(busy=99))
    with served(site) as address:
        printed = Crawl(tmp_path, "town", **live("jkbd", address, batch=5)).run(rc=75)
    assert "status 429 for the 4th time" in printed
    assert [row["status"] for row in site.requests] == [200] * 4 + [429] * 4


def test_a_site_that_fails_is_left_alone(tmp_path):
    faults = Faults(busy=0, refuse="error", refuse_after=1)
    site = LocalSite("jxedt", bank(), faults)
    with served(site) as address:
        printed = Crawl(tmp_path, "town", **live("jxedt", address)).run(rc=75)
    assert "5 pages in a row failed" in printed
    assert len(site.requests) == 3 + 5 * 3


def test_who_asks_too_fast_gets_html_and_stops(tmp_path):
    site = LocalSite("jxedt", bank(), Faults(busy=0, fastest=60))
    with served(site) as address:
        printed = Crawl(tmp_path, "town", **live("jxedt", address)).run(rc=75)
    assert "no ids of questions" in printed
    assert paths(site) == ["/robots.txt", "/ckm1/sxlx/"]


def test_a_site_that_forbids_robots_is_not_asked(tmp_path):
    site = LocalSite("jkbd", bank(), Faults(robots="all"))
    with served(site) as address:
        printed = Crawl(tmp_path, "town", **live("jkbd", address)).run(rc=1)
    assert "robots.txt" in printed and "forbids /api/open/exercise/sequence.htm" in printed
    assert paths(site) == ["/robots.txt"]


def test_a_robots_txt_that_fails_forbids_all(tmp_path):
    site = LocalSite("jkbd", bank(), Faults(robots="broken"))
    with served(site) as address:
        printed = Crawl(tmp_path, "town", **live("jkbd", address)).run(rc=75)
    assert "/robots.txt: status 500" in printed
    assert set(paths(site)) == {"/robots.txt"}


def test_limits_end_a_crawl_without_a_fault(tmp_path):
    site = LocalSite("jxedt", bank(), Faults(busy=0))
    with served(site) as address:
        crawl = Crawl(tmp_path, "town", **live("jxedt", address, max_items=4))
        crawl.run()
        assert crawl.manifest["ended_by"] == "max_items"
        assert len(site.requests) == 2 + 4
        crawl = Crawl(tmp_path, "town", **live("jxedt", address, max_seconds=1e-9))
        crawl.run(rc=1)
        assert len(site.requests) == 2 + 4
