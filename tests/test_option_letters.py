"""Letters read from replies: forms, several and none, denied ones, texts of options."""

import json
from pathlib import Path

import pytest

from snaketune.option_letters import last_line, read_letter, read_letters

FRUIT = ["苹果", "香蕉", "西瓜", "葡萄"]
DATA = Path(__file__).resolve().parents[2] / "shared/data/logic"


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "B",
            "b",
            "Ｂ",
            "B。",
            "B.",
            "(B)",
            "（B）",
            "「B」",
            "“B”",
            "**B**",
            "B\n",
            "`B`",
            "B B",
        ),
        *(
            "答案是B",
            "答案：Ｂ。",
            "答案为（B）",
            "正确答案是 **B**。",
            "因此，答案应该是：B",
            "答：B",
        ),
        *("选B", "应选B。", "本题选择B", "香蕉选B", "所以选项B正确", "因为B选项最大", "正确的是B"),
        *("The answer is B.", "Answer: (B)", "I choose B", "I think B", "\\boxed{B}"),
        *("B. 香蕉", "B：香蕉", "B、香蕉", "(B) 香蕉", "B) 香蕉，因为A不对", "B. 苹果"),
        *("首先排除A，答案是B", "选项A不对，选B", "选B，不选A", "答案是B，因为A不成立"),
        *("香蕉", "答案是香蕉。", "选香蕉", "“香蕉”", "我认为是香蕉", "不是苹果，是香蕉"),
        *("先看A和B。\n答案是B", "选B。选B。"),
    ],
)
def test_b_is_stated(reply):
    assert read_letter(reply, FRUIT) == "B"


@pytest.mark.parametrize(
    ("reply", "letters"),
    [
        ("ABD", "ABD"),
        ("A、B、D", "ABD"),
        ("D,B", "BD"),
        ("A B", "AB"),
        ("答案是AB。", "AB"),
        ("A和B都对", "AB"),
        ("A or B", "AB"),
        ("苹果和香蕉", "AB"),
    ],
)
def test_several_letters_are_no_single_one(reply, letters):
    assert read_letters(reply, FRUIT) == tuple(letters)
    assert read_letter(reply, FRUIT) is None


@pytest.mark.parametrize(
    "reply", ["选A。选B。", "A不对，B对", "A. 苹果; B. 香蕉; C. 西瓜", "答案是E", "F", "AE"]
)
def test_contradictions_and_letters_that_the_question_lacks(reply):
    assert read_letters(reply, FRUIT) is None
    assert read_letter(reply, FRUIT) is None


@pytest.mark.parametrize(
    "reply",
    ["", "。", "我不知道", "不是A", "不选B", "不是苹果", "A dog barks", "Because", "答案是否"],
)
def test_nothing_is_stated(reply):
    assert read_letters(reply, FRUIT) == ()


def test_letters_are_those_of_the_question():
    assert read_letter("E", FRUIT) is None
    assert read_letter("E", [*FRUIT, "梨"]) == "E"
    assert read_letter("C", ["是", "否"]) is None


def test_texts_within_texts():
    numbers = ["4", "14", "144", "1.4"]
    assert [read_letter(f"最大的数是{text}。", numbers) for text in numbers] == list("ABCD")
    words = ["正确", "不正确"]
    assert read_letter("这个说法不正确", words) == "B"
    assert read_letter("这个说法正确", words) == "A"
    assert read_letter("不正确", ["正确", "错误"]) is None


def test_a_single_character_counts_only_as_the_whole_answer():
    assert read_letter("是", ["是", "否"]) == read_letter("答案：是。", ["是", "否"]) == "A"
    assert read_letter("答案是否", ["是", "否"]) == "B"
    assert read_letter("这是一个数", ["是", "否"]) is None


def test_equal_options_are_told_apart_by_letter_alone():
    twice = ["3", "4", "3"]
    assert read_letters("3", twice) == ("A", "C")
    assert read_letter("3", twice) is None
    assert read_letter("C", twice) == read_letter("C. 3", twice) == "C"


def test_options_that_are_letters():
    letters = ["C", "A", "B", "D"]
    assert read_letter("答案是A", letters) == "A"
    assert read_letter("B. A", letters) == "B"


def test_last_line():
    assert last_line("先看A。\n再看B。\n答案是C\n\n**\n") == "答案是C"
    assert last_line("B") == "B"
    assert last_line(" \n") == ""


@pytest.mark.skipif(not DATA.is_dir(), reason="the competition's data are not on this machine")
@pytest.mark.parametrize(
    "form", ["{letter}", "({letter})。", "{letter}. {text}", "{text}选{letter}"]
)
def test_real_options(form):
    questions = [
        question
        for split in ("train", "test")
        for line in (DATA / f"round1_{split}_data.jsonl").open(encoding="utf-8")
        for question in json.loads(line)["questions"]
    ]
    stated = [
        read_letter(form.format(letter="ABCDE"[place], text=text), question["options"])
        == "ABCDE"[place]
        for question in questions[::7]
        for place, text in enumerate(question["options"])
    ]
    assert len(questions) == 1421 + 1328 and len(stated) > 1000 and all(stated)


FRUIT = ["苹果", "香蕉", "西瓜", "葡萄"]


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        *((text, None) for text in ("不是选项A", "不选(A)", "答案不可能是A", "不可选A")),
        *((text, None) for text in ("不一定是A", "排除选项A", "It isn't A.")),
        *((text, "B") for text in ("正确答案不是选项A，而是选项B", "不是（A），而是（B）")),
        *((text, "B") for text in ("答案不会是A，是B", "It isn't A, it is B.")),
        *((text, "B") for text in ("b", "答案是b", "选b", "answer: b")),
    ],
)
def test_what_is_denied_and_small_letters(reply, letter):
    assert read_letter(reply, FRUIT) == letter


def test_an_options_text_that_is_the_whole_reply_comes_before_a_letter_in_it():
    assert read_letter("C++", ["C++", "Matlab", "邮箱地址", "博士学位"]) == "A"
    knights = ["A 是骑士，B 是骑士", "A 是骗子，B 是骗子", "A 是骑士，B 是骗子"]
    assert read_letter("答案是A 是骗子，B 是骗子", knights) == "B"
