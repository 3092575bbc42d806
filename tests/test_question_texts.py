"""Texts, bit masks and rows of digits, as the sites write them."""

import pytest

from snaketune.crawling.page import Page, Unreadable
from snaketune.crawling.texts import from_bits, from_digits, judged_options, options_of, plain

EIGHT = list("甲乙丙丁戊己庚辛")


def page(text: str) -> Page:
    return Page("/x", 200, text, "2026-01-01T00:00:00+00:00", "allowed")


@pytest.mark.parametrize("place", range(8))
def test_each_bit_is_its_option(place):
    assert from_bits(16 << place, EIGHT) == [EIGHT[place]]


def test_64_is_the_third_option_and_not_the_fourth():
    assert from_bits(64, EIGHT[:4]) == ["丙"]
    assert from_bits("64", EIGHT[:4]) == ["丙"]


@pytest.mark.parametrize(
    ("mask", "right"),
    [(240, "甲乙丙丁"), (80, "甲丙"), (16 + 2048, "甲辛"), (4080, "甲乙丙丁戊己庚辛")],
)
def test_several_bits_are_several_options(mask, right):
    assert from_bits(mask, EIGHT) == list(right)


@pytest.mark.parametrize("mask", [0, 1, 7, 17, 4096, 16 + 4096, -16, None, "", "A", [16]])
def test_what_is_no_mask_is_unreadable(mask):
    with pytest.raises(Unreadable, match="no bit mask"):
        from_bits(mask, EIGHT)


def test_an_answer_beyond_the_options_is_unreadable():
    with pytest.raises(Unreadable, match="the answer is D, but there are 3 options"):
        from_bits(128, EIGHT[:3])
    with pytest.raises(Unreadable, match="the answer is C, but there are 2 options"):
        from_digits("3", EIGHT[:2])


@pytest.mark.parametrize(
    ("digits", "right"),
    [("134", "甲丙丁"), (134, "甲丙丁"), ("1", "甲"), ("42", "乙丁"), ("7", "庚")],
)
def test_digits_side_by_side(digits, right):
    assert from_digits(digits, EIGHT) == list(right)


@pytest.mark.parametrize("digits", ["", None, "0", "9", "11", "1,2", "A", "1 2"])
def test_what_is_no_row_of_digits_is_unreadable(digits):
    with pytest.raises(Unreadable, match="no row of digits"):
        from_digits(digits, EIGHT)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>一<br/>二</p><p><br></p>", "一\n二"),
        ("<P class='x'>一</P>\n\n<div>二</div>", "一\n二"),
        ('<p><span style="color:red">红</span>&nbsp;&lt;60&amp;</p>', "红 <60&"),
        ("时速<60且>30", "时速<60且>30"),
        ("a<b 且 c>d", "a<b 且 c>d"),
        ("看<img src='x.jpg'/>图", "看图"),
        (None, ""),
        ("  一  ", "一"),
    ],
)
def test_html_becomes_text(html, text):
    assert plain(html) == text


def test_unused_options_are_left_out_and_gaps_are_not():
    assert options_of(["甲", "乙", None, "", None]) == ["甲", "乙"]
    with pytest.raises(Unreadable, match="option B is empty"):
        options_of(["甲", "", "丙", None])


def test_letters_before_options_go_only_where_all_have_theirs():
    assert options_of(["A. 甲", "B、乙", "C：丙"]) == ["甲", "乙", "丙"]
    assert options_of(["A. 甲", "乙"]) == ["A. 甲", "乙"]
    assert options_of(["B. 甲", "A. 乙"]) == ["B. 甲", "A. 乙"]
    assert options_of(["A类车", "B类车"]) == ["A类车", "B类车"]


def test_options_of_a_question_to_be_judged():
    assert judged_options(["", None, ""]) == ["正确", "错误"]
    assert judged_options(["对", "错"]) == ["正确", "错误"]
    assert judged_options(["错误", "正确"]) == ["错误", "正确"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'{"a": "一\。二"}', "一。二"),
        (r'{"a": "it\'s"}', "it's"),
        (r'{"a": "一\\二"}', "一\\二"),
        (r'{"a": "\u4e00\n\"\/"}', '一\n"/'),
        (r'{"a": "\users"}', "users"),
        ('{"a": "一\n二"}', "一\n二"),
    ],
)
def test_illegal_backslashes_are_left_out(written, read):
    assert page(written).json == {"a": read}


def test_only_illegal_backslashes_count_as_mended():
    assert page(r'{"a": "\。"}').is_mended
    assert not page(r'{"a": "\\ \n \u4e00"}').is_mended


def test_torn_json_and_html_are_unreadable():
    with pytest.raises(Unreadable, match="not valid JSON"):
        page('{"a": "一').json  # noqa: B018
    with pytest.raises(Unreadable, match="HTML in place of JSON"):
        page("\n<html></html>").json  # noqa: B018
