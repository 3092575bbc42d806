"""The jiakao study: its settings as published, and at demo scale from local sites to the table."""

import json
import re
import shutil

import pytest
from scipy.stats import binomtest
from workflow import DEMO, ROOT, Project, rows

from snaketune.config.resolve import load_study

STUDY = "config/studies/jiakao.yaml"
RESULTS = f"{DEMO}/jiakao"
BANK = ROOT.parent / "shared/data/jiakao/DataSubject1.json"


def read(project: Project, path: str, study: str = "jiakao") -> dict:
    return json.loads((project.folder / DEMO / study / path).read_text(encoding="utf-8"))


def records(project: Project, path: str, study: str = "jiakao") -> list[dict]:
    text = (project.folder / DEMO / study / path).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_published_recipe(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = load_study(ROOT / STUDY, "paper")
    for name, template in (("qlora", "deepseekr1"), ("qlora_as_published", "deepseek")):
        adapter = study.adapters[name]
        training = adapter.training
        assert (training.learning_rate, training.num_train_epochs) == (1e-4, 5)
        assert training.per_device_train_batch_size == 1
        assert training.gradient_accumulation_steps == 8
        assert (training.lr_scheduler_type, training.warmup_steps) == ("cosine", 0.1)
        assert (training.max_length, training.logging_steps) == (1024, 10)
        assert training.save_steps == training.eval_steps == 500 and training.bf16
        assert adapter.lora.target_modules == "all-linear"
        assert adapter.quantization.bnb_4bit_quant_type == "nf4"
        base = study.bases[adapter.base]
        assert base.id == "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"
        assert base.chat_template.endswith(f"/{template}.jinja")
    split = study.datasets["bank"].split
    assert (split.train, split.validation, split.test) == (0.7, 0.2, 0.1)
    asked = {e.split for e in study.evaluations if e.dataset == "bank"}
    assert asked == {"train", "validation", "test"}


def test_no_live_site_is_asked_unless_its_terms_are_accepted(monkeypatch):
    monkeypatch.chdir(ROOT)
    for scale in ("demo", "paper"):
        assert all(site.url is None for site in load_study(ROOT / STUDY, scale).sites.values())


@pytest.mark.slow
def test_tuning_beats_base_and_majority(demo):
    table = rows(demo, "jiakao")
    tuned, base = (table[model, "bank", "exact"] for model in ("tuned", "base"))
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert float(tuned["p_vs_base"]) < 0.01
    n, correct = int(tuned["n"]), int(tuned["correct"])
    majority = float(tuned["majority_class"])
    assert binomtest(correct, n, majority, alternative="greater").pvalue < 0.01
    assert ("tuned", "pictures", "exact") in table


@pytest.mark.slow
def test_splits_are_of_whole_groups_and_keep_the_shares_of_types(demo):
    quality = read(demo, "data/bank/quality.json")
    assert quality["leakage"] == {"groups": 0, "prompts": 0}
    kept = quality["kept"]
    for name, share in (("train", 0.7), ("validation", 0.2), ("test", 0.1)):
        split = quality["splits"][name]
        assert abs(split["records"] - share * kept) < 0.02 * kept
        for kind, count in quality["types"].items():
            assert abs(split["strata"][kind] - share * count) < 0.05 * count
    assert quality["in"] == kept + sum(quality["dropped"].values())
    assert quality["dropped"]["duplicate"] > 400 and quality["conflicting_answers"] > 0


@pytest.mark.slow
def test_letters_are_those_of_the_texts(demo):
    for record in records(demo, "data/bank/test.jsonl"):
        choices = json.loads(record["fields"]["choices"])
        for letter in record["label"]["letters"]:
            text = choices["ABCD".index(letter)]
            assert f"{text}选{letter}" in record["label"]["answer"]
        assert set(record) == {"id", "fields", "label", "group"}


@pytest.mark.slow
def test_the_page_of_duplicates_names_what_was_done(demo):
    text = (demo.folder / RESULTS / "data/bank/duplicates.html").read_text(encoding="utf-8")
    for part in ("Merged", "Kept apart", "Several answers", "in more than one split: 0"):
        assert part in text
    assert (demo.folder / RESULTS / "data/pictures/duplicates.html").is_file()


@pytest.mark.slow
@pytest.mark.skipif(not BANK.is_file(), reason="the bank is not on this machine")
def test_the_example_runs_over_the_real_bank(tmp_path):
    project = Project.copied(tmp_path)
    (tmp_path / "data/jiakao").mkdir(parents=True)
    shutil.copy(BANK, tmp_path / "data/jiakao/DataSubject1.json")
    project.change("config/config.yaml", "studies", value=["config/examples/jiakao_file.yaml"])
    project.snakemake("jiakao_file", "--cores", "all")
    quality = read(project, "data/bank/quality.json", "jiakao_file")
    pictures = read(project, "data/pictures/quality.json", "jiakao_file")
    assert quality["in"] + pictures["in"] == 1325
    assert quality["leakage"]["groups"] == pictures["leakage"]["groups"] == 0
    assert quality["source"]["questions"]["DataSubject1"]["unusable"] == {}
    for record in records(project, "data/bank/train.jsonl", "jiakao_file"):
        assert not re.search("</?(?:p|br|span)[ />]|&nbsp;", record["label"]["explanation"])
        assert record["fields"]["options"].startswith("A. ")
