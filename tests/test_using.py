"""Tuned models in use: talked with, served, described by a card; a study begun from a file, run."""

import csv
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from workflow import DEMO, Project, rows

from snaketune.errors import UserError
from snaketune.files import write_json, write_text
from snaketune.folders import publish, read_manifest
from snaketune.model_card import CardSettings, StudyCards, card, licence_of
from snaketune.recipe import write_recipe
from snaketune.serving.opening import (
    KEY,
    check_servable,
    program,
    serve_command,
    serve_environment,
)
from snaketune.tables import COLUMNS

PROMPT = {"user": "{first}\n{second}\n相同吗？"}
ADAPTER = {
    "base": "big",
    "dataset": "pairs",
    "training": {"learning_rate": 1e-4, "max_length": 256},
    "lora": {"r": 8, "lora_alpha": 16},
}


@pytest.fixture
def study(tmp_path) -> StudyCards:
    """The files that a card is written from."""
    (tmp_path / "base").mkdir()
    write_text(tmp_path / "base/README.md", "---\nlicense: apache-2.0\n---\n# A base\n")
    source = {"name": "big", "path": str(tmp_path / "base"), "id": "some/Big", "revision": "c0ffee"}
    write_json(tmp_path / "source.json", source)
    made = {"study": "mine", "name": "lora", "adapter": ADAPTER, "prompt": PROMPT}
    write_recipe(made, tmp_path / "recipe.yaml")
    splits = {name: {"records": n} for name, n in (("train", 1400), ("test", 200))}
    quality = {
        "source": {"kind": "table", "files": {"data/my.csv": "a hash"}},
        "splits": splits,
        "leakage": {"groups": 0, "prompts": 0},
    }
    write_json(tmp_path / "pairs/quality.json", quality)
    with (tmp_path / "accuracy.csv").open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, COLUMNS, restval="")
        table.writeheader()
        shared = {"study": "mine", "dataset": "pairs", "split": "test", "metric": "first_word"}
        shared |= {"n": 200, "unparsed": 0, "errors": 0, "responses_per_record": 1}
        for model, correct in (("base", 100), ("tuned", 180)):
            score = {"accuracy": correct / 200, "ci_low": 0.4, "ci_high": 0.95}
            table.writerow({**shared, "model": model, "correct": correct, **score})
    (tmp_path / "partial").mkdir()
    write_text(tmp_path / "partial/config.json", "{}")
    facts = {"base": "big", "adapter": "lora", "dtype": "float32"}
    publish(tmp_path / "partial", tmp_path / "merged", facts)
    one = CardSettings(
        model="tuned",
        base=tmp_path / "source.json",
        recipes=[tmp_path / "recipe.yaml"],
        quality=[tmp_path / "pairs/quality.json"],
        folder=tmp_path / "merged",
    )
    return StudyCards(
        study="mine",
        title="Mine",
        note="A try.",
        baseline="base",
        table=tmp_path / "accuracy.csv",
        cards=[one],
    )


def test_a_card_says_what_a_model_is(study):
    text = card(study, study.cards[0])
    head = yaml.safe_load(text.split("---\n")[1])
    assert (head["license"], head["base_model"]) == ("apache-2.0", "some/Big")
    assert "| pairs | test | first_word | 200 | 90.0 [40.0, 95.0] | 50.0 [40.0, 95.0] |" in text
    assert "`pairs`, from `my.csv`: train 1,400, test 200; 0 groups and 0 prompts" in text
    assert "learning_rate 0.0001" in text and "r 8, lora_alpha 16" in text
    assert json.dumps(PROMPT["user"], ensure_ascii=False) in text
    assert "commit `c0ffee`" in text and "> A try." in text


def test_a_card_leaves_the_model_whole(study):
    folder = study.cards[0].folder
    write_text(folder / "README.md", card(study, study.cards[0]))
    assert list(read_manifest(folder)["files"]) == ["config.json"]


def test_a_licence_that_is_not_known(tmp_path):
    assert licence_of({"path": str(tmp_path), "id": "a/b"}) == (
        None,
        "see https://huggingface.co/a/b",
    )
    write_text(tmp_path / "README.md", "---\n: [\n---\n")
    assert licence_of({"path": str(tmp_path)}) == (None, "its folder does not say")


def test_what_serves_stays_on_this_machine(tmp_path):
    for name in ("vllm", "transformers"):
        words = serve_command(name, tmp_path, 1234, "float32")
        options = dict(pairwise(words))
        assert (options["--host"], options["--port"]) == ("127.0.0.1", "1234")
        assert str(tmp_path) in words and options["--dtype"] == "float32"


def test_an_adapter_is_not_served(tmp_path):
    write_text(tmp_path / "adapter_config.json", "{}")
    with pytest.raises(UserError, match="merge: true"):
        check_servable(tmp_path)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Project:
    """The README's study of one's own, trained for a few steps."""
    project = Project.copied(tmp_path_factory.mktemp("own"))
    words = [sys.executable, "scripts/init_study.py", "--from", "resources/messages/messages.csv"]
    words += ["--name", "mine", "--run", "config/config.yaml"]
    told = subprocess.run(
        words, cwd=project.folder, check=True, capture_output=True, encoding="utf-8"
    )
    assert "config/config.yaml: mine was added to its studies." in told.stderr
    study = "config/studies/mine.yaml"
    project.change(study, "adapters", "lora", "training", "max_steps", value=6)
    project.change("config/config.yaml", "studies", value=["mine"])
    project.snakemake("mine", "--cores", "2")
    return project


@pytest.mark.slow
def test_from_a_file_to_a_table_and_a_card(own):
    found = rows(own, "mine")
    assert {key[0]: row["n"] for key, row in found.items()} == {"base": "40", "tuned": "40"}
    for page in ("accuracy.html", "overview.html", "answers.html"):
        told = (own.folder / DEMO / "mine" / page).read_text(encoding="utf-8")
        assert "the whole chain works on these records" in told and "published models" not in told
    folder = own.folder / DEMO / "mine/merged/tuned"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "apache-2.0"
    assert "messages.csv" in text and "| mine | test | first_word | 40 |" in text
    read_manifest(folder)
    assert own.plan("mine") == {}


@pytest.mark.slow
def test_a_tuned_model_is_talked_with_as_it_was_asked(own):
    """What it says to a test sentence is what stands in the predictions, merged or not."""
    table = (own.folder / DEMO / "mine/predictions/tuned/mine/test.jsonl").read_text("utf-8")
    asked = [json.loads(line) for line in table.splitlines()][:2]
    texts = [one["prompt"][-1]["content"].split("\n")[0] for one in asked]
    study = yaml.safe_load((own.folder / "config/studies/mine.yaml").read_text(encoding="utf-8"))
    command = [sys.executable, "scripts/chat.py"]
    command += ["--max-new-tokens", str(study["sampling"]["max_new_tokens"])]
    for place in ("merged/tuned", "adapters/lora"):
        done = subprocess.run(
            [*command, "--model", f"{DEMO}/mine/{place}"],
            cwd=own.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            input="\n".join([*texts, ""]),
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        said = [part.strip() for part in done.stdout.split("消息> ")]
        expected = [one["responses"][0]["text"].strip() for one in asked]
        assert said == ["", *expected, ""]


def test_what_serves_must_be_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "vllm" or None)
    assert program() == "transformers"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install 'transformers\\[serving\\]'"):
        program()


def test_the_key_is_in_the_environment_alone(monkeypatch):
    monkeypatch.setenv(KEY, "secret")
    assert serve_environment()["VLLM_API_KEY"] == "secret"
    assert "secret" not in " ".join(serve_command("vllm", Path("m"), 0, "auto"))
