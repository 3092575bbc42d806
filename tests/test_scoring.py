"""Scores: what counts as right, the intervals and tests beside it, and records without gold."""

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.config.data import JsonExtract, LabelExtract
from snaketune.errors import UserError
from snaketune.files import read_json, write_json, write_jsonl
from snaketune.metrics import metrics_of, typed_place_name
from snaketune.scoring import ScoreSettings, score
from snaketune.significance import exact_p, least_p, unpaired_p, wilson

EXTRACT = {"kind": "json", "fields": ["city", "date"], "normalise": {"city": "place_name"}}
GOLD = {"city": "北京市", "date": "06-01"}


def _row(name, answer, label=GOLD, valid=True):
    read = {"answer": answer, "valid": valid and answer is not None}
    return {"id": name, "label": label, "error": None, "text": "", "read": [read]}


def _error(name, label=GOLD):
    return {"id": name, "label": label, "error": "too long", "text": None, "read": []}


def _score(folder: Path, rows, base=None, model="lora", extract=EXTRACT, responses=1):
    write_jsonl(folder / "answers.jsonl", rows)
    write_jsonl(folder / "base.jsonl", rows if base is None else base)
    settings = ScoreSettings.model_validate(
        {
            "study": "weather",
            "model": model,
            "dataset": "weather",
            "split": "test",
            "baseline": "base",
            "extract": extract,
            "responses_per_record": responses,
        }
    )
    return score(settings, folder / "answers.jsonl", folder / "base.jsonl")


def _by_metric(made, key="correct"):
    return {row["metric"]: row[key] for row in made["metrics"]}


def test_metrics_and_their_order(tmp_path):
    made = _score(tmp_path, [_row("a", GOLD)])
    assert [row["metric"] for row in made["metrics"]] == [
        "valid_json",
        "field_match:city",
        "field_match:date",
        "exact_match",
        "field_match_normalised:city",
        "exact_match_normalised",
    ]
    plain = _score(tmp_path, [_row("a", GOLD)], extract={"kind": "json", "fields": ["city"]})
    assert list(_by_metric(plain)) == ["valid_json", "field_match:city", "exact_match"]


@pytest.mark.parametrize(
    ("answer", "valid_json", "city", "date", "exact", "city_n", "exact_n"),
    [
        ({"city": "北京市", "date": "06-01"}, 1, 1, 1, 1, 1, 1),
        ({"date": "06-01", "city": "北京市"}, 1, 1, 1, 1, 1, 1),
        ({"city": "北京", "date": "06-01"}, 1, 0, 1, 0, 1, 1),
        ({"city": "北京", "date": "06/01"}, 1, 0, 0, 0, 1, 0),
        ({"city": "北京市", "date": "06-01", "weather": "晴"}, 1, 1, 1, 0, 1, 0),
        ({"city": "北京市"}, 1, 1, 0, 0, 1, 0),
        ({"answer": {"city": "北京市", "date": "06-01"}}, 1, 0, 0, 0, 0, 0),
        ({"city": ["北京市"], "date": 601}, 1, 0, 0, 0, 0, 0),
        ({"city": None, "date": None}, 1, 0, 0, 0, 0, 0),
        ({}, 1, 0, 0, 0, 0, 0),
        (None, 0, 0, 0, 0, 0, 0),
    ],
)
def test_what_counts_as_right(tmp_path, answer, valid_json, city, date, exact, city_n, exact_n):
    made = _score(tmp_path, [_row("a", answer)])
    assert list(_by_metric(made).values()) == [valid_json, city, date, exact, city_n, exact_n]


def test_a_gold_of_null_is_matched_by_null_only(tmp_path):
    nothing = {"city": None, "date": None}
    answers = [nothing, {}, {"city": "", "date": "null"}, {"city": 0, "date": False}]
    made = _score(tmp_path, [_row(str(i), a, nothing) for i, a in enumerate(answers)])
    assert _by_metric(made)["exact_match"] == 1
    assert _by_metric(made)["field_match:city"] == 1


def test_true_is_not_one(tmp_path):
    made = _score(
        tmp_path,
        [_row("a", {"n": True}, {"n": 1}), _row("b", {"n": 1}, {"n": 1})],
        extract={"kind": "json", "fields": ["n"]},
    )
    assert _by_metric(made)["exact_match"] == 1


def test_unparsed_and_errors_are_counted_and_never_right(tmp_path):
    rows = [
        _row("a", GOLD),
        _row("b", GOLD, valid=False),
        _row("c", None),
        _row("d", None),
        _error("e"),
        _row("f", {"city": "东北", "date": "01-15"}, label=None),
        _row("g", None, label=None),
    ]
    made = _score(tmp_path, rows)
    assert made["without_gold"] == 2
    for row in made["metrics"]:
        assert (row["n"], row["unparsed"], row["errors"]) == (5, 2, 1)
    assert _by_metric(made)["valid_json"] == 1
    assert _by_metric(made)["exact_match"] == 2
    assert _by_metric(made, "accuracy")["exact_match"] == pytest.approx(0.4)


def test_nothing_with_gold_gives_empty_numbers(tmp_path):
    made = _score(tmp_path, [_row("a", GOLD, label=None)])
    row = made["metrics"][0]
    assert row["n"] == 0
    assert [row[k] for k in ("accuracy", "ci_low", "ci_high", "majority_class")] == [None] * 4
    assert row["p_vs_base"] == 1


def test_majority_baseline_is_the_most_frequent_gold(tmp_path):
    gold = [("北京", "06-01"), ("北京市", "06-01"), ("北京市", "06-02"), ("上海", "06-01")]
    rows = [_row(str(i), GOLD, {"city": c, "date": d}) for i, (c, d) in enumerate(gold)]
    assert _by_metric(_score(tmp_path, rows), "majority_class") == {
        "valid_json": None,
        "field_match:city": 0.5,
        "field_match:date": 0.75,
        "exact_match": 0.25,
        "field_match_normalised:city": 0.75,
        "exact_match_normalised": 0.5,
    }


def _labels(name, *answers, label="no"):
    """A row of labels, read in two ways that agree."""
    read = [{"accuracy": answer, "maybe_is_no": answer} for answer in answers]
    return {"id": name, "label": label, "error": None, "text": "", "read": read}


LABELS = {
    "kind": "label",
    "labels": ["yes", "no", "maybe"],
    "readings": {
        "accuracy": {"rule": "first_word"},
        "maybe_is_no": {"rule": "first_word", "map": {"maybe": "no"}},
    },
}


def test_each_reading_of_a_label_is_a_metric_with_its_own_unparsed(tmp_path):
    row = _labels("a", "maybe")
    row["read"][0]["maybe_is_no"] = "no"
    half_read = _labels("b", None)
    half_read["read"][0]["maybe_is_no"] = "yes"
    rows = [row, half_read, _labels("c", "yes", label="yes"), _error("d", "no")]
    made = _score(tmp_path, [*rows, _labels("e", "no", label=None)], extract=LABELS)
    assert made["without_gold"] == 1
    assert [line["metric"] for line in made["metrics"]] == ["accuracy", "maybe_is_no"]
    assert _by_metric(made) == {"accuracy": 1, "maybe_is_no": 2}
    assert _by_metric(made, "unparsed") == {"accuracy": 1, "maybe_is_no": 0}
    assert _by_metric(made, "errors") == {"accuracy": 1, "maybe_is_no": 1}
    assert _by_metric(made, "majority_class") == {"accuracy": 0.75, "maybe_is_no": 0.75}
    assert _by_metric(made, "mean") == {"accuracy": None, "maybe_is_no": None}
    assert _by_metric(made, "confusion") == {
        "accuracy": {
            "yes": {"yes": 1, "no": 0, "maybe": 0, "unparsed": 0, "error": 0},
            "no": {"yes": 0, "no": 0, "maybe": 1, "unparsed": 1, "error": 1},
        },
        "maybe_is_no": {
            "yes": {"yes": 1, "no": 0, "maybe": 0, "unparsed": 0, "error": 0},
            "no": {"yes": 1, "no": 1, "maybe": 0, "unparsed": 0, "error": 1},
        },
    }


def test_several_responses_give_mean_and_spread_and_the_first_is_the_vote(tmp_path):
    rows = [
        _labels("a", "no", "no", "yes"),
        _labels("b", "no", "yes", "yes"),
        _labels("c", "yes", "no", None),
        _error("d", "no"),
    ]
    line = _score(tmp_path, rows, extract=LABELS, responses=3)["metrics"][0]
    assert (line["correct"], line["accuracy"]) == (2, 0.5)
    assert line["mean"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert line["sd"] == pytest.approx((1 / 12) ** 0.5)  # of 0.5, 0.5, 0, over n - 1
    assert line["unparsed"] == 0


def test_without_a_positive_label_or_several_responses_there_is_nothing_new(tmp_path):
    (line, _) = _score(tmp_path, [_labels("a", "no")], extract=LABELS)["metrics"]
    assert (line["f1"], line["votes"]) == (None, None)
    assert "precision" not in line
    assert _by_metric(_score(tmp_path, [_row("a", GOLD)]), "f1")["exact_match"] is None


def test_json_too_has_mean_and_spread(tmp_path):
    right, wrong = ({"answer": a, "valid": True} for a in (GOLD, {"city": "上海"}))
    row = {"id": "a", "label": GOLD, "error": None, "text": "", "read": [wrong, right]}
    made = _score(tmp_path, [row], responses=2)
    assert _by_metric(made, "mean")["exact_match"] == 0.5
    assert _by_metric(made, "sd")["exact_match"] == pytest.approx(0.5**0.5)
    assert _by_metric(made)["exact_match"] == 0


def test_another_number_of_responses_than_the_config_says_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"record 'a' has 2 responses, where .* is 3"):
        _score(tmp_path, [_labels("a", "no", "no")], extract=LABELS, responses=3)


def test_answers_of_another_extract_are_refused(tmp_path):
    with pytest.raises(UserError, match="record 'a' was read by another extract"):
        _score(tmp_path, [_row("a", GOLD, "no")], extract=LABELS)
    with pytest.raises(UserError, match="gold answer of record 'a' is 'nein', which is not among"):
        _score(tmp_path, [_labels("a", "no", label="nein")], extract=LABELS)


# Known to one digit of a percent; some were computed from a share that was itself rounded.
@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        (237, 277, 80.9, 89.2),
        (234, 277, 79.8, 88.3),
        (6311, 9815, 63.4, 65.2),
        (7675, 9815, 77.4, 79.0),
        (8451, 9815, 85.4, 86.8),
        (8205, 9815, 82.9, 84.3),
    ],
)
def test_wilson_gives_the_known_intervals(correct, n, low, high):
    assert [100 * x for x in wilson(correct, n)] == pytest.approx([low, high], abs=0.06)


def test_wilson_at_the_ends():
    z = 1.959963984540054
    assert wilson(0, 10) == pytest.approx((0, z**2 / (10 + z**2)))
    assert wilson(10, 10) == pytest.approx((10 / (10 + z**2), 1))
    assert wilson(0, 10)[0] >= 0 and wilson(10, 10)[1] <= 1
    assert wilson(0, 0) == (None, None)


@pytest.mark.parametrize(
    ("only_ours", "only_theirs", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (1, 0, 1.0),
        (9, 1, 2 * (1 + 10) / 2**10),
        (1, 9, 2 * (1 + 10) / 2**10),
        (10, 0, 2 / 2**10),
        (7, 3, 2 * (1 + 10 + 45 + 120) / 2**10),
    ],
)
def test_mcnemar_is_the_binomial_on_discordant_pairs(only_ours, only_theirs, p):
    ours = [True] * only_ours + [False] * only_theirs + [True, True, False]
    theirs = [False] * only_ours + [True] * only_theirs + [True, True, False]
    assert exact_p(ours, theirs) == pytest.approx(p)


def test_what_published_shares_alone_can_say():
    # 85.5 and 84.5 of 277 (quirk N4): z by hand, and three records apart at best one way.
    pooled = 0.85
    z = 0.01 / (pooled * (1 - pooled) * 2 / 277) ** 0.5
    assert unpaired_p(0.855, 0.845, 277) == pytest.approx(math.erfc(z / 2**0.5))
    assert unpaired_p(0.855, 0.845, 277) == pytest.approx(0.74, abs=0.005)
    assert unpaired_p(0, 0, 5) == unpaired_p(1, 1, 5) == 1
    assert [least_p(apart) for apart in (0, 1, 3, 6)] == pytest.approx([1, 1, 0.25, 2 / 64])


def test_models_are_compared_record_by_record(tmp_path):
    wrong = {"city": "上海", "date": "06-01"}
    ours = [_row(str(i), GOLD) for i in range(10)]
    base = [_row(str(i), wrong) for i in reversed(range(10))]
    p = _by_metric(_score(tmp_path, ours, base), "p_vs_base")
    assert p["exact_match"] == pytest.approx(2 / 2**10)
    assert p["field_match:date"] == 1
    assert set(_by_metric(_score(tmp_path, base, base, "base"), "p_vs_base").values()) == {None}


def test_other_records_than_the_baseline_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"different records \(2 are in one only, such as 'a'\)"):
        _score(tmp_path, [_row("a", GOLD)], [_row("b", GOLD)])


@pytest.mark.parametrize(
    ("label", "message"),
    [("相同", "is no JSON object"), ({"city": "北京"}, "lacks 'date'")],
)
def test_gold_that_cannot_be_compared_is_refused(tmp_path, label, message):
    with pytest.raises(UserError, match=message):
        _score(tmp_path, [_row("a", GOLD, label)])


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("北京", "北京"),
        ("北京市", "北京"),
        (" 北 京 市\u3000", "北京"),
        ("攀枝花市", "攀枝花"),
        ("香港特别行政区", "香港"),
        ("延边朝鲜族自治州", "延边"),
        ("巴音郭楞蒙古自治州", "巴音郭楞"),
        ("克孜勒苏柯尔克孜自治州", "克孜勒苏"),
        ("阿拉善盟", "阿拉善"),
        ("喀什地区", "喀什"),
        ("广州市", "广州"),
        ("吉林市", "吉林"),
        ("吉林省", "吉林省"),
        ("朝阳市", "朝阳"),
        ("朝阳区", "朝阳区"),
        ("津市市", "津市"),
        ("\uff21\uff22市", "AB"),
        ("", ""),
    ],
)
def test_place_names_as_a_model_types_them(name, form):
    assert typed_place_name(name) == form
    assert typed_place_name(form) == form


def _run(folder: Path, **made_of: str) -> subprocess.CompletedProcess:
    write_jsonl(folder / "answers.jsonl", [_row("a", GOLD)])
    settings = {"study": "w", "model": "lora", "dataset": "d", "split": "test"}
    settings |= {"baseline": "base", "extract": EXTRACT, "responses_per_record": 1}
    scored = {"settings": settings, "out": str(folder / "s.json"), **made_of}
    scored |= dict.fromkeys(("answers", "baseline"), str(folder / "answers.jsonl"))
    script = Path(__file__).resolve().parents[1] / "scripts/score.py"
    command = [sys.executable, str(script), "--settings", json.dumps({"scores": [scored]})]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


def test_script_hashes_the_recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text("adapter: lora\n", encoding="utf-8")
    assert _run(tmp_path, recipe=str(tmp_path / "recipe.yaml")).returncode == 0
    made = read_json(tmp_path / "s.json")
    assert made["recipe_hash"] == hashlib.sha256(b"adapter: lora\n").hexdigest()[:12]
    assert _by_metric(made)["exact_match"] == 1


@pytest.mark.slow
def test_script_takes_the_hash_of_a_combination(tmp_path):
    write_json(tmp_path / "combination.json", {"recipe_hash": "0123456789ab"})
    assert _run(tmp_path, combination=str(tmp_path / "combination.json")).returncode == 0
    assert read_json(tmp_path / "s.json")["recipe_hash"] == "0123456789ab"
    both = _run(tmp_path, combination="a", recipe="b")
    assert both.returncode == 1 and "exclude each other" in both.stderr


@pytest.mark.parametrize("normalise", [{}, {"city": "place_name"}])
def test_the_config_knows_the_metrics_that_are_scored(normalise):
    extract = JsonExtract(kind="json", fields=["city", "date"], normalise=normalise)
    assert [metric.name for metric in metrics_of(extract)] == extract.metric_names()


def test_the_config_knows_the_readings_that_are_scored():
    extract = LabelExtract.model_validate(LABELS)
    assert [metric.name for metric in metrics_of(extract)] == extract.metric_names()
