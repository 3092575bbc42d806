"""Made questions in the shapes of both sites, with the oddities that their pages have."""

import json
from random import Random
from typing import Any

from snaketune.crawling.jkbd import TYPES as JKBD_TYPES
from snaketune.crawling.jxedt import TYPES as JXEDT_TYPES
from snaketune.questions import JUDGE_OPTIONS, Question

LETTERS = "ABCDEFGH"
JKBD_CODES = {name: int(code) for code, name in JKBD_TYPES.items()}
JXEDT_CODES = {name: code for code, name in JXEDT_TYPES.items()}
FILMS = (".mp4", ".gif", ".swf")


def shuffled(question: Question, place: int, spider: str) -> tuple[list[str], list[int]]:
    """A site's own order of the options, and the places of the right ones in it."""
    options = list(question.options)
    if question.type == "judge":
        options = list(JUDGE_OPTIONS)
    else:
        Random(f"{spider}/{place}").shuffle(options)
    return options, [options.index(text) for text in question.answer]


def jkbd_id(place: int) -> int:
    return 800000 + 100 * place


def jkbd_entry(question: Question, place: int) -> dict[str, Any]:
    """A question of the batch at `place`: a bit mask, and options that are null, empty or away."""
    options, right = shuffled(question, place, "jkbd")
    if question.type == "judge" and place % 2:
        options = []
    number = jkbd_id(place)
    unused = (None, "")[place % 2]
    entry = {
        "id": number // 100,
        "questionId": number,
        "question": question.stem,
        "answer": sum(16 << at for at in right),
        "optionType": JKBD_CODES[question.type],
        **{
            f"option{letter}": options[at] if at < len(options) else unused
            for at, letter in enumerate(LETTERS)
            if at < len(options) or at < 4 or place % 3
        },
        "explain": _as_html(question.explanation),
        "conciseExplain": None,
        "keywords": "",
        "chapterId": 121,
        "label": f"4.1.1.{place}",
        "difficulty": 1 + place % 5,
        "mediaType": 0,
        "trueCount": 900 + place,
        "falseCount": 100,
        "wrongRate": 0.1,
    }
    if question.media:
        entry["mediaType"] = 2 if question.media.endswith(FILMS) else 1
        entry["mediaKey" if place % 4 == 1 else "mediaContent"] = question.media
    elif place % 4 != 1:
        entry["mediaContent"] = None
    return entry


def _as_html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br/>")
    return f"<p>{escaped}</p><p><br></p>" if text else ""


def jkbd_answer(data: Any) -> str:
    return json.dumps(
        {"data": data, "errorCode": 0, "message": None, "success": True}, ensure_ascii=False
    )


def jxedt_id(place: int) -> int:
    return place + 1


def jxedt_answer(question: Question, place: int) -> str:
    """One question: digits side by side, older or newer keys, sometimes an illegal backslash."""
    options, right = shuffled(question, place, "jxedt")
    digits = "".join(str(at + 1) for at in sorted(right))
    if question.type == "judge":
        options = []
    old = place % 2 == 0
    letters = "abcd" if old and len(options) <= 4 else "abcdefg"
    texts = dict.fromkeys(letters, "") | dict(zip("abcdefg", options, strict=False))
    entry = {"id": jxedt_id(place), "question": question.stem, **texts}
    entry |= {"ta": digits} if old else {"right": int(digits) if place % 3 else digits}
    entry |= {"Type" if old else "type": JXEDT_CODES[question.type]}
    if question.media:
        entry["sinaimg" if place % 3 == 1 else "imageurl"] = question.media
    elif place % 3 != 1:
        entry |= {"imageurl": "", "sinaimg": None}
    entry |= {"bestanswer": question.explanation, "chapterid": 1, "options": "".join(options)}
    text = json.dumps(entry, ensure_ascii=False)
    return text.replace("。", "\\。") if place % 5 == 2 else text


def jxedt_list(ids: list[int]) -> str:
    items = "\n".join(f'<li data-id="{number}"><a>{number}</a></li>' for number in ids)
    return f"<!DOCTYPE html>\n<html><body><h1>顺序练习</h1><ul>\n{items}\n</ul></body></html>"
