"""Both spiders read what both sites show: every shape, and every oddity, without a network."""

import json
from dataclasses import replace

import pytest
from sites import bank, live, meaning, question

from snaketune.config.sites import Faults, Site
from snaketune.crawling.jkbd import JkbdSpider
from snaketune.crawling.jxedt import JxedtSpider
from snaketune.crawling.local_site import LocalSite
from snaketune.crawling.page import Page, Unread
from snaketune.crawling.spider import SiteSpider
from snaketune.questions import Question

SPIDERS = {"jkbd": JkbdSpider, "jxedt": JxedtSpider}
BOTH = pytest.mark.parametrize("kind", SPIDERS)
BATCH = "/api/open/question/question-list.htm?questionIds=1"
ONE = "/get_question?index=1"


def spider(kind: str, **settings) -> SiteSpider:
    return SPIDERS[kind]("town", Site(**live(kind, "http://127.0.0.1:1", **settings)))


def page(path: str, text: str) -> Page:
    return Page(path, 200, text, "2026-01-01T00:00:00+00:00", "allowed")


def walked(reader: SiteSpider, site: LocalSite) -> list[Page]:
    """Every page that the spider asks for, straight from the site."""
    reader.add(reader.begin())
    pages = []
    while reader.waiting:
        path = reader.waiting.popleft().path
        pages.append(page(path, site.answer(path, "").body))
        if not reader.refusal(pages[-1]):
            reader.add(reader.follow(pages[-1]))
    return pages


def read(reader: SiteSpider, pages: list[Page]) -> tuple[list[Question], list[Unread]]:
    found = [item for one in pages for item in reader.read(one)]
    return (
        [item for item in found if isinstance(item, Question)],
        [item for item in found if isinstance(item, Unread)],
    )


@BOTH
def test_every_question_is_read_as_it_was_made(kind):
    made, reader = bank(60), spider(kind)
    pages = walked(reader, LocalSite(kind, made, Faults(busy=0, loop=False)))
    questions, unread = read(reader, pages)
    assert [meaning(item) for item in questions] == [meaning(item) for item in made]
    assert {item.type for item in questions} == {"judge", "single", "multi"}
    assert len({item.id for item in questions}) == len(made)
    assert questions[0].source == "town" and questions[0].id == f"town-{questions[0].source_id}"
    assert questions[0].fetched and questions[0].robots == "allowed"
    assert len(unread) == {"jkbd": 1, "jxedt": 3}[kind]
    assert reader.repeated == 2


@BOTH
def test_a_site_shuffles_the_options(kind):
    made, reader = bank(60), spider(kind)
    pages = walked(reader, LocalSite(kind, made, Faults(busy=0, loop=False)))
    pairs = zip(read(reader, pages)[0], made, strict=True)
    assert sum(shown.options != item.options for shown, item in pairs) > 20


def test_the_shapes_have_all_oddities():
    site = LocalSite("jkbd", bank(60), Faults(busy=0))
    pages = walked(spider("jkbd"), site)
    entries = [entry for one in pages[1:] for entry in one.json["data"] if "label" in entry]
    fourth = {entry["optionD"] for entry in entries if entry["optionType"] == 0}
    assert fourth == {None, ""}
    assert any("optionH" not in entry for entry in entries)
    assert any("mediaContent" not in entry for entry in entries)
    assert any("mediaKey" in entry for entry in entries)
    assert {entry["mediaType"] for entry in entries} == {0, 1, 2}
    assert {entry["answer"] for entry in entries} > {240, 64}
    assert any(entry["explain"].startswith("<p>") for entry in entries)

    site = LocalSite("jxedt", bank(60), Faults(busy=0, torn=False, loop=False))
    pages = walked(spider("jxedt"), site)[1:]
    entries = [one.json for one in pages if one.json]
    assert any("ta" in entry for entry in entries) and any("right" in entry for entry in entries)
    assert any(entry.get("right") == 1234 for entry in entries)
    assert any("imageurl" not in entry for entry in entries)
    assert any(not entry["a"] for entry in entries)
    assert any(one.is_mended for one in pages)
    assert any(one.json == {} for one in pages)


@BOTH
def test_no_more_is_asked_for_than_max_items(kind):
    reader = spider(kind, max_items=7, batch=3)
    pages = walked(reader, LocalSite(kind, bank(), Faults(busy=0)))
    assert len(read(reader, pages)[0]) == 7
    assert reader.limit == "max_items"


def test_what_is_asked_follows_the_settings():
    reader = spider("jkbd", car="moto", course=4, city="440100", parameters={"_r": "1"}, batch=2)
    (first,) = reader.begin()
    path = "/api/open/exercise/sequence.htm"
    assert first == (f"{path}?carType=moto&cityCode=440100&course=kemu3&_r=1", 0)
    answer = json.dumps({"data": [9, 8, 9, 7], "success": True})
    batches = list(reader.follow(page(first.path, answer)))
    assert [ask.items for ask in batches] == [2, 1]
    assert batches[0].path.endswith("?questionIds=9,8&_r=1")
    for car, folder in (("bus", "/akm4/"), ("truck", "/bkm4/"), ("car", "/ckm4/")):
        (first,) = spider("jxedt", car=car, course=4).begin()
        assert first.path == f"{folder}sxlx/"


def jkbd_entry(**change) -> dict:
    entry = {"questionId": 5, "question": "可以掉头。", "optionType": 0, "answer": 16}
    return {**entry, "optionA": "正确", "optionB": "错误", **change}


FOUR = {"optionA": "甲", "optionB": "乙", "optionC": "丙", "optionD": "丁", "optionType": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answer": 0}, "answer 0 is no bit mask"),
        ({"answer": None}, "no bit mask"),
        ({"answer": 64}, "the answer is C, but there are 2 options"),
        ({"answer": 48}, "a question of type judge has one right option"),
        ({"optionType": 7}, "optionType 7 is unknown"),
        ({"questionId": None}, "no questionId"),
        ({"question": ""}, "stem:"),
        ({"optionA": "行", "optionB": "不行"}, "a judge question has 正确 and 错误"),
        ({**FOUR, "optionB": ""}, "option B is empty"),
        ({**FOUR, "optionB": "甲"}, "two are alike"),
        ({**FOUR, "answer": 80}, "a question of type single has one right option"),
    ],
)
def test_a_question_that_cannot_be_read_is_told_with_the_reason(change, reason):
    entries = [jkbd_entry(**change), jkbd_entry(questionId=6)]
    questions, unread = read(spider("jkbd"), [page(BATCH, json.dumps({"data": entries}))])
    assert [item.source_id for item in questions] == ["6"]
    (lost,) = unread
    assert reason in lost.reason and lost.path == BATCH


def test_an_entry_that_is_none_is_told_with_the_reason():
    text = json.dumps({"data": [None, [1], "x", jkbd_entry()]})
    questions, unread = read(spider("jkbd"), [page(BATCH, text)])
    assert len(questions) == 1
    assert all(item.reason.startswith("not as expected: AttributeError") for item in unread)


def jxedt_entry(**change) -> str:
    entry = {"id": 5, "question": "哪些是？", "a": "甲", "b": "乙", "c": "丙", "d": "丁"}
    return json.dumps({**entry, "type": "3", "right": "134", **change})


@pytest.mark.parametrize(
    "text",
    [
        jxedt_entry(),
        jxedt_entry(type=3, right=134),
        jxedt_entry(type=None, right="", Type="3", ta="134"),
        json.dumps(
            {"id": 5, "question": "哪些是？", "an1": "甲", "an2": "乙", "an3": "丙", "an4": "丁"}
            | {"Type": "3", "answertrue": "134", "explain": ""}
        ),
    ],
)
def test_old_keys_new_keys_and_those_for_phones(text):
    ((found,), unread) = read(spider("jxedt"), [page(ONE, text)])
    assert (found.answer, found.type, unread) == (["甲", "丙", "丁"], "multi", [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "empty: the site has no such question"),
        ("[]", "no JSON object"),
        ('{"id": 5', "not valid JSON"),
        (jxedt_entry(id=None), "no id"),
        (jxedt_entry(type="9"), "type '9' is unknown"),
        (jxedt_entry(right="5"), "the answer is E, but there are 4 options"),
        (jxedt_entry(right="A"), "no row of digits"),
        (jxedt_entry(type="2"), "a question of type single has one right option"),
    ],
)
def test_a_page_that_cannot_be_read_is_told_with_the_reason(text, reason):
    questions, (lost,) = read(spider("jxedt"), [page(ONE, text)])
    assert not questions
    assert reason in lost.reason


def test_pictures_are_named_and_not_fetched():
    shown = {"mediaType": 1, "mediaContent": "http://files.example.org/5.jpg"}
    cases = [
        (shown, shown["mediaContent"]),
        ({"mediaType": 2, "mediaKey": "film"}, "film"),
        ({"mediaType": 1}, "question 5"),
        ({"mediaType": 0, "mediaContent": ""}, None),
        ({}, None),
    ]
    for change, media in cases:
        ((found,), _) = read(
            spider("jkbd"), [page(BATCH, json.dumps({"data": [jkbd_entry(**change)]}))]
        )
        assert found.media == media


HTML = "<html><body>忙</body></html>"
CAPTCHA = "<html><body><form action='/captcha'>请输入验证码</form></body></html>"
SAID_NO = '{"data": null, "success": false, "errorCode": 9, "message": "太快"}'


@pytest.mark.parametrize(
    ("kind", "path", "text", "reason"),
    [
        ("jkbd", BATCH, HTML, "HTML in place of JSON"),
        ("jkbd", BATCH, CAPTCHA, "a captcha"),
        ("jkbd", BATCH, SAID_NO, "the site says: 太快"),
        ("jkbd", BATCH, '{"data": [', None),
        ("jkbd", "/api/open/exercise/sequence.htm?course=kemu1", '{"data": [', "not valid JSON"),
        ("jxedt", ONE, HTML, "HTML in place of JSON"),
        ("jxedt", ONE, CAPTCHA, "a captcha"),
        ("jxedt", ONE, '{"question": "请输入验证码"}', None),
        ("jxedt", "/ckm1/sxlx/", CAPTCHA, "a captcha"),
        ("jxedt", "/ckm1/sxlx/", HTML, "no ids of questions"),
        ("jxedt", "/ckm1/sxlx/", CAPTCHA.replace("<form", "<li data-id='1'></li><form"), None),
    ],
)
def test_a_refusal_is_no_page(kind, path, text, reason):
    told = spider(kind).refusal(page(path, text))
    assert (told is None) if reason is None else (reason in told)


def test_a_missing_page_has_no_questions():
    gone = replace(page(ONE, "<html>404</html>"), status=404)
    assert read(spider("jxedt"), [gone]) == ([], [])


def test_more_options_than_four():
    made = [question(1, "哪些是？", list("甲乙丙丁戊己庚"), [0, 4, 6])]
    for kind in SPIDERS:
        reader = spider(kind)
        faults = Faults(busy=0, loop=False, torn=False, missing=False, robots="none")
        (found,), _ = read(reader, walked(reader, LocalSite(kind, made, faults)))
        assert meaning(found) == meaning(made[0])
