"""Replies to questions with options: read by the record's own options, voted by letter or whole."""

import pytest
from pydantic import ValidationError

from snaketune.config.data import LabelExtract, Vote
from snaketune.errors import UserError
from snaketune.extracting import answer_records
from snaketune.files import write_jsonl
from snaketune.metrics import answered, metrics_of
from snaketune.scoring import ScoreSettings, score
from snaketune.voting import Ballot, Outcome, Raw, curve, decide

LETTER = {"rule": "majority", "tie": "abstain"}
RAW = {"rule": "majority", "tie": "first", "of": "raw"}
EXTRACT = LabelExtract.model_validate(
    {
        "kind": "label",
        "labels": ["A", "B", "C", "D", "E"],
        "choices": "choices",
        "readings": {
            "letter": {"rule": "option_letter", "vote": LETTER},
            "letter_or_a": {"rule": "option_letter", "default": "A", "vote": LETTER},
            "as_published": {"rule": "option_letter", "default": "A", "vote": RAW},
            "last_line": {"rule": "option_letter", "part": "last_line"},
        },
    }
)


def record(name: str, label: str | None, *options: str) -> dict:
    choices = "[" + ", ".join(f'"{text}"' for text in options) + "]"
    return {"id": name, "fields": {"choices": choices}, "label": label, "group": name}


def answers(folder, *asked: tuple[dict, list[str | None]]) -> list[dict]:
    replies = [
        {"id": one["id"], "responses": [text and {"text": text} for text in texts]}
        for one, texts in asked
    ]
    write_jsonl(folder / "records.jsonl", (one for one, _ in asked))
    write_jsonl(folder / "replies.jsonl", replies)
    return list(answer_records(folder / "records.jsonl", folder / "replies.jsonl", EXTRACT))


def test_each_record_is_read_by_its_own_options(tmp_path):
    first, second, third = answers(
        tmp_path,
        (record("a", "C", "10", "14", "16"), ["16"]),
        (record("b", "A", "16", "14"), ["16"]),
        (record("c", "A", "16", "14"), ["先看C。\n答案是B"]),
    )
    assert first["read"] == [dict.fromkeys(EXTRACT.readings, "C")]
    assert second["read"] == [dict.fromkeys(EXTRACT.readings, "A")]
    assert third["read"][0]["last_line"] == "B"
    assert "same" not in first


def test_options_must_be_a_list(tmp_path):
    broken = {**record("a", "A"), "fields": {"choices": "16"}}
    with pytest.raises(UserError, match="record a: its choices is no JSON list"):
        answers(tmp_path, (broken, ["A"]))


def test_letters_and_whole_replies_vote_differently(tmp_path):
    """Three say B in three ways, two say A in one."""
    (row,) = answers(tmp_path, (record("a", "B", "是", "否"), ["A", "B", "(B)", "A", "答案是B"]))
    assert row["same"] == [0, 1, 2, 0, 4]
    by_name = {metric.name: answered(metric, row).answer for metric in metrics_of(EXTRACT)}
    assert by_name == {"letter": "B", "letter_or_a": "B", "as_published": "A", "last_line": "A"}


def test_ties_and_what_cannot_be_read(tmp_path):
    tie, none, failed = answers(
        tmp_path,
        (record("a", "B", "是", "否"), ["B", "A", "A", "B", "?"]),
        (record("b", "A", "是", "否"), ["?", "?", "B", "?", "A"]),
        (record("c", "A", "是", "否"), [None, "B", None, "B。", "B。"]),
    )
    letter, letter_or_a, published, _ = metrics_of(EXTRACT)
    assert answered(letter, tie).answer is None
    assert answered(letter_or_a, tie).answer == "A"  # the unreadable one counts as A
    assert answered(published, tie).answer == "B"  # the first of a tie
    assert answered(letter, none).answer is None
    assert answered(published, none).answer == "A"  # the reply most often given says nothing
    assert failed["same"] == [None, 1, None, 3, 3]
    assert answered(published, failed).answer == "B"


def test_a_whole_reply_that_says_nothing_can_win():
    says = [Raw(0, None), Raw(0, None), Raw(2, "A"), None]
    assert decide(says, Vote.model_validate(RAW)) == Outcome(None, "unreadable")
    assert decide([None, None], Vote.model_validate(RAW)) == Outcome(None, "too_few")


def test_gain_counts_what_whole_replies_say():
    ballot = Ballot((Raw(0, "A"), Raw(1, "B"), Raw(1, "B"), Raw(3, "B")), "B")
    assert curve([ballot], Vote.model_validate(RAW), 4)[-1].gain == pytest.approx(1 - 3 / 4)


def test_scores_of_both_stand_side_by_side(tmp_path):
    rows = answers(tmp_path, (record("a", "B", "是", "否"), ["A", "B", "(B)", "A", "答案是B"]))
    write_jsonl(tmp_path / "answers.jsonl", rows)
    settings = ScoreSettings(
        study="logic", model="tuned", dataset="puzzles", split="test", baseline="tuned",
        extract=EXTRACT, responses_per_record=5,
    )  # fmt: skip
    made = score(settings, tmp_path / "answers.jsonl", tmp_path / "answers.jsonl")
    assert {line["metric"]: line["correct"] for line in made["metrics"]} == {
        "letter": 1, "letter_or_a": 1, "as_published": 0, "last_line": 0,
    }  # fmt: skip
    assert made["metrics"][2]["votes"]["agreement"] == 0


def test_what_the_config_refuses():
    with pytest.raises(ValidationError, match="raw replies are counted by majority"):
        Vote.model_validate({"rule": "first", "of": "raw"})
    with pytest.raises(ValidationError, match="option_letter needs the field"):
        LabelExtract.model_validate({**EXTRACT.model_dump(), "choices": None})
