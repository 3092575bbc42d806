"""The table of votes: each number of votes with its gain, rules chosen on validation."""

import csv
import json
import subprocess
import sys

import pytest
from test_vote_curves import DIFFERENT, MODELS, SAYS, SCRIPTS, _score_file

from snaketune.files import read_json
from snaketune.vote_tables import COLUMNS, VoteTableSettings, as_html, vote_rows, write_csv

SETTINGS = {"study": "yesorno", "title": "Votes & <more>", "models": MODELS}
# on validation one 不相同 decides better than the majority does, for base only
VALIDATED = {
    "base": ["sssss", "sssss", "dssss", "sssss"],
    "tuned": ["ssssd", "ssssd", "ddddd", "ssssd"],
}


@pytest.fixture
def scores(tmp_path):
    files = [
        _score_file(tmp_path, model, says[model], split=split)
        for split, says in (("test", SAYS), ("validation", VALIDATED))
        for model in MODELS
    ]
    return list(map(read_json, files))


def table(scores) -> dict[tuple, dict]:
    made = vote_rows(scores, VoteTableSettings.model_validate(SETTINGS))
    return {(row["split"], row["model"], row["metric"], row["votes"]): row for row in made}


def test_a_row_each_number_of_votes(scores):
    rows = table(scores)
    assert len(rows) == 2 * 2 * 2 * 5
    assert all(row.keys() == set(COLUMNS) for row in rows.values())
    one, five = (rows["test", "base", "majority", votes] for votes in (1, 5))
    # of each five responses 3, 3, 1, 1 are right; voted: right, right, wrong, too few
    assert (one["accuracy"], one["gain"]) == (pytest.approx(0.4), 0)
    assert (five["accuracy"], five["gain"]) == (0.5, pytest.approx(0.1))
    assert five["gain_low"] < 0.1 < five["gain_high"]
    assert five["pairwise_agreement"] == pytest.approx(0.378, abs=5e-4)
    alone = [rows["test", "base", "majority", votes]["error_alone"] for votes in range(1, 6)]
    assert alone == [0.5, 0.75, 0.75, 0.5, 0.5]
    assert sum(alone) / 5 == pytest.approx(1 - one["accuracy"])


def test_rules_are_chosen_on_validation(scores):
    rows = table(scores)
    chosen = {key[1:3] for key, row in rows.items() if row["best_on_validation"]}
    assert chosen == {("base", "strict"), ("tuned", "majority")}
    text = as_html(scores, VoteTableSettings.model_validate(SETTINGS))
    assert "Rules compared on validation, reported on test" in text
    assert f"<td>base</td><td>strict: any {DIFFERENT}</td><td>100.0</td><td>50.0</td>" in text


def test_without_validation_nothing_is_chosen(scores):
    tested = [score for score in scores if score["split"] == "test"]
    assert {row["best_on_validation"] for row in table(tested).values()} == {None}
    text = as_html(tested, VoteTableSettings.model_validate(SETTINGS))
    assert "compared on validation" not in text and "Votes &amp; &lt;more&gt;" in text


@pytest.mark.slow
def test_the_script_writes_both(scores, tmp_path):
    files = [str(path) for path in sorted(tmp_path.rglob("scores/**/*.json"))]
    command = [sys.executable, str(SCRIPTS / "tabulate_votes.py"), "--scores", *files]
    command += ["--settings", json.dumps(SETTINGS)]
    command += ["--csv", str(tmp_path / "v.csv"), "--html", str(tmp_path / "v.html")]
    subprocess.run(command, check=True)
    with (tmp_path / "v.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 40
    write_csv(tmp_path / "w.csv", list(table(scores).values()))
    assert (tmp_path / "w.csv").read_bytes() == (tmp_path / "v.csv").read_bytes()
    assert "afqmc / validation (n = 4)" in (tmp_path / "v.html").read_text("utf-8")
