"""What voting is worth, for people: the tables below the accuracies, and the curves."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from snaketune.comparisons import as_csv as comparisons_csv
from snaketune.config.data import LabelExtract
from snaketune.errors import UserError
from snaketune.files import read_json, write_json, write_jsonl, write_text
from snaketune.scoring import ScoreSettings, score
from snaketune.tables import read_table
from snaketune.vote_curves import VoteFigureSettings, votes_svg
from snaketune.voted import reading_name, voted

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
SAME, DIFFERENT = "相同", "不相同"
EXTRACT = {
    "kind": "label",
    "labels": [DIFFERENT, SAME],
    "positive": SAME,
    "readings": {
        "majority": {"rule": "conclusion", "vote": {"rule": "majority", "min_valid": 3}},
        "strict": {"rule": "conclusion", "vote": {"rule": "any", "label": DIFFERENT}},
        "first": {"rule": "conclusion"},
    },
}
MODELS = ["base", "tuned"]
SAYS = {"base": ["ssdds", "ddsss", "--sds", "s----"], "tuned": ["sssss", "sssds", "dddsd", "sssss"]}
GOLD = [SAME, SAME, DIFFERENT, SAME]


def _score_file(
    folder: Path, model: str, says: list[str], dataset="afqmc", extract=EXTRACT, split="test"
) -> Path:
    label = {"s": SAME, "d": DIFFERENT, "-": None}
    rows = [
        {
            "id": str(i),
            "label": gold,
            "error": None,
            "text": "",
            "read": [dict.fromkeys(extract["readings"], label[letter]) for letter in letters],
        }
        for i, (letters, gold) in enumerate(zip(says, GOLD, strict=True))
    ]
    answers = folder / "answers.jsonl"
    write_jsonl(answers, rows)
    settings = ScoreSettings(
        study="yesorno",
        model=model,
        dataset=dataset,
        split=split,
        baseline="base",
        extract=LabelExtract.model_validate(extract),
        responses_per_record=len(says[0]),
    )
    path = folder / "scores" / model / dataset / f"{split}.json"
    write_json(path, score(settings, answers, answers))
    return path


@pytest.fixture
def scores(tmp_path):
    return [_score_file(tmp_path, model, SAYS[model]) for model in reversed(MODELS)]


@pytest.fixture
def asked_once(tmp_path):
    return [_score_file(tmp_path / "once", m, [s[0] for s in SAYS[m]]) for m in MODELS]


def test_a_line_a_reading_that_votes_and_model(scores, asked_once):
    (block,) = voted(map(read_json, scores), MODELS)
    assert block.title == "afqmc / test: 5 responses a record, n = 4"
    assert {len(row) for row in block.rows} == {len(block.head)}
    majority, strict = "majority: majority, 3 valid", f"strict: any {DIFFERENT}"
    assert [row[:2] for row in block.rows] == [
        ["base", majority],
        ["tuned", majority],
        ["base", strict],
        ["tuned", strict],
    ]
    by = dict(zip(block.head, block.rows[0], strict=True))
    # of each five: 3, 3, 1, 1 right; voted: right, right, wrong, too few
    assert by["one response %"].startswith("40.0 ± ")
    assert by["voted %"] == "50.0"
    assert by["gain, points"].startswith("+10.0 [-")
    assert by["all agree %"] == "0.0"
    assert by["pairs agree %"] == "37.8"
    assert by["abstained (tie, too few)"] == "1 (0, 1)"
    assert by["unreadable %"] == "30.0"
    assert by["failed %"] == "0.0"
    assert voted(map(read_json, asked_once), MODELS) == []


def test_a_reading_is_named_with_its_rule():
    rule = {"rule": "threshold", "label": SAME, "share": 0.6, "min_valid": 1, "tie": "first"}
    rule |= {"of": "label"}
    line = {"metric": "some", "votes": {"rule": rule}}
    assert reading_name(line) == "some: threshold 相同 from 60 %, tie: first"


def _points(svg: str) -> dict[tuple[str, int], float]:
    points = {}
    for node in ET.fromstring(svg).iter():
        if node.get("aria-roledescription") == "point":
            parts = dict(part.split(": ", 1) for part in node.get("aria-label").split("; "))
            key = parts["model"], parts["reading"], int(parts["votes"])
            points[key] = float(parts["accuracy in percent"])
    return points


def test_curves_are_those_of_the_scores(scores):
    settings = VoteFigureSettings(title="Votes & <more>", models=MODELS)
    svg = votes_svg([read_json(path) for path in scores], settings)
    points = _points(svg)
    assert len(points) == 2 * 2 * 5
    for path in scores:
        made = read_json(path)
        for line in made["metrics"][:2]:
            drawn = [points[made["model"], reading_name(line), j + 1] for j in range(5)]
            assert drawn == pytest.approx(
                [100 * point["accuracy"] for point in line["votes"]["curve"]], abs=1e-3
            )
    texts = {node.text for node in ET.fromstring(svg).iter() if node.tag.endswith("}text")}
    assert {"Votes & <more>", "base", "tuned", "votes"} <= texts
    assert "href=" not in svg and "@import" not in svg


def test_each_dataset_has_a_panel_and_a_table(scores, tmp_path):
    made = [read_json(path) for path in [*scores, _score_file(tmp_path, "base", SAYS["base"], "b")]]
    svg = votes_svg(made, VoteFigureSettings(title="t", models=MODELS))
    assert "afqmc / test" in svg and "b / test" in svg
    one, two = voted(made, MODELS)
    assert one.text and not two.text


def test_without_a_vote_there_is_nothing_to_draw(asked_once):
    with pytest.raises(UserError, match="No score has a reading that votes"):
        votes_svg([read_json(p) for p in asked_once], VoteFigureSettings(title="t", models=MODELS))


def _tabulated(folder: Path, scores: list[Path]) -> Path:
    write_text(folder / "comparisons.csv", comparisons_csv([]))
    settings = {"study": "yesorno", "title": "t", "models": MODELS, "baseline": "base"}
    settings |= {"scale": "demo", "run": "demo"}
    command = [sys.executable, str(SCRIPTS / "tabulate_scores.py")]
    command += ["--settings", json.dumps(settings), "--scores", *map(str, scores)]
    command += ["--comparisons", str(folder / "comparisons.csv")]
    for kind, name in (("csv", "csv"), ("markdown", "md"), ("html", "html")):
        command += [f"--{kind}", str(folder / f"accuracy.{name}")]
    subprocess.run(command, check=True)
    return folder / "accuracy"


def test_pages_have_f1_and_votes_only_where_there_are_any(scores, asked_once, tmp_path):
    table = _tabulated(tmp_path / "k", scores)
    rows = read_table(table.with_suffix(".csv"))
    tuned = next(row for row in rows if (row["model"], row["metric"]) == ("tuned", "strict"))
    assert tuned["f1"] == pytest.approx(2 * 2 / (2 + 3), abs=1e-6)
    for kind in (".md", ".html"):
        text = table.with_suffix(kind).read_text(encoding="utf-8")
        for words in ("F1 %", "80.0", "positive label", "5 responses a record", "gain, points"):
            assert words in text
        assert "vote over the responses" in text
    once = _tabulated(tmp_path / "1", asked_once)
    for kind in (".md", ".html"):
        text = once.with_suffix(kind).read_text(encoding="utf-8")
        assert "F1 %" in text
        assert "responses a record" not in text and "gain, points" not in text


@pytest.mark.slow
def test_the_script_draws_the_same_bytes_as_any_other_time(scores, tmp_path):
    settings = {"title": "Votes", "models": MODELS}
    command = [sys.executable, str(SCRIPTS / "draw_votes.py"), "--settings", json.dumps(settings)]
    command += ["--scores", *map(str, scores), "--out", str(tmp_path / "votes.svg")]
    subprocess.run(command, check=True)
    again = votes_svg([read_json(p) for p in scores], VoteFigureSettings.model_validate(settings))
    assert (tmp_path / "votes.svg").read_text(encoding="utf-8") == again
