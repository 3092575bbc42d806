"""Spider of the open question service of 驾考宝典: a list of ids, then questions by the batch."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from snaketune.crawling.page import Page, Unreadable
from snaketune.crawling.spider import Ask, SiteSpider
from snaketune.crawling.texts import from_bits, judged_options, options_of, plain
from snaketune.questions import Question

LIST = "/api/open/exercise/sequence.htm"
QUESTIONS = "/api/open/question/question-list.htm"
COURSES = {1: "kemu1", 4: "kemu3"}
"""The service counts the courses without driving."""
TYPES = {"0": "judge", "1": "single", "2": "multi"}


class JkbdSpider(SiteSpider):
    """Answers are `{data, errorCode, message, success}`; right options are bits of `answer`."""

    def begin(self) -> Iterable[Ask]:
        site = self.site
        asked = {"carType": site.car, "cityCode": site.city, "course": COURSES[site.course]}
        yield Ask(f"{LIST}?{urlencode(asked | site.parameters)}", items=0)

    def follow(self, page: Page) -> Iterator[Ask]:
        if not page.path.startswith(LIST):
            return
        ids = self.unique(self._data(page))
        for start in range(0, len(ids), self.site.batch):
            part = ids[start : start + self.site.batch]
            query = {"questionIds": ",".join(part)} | self.site.parameters
            yield Ask(f"{QUESTIONS}?{urlencode(query, safe=',')}", items=len(part))

    def refusal(self, page: Page) -> str | None:
        """HTML, or an answer that says itself that it is none; torn JSON is only unreadable."""
        if page.is_html:
            return super().refusal(page) or "HTML in place of JSON"
        try:
            answer = page.json
        except Unreadable as error:
            return f"the list of questions is {error}" if page.path.startswith(LIST) else None
        if isinstance(answer, dict) and answer.get("success") is False:
            return f"the site says: {answer.get('message') or answer.get('errorCode')}"
        return None

    def _data(self, page: Page) -> list:
        answer = page.json
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list):
            raise Unreadable("no list under 'data'")
        return data

    def entries(self, page: Page) -> Iterable[Any]:
        return self._data(page) if page.path.startswith(QUESTIONS) else ()

    def id_of(self, entry: Any) -> str | None:
        found = entry.get("questionId") if isinstance(entry, dict) else None
        return super().id_of(entry) if found is None else str(found)

    def question(self, entry: Any, page: Page) -> Question:
        source_id, kind = self.id_of(entry), TYPES.get(str(entry.get("optionType")))
        if source_id is None:
            raise Unreadable("no questionId")
        if kind is None:
            raise Unreadable(f"optionType {entry.get('optionType')!r} is unknown")
        texts = [entry.get(f"option{letter}") for letter in "ABCDEFGH"]
        options = judged_options(texts) if kind == "judge" else options_of(texts)
        return self.made(
            page,
            source_id,
            stem=plain(entry.get("question")),
            options=options,
            answer=from_bits(entry.get("answer"), options),
            type=kind,
            media=_media(entry, source_id),
            explanation=plain(entry.get("explain") or entry.get("conciseExplain")),
        )


def _media(entry: dict, source_id: str) -> str | None:
    """What names the picture or film; a question that has an unnamed one names it by its id."""
    named = entry.get("mediaContent") or entry.get("mediaKey")
    has_one = str(entry.get("mediaType") or "0") != "0"
    return str(named or f"question {source_id}") if has_one else None
