"""The nli study at demo scale: two adapters, their sums, and what is said about them."""

import csv
import json
import shutil

import pytest
from scipy.stats import binomtest
from workflow import DEMO, ROOT, Project, rows

pytestmark = pytest.mark.slow
RESULTS = f"{DEMO}/nli"
STUDY = "config/studies/nli.yaml"
SHARED = ROOT.parent / "shared/data"


def read(project: Project, path: str) -> dict:
    return json.loads((project.folder / RESULTS / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["rte", "mnli"])
def test_each_adapter_learns_its_own_dataset(demo, name):
    table = rows(demo, "nli")
    tuned, base = (table[model, name, "first_word"] for model in (name, "base"))
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert float(tuned["p_vs_base"]) < 0.01
    n, correct = int(tuned["n"]), int(tuned["correct"])
    majority = float(tuned["majority_class"])
    assert binomtest(correct, n, majority, alternative="greater").pvalue < 0.01


def test_every_model_answers_both_datasets(demo):
    table = rows(demo, "nli")
    models = {model for model, _, _ in table}
    assert len(models) == 7
    for dataset, readings in (("rte", 3), ("mnli", 2)):
        assert sum(d == dataset for _, d, _ in table) == readings * len(models)


def test_readings_differ_over_the_same_responses(demo):
    table = rows(demo, "nli")
    first, mapped = (table["mnli", "rte", m] for m in ("first_word", "maybe_is_no"))
    assert int(mapped["correct"]) > int(first["correct"])  # its maybes on rte


def test_the_exact_sum_and_linear(demo):
    cat, linear = (read(demo, f"combined/half_{m}/combination.json") for m in ("cat", "linear"))
    assert cat["relative_distance"] < 1e-5
    assert linear["relative_distance"] > 0.1
    text = (demo.folder / RESULTS / "accuracy.md").read_text(encoding="utf-8")
    assert "half_linear" in text and "cross terms" in text


def test_one_process_loads_the_base_for_all_models(demo):
    metrics = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (demo.folder / RESULTS / "predictions").rglob("*.metrics.json")
    ]
    assert len(metrics) == 14
    assert {m["session"]["questions"] for m in metrics} == {14}
    assert len(list((demo.folder / f"{DEMO}/logs/nli/predict").rglob("*.log"))) == 1


def test_no_record_leaks_from_training_into_evaluation(demo):
    pairs = read(demo, "quality.json")["pairs"]
    assert {(p["training"], p["evaluation"]) for p in pairs} == {
        ("rte", "rte"), ("rte", "mnli"), ("mnli", "rte"), ("mnli", "mnli"),
    }  # fmt: skip
    assert all(pair["exact"] == 0 for pair in pairs)
    for dataset in ("rte", "mnli"):
        assert read(demo, f"data/{dataset}/quality.json")["leakage"] == {"groups": 0, "prompts": 0}


def test_another_reading_never_generates_again(changed):
    path = ("datasets", "mnli", "extract", "readings", "maybe_is_no")
    changed.change(STUDY, *path, value={"rule": "first_word", "map": {"maybe": "no"}})
    planned = changed.plan()
    assert planned["extract_and_vote"] == 7
    assert not [rule for rule in planned if rule.startswith(("predict", "train", "combine"))]


def test_another_weight_adds_up_and_asks_only_that(changed):
    changed.change(STUDY, "models", "half_linear", "combine", "weights", "rte", value=0.6)
    changed.snakemake("nli", "--cores", "all")
    generated = {
        path.relative_to(changed.folder / RESULTS / "predictions").parts[0]: json.loads(
            path.read_text(encoding="utf-8")
        )["generated"]
        for path in (changed.folder / RESULTS / "predictions").rglob("test.metrics.json")
    }
    assert generated.pop("half_linear") > 0
    assert set(generated.values()) == {0}


@pytest.mark.skipif(not SHARED.is_dir(), reason="real data are not on this machine")
def test_the_example_runs_over_real_files(tmp_path):
    project = Project.copied(tmp_path)
    for source, target in (
        ("rte/train.tsv", "rte/train.tsv"),
        ("rte/dev.tsv", "rte/dev.tsv"),
        ("mnli/mnli_dev_first5000.jsonl", "mnli/dev_matched.jsonl"),
    ):
        (tmp_path / "data" / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SHARED / source, tmp_path / "data" / target)
    project.change("config/config.yaml", "studies", value=["config/examples/glue_files.yaml"])
    project.snakemake("glue_files", "--cores", "all")
    folder = tmp_path / DEMO / "glue_files"
    quality = json.loads((folder / "data/rte/quality.json").read_text(encoding="utf-8"))
    assert {s: q["records"] for s, q in quality["splits"].items()} == {
        "train": 2490, "validation": 0, "test": 277,
    }  # fmt: skip
    with (folder / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["n"] for row in table if row["dataset"] == "rte"} == {"277"}
    assert {row["model"] for row in table} == {"base", "rte", "mnli", "half"}
