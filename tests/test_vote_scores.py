"""Scores of readings that vote: which records are right, abstain, fail; F1; against a baseline."""

from pathlib import Path

import pytest

from snaketune.config.data import LabelExtract
from snaketune.files import write_jsonl
from snaketune.scoring import ScoreSettings, score

SAME, DIFFERENT = "相同", "不相同"
STRICT = {"rule": "any", "label": DIFFERENT}
VOTED = {
    "kind": "label",
    "labels": [DIFFERENT, SAME],
    "positive": SAME,
    "readings": {
        "majority": {"rule": "conclusion", "vote": {"rule": "majority", "min_valid": 2}},
        "strict": {"rule": "substring_published", "default": DIFFERENT, "vote": STRICT},
        "first": {"rule": "conclusion"},
    },
}


def _asked(name, says, gold):
    """A row of three responses, all read alike: s, d, - for unreadable, ! for failed."""
    labels = [{"s": SAME, "d": DIFFERENT}.get(letter) for letter in says]
    read = [
        None if letter == "!" else dict.fromkeys(VOTED["readings"], label)
        for letter, label in zip(says, labels, strict=True)
    ]
    return {"id": name, "label": gold, "error": None, "text": "", "read": read}


def _score(folder: Path, rows: list[dict], base: list[dict] | None = None) -> dict[str, dict]:
    """The lines of the score file, by reading."""
    write_jsonl(folder / "answers.jsonl", rows)
    write_jsonl(folder / "base.jsonl", rows if base is None else base)
    settings = ScoreSettings(
        study="yesorno",
        model="tuned",
        dataset="afqmc",
        split="test",
        baseline="base",
        extract=LabelExtract.model_validate(VOTED),
        responses_per_record=3,
    )
    made = score(settings, folder / "answers.jsonl", folder / "base.jsonl")
    return {line["metric"]: line for line in made["metrics"]}


def _voted(folder: Path, *pairs: tuple[str, str]) -> dict[str, dict]:
    """Scores of what the responses to each record say, and of one record that failed."""
    rows = [_asked(str(i), says, gold) for i, (says, gold) in enumerate(pairs)]
    rows.append({"id": "e", "label": SAME, "error": "empty", "text": None, "read": []})
    return _score(folder, rows)


def test_each_reading_votes_by_its_own_rule(tmp_path):
    made = _voted(
        tmp_path,
        ("ssd", SAME),
        ("sd-", SAME),
        ("d--", DIFFERENT),
        ("---", DIFFERENT),
        ("ss!", SAME),
    )
    n = 6
    assert {name: line["correct"] for name, line in made.items()} == {
        "majority": 2, "strict": 3, "first": 4,
    }  # fmt: skip
    # sd- ties, d-- has too few valid votes, --- none at all.
    assert made["majority"]["unparsed"] == 3
    votes = made["majority"]["votes"]
    assert (votes["abstained"], votes["tied"], votes["too_few"]) == (3, 1, 2)
    # By default each reply says something; --- is right, and counted as unparsed even so. A failed
    # response is no vote for the default, so ss! stays.
    assert made["strict"]["unparsed"] == 1
    assert made["strict"]["votes"]["abstained"] == 0
    assert made["first"]["unparsed"] == 1
    for line in made.values():
        assert (line["n"], line["errors"]) == (n, 1)
        one, *_, all_votes = line["votes"]["curve"]
        assert one["accuracy"] == pytest.approx(line["mean"])
        assert all_votes["accuracy"] == line["accuracy"]
        assert all_votes["gain"] == pytest.approx(line["accuracy"] - line["mean"])
        assert all_votes["gain_low"] < all_votes["gain"] < all_votes["gain_high"]
        alone = line["votes"]["errors_alone"]
        assert len(alone) == 3 and sum(alone) / 3 == pytest.approx(1 - line["mean"])
        assert line["votes"]["responses"] == 3 * n
        assert (line["votes"]["unreadable"], line["votes"]["failed"]) == (1 + 2 + 3, 1 + 3)
    assert made["majority"]["confusion"] == {
        DIFFERENT: {DIFFERENT: 0, SAME: 0, "unparsed": 2, "error": 0},
        SAME: {DIFFERENT: 0, SAME: 2, "unparsed": 1, "error": 1},
    }
    assert made["strict"]["confusion"] == {
        DIFFERENT: {DIFFERENT: 2, SAME: 0, "unparsed": 0, "error": 0},
        SAME: {DIFFERENT: 2, SAME: 1, "unparsed": 0, "error": 1},
    }


def test_a_record_whose_responses_that_count_all_failed_is_an_error(tmp_path):
    made = _voted(tmp_path, ("!ss", SAME), ("!!!", SAME))
    assert {name: line["errors"] for name, line in made.items()} == {
        "majority": 2, "strict": 2, "first": 3,
    }  # fmt: skip
    assert made["majority"]["correct"] == 1
    assert made["majority"]["votes"]["abstained"] == made["majority"]["unparsed"] == 0


def test_models_are_compared_by_their_votes(tmp_path):
    rows = [_asked(str(i), "dss", SAME) for i in range(8)]
    base = [_asked(str(i), "sdd", SAME) for i in range(8)]
    made = _score(tmp_path, rows, base)
    assert {name: line["p_vs_base"] for name, line in made.items()} == {
        "majority": pytest.approx(2 / 2**8), "strict": 1, "first": pytest.approx(2 / 2**8),
    }  # fmt: skip
    assert [line["correct"] for line in made.values()] == [8, 0, 0]


def test_f1_of_the_positive_label(tmp_path):
    # 相同 is said of 3 + 1 records and true of 3 + 2 + 2 (one of them the error).
    pairs = [("sss", SAME)] * 3 + [("sss", DIFFERENT)] + [("ddd", SAME)] * 2
    pairs += [("---", SAME), ("ddd", DIFFERENT)]
    made = _voted(tmp_path, *pairs)
    line = made["majority"]
    assert (line["precision"], line["recall"]) == (3 / 4, 3 / 7)
    assert line["f1"] == pytest.approx(2 * (3 / 4) * (3 / 7) / (3 / 4 + 3 / 7))
    assert made["strict"]["f1"] == line["f1"]


def test_f1_where_the_positive_label_is_never_said_or_never_true(tmp_path):
    never_said = _voted(tmp_path, ("ddd", SAME))["majority"]
    assert [never_said[key] for key in ("precision", "recall", "f1")] == [None, 0, 0]
    never = _score(tmp_path, [_asked("a", "ddd", DIFFERENT)])["majority"]
    assert [never[key] for key in ("precision", "recall", "f1")] == [None, None, None]
