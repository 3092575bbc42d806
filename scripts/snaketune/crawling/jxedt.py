"""Spider of the pages of 驾校一点通: a page with all ids, then one question at a time."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from parsel import Selector

from snaketune.crawling.page import Page, Unreadable
from snaketune.crawling.spider import Ask, SiteSpider
from snaketune.crawling.texts import from_digits, judged_options, options_of, plain
from snaketune.questions import Question

QUESTION = "/get_question"
CARS = {"bus": "a", "truck": "b", "car": "c", "moto": "e"}
TYPES = {"1": "judge", "2": "single", "3": "multi"}


class JxedtSpider(SiteSpider):
    """Answers are one flat object, in older or newer keys; right options are digits side by side.

    Its JSON often has backslashes where none belong, and asked too fast it answers in HTML.
    """

    def begin(self) -> Iterable[Ask]:
        yield Ask(f"/{CARS[self.site.car]}km{self.site.course}/sxlx/", items=0)

    def follow(self, page: Page) -> Iterator[Ask]:
        if page.path.startswith(QUESTION):
            return
        for number in self.unique(_listed(page)):
            yield Ask(f"{QUESTION}?{urlencode({'index': number} | self.site.parameters)}")

    def refusal(self, page: Page) -> str | None:
        if not page.path.startswith(QUESTION):
            if _listed(page):
                return None
            return super().refusal(page) or "no ids of questions on the page that lists them"
        if page.is_html:
            return super().refusal(page) or "HTML in place of JSON"
        return None

    def entries(self, page: Page) -> Iterable[Any]:
        if not page.path.startswith(QUESTION):
            return ()
        entry = page.json
        if not isinstance(entry, dict):
            raise Unreadable("no JSON object")
        if not entry:
            raise Unreadable("empty: the site has no such question")
        return (entry,)

    def question(self, entry: Any, page: Page) -> Question:
        source_id, kind = self.id_of(entry), TYPES.get(str(_first(entry, "type", "Type")))
        if source_id is None:
            raise Unreadable("no id")
        if kind is None:
            raise Unreadable(f"type {_first(entry, 'type', 'Type')!r} is unknown")
        texts = [_first(entry, *keys) for keys in zip("abcdefg", MOBILE, strict=True)]
        options = judged_options(texts) if kind == "judge" else options_of(texts)
        return self.made(
            page,
            source_id,
            stem=plain(entry.get("question")),
            options=options,
            answer=from_digits(_first(entry, "right", "ta", "answertrue"), options),
            type=kind,
            media=_first(entry, "imageurl", "sinaimg", "sohuimg"),
            explanation=plain(_first(entry, "bestanswer", "explain")),
        )


MOBILE = tuple(f"an{number}" for number in range(1, 8))
"""Keys of the options in the pages for phones."""


def _listed(page: Page) -> list[str]:
    return Selector(page.text).css("li[data-id]::attr(data-id)").getall()


def _first(entry: dict, *keys: str) -> str | None:
    """The first of these keys that says something."""
    found = (entry.get(key) for key in keys)
    return next((str(value) for value in found if value not in (None, "")), None)
