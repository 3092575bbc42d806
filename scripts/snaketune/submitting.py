"""A submission: answers in the order and form of the competition, and a table for people."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.answers import by_id, read_answers, same_records
from snaketune.config.common import Name, Strict
from snaketune.config.data import LabelExtract
from snaketune.errors import UserError
from snaketune.metrics import Metric, ballot, metrics_of, votes
from snaketune.option_letters import LETTERS
from snaketune.voting import decide

COLUMNS = ("id", "question", "answer", "fallback", "votes", "text", "problem", "asked", "options")


class SubmissionSettings(Strict):
    """What write_submission.py is told."""

    extract: LabelExtract
    reading: Name
    fallback: str


class Sent(NamedTuple):
    """A question with its answer."""

    record: dict
    problem: str
    """The problem's id."""
    number: int
    """The question's place in its problem, from 1."""
    answer: str
    why: str | None
    """Why the fallback stands there: error, unreadable, tie or too_few; None where it does not."""
    votes: list[str | None]


def answered(settings: SubmissionSettings, records: Path, answers: Path) -> list[Sent]:
    """Every question of the records with its answer, in their order.

    Raises:
        UserError: records and answers differ, an id has no question's number behind its last
            hyphen, or a problem's questions are not there one after the other from 1.
    """
    asked, given = by_id(records), read_answers(answers, settings.extract)
    same_records((records, answers), (asked, given))
    (metric,) = (m for m in metrics_of(settings.extract) if m.name == settings.reading)
    sent: list[Sent] = []
    for name, record in asked.items():
        problem, _, number = name.rpartition("-")
        last = sent[-1].number if sent and sent[-1].problem == problem else 0
        if number != str(last + 1) or (not last and any(one.problem == problem for one in sent)):
            raise UserError(
                f"{records}: record '{name}' is not the question that comes next, so the order of "
                "the competition is lost. Keep duplicates and give the dataset one split."
            )
        answer, why = _answer(metric, given[name])
        answer, why = _possible(record, settings.fallback if answer is None else answer, why)
        says = ballot(metric, given[name])
        sent.append(Sent(record, problem, last + 1, answer, why, says))
    return sent


def _answer(metric: Metric, row: dict) -> tuple[str | None, str | None]:
    if not any(read is not None for read in row["read"]):
        return None, "error"
    outcome = decide(votes(metric, row), metric.vote)
    return outcome.label, outcome.why


def _possible(record: dict, answer: str, why: str | None) -> tuple[str, str | None]:
    """An answer that the question has as an option: A for a fallback or default beyond them."""
    if LETTERS.index(answer) < len(json.loads(record["fields"]["choices"])):
        return answer, why
    return LETTERS[0], why or "unreadable"


def submission(sent: list[Sent]) -> Iterator[dict]:
    """An object a problem: `{"id", "questions": [{"answer"}, …]}`."""
    made: dict[str, list[dict]] = {}
    for one in sent:
        made.setdefault(one.problem, []).append({"answer": one.answer})
    return ({"id": name, "questions": questions} for name, questions in made.items())


def as_csv(sent: list[Sent]) -> str:
    """A row a question, with what each response said (- for nothing)."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for one in sent:
        fields = one.record["fields"]
        writer.writerow(
            {
                "id": one.problem,
                "question": one.number,
                "answer": one.answer,
                "fallback": one.why or "",
                "votes": " ".join(vote or "-" for vote in one.votes),
                "text": json.loads(fields["choices"])[LETTERS.index(one.answer)],
                "problem": fields["problem"],
                "asked": fields["question"],
                "options": fields["options"],
            }
        )
    return out.getvalue()


def counts(sent: list[Sent], settings: SubmissionSettings) -> dict[str, Any]:
    """What was sent: `problems`, `questions`, how many have an answer of the model's own
    (`answered`), `fallback` and for how many questions it stands (`abstained`), by reason
    (`why`), and how often each letter was sent (`letters`)."""
    why = Counter(one.why for one in sent if one.why)
    letters = Counter(one.answer for one in sent)
    return {
        "reading": settings.reading,
        "problems": len({one.problem for one in sent}),
        "questions": len(sent),
        "answered": len(sent) - why.total(),
        "fallback": settings.fallback,
        "abstained": why.total(),
        "why": dict(sorted(why.items())),
        "letters": dict(sorted(letters.items())),
    }
