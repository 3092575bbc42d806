"""Questions of a user's own bank, and of sites that were crawled.

A bank is JSON: `{"questions": [{"type", "title", "a", "b", …, "answer", "description", "image" or
"video"}]}` or just the list; `answer` has letters, options may begin with theirs, texts may be
HTML. What cannot be used is counted by reason and left out; a file in which nothing can be used
stops the run.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from snaketune.config.question_source import QuestionsSource
from snaketune.crawling.page import Unreadable
from snaketune.crawling.texts import judged_options, options_of, plain
from snaketune.errors import UserError
from snaketune.files import read_jsonl
from snaketune.questions import Question

LETTERS = "abcdefgh"
TYPES = {
    **dict.fromkeys(("judge", "判断", "判断题"), "judge"),
    **dict.fromkeys(("single", "单选", "单选题"), "single"),
    **dict.fromkeys(("multi", "multiple", "多选", "多选题"), "multi"),
}


class Unusable(Exception):
    """A question that cannot be used; the message is the reason, in few words."""


def read_questions(
    source: QuestionsSource, sites: dict[str, Path], key: str
) -> tuple[list[Question], dict]:
    """The questions of a source, and how many there were of each site and file.

    Args:
        source: which sites and files, and what becomes of questions with a picture.
        sites: the file of each site's questions.
        key: the source's place in the config, for messages.

    Returns:
        The questions that stay, in the order of sites and files, and per site or file how many
        were `read`, `unusable` by reason, and left out for their `picture`, or for having none.
    """
    found: list[Question] = []
    facts: dict[str, dict] = {}
    for name in source.sites:
        found += _wanted(name, _of_site(sites[name]), source.media, facts)
    for path in source.paths():
        found += _wanted(Path(path).stem, _of_bank(Path(path), key), source.media, facts)
    if not found:
        raise UserError(f"{key}: no question is left. What was found: {json.dumps(facts)}.")
    return found, facts


def _wanted(
    name: str, questions: Iterator[Question | str], media: str, facts: dict[str, dict]
) -> Iterator[Question]:
    """Pass on what can be used and is wanted, and count the rest."""
    if name in facts:
        raise UserError(f"two sources of questions are called '{name}'. Rename a file.")
    unusable: Counter[str] = Counter()
    counts = facts[name] = {"read": 0, "unusable": unusable, "left_out_for_picture": 0}
    for question in questions:
        counts["read"] += 1
        if isinstance(question, str):
            unusable[question] += 1
        elif media != "keep" and (question.media is None) == (media == "only"):
            counts["left_out_for_picture"] += 1
        else:
            yield question


def _of_site(path: Path) -> Iterator[Question]:
    for row in read_jsonl(path):
        yield Question.model_validate(row)


def _of_bank(path: Path, key: str) -> Iterator[Question | str]:
    """Each question of a file, or the reason why it cannot be used."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file. Mend {key}.path.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8. Save it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}).") from None
    rows = rows.get("questions") if isinstance(rows, dict) else rows
    if not isinstance(rows, list):
        raise UserError(f'{path}: a list of questions is expected, or {{"questions": [...]}}.')
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        try:
            yield _question(row, path.stem, str(number), seen)
        except (Unusable, Unreadable) as error:
            yield str(error)


def _question(row: object, name: str, number: str, seen: set[str]) -> Question:
    if not isinstance(row, dict):
        raise Unusable("no object")
    kind = TYPES.get(str(row.get("type", "")).strip().lower())
    if kind is None:
        raise Unusable(f"type {row.get('type')!r} is none of judge, single, multi")
    texts = [row.get(letter) for letter in LETTERS]
    options = judged_options(texts) if kind == "judge" else options_of(texts)
    source_id = str(row.get("id") or number)
    if source_id in seen:
        raise Unusable("its id was there before")
    seen.add(source_id)
    answer = re.sub(r"[\s,，、;；]", "", str(row.get("answer") or "")).lower()
    if not answer or set(answer) - set(LETTERS[: len(options)]):
        raise Unusable("its answer is not letters of its options")
    try:
        return Question(
            id=f"{name}-{source_id}",
            stem=plain(row.get("title")),
            options=options,
            answer=[
                text for letter, text in zip(LETTERS, options, strict=False) if letter in answer
            ],
            type=kind,
            media=row.get("image") or row.get("video") or None,
            explanation=plain(row.get("description")),
            source=name,
            source_id=source_id,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise Unusable(f"{where}: {said}" if where else said) from None
