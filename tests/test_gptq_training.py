"""A base in GPTQ, made here of the shipped one: trained on, gone on with, answered unmerged."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conformance import BARE, question, session
from tuning import SCRIPTS, Study, assert_same_weights

from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl
from snaketune.recipe import read_recipe

pytestmark = [pytest.mark.gptq, pytest.mark.slow]

TINY = SCRIPTS.parent / "resources/tiny-base"
LORA = {"r": 16, "lora_alpha": 16, "lora_dropout": 0.05}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gptq")
    words = [sys.executable, str(Path(__file__).with_name("gptq_base.py"))]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, str(TINY), str(folder / "base")],
        capture_output=True, text=True, check=False, cwd=folder, env=one_thread,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return Study(folder, folder / "base")


@pytest.fixture(scope="module")
def recipe(study):
    training = {"gradient_checkpointing": True, "max_steps": 24}
    return study.recipe("tuned", lora=LORA, training=training)


@pytest.fixture(scope="module")
def trained(study, recipe):
    """Metrics of an uninterrupted run."""
    return study.train_in_process(recipe, "tuned")


def test_what_is_loaded_is_the_quantised_base(study, recipe):
    """Nearly the whole weights' answers, and of a fraction of their bytes."""
    import torch

    from snaketune.loading import load_model, load_tokenizer
    from snaketune.prompts import encode, render

    tokenizer, prompt = load_tokenizer(study.base), read_recipe(recipe).prompt
    rounded, whole = (load_model(folder, "float32") for folder in (study.base, TINY))
    assert rounded.model.layers[0].mlp.up_proj.qweight.dtype != torch.float32
    equal = tokens = difference = 0
    for record in read_jsonl(study.validation):
        ids = torch.tensor([encode(tokenizer, *render(prompt, record))])
        with torch.inference_mode():
            one, other = (model(input_ids=ids).logits[0] for model in (rounded, whole))
        equal += (one.argmax(-1) == other.argmax(-1)).sum().item()
        difference += (one - other).abs().mean().item()
        tokens += len(one)
    assert equal / tokens > 0.8 and difference > 0
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (study.base, TINY)]
    assert sizes[0] < 0.7 * sizes[1]


def test_training_lowers_the_loss_on_every_layer(study, trained):
    with (study.folder / "tuned/loss.csv").open(encoding="utf-8") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert losses[-1] < 0.3 * losses[0]
    config = read_json(study.folder / "tuned/adapter_config.json")
    kinds = {name.rpartition(".")[2] for name in config["target_modules"]}
    attention = {f"{letter}_proj" for letter in "qkvo"}
    assert kinds == attention | {"gate_proj", "up_proj", "down_proj"}
    base = read_json(TINY / "config.json")
    hidden, inner, layers = (
        base[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    each = 4 * (hidden + hidden) + 3 * (hidden + inner)
    assert trained["trainable_parameters"] == LORA["r"] * layers * each
    assert {"gptqmodel", "optimum"} <= trained["versions"].keys()


def test_a_run_that_broke_off_goes_on_to_the_same_end(study, recipe, trained, monkeypatch):
    from snaketune import training

    def breaks(self, args, state, control, **kwargs):
        if state.global_step == 10:
            raise KeyboardInterrupt
        return whole(self, args, state, control, **kwargs)

    whole = training.Progress.on_step_end
    monkeypatch.setattr(training.Progress, "on_step_end", breaks)
    with pytest.raises(KeyboardInterrupt):
        study.train_in_process(recipe, "again")
    monkeypatch.setattr(training.Progress, "on_step_end", whole)
    assert study.train_in_process(recipe, "again")["resumed_from_step"] == 8
    assert_same_weights(study.folder / "tuned", study.folder / "again")


def test_the_adapter_answers_unmerged_beside_its_base(study, recipe, trained, tmp_path):
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict

    models = {"base": BARE, "tuned": {"adapter": study.folder / "tuned", "recipe": recipe}}
    prompt = read_recipe(recipe).prompt.model_dump()
    asked = session(
        {"max_new_tokens": 32, "dtype": "float32"},
        [question(tmp_path, study.validation, model, prompt=prompt) for model in models],
        **models,
    )
    engines, answers = open_engines(read_json(study.source), asked), {}
    for one in asked.questions:
        predict(engines[one.model], one, asked.sampling, tmp_path / "journal")
        answers[one.model] = [row["responses"][0]["text"] for row in read_jsonl(one.out)]
    assert engines["base"].weights is engines["tuned"].weights
    assert engines["tuned"].model_id == "tiny+tuned"
    wanted = [json.dumps(row["label"], ensure_ascii=False) for row in read_jsonl(study.validation)]
    right = [sum(map(str.__eq__, wanted, answers[model])) for model in models]
    assert right[0] < len(wanted) / 2 < right[1]


def test_nothing_is_merged_into_it(study, recipe, trained, tmp_path):
    from snaketune.merging import merge

    adapter = study.folder / "tuned"
    with pytest.raises(UserError, match="in GPTQ, and no adapter can be merged"):
        merge(recipe, study.source, adapter, study.validation, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
