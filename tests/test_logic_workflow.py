"""The logic study: options from the data, five votes, cross-validation, a submission."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from scipy.stats import binomtest
from workflow import DEMO, ROOT, Project, rows

from snaketune.config.resolve import load_study, resolve
from snaketune.config.study import Study
from snaketune.files import write_jsonl

RESULTS = f"{DEMO}/logic"
SEED = ROOT.parent / "shared/seeds/logic.md"
DATA = ROOT.parent / "shared/data/logic"


@pytest.fixture
def paper(monkeypatch) -> Study:
    monkeypatch.chdir(ROOT)
    return load_study(Path("config/studies/logic.yaml"), "paper")


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.skipif(not SEED.is_file(), reason="the study's text is not on this machine")
def test_published_prompt_is_that_of_the_text(paper):
    text = SEED.read_text(encoding="utf-8")
    prompt = paper.prompts["as_published"]
    assert prompt.system is None and prompt.answer == "{label}"
    for line in prompt.user.replace("{problem}", "").replace(" {options}", "").splitlines():
        assert line in text


def test_published_recipe(paper):
    for name, dataset in (("lora", "problems"), ("full", "everything")):
        adapter, training = paper.adapters[name], paper.adapters[name].training
        lora = adapter.lora
        assert (lora.r, lora.lora_alpha, lora.lora_dropout) == (8, 32, 0.1)
        assert (adapter.dataset, lora.target_modules) == (dataset, "all-linear")
        assert (training.learning_rate, training.num_train_epochs) == (1e-4, 3)
        batch = (training.per_device_train_batch_size, training.gradient_accumulation_steps)
        assert batch == (4, 4) and training.gradient_checkpointing
        assert (training.max_length, adapter.published_max_length) == (2048, 384)
    assert paper.sampling.responses_per_record == 5
    assert paper.datasets["problems"].split.folds == 5
    assert paper.published == []


def test_the_paper_plan_needs_no_file_that_a_person_has_to_get(monkeypatch):
    """Such a file stops the job that reads it, and not the plan of all other studies."""
    monkeypatch.chdir(ROOT)
    study = resolve({"run": "x", "scale": "paper", "studies": ["logic"]})["studies"]["logic"]
    assert list(study["adapters"]) == ["full", *(f"lora.{fold}" for fold in range(1, 6))]
    pooled = {one["model"]: one["parts"] for one in study["pooled"]}
    assert set(pooled) == {"base", "tuned"} and len(pooled["tuned"]) == 5
    assert study["unscored"] == [("full", "competition", "test")]


@pytest.mark.slow
def test_tuning_beats_base_and_majority(demo):
    table = rows(demo, "logic")
    tuned, base = (table[model, "problems", "letter"] for model in ("tuned", "base"))
    n, correct = int(tuned["n"]), int(tuned["correct"])
    assert n > 150
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert float(tuned["p_vs_base"]) < 0.01
    majority = float(tuned["majority_class"])
    assert binomtest(correct, n, majority, alternative="greater").pvalue < 0.01
    readings = {metric for _, _, metric in table}
    assert readings == {"letter", "one_answer", "letter_or_a", "raw_published"}
    assert float(table["tuned", "problems", "raw_published"]["accuracy"]) > majority


@pytest.mark.slow
def test_problems_are_never_parted(demo):
    folder = demo.folder / RESULTS / "data/problems"
    quality = json.loads((folder / "quality.json").read_text(encoding="utf-8"))
    assert quality["leakage"] == {"groups": 0, "prompts": 0}
    sides = [
        {row["fields"]["problem"] for row in lines(folder / f"{split}.jsonl")}
        for split in ("train", "validation", "test")
    ]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


@pytest.mark.slow
def test_submission_has_every_question_in_order(demo):
    folder = demo.folder / RESULTS
    asked = [row["id"] for row in lines(folder / "data/competition/test.jsonl")]
    assert asked == [row["id"] for row in lines(folder / "raw/competition.jsonl")]
    for name in ("letter", "as_published"):
        sent = lines(folder / f"submission/{name}.jsonl")
        ids = [f"{p['id']}-{n + 1}" for p in sent for n in range(len(p["questions"]))]
        assert ids == asked
        answers = [q["answer"] for problem in sent for q in problem["questions"]]
        assert set(answers) <= set("ABCDE")
        counts = json.loads((folder / f"submission/{name}.json").read_text(encoding="utf-8"))
        assert counts["questions"] == len(asked) == counts["answered"] + counts["abstained"]
        with (folder / f"submission/{name}.csv").open(encoding="utf-8", newline="") as file:
            assert [row["answer"] for row in csv.DictReader(file)] == answers
    assert not (folder / "scores/tuned/competition").exists()


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the competition's data are not on this machine")
def test_the_example_runs_over_the_real_files(tmp_path):
    """With a part of the labelled file, two folds and one answer, for the time that they take."""
    project = Project.copied(tmp_path)
    (tmp_path / "data/logic").mkdir(parents=True)
    shutil.copy(DATA / "round1_test_data.jsonl", tmp_path / "data/logic")
    labelled = lines(DATA / "round1_train_data.jsonl")[:100]
    write_jsonl(tmp_path / "data/logic/round1_train_data.jsonl", labelled)
    questions = sum(len(problem["questions"]) for problem in labelled)
    example = "config/examples/logic_files.yaml"
    project.change("config/config.yaml", "studies", value=[example])
    for dataset in ("problems", "everything"):
        expect = {"problems": 100, "questions": questions}
        project.change(example, "datasets", dataset, "source", "expect", value=expect)
    project.change(example, "datasets", "problems", "split", "folds", value=2)
    project.change(example, "adapters", "lora", "training", "max_steps", value=1)
    project.change(example, "adapters", "full", "training", "max_steps", value=1)
    project.change(example, "sampling", "responses_per_record", value=1)
    project.snakemake("logic_files", "--cores", "all")
    folder = tmp_path / DEMO / "logic_files"
    table = rows(project, "logic_files")
    assert {int(row["n"]) for row in table.values()} == {questions}
    pooled = lines(folder / "pooled/tuned/problems/test.jsonl")
    assert {row["fold"] for row in pooled} == {1, 2} and len({r["id"] for r in pooled}) == questions
    page = (folder / "accuracy.md").read_text(encoding="utf-8")
    assert f"problems / test: over 2 folds, {questions} records" in page
    sent = lines(folder / "submission/letter.jsonl")
    given = lines(DATA / "round1_test_data.jsonl")
    assert [problem["id"] for problem in sent] == [problem["id"] for problem in given]
    counts = [len(problem["questions"]) for problem in sent]
    assert counts == [len(problem["questions"]) for problem in given] and sum(counts) == 1328
    leaks = json.loads((folder / "quality.json").read_text(encoding="utf-8"))["pairs"]
    assert {(p["training"], p["evaluation"]) for p in leaks} == {
        ("problems.1", "problems.1"), ("problems.2", "problems.2"), ("everything", "competition"),
    }  # fmt: skip
