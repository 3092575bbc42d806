"""Any two models compared: who is right where, the exact test, and what is refused."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.comparing import CompareSettings, compare
from snaketune.comparisons import COLUMNS, as_csv, read_comparisons
from snaketune.errors import UserError
from snaketune.files import write_jsonl, write_text

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
LABELS = {
    "kind": "label",
    "labels": ["yes", "no"],
    "readings": {
        "accuracy": {"rule": "first_word"},
        "as_published": {"rule": "substring_published"},
    },
}
CITY = {"kind": "json", "fields": ["city"], "normalise": {"city": "place_name"}}


def _answers(folder: Path, model: str, dataset: str, reads: list, golds=None) -> dict:
    golds = ["yes"] * len(reads) if golds is None else golds
    path = folder / model / f"{dataset}.jsonl"
    rows = [
        {"id": str(i), "label": gold, "error": None, "text": "", "read": [read] if read else []}
        for i, (read, gold) in enumerate(zip(reads, golds, strict=True))
    ]
    write_jsonl(path, rows)
    return {"model": model, "dataset": dataset, "split": "test", "path": str(path)}


def _read(accuracy: str | None, as_published: str | None = "no") -> dict:
    return {"accuracy": accuracy, "as_published": as_published}


def _settings(answers: list[dict], models=("merge", "base", "rte"), **over) -> dict:
    extracts = {"rte": LABELS, "mnli": LABELS, "cities": CITY}
    made = {"study": "nli", "baseline": "base", "models": list(models), "answers": answers}
    return {**made, "extracts": extracts, **over}


def _rows(answers: list[dict], **over) -> list[dict]:
    return list(compare(CompareSettings.model_validate(_settings(answers, **over))))


def test_every_pair_on_every_split_in_every_reading(tmp_path):
    yes = [_read("yes")]
    rows = _rows(
        [
            *(_answers(tmp_path, model, "rte", yes) for model in ("rte", "merge", "base")),
            *(_answers(tmp_path, model, "mnli", yes) for model in ("base", "rte")),
            _answers(tmp_path, "base", "cities", [{"answer": None, "valid": False}], [None]),
        ]
    )
    assert [(r["dataset"], r["metric"], r["model"], r["other"]) for r in rows] == [
        *(
            ("rte", metric, *pair)
            for metric in ("accuracy", "as_published")
            for pair in (("merge", "base"), ("rte", "base"), ("rte", "merge"))
        ),
        ("mnli", "accuracy", "rte", "base"),
        ("mnli", "as_published", "rte", "base"),
    ]


def test_records_that_only_one_model_gets_right_decide(tmp_path):
    ours = [_read("yes")] * 12 + [_read("no"), _read(None), None, _read("yes")]
    base = [_read("yes")] * 2 + [_read("no")] * 10 + [_read("yes"), None, _read(None), _read("no")]
    golds = ["yes"] * 15 + [None]
    rows = _rows(
        [
            _answers(tmp_path, "rte", "rte", ours, golds),
            _answers(tmp_path, "base", "rte", base, golds),
        ]
    )
    assert {key: rows[0][key] for key in ("n", "only_model", "only_other")} == {
        "n": 15, "only_model": 10, "only_other": 1,
    }  # fmt: skip
    assert rows[0]["model_accuracy"] == 12 / 15
    assert rows[0]["other_accuracy"] == 3 / 15
    assert rows[0]["difference"] == 9 / 15
    assert rows[0]["p"] == pytest.approx(2 * (1 + 11) / 2**11)
    assert (rows[1]["difference"], rows[1]["p"]) == (0, 1)


def test_votes_are_compared_where_a_record_is_asked_more_than_once(tmp_path):
    answers = []
    for model, says in (("base", ["yes", "no", "no"]), ("rte", ["no", "yes", "yes"])):
        answers.append(_answers(tmp_path, model, "rte", [_read("yes")] * 9))
        rows = [
            {
                "id": str(i),
                "label": "yes",
                "error": None,
                "text": "",
                "read": list(map(_read, says)),
            }
            for i in range(9)
        ]
        write_jsonl(Path(answers[-1]["path"]), rows)
    first, *_ = _rows(answers)
    voting = {**LABELS["readings"]["accuracy"], "vote": {"rule": "majority"}}
    extract = {**LABELS, "readings": {**LABELS["readings"], "accuracy": voting}}
    voted, *_ = _rows(answers, extracts={"rte": extract})
    assert (first["difference"], voted["difference"]) == (-1, 1)
    assert voted["p"] == pytest.approx(2 / 2**9)


def test_of_json_only_whole_answers_are_compared(tmp_path):
    gold = {"city": "北京市"}
    reads = {"base": {"city": "北京"}, "rte": gold}
    rows = _rows(
        [
            _answers(tmp_path, model, "cities", [{"answer": answer, "valid": True}], [gold])
            for model, answer in reads.items()
        ]
    )
    assert [(r["metric"], r["difference"]) for r in rows] == [
        ("exact_match", 1), ("exact_match_normalised", 0),
    ]  # fmt: skip


def test_nothing_with_gold_compares_to_nothing_and_is_written(tmp_path):
    both = [_answers(tmp_path, m, "rte", [_read("yes")], [None]) for m in ("base", "rte")]
    rows = _rows(both)
    write_text(tmp_path / "c.csv", as_csv(rows))
    assert (rows[0]["n"], rows[0]["difference"], rows[0]["p"]) == (0, None, 1)
    assert read_comparisons(tmp_path / "c.csv") == rows


def test_different_records_are_refused(tmp_path):
    one = _answers(tmp_path, "base", "rte", [_read("yes")])
    two = _answers(tmp_path, "rte", "rte", [_read("yes")] * 2)
    with pytest.raises(UserError, match=r"different records \(1 are in one only, such as '1'\)"):
        _rows([one, two])


def test_answers_of_an_unknown_model_are_refused(tmp_path):
    with pytest.raises(UserError, match="of a model or a dataset that `models` or `extracts`"):
        _rows([_answers(tmp_path, "other", "rte", [_read("yes")])])


def test_a_file_of_another_kind_is_refused(tmp_path):
    write_text(tmp_path / "c.csv", "a,b\n")
    with pytest.raises(UserError, match="not that of a table of comparisons"):
        read_comparisons(tmp_path / "c.csv")


def test_script_writes_what_the_table_reads(tmp_path):
    reads = {"base": [_read("no")] * 40, "rte": [_read("yes")] * 40}
    answers = [_answers(tmp_path, model, "rte", read) for model, read in reads.items()]
    command = [sys.executable, str(SCRIPTS / "compare_models.py")]
    command += ["--settings", json.dumps(_settings(answers))]
    command += ["--csv", str(tmp_path / "out" / "comparisons.csv"), "--log", str(tmp_path / "log")]
    subprocess.run(command, check=True)
    with (tmp_path / "out" / "comparisons.csv").open(encoding="utf-8", newline="") as file:
        raw = list(csv.DictReader(file))
    assert tuple(raw[0]) == COLUMNS
    assert (raw[0]["difference"], raw[0]["only_model"]) == ("1.000000", "40")
    assert float(raw[0]["p"]) == pytest.approx(2 / 2**40, rel=1e-5)  # not rounded to nothing
