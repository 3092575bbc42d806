"""A study whose answers a judge judges, from a file of questions to the table."""

import csv
import json
import random

import pytest
import yaml
from asking import PRICE
from chat_server import chat_server
from workflow import DEMO, Project

from snaketune.files import read_json, write_jsonl

STUDY = {
    "title": "An exam that is judged",
    "prompts": {"asked": {"user": "{question}\n{options}"}},
    "datasets": {
        "bank": {
            "source": {
                **{"kind": "file", "path": "bank.jsonl"},
                "fields": ["question", "options", "choices", "key"],
            },
            "prompt": "asked",
            "split": {"train": 0.7, "validation": 0.2, "test": 0.1},
            "extract": {"kind": "options"},
            "judge": {
                "endpoint": "judge",
                "prompt": {"user": "{question} {options}\n标准答案 {label} {key} {reply}"},
                "sampling": {"max_new_tokens": 64},
            },
        }
    },
    "models": {"first": {"endpoint": "one"}},
    "baseline": "first",
    "evaluations": [
        {"dataset": "bank", "split": split} for split in ("train", "validation", "test")
    ],
    "sampling": {"max_new_tokens": 16},
}


def _questions(path, count: int) -> None:
    """Questions whose options are the two words that the local server answers."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        choices = draw.sample(["相同", "不相同"], 2)
        key = draw.choice(choices)
        fields = {
            "question": f"第{number}题",
            "options": "\n".join(f"{a}. {b}" for a, b in zip("AB", choices, strict=True)),
            "choices": json.dumps(choices, ensure_ascii=False),
            "key": key,
        }
        label = "AB"[choices.index(key)]
        rows.append({"id": str(number), "fields": fields, "label": label, "group": str(number)})
    write_jsonl(path, rows)


@pytest.mark.slow
def test_a_judged_study_from_its_file_to_its_table(tmp_path):
    project = Project.copied(tmp_path / "project")
    _questions(project.folder / "bank.jsonl", 60)
    with chat_server(rule="label") as one, chat_server(rule="judge") as judge:
        endpoints = {
            name: {"base_url": server.address, "model": name, "price": PRICE}
            for name, server in {"one": one, "judge": judge}.items()
        }
        text = yaml.safe_dump(STUDY | {"endpoints": endpoints}, allow_unicode=True)
        (project.folder / "config/studies/exam.yaml").write_text(text, encoding="utf-8")
        project.change("config/config.yaml", "studies", value=["exam"])
        printed = project.snakemake("plan", "--cores", "2")
        assert "exam: judge bank/test, first = judge" in printed
        planned = read_json(project.folder / DEMO / "plan.json")["jobs"]
        project.snakemake("--cores", "2")
        assert judge.stats()["requests"] == 60
        # another prompt judges again, and generates nothing again
        keys = ("datasets", "bank", "judge", "prompt", "user")
        project.change("config/studies/exam.yaml", *keys, value="{options}\n{key} {reply}")
        again = project.plan()
        stats = one.stats(), judge.stats()
    assert sum(job["requests"] for job in planned if job["purpose"] == "judge") == 60
    assert again.pop("judge") == 3 and again["score_exam"] == 1
    assert "predict_exam_first" not in again and "extract_and_vote" not in again
    assert [part["requests"] for part in stats] == [60, 60]
    folder = project.folder / DEMO / "exam"
    with (folder / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        table = {(row["split"], row["metric"]): row for row in csv.DictReader(file)}
    assert sum(int(row["n"]) for key, row in table.items() if key[1] == "judged") == 60
    assert 0 < int(table["train", "judged"]["correct"]) <= int(table["train", "exact"]["correct"])
    shown = (folder / "accuracy.md").read_text("utf-8")
    assert "## bank / train: the judge against the key" in shown
    assert "## bank: over the whole bank" in shown
    with (folder / "spending.csv").open(encoding="utf-8", newline="") as file:
        assert {row["purpose"] for row in csv.DictReader(file)} == {"predict", "judge"}
