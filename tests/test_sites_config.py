"""Which sites a config may name, and what it must say before a live one is asked."""

import pytest

from snaketune.config.resolve import validated
from snaketune.config.sites import Site
from snaketune.errors import UserError

LIVE = {
    "spider": "jxedt",
    "url": "https://questions.example.org/",
    "contact": "us@example.org",
    "accept_terms": True,
}


def site(**settings) -> Site:
    return validated(Site, settings, "study.yaml: sites.town")


def refused(**settings) -> str:
    with pytest.raises(UserError) as caught:
        site(**settings)
    return str(caught.value)


def test_a_live_site_is_asked_gently_by_default():
    made = site(**LIVE)
    assert made.url == "https://questions.example.org"
    assert made.delay == 3


def test_a_local_site_is_asked_without_pauses():
    assert site(spider="jkbd", local={"questions": 20}).delay == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contact": None}, "contact: a live site must be able to reach you"),
        ({"contact": "somebody"}, "contact: a mail address"),
        ({"contact": "a b@example.org"}, "contact: a mail address"),
        ({"accept_terms": False}, "accept_terms: read the site's terms"),
        ({"delay": 0.5}, "delay: under 2 seconds"),
        ({"url": "questions.example.org"}, "url: an address begins with http"),
        ({"url": "https://me:secret@example.org"}, "url: only scheme, host and folder"),
        ({"url": "https://example.org/?key=1"}, "url: only scheme, host and folder"),
        ({"local": {"questions": 20}}, "either url"),
        ({"url": None}, "either url"),
        ({"spider": "jkdb"}, "spider: jkbd, jxedt, or a spider of your own"),
        ({"max_item": 3}, "unknown key 'max_item'; did you mean 'max_items'?"),
        ({"faults": {"bussy": 3}}, "faults: unknown key 'bussy'; did you mean 'busy'?"),
        ({"batch": 100}, "batch:"),
    ],
)
def test_what_is_wrong_is_said(change, message):
    assert f"study.yaml: sites.town: {message}" in refused(**(LIVE | change))


def test_the_secret_of_an_address_is_not_printed():
    assert "secret" not in refused(**(LIVE | {"url": "https://me:secret@example.org"}))


def test_loopback_may_be_asked_fast():
    for host in ("127.0.0.1:80", "localhost:80", "[::1]:80"):
        assert site(**(LIVE | {"url": f"http://{host}", "delay": 0})).delay == 0


def test_a_spider_of_ones_own_needs_an_address():
    own = {"spider": "spiders/town.py:TownSpider"}
    assert site(**(LIVE | own)).own_file() == "spiders/town.py"
    assert "give a spider of your own a url" in refused(**own, local={"questions": 20})
