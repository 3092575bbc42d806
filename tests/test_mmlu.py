"""General ability: questions in, what the harness found read and checked, models compared."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tuning import SCRIPTS

from snaketune.ability_tables import Settings, as_csv, as_html, as_markdown, gather, paired
from snaketune.config.study import Study
from snaketune.errors import UserError
from snaketune.files import write_json
from snaketune.mmlu import (
    local_tasks,
    outcome,
    pooled_stderr,
    prompts_cut,
    read_questions,
    subjects_in,
)

ROOT = SCRIPTS.parent
SHIPPED = ROOT / "resources/mmlu"


def _sample(number: int, acc: float, prompt: str = "p") -> dict:
    return {"doc_id": number, "acc": acc, "prompt_hash": f"{prompt}{number}", "target_hash": "t"}


def _found(**marks: str) -> dict:
    """What `simple_evaluate` returns, for subjects with a mark 0 or 1 a question."""
    return {
        "samples": {
            # the harness gives no order
            name: [_sample(i, float(mark)) for i, mark in reversed(list(enumerate(text)))]
            for name, text in marks.items()
        },
        "results": {
            name: {"acc,none": text.count("1") / len(text), "acc_stderr,none": 0.1}
            for name, text in marks.items()
        },
        "configs": {name: {"task_alias": name.removeprefix("mmlu_")} for name in marks},
    }


def test_what_the_harness_found_is_read():
    read = outcome(_found(mmlu_law="0110", mmlu_art="111000"))
    assert (read["n"], read["correct"], read["accuracy"]) == (10, 5, 0.5)
    assert [one["subject"] for one in read["subjects"]] == ["art", "law"]
    assert read["right"] == {"art": "111000", "law": "0110"}
    assert read["stderr"] == pytest.approx(pooled_stderr([(0.1, 6), (0.1, 4)]))


def test_pooled_stderr_of_one_subject_is_its_own():
    assert pooled_stderr([(0.11, 20)]) == pytest.approx(0.11)


def test_other_scores_than_the_samples_are_refused():
    found = _found(law="0110")
    found["results"]["law"]["acc,none"] = 0.75
    with pytest.raises(UserError, match="another score than its samples"):
        outcome(found)


def test_a_task_without_acc_is_refused():
    found = _found(law="01")
    del found["samples"]["law"][0]["acc"]
    with pytest.raises(UserError, match="'law' is not scored by acc"):
        outcome(found)


def test_prompts_that_are_cut_are_counted():
    samples = [[{"arguments": [("one two three", " A"), ("one two three", " B")]}]]
    assert prompts_cut(samples, lambda text: len(text.split()), 3) == 1
    assert prompts_cut(samples, lambda text: len(text.split()), 4) == 0


def test_the_shipped_questions():
    subjects = subjects_in(SHIPPED)
    assert len(subjects) == 4 == len(list(local_tasks(SHIPPED, 5)))
    for subject in subjects:
        dev = read_questions(SHIPPED / f"dev/{subject}_dev.csv")
        test = read_questions(SHIPPED / f"test/{subject}_test.csv")
        assert (len(dev), len(test)) == (5, 20)
        assert set(Counter(question["answer"] for question in test).values()) == {5}
        assert len({question["question"] for question in dev + test}) == 25
        assert all(len(set(question["choices"])) == 4 for question in dev + test)


def _folder(path: Path, dev: str, test: str) -> Path:
    for part, text in (("dev", dev), ("test", test)):
        (path / part).mkdir()
        (path / part / f"law_{part}.csv").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("dev", "told"),
    [
        ("q,1,2,3,4,E\n", "law_dev.csv, line 1: question, four options and one of A"),
        ("q,1,2,3,4,A\nq,1,2,3,A\n", "law_dev.csv, line 2"),
        ("q,1,2,3,4,A\n", "1 examples, and mmlu.num_fewshot is 5"),
    ],
)
def test_questions_that_cannot_be_asked(tmp_path, dev, told):
    with pytest.raises(UserError, match=told):
        list(local_tasks(_folder(tmp_path, dev, "q,1,2,3,4,A\n"), 5))


def test_a_folder_without_questions(tmp_path):
    with pytest.raises(UserError, match=r"no test/SUBJECT_test\.csv in it"):
        subjects_in(tmp_path)


def test_paired_difference():
    found = paired([True, True, False, False], [True, False, False, False])
    assert found["difference"] == 0.25 and found["p_vs_base"] == 1.0
    assert found["difference_low"] == pytest.approx(0.25 - 1.959964 * 0.5 / 2)
    assert found["difference_high"] == pytest.approx(0.25 + 1.959964 * 0.5 / 2)


def _written(folder: Path, model: str, found: dict) -> Path:
    path = folder / f"{model}.json"
    write_json(path, {"model": model, "num_fewshot": 5, "prompts_cut": 0, **outcome(found)})
    return path


SETTINGS = Settings(
    study="s", title="T", note="Only a demo.", baseline="base", models=["base", "tuned"]
)


def test_the_table(tmp_path):
    paths = [
        _written(tmp_path, "tuned", _found(law="0111", art="10")),
        _written(tmp_path, "base", _found(law="0110", art="01")),
    ]
    rows = gather(SETTINGS, paths)
    assert [(row["subject"], row["model"]) for row in rows[:4]] == [
        ("all", "base"),
        ("all", "tuned"),
        ("art", "base"),
        ("art", "tuned"),
    ]
    assert rows[1]["difference"] == pytest.approx(1 / 6) and rows[0]["difference"] is None
    assert rows[3]["difference"] == 0.0
    table = list(csv.DictReader(as_csv(rows).splitlines()))
    assert table[1]["difference"] == "0.166667" and table[0]["p_vs_base"] == ""
    shown = as_markdown(SETTINGS, rows)
    assert "> Only a demo." in shown and "| all | tuned | 6 | 66.7 ±" in shown
    assert "<td>+16.7 [" in as_html(SETTINGS, rows)


def test_models_that_were_asked_otherwise_are_not_compared(tmp_path):
    other = _found(law="0110")
    other["samples"]["law"][0]["prompt_hash"] = "other examples"
    paths = [
        _written(tmp_path, "base", _found(law="0110")),
        _written(tmp_path, "tuned", other),
    ]
    with pytest.raises(UserError, match="were not asked the same questions"):
        gather(SETTINGS, paths)


STUDY = {
    "title": "t",
    "prompts": {"p": {"user": "{q}"}},
    "datasets": {
        "d": {
            "source": {"kind": "file", "path": "x", "fields": ["q"]},
            "prompt": "p",
            "extract": {"kind": "label", "labels": ["yes", "no"]},
        }
    },
    "endpoints": {"far": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}},
    "models": {"base": {"base": "tiny"}, "other": {"base": "tiny"}, "served": {"endpoint": "far"}},
    "baseline": "base",
    "evaluations": [{"dataset": "d", "models": ["base", "served"]}],
}


def test_config_of_mmlu():
    def study(**mmlu):
        return Study.model_validate({**STUDY, "mmlu": {"models": ["base"], **mmlu}})

    assert study(tasks=["mmlu"]).mmlu.models == ["base"]
    with pytest.raises(ValueError, match="tasks, path: state one of them"):
        study()
    with pytest.raises(ValueError, match="tasks, path: state one of them"):
        study(tasks=["mmlu"], path="x")
    with pytest.raises(ValueError, match=r"mmlu\.models: no model 'bass'\. Did you mean 'base'"):
        study(path="x", models=["bass"])
    with pytest.raises(ValueError, match="'served' is behind an address"):
        study(path="x", models=["served"])
    with pytest.raises(ValueError, match="no evaluation asks 'other'"):
        study(path="x", models=["other"])
    with pytest.raises(ValueError, match="base is asked twice"):
        study(path="x", models=["base", "base"])


LIKELIEST = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from snaketune import loading
from snaketune.mmlu import DESCRIPTION, read_questions
import torch

def shown(question, answer=""):
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", question["choices"])]
    return "\\n".join([question["question"], *lines, f"Answer:{answer}"])

base, folder = Path(sys.argv[2]), Path(sys.argv[3])
tokenizer, model = loading.load_tokenizer(base), loading.load_model(base, "float32")
letters = [tokenizer(f" {letter}")["input_ids"][-1] for letter in "ABCD"]
right = {}
for path in sorted(folder.glob("test/*.csv")):
    subject = path.name.removesuffix("_test.csv")
    dev = read_questions(folder / f"dev/{subject}_dev.csv")[:2]
    before = [shown(question, f" {'ABCD'[question['answer']]}") for question in dev]
    right[subject] = ""
    for question in read_questions(path)[:4]:
        text = DESCRIPTION.format(subject=subject.replace("_", " "))
        text += "\\n\\n".join([*before, shown(question)])
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            best = model(ids).logits[0, -1, letters].argmax().item()
        right[subject] += str(int(best == question["answer"]))
print(json.dumps(right))
"""


@pytest.mark.slow
def test_the_harness_finds_the_likeliest_letter(tmp_path):
    base = {"name": "tiny", "source": "tiny", "chat_template": None}
    source, out = tmp_path / "source.json", tmp_path / "base.json"
    locate = [sys.executable, str(SCRIPTS / "locate_base.py"), "--out", str(source)]
    given = {"name": "tiny", "base": {key: base[key] for key in ("source", "chat_template")}}
    subprocess.run([*locate, "--settings", json.dumps(given)], cwd=ROOT, check=True)
    settings = {
        "study": "s",
        "mmlu": {
            **{"path": str(SHIPPED), "models": ["base"], "num_fewshot": 2, "limit": 4},
            "dtype": "float32",
        },
        "models": {"base": {"adapter": None, "recipe": None}},
        "out": {"base": str(out)},
    }
    ask = [sys.executable, str(SCRIPTS / "mmlu.py"), "--base", str(source), "--threads", "1"]
    subprocess.run([*ask, "--settings", json.dumps(settings)], check=True)
    command = [sys.executable, "-c", LIKELIEST, str(SCRIPTS), str(ROOT / "resources/tiny-base")]
    done = subprocess.run(
        [*command, str(SHIPPED)], stdout=subprocess.PIPE, check=True, encoding="utf-8"
    )
    found = json.loads(out.read_text("utf-8"))
    assert found["right"] == json.loads(done.stdout)
    assert (found["n"], found["prompts_cut"]) == (16, 0)
