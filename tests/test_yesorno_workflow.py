"""The yesorno study at demo scale: a teacher's reasoning, two stages, five votes."""

import json
import shutil

import pytest
import yaml
from pydantic import ValidationError
from scipy.stats import binomtest
from workflow import DEMO, ROOT, Project, rows

from snaketune.config.resolve import load_study
from snaketune.config.services import Endpoint
from snaketune.label_replies import negative_first

RESULTS = f"{DEMO}/yesorno"
STUDY = "config/studies/yesorno.yaml"
SEED = ROOT.parent / "shared/seeds/yesorno.md"
AFQMC = ROOT.parent / "shared/data/afqmc/train.csv"


def read(project: Project, path: str) -> dict:
    return json.loads((project.folder / RESULTS / path).read_text(encoding="utf-8"))


@pytest.mark.skipif(not SEED.is_file(), reason="the study's text is not on this machine")
def test_published_prompts_are_those_of_the_text(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = load_study(ROOT / STUDY, "paper")
    text = SEED.read_text(encoding="utf-8")
    for line in study.prompts["asked"].system.strip().split("。"):
        assert line in text
    assert study.prompts["asked"].user == "句子1：{sentence1}\n句子2：{sentence2}"
    teacher = study.datasets["pairs"].distill.prompt
    assert teacher.system in text
    for line in teacher.user.splitlines():
        published = line.replace("{label}", "{label}")
        if "{sentence" not in line:
            assert published in text


def test_published_recipe_of_both_stages(monkeypatch):
    monkeypatch.chdir(ROOT)
    adapters = load_study(ROOT / STUDY, "paper").adapters
    for name, rate, epochs, warmup in (
        ("stage1", 5e-5, 2, 20),
        ("stage2", 5e-6, 1, 10),
        ("stage2_as_published", 0.5, 1, 10),
    ):
        adapter, training = adapters[name], adapters[name].training
        assert (adapter.lora.r, adapter.lora.lora_alpha, adapter.lora.lora_dropout) == (
            32,
            64,
            0.03,
        )
        assert (training.learning_rate, training.num_train_epochs) == (rate, epochs)
        assert (training.warmup_steps, training.max_length) == (warmup, 1024)
        assert training.per_device_train_batch_size * training.gradient_accumulation_steps == 64
        assert training.packing and training.bf16 and training.lr_scheduler_type == "cosine"
    assert adapters["stage1"].take == adapters["stage2"].skip == 20000
    assert adapters["stage2"].init_from == "stage1"


@pytest.mark.slow
def test_tuning_and_votes_beat_base_and_majority(demo):
    table = rows(demo, "yesorno")
    tuned, base = (table[model, "pairs", "majority"] for model in ("tuned", "base"))
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert float(tuned["p_vs_base"]) < 0.01
    n, correct = int(tuned["n"]), int(tuned["correct"])
    majority = float(tuned["majority_class"])
    assert binomtest(correct, n, majority, alternative="greater").pvalue < 0.01
    assert float(tuned["f1"]) > 0.5


@pytest.mark.slow
def test_the_teacher_is_named_and_accounts_for_every_record(demo):
    made = read(demo, "cot/pairs/train.metrics.json")
    assert made["teacher"] == "rule-based teacher"
    assert made["kept"] + sum(made["rejected"].values()) == made["records"]
    text = (demo.folder / RESULTS / "cot/pairs/train.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    assert all(r["fields"]["reasoning"].endswith(f"结论：{r['label']}") for r in records)
    assert "***" not in text


@pytest.mark.slow
def test_stage_two_goes_on_from_stage_one(demo):
    made = read(demo, "adapters/stage2/metrics.json")
    assert made["init_from"]["adapter"] == "stage1"
    recipes = [demo.folder / RESULTS / f"adapters/{n}/recipe.yaml" for n in ("stage1", "stage2")]
    skipped = [yaml.safe_load(path.read_text(encoding="utf-8"))["skip"] for path in recipes]
    assert skipped == [0, 5000]


@pytest.mark.slow
def test_votes_are_drawn(demo):
    assert (demo.folder / RESULTS / "figures/votes.svg").stat().st_size > 500


@pytest.mark.slow
@pytest.mark.skipif(not AFQMC.is_file(), reason="real data are not on this machine")
def test_the_example_runs_over_the_real_file(tmp_path):
    project = Project.copied(tmp_path)
    (tmp_path / "data/afqmc").mkdir(parents=True)
    shutil.copy(AFQMC, tmp_path / "data/afqmc/train.csv")
    project.change("config/config.yaml", "studies", value=["config/examples/afqmc_file.yaml"])
    project.snakemake("afqmc_file", "--cores", "all")
    folder = tmp_path / DEMO / "afqmc_file"
    quality = json.loads((folder / "data/pairs/quality.json").read_text(encoding="utf-8"))
    assert {s: q["records"] for s, q in quality["splits"].items()} == {
        "train": 32834, "validation": 1000, "test": 500,
    }  # fmt: skip
    assert sum(split["masked"] for split in quality["splits"].values()) == 3548


ENDPOINT = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"api_key_env": "1f3a9deadbeef00112233"}, "never the key"),
        ({"base_url": "http://x/v1?key=secret"}, "could be a key"),
        ({"extra_body": {"n": 3}}, "Snaketune's to say"),
        ({"extra_body": {"max_tokens": None}}, "max_completion_tokens must be stated"),
        ({"budget": 5}, "needs a price"),
    ],
)
def test_endpoints_that_cannot_be(changes, said):
    with pytest.raises(ValidationError, match=said):
        Endpoint.model_validate({**ENDPOINT, **changes})


def test_labels_in_either_order():
    assert (
        negative_first("相同", "不相同") == negative_first("不相同", "相同") == ("不相同", "相同")
    )
    assert negative_first("no", "yes") == ("no", "yes")
