"""Problems of a competition, one JSON object a line, as records: one a question."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snaketune.config.problems import ProblemsSource
from snaketune.errors import UserError
from snaketune.files import jsonl_lines
from snaketune.option_letters import LETTERS

HEADING = re.compile(r"\s*选择题\s*(\d+)\s*([:：])\s*")
"""What a question begins with."""
RESIDUE = re.compile(r"\*\*")
"""Bold type of Markdown, often half of it."""
BODYLESS = re.compile(r"\W*请?(?:回答|考虑|参考)以下(?:选择题|问题)\W*")
"""A problem that only says that questions follow."""


def problem_records(source: ProblemsSource, key: str, facts: dict) -> Iterator[dict]:
    """Yield a raw record for each question, in the order of the files.

    The id is the problem's, a hyphen and the place of the question, from 1. The group is the
    problem's text without Markdown. When the last has passed, `facts["counts"]` has what was met
    on the way.

    Args:
        source: which files, and how options are written.
        key: the source's place in the config, for messages.
        facts: of the source, to be added to.

    Raises:
        UserError: names file and line of a problem without a text, an id or questions, an id that
            is taken, a question without a text or with options that cannot be lettered, an answer
            that is no letter of its options, or other numbers than expected.
    """
    reader = _Reader(source)
    for split, path in source.paths().items():
        if not Path(path).is_file():
            hint = f" {source.obtain}" if source.obtain else f" Mend {key}.path."
            raise UserError(f"{path}: there is no such file.{hint}")
        for number, _, row in jsonl_lines(Path(path)):
            for record in reader.records(row, f"{path}, line {number}"):
                yield record if split == "all" else {**record, "split": split}
    facts["counts"] = reader.facts()
    for what, promised in source.expect.items():
        if facts["counts"][what] != promised:
            raise UserError(
                f"{key}.expect.{what}: {promised:,} are expected, but there are "
                f"{facts['counts'][what]:,}. Mend the number or the data."
            )


class _Reader:
    """Makes records of problems, and counts what is odd about them."""

    def __init__(self, source: ProblemsSource):
        self.source = source
        self.ids: dict[str, str] = {}
        self.texts: Counter[str] = Counter()
        self.options: Counter[int] = Counter()
        self.questions: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()

    def records(self, row: dict, where: str) -> Iterator[dict]:
        name, text, questions = row.get("id"), row.get("problem"), row.get("questions")
        if not isinstance(name, str) or not name:
            raise UserError(f"{where}: no 'id', or not a text.")
        if name in self.ids:
            raise UserError(f"{where}: id '{name}' is taken by {self.ids[name]}.")
        self.ids[name] = where
        if not isinstance(text, str) or not text.strip():
            raise UserError(f"{where}: problem '{name}' has no text in 'problem'.")
        if not isinstance(questions, list) or not questions:
            raise UserError(f"{where}: problem '{name}' has no list of 'questions'.")
        self.texts[_plain(text)] += 1
        self.questions[len(questions)] += 1
        self.counts["problems_with_markdown"] += bool(RESIDUE.search(text))
        self.counts["problems_without_body"] += bool(BODYLESS.fullmatch(text))
        for number, question in enumerate(questions, start=1):
            place = f"{where}, question {number}"
            fields, label = self._question(question, number, place)
            problem = _plain(text) if self.source.tidy else text
            yield {
                "id": f"{name}-{number}",
                "fields": {"problem": problem, **fields},
                "label": label,
                "group": _plain(text),
            }

    def _question(self, row: Any, number: int, where: str) -> tuple[dict, str | None]:
        """The fields of a question and its gold letter."""
        if not isinstance(row, dict) or not isinstance(row.get("question"), str):
            raise UserError(f"{where}: no text in 'question'.")
        options = row.get("options")
        if not isinstance(options, list) or not all(isinstance(text, str) for text in options):
            raise UserError(f"{where}: 'options' is no list of texts.")
        if not 2 <= len(options) <= len(LETTERS):
            raise UserError(
                f"{where}: {len(options)} options; from 2 to {len(LETTERS)} can be lettered."
            )
        texts = [text.strip() for text in options] if self.source.tidy else options
        self.options[len(options)] += 1
        self.counts["questions_with_equal_options"] += len(set(texts)) < len(texts)
        fields = {
            "question": self._heading(row["question"], number),
            "options": self.source.listed(texts),
            "choices": json.dumps(texts, ensure_ascii=False),
        }
        return fields, self._label(row.get("answer"), len(options), where)

    def _heading(self, text: str, number: int) -> str:
        """A question's text with its heading in one form."""
        self.counts["questions_with_markdown"] += bool(RESIDUE.search(text))
        heading = HEADING.match(text)
        if heading:
            self.counts["headings_with_narrow_colon"] += heading[2] == ":"
            self.counts["headings_with_another_number"] += int(heading[1]) != number
        if not self.source.tidy:
            return text
        return HEADING.sub(r"选择题 \1：\n", _plain(text), count=1)

    def _label(self, answer: Any, options: int, where: str) -> str | None:
        if answer is None:
            self.counts["questions_without_answer"] += 1
            return None
        if answer not in list(LETTERS[:options]):
            raise UserError(
                f"{where}: the answer is {answer!r}, which is no letter of its {options} options. "
                "Mend it, or leave it out where it is not known."
            )
        return answer

    def facts(self) -> dict:
        """What was counted."""
        names = ("problems_with_markdown", "problems_without_body", "questions_with_markdown")
        names += ("headings_with_narrow_colon", "headings_with_another_number")
        names += ("questions_with_equal_options", "questions_without_answer")
        return {
            "problems": self.texts.total(),
            "questions": self.options.total(),
            "different_problem_texts": len(self.texts),
            "most_questions_of_a_problem": max(self.questions, default=0),
            "options_per_question": {str(n): self.options[n] for n in sorted(self.options)},
            **{name: self.counts[name] for name in names},
        }


def _plain(text: str) -> str:
    return RESIDUE.sub("", text).strip()
