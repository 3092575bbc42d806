"""Submissions: the competition's order and form, abstentions and what stands in their place."""

import csv
import io

import pytest
from pydantic import ValidationError
from test_folds import EXTRACT, PUZZLES, study

from snaketune.errors import UserError
from snaketune.files import write_jsonl
from snaketune.submitting import SubmissionSettings, answered, as_csv, counts, submission

READINGS = {
    "letter": {"rule": "option_letter", "vote": {"rule": "majority"}},
    "raw": {
        "rule": "option_letter",
        "default": "A",
        "vote": {"rule": "majority", "of": "raw", "tie": "first"},
    },
}
SETTINGS = SubmissionSettings.model_validate(
    {"extract": {**EXTRACT, "readings": READINGS}, "reading": "letter", "fallback": "B"}
)


def record(name: str) -> dict:
    fields = {"problem": "题", "question": "几？", "options": "A: 是; B: 否"}
    fields["choices"] = '["是", "否", "不知"]'
    return {"id": name, "fields": fields, "label": None, "group": "题"}


def answer(name: str, says: str) -> dict:
    """A row of three responses by letter, - for unreadable, ! for failed; "" for an error."""
    read = [
        None if one == "!" else dict.fromkeys(READINGS, None if one == "-" else one) for one in says
    ]
    same = [None if one == "!" else says.index(one) for one in says]
    return {"id": name, "label": None, "error": None if says else "x", "text": "", "read": read} | {
        "same": same
    }


def written(folder, says: dict[str, str], settings: SubmissionSettings = SETTINGS) -> list:
    write_jsonl(folder / "records.jsonl", map(record, says))
    # answers may come in another order than the questions
    rows = [answer(name, text) for name, text in sorted(says.items(), reverse=True)]
    write_jsonl(folder / "answers.jsonl", rows)
    return answered(settings, folder / "records.jsonl", folder / "answers.jsonl")


SAYS = {"t_001-1": "AAC", "t_001-2": "ABC", "t_000-1": "---", "t_000-2": "C!-", "t_002-1": ""}


def test_order_form_and_fallback(tmp_path):
    sent = written(tmp_path, SAYS)
    assert list(submission(sent)) == [
        {"id": "t_001", "questions": [{"answer": "A"}, {"answer": "B"}]},
        {"id": "t_000", "questions": [{"answer": "B"}, {"answer": "C"}]},
        {"id": "t_002", "questions": [{"answer": "B"}]},
    ]
    assert counts(sent, SETTINGS) == {
        "reading": "letter",
        "problems": 3,
        "questions": 5,
        "answered": 2,
        "fallback": "B",
        "abstained": 3,
        "why": {"error": 1, "tie": 1, "too_few": 1},
        "letters": {"A": 1, "B": 3, "C": 1},
    }


def test_the_table_for_people(tmp_path):
    rows = list(csv.DictReader(io.StringIO(as_csv(written(tmp_path, SAYS)))))
    assert [(r["id"], r["question"], r["answer"], r["fallback"], r["votes"]) for r in rows] == [
        ("t_001", "1", "A", "", "A A C"),
        ("t_001", "2", "B", "tie", "A B C"),
        ("t_000", "1", "B", "too_few", "- - -"),
        ("t_000", "2", "C", "", "C - -"),
        ("t_002", "1", "B", "error", ""),
    ]
    assert rows[0]["text"] == "是" and rows[0]["options"] == "A: 是; B: 否"


def test_as_published(tmp_path):
    """A reply that cannot be read is A, and the first of a tie wins: no question is left open."""
    settings = SETTINGS.model_copy(update={"reading": "raw", "fallback": "A"})
    sent = written(tmp_path, SAYS, settings)
    assert [one.answer for one in sent] == ["A", "A", "A", "C", "A"]
    assert [one.why for one in sent] == [None, None, None, None, "error"]


@pytest.mark.parametrize(
    "names",
    [["t_0-1", "t_0-3"], ["t_0-2"], ["t_0-1", "t_1-1", "t_0-2"], ["t_0-1", "t_0-1x"], ["x"]],
)
def test_a_lost_order_is_refused(tmp_path, names):
    with pytest.raises(UserError, match="the order of the competition is lost"):
        written(tmp_path, dict.fromkeys(names, "AAA"))


def test_other_records_are_refused(tmp_path):
    written(tmp_path, SAYS)
    write_jsonl(tmp_path / "records.jsonl", [record("t_9-1")])
    with pytest.raises(UserError, match="answer different records"):
        answered(SETTINGS, tmp_path / "records.jsonl", tmp_path / "answers.jsonl")


SENT = {"dataset": "asked", "model": "whole", "reading": "letter"}
ASKED = {
    "source": PUZZLES,
    "prompt": "ask",
    "extract": EXTRACT,
    "duplicates": "keep",
    "split": {"train": 0, "validation": 0, "test": 1},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reading": "lettre"}, "no reading 'lettre'. Did you mean 'letter'"),
        ({"fallback": "F"}, "no label 'F'"),
        ({"model": "hole"}, "no model 'hole'"),
        ({"dataset": "othr"}, "no dataset 'othr'"),
    ],
)
def test_what_the_config_refuses(changes, said):
    with pytest.raises(ValidationError, match=said):
        study(submission={"x": {**SENT, **changes}}, datasets__asked=ASKED)


@pytest.mark.parametrize(
    "changes",
    [
        {"duplicates": "drop"},
        {"split": {"train": 0, "validation": 0.5, "test": 0.5}},
    ],
)
def test_a_submission_of_some_of_the_questions_is_refused(changes):
    with pytest.raises(ValidationError, match="a submission answers all questions"):
        study(submission={"x": SENT}, datasets__asked=ASKED | changes)


def test_a_submission_needs_no_baseline():
    made = study(submission={"x": SENT}, datasets__asked=ASKED)
    assert made.submission["x"].fallback == "A"


def test_a_fallback_that_a_question_lacks_is_its_first_option(tmp_path):
    settings = SETTINGS.model_copy(update={"fallback": "D"})
    sent = written(tmp_path, {"t_000-1": "---", "t_000-2": "CCC"}, settings)
    assert [(one.answer, one.why) for one in sent] == [("A", "too_few"), ("C", None)]
    assert "A,too_few" in as_csv(sent)
