"""Training: what carries loss, what is refused, and that an equal run gives equal bytes."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
import yaml
from tuning import (
    PROMPT,
    SCRIPTS,
    Study,
    assert_same_weights,
    on_devices,
    run,
    weather_records,
    weights,
)

from snaketune.errors import UserError
from snaketune.files import read_json, write_jsonl
from snaketune.recipe import read_recipe, recipe_hash


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.fixture(scope="module")
def trained(study):
    """Metrics and folder of one uninterrupted LoRA run with dropout."""
    recipe = study.recipe("plain", lora={"lora_dropout": 0.1})
    return study.train_in_process(recipe, "plain"), study.folder / "plain"


# ------------------------------------------------------------------------------ recipe


def test_recipe_keys_are_those_of_the_libraries(study):
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

    path = study.recipe("keys", quantized=True)
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert recipe["study"] == "weather" and recipe["prompt"]["user"] == PROMPT["user"]
    assert SFTConfig(output_dir=str(study.folder), use_cpu=True, **recipe["training"])
    assert LoraConfig(**recipe["lora"])
    assert BitsAndBytesConfig(**recipe["quantization"])
    assert len(recipe_hash(path)) == 12


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("learning_rate: 0.005", "learning_rate: 0.5", "learning_rate: 0.5 is over 0.01"),
        ("max_steps:", "max_stepz:", "unknown key 'max_stepz'; did you mean 'max_steps'"),
        ("target_modules: all-linear", "target_modules: [lm_head]", "lm_head stays as it is"),
        ("r: 8", "r: eight", "lora.r"),
        ("study: weather", "study: [", "not valid YAML"),
    ],
)
def test_a_recipe_edited_by_hand_gets_the_config_s_messages(study, old, new, message):
    path = study.recipe("edited")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_recipe(path)
    assert message in str(error.value) and str(path) in str(error.value)


# ------------------------------------------------------------------------------ records


def test_only_the_answer_and_its_end_carry_loss(study):
    from snaketune.loading import load_tokenizer
    from snaketune.training import build_trainer, prepare_records

    tokenizer = load_tokenizer(study.base)
    recipe = read_recipe(study.recipe("labels"))
    records = prepare_records(tokenizer, recipe, study.train)
    source = read_json(study.source)
    sets = {"train": records, "validation": records.select([])}
    trainer = build_trainer(recipe, source, tokenizer, sets, study.folder / "c", lambda: 0.0)
    batch = next(iter(trainer.get_train_dataloader()))
    assert len(batch["labels"]) == 8
    answers = {
        json.dumps(record["label"], ensure_ascii=False) + "<|im_end|>"
        for record in map(json.loads, study.train.read_text(encoding="utf-8").splitlines())
    }
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        kept = labels != -100
        assert tokenizer.decode(ids[kept]) in answers
        assert (ids[kept] == labels[kept]).all()


def test_the_loss_skips_the_prompt_and_is_the_model_s_own(study):
    """TRL would score every position on a CPU; scoring the answer's alone must change nothing."""
    import torch

    from snaketune.loading import load_base, load_tokenizer
    from snaketune.training import build_trainer, prepare_records

    tokenizer, source = load_tokenizer(study.base), read_json(study.source)
    recipe = read_recipe(study.recipe("loss"))
    records = prepare_records(tokenizer, recipe, study.train)
    sets = {"train": records, "validation": records.select([])}
    trainer = build_trainer(recipe, source, tokenizer, sets, study.folder / "c", lambda: 0.0)
    batch = next(iter(trainer.get_train_dataloader()))
    kernel = sys.modules["trl.trainer.utils"]._ChunkedLogProbFunction
    scored = []
    whole = kernel.apply
    kernel.apply = lambda hidden, *rest: scored.append(len(hidden)) or whole(hidden, *rest)
    try:
        loss = trainer.compute_loss(trainer.model, dict(batch))
    finally:
        kernel.apply = whole
    assert scored == [int((batch["labels"] != -100).sum())]
    with torch.no_grad():
        expected = load_base(source, recipe)(**batch).loss
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_records_that_would_be_cut_are_counted(study):
    from snaketune.loading import load_tokenizer
    from snaketune.training import prepare_records

    records = weather_records(5)
    for record in records[:2]:
        record["fields"]["sentence"] *= 9
    path = study.folder / "long.jsonl"
    write_jsonl(path, records)
    recipe = read_recipe(study.recipe("long"))
    with pytest.raises(UserError, match=r"2 of 5 records .* 2 answers would be cut.*tokens"):
        prepare_records(load_tokenizer(study.base), recipe, path)


def test_records_without_a_label_are_refused(study):
    from snaketune.loading import load_tokenizer
    from snaketune.training import prepare_records

    records = weather_records(3)
    records[1]["label"] = None
    path = study.folder / "unlabelled.jsonl"
    write_jsonl(path, records)
    with pytest.raises(UserError, match="1 of 3 records have no label"):
        prepare_records(load_tokenizer(study.base), read_recipe(study.recipe("labels")), path)


# ------------------------------------------------------------------------------ packing


@pytest.mark.slow
def test_a_packed_run_trains_on_the_same_tokens(study, trained):
    """One epoch packed and unpacked: as many tokens with loss, in fewer rows."""
    epoch = {"max_steps": -1, "num_train_epochs": 1, "max_length": 300}
    packed = study.train_in_process(study.recipe("p", training={**epoch, "packing": True}), "p")
    loose = study.train_in_process(study.recipe("q", training=epoch), "q")
    assert packed["tokens"] == loose["tokens"] > 0
    assert packed["samples"] == loose["samples"] == 48
    assert packed["steps"] < loose["steps"]


# ------------------------------------------------------------------------------ a whole run


def test_a_run_learns_and_records_itself(study, trained):
    metrics, folder = trained
    assert metrics["steps"] == 12 and metrics["samples"] == 96
    assert metrics["resumed_from_step"] is None
    assert metrics["recipe_hash"] == recipe_hash(study.folder / "plain.yaml")
    assert set(metrics["data_sha256"]) == {"train", "validation"}
    assert metrics["tokens"] > 96 * 50 and metrics["peak_memory_mb"]["ram"] > 100
    assert {"torch", "trl", "peft", "bitsandbytes"} <= metrics["versions"].keys()
    assert read_json(folder / "metrics.json") == metrics
    with (folder / "loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4, 6, 8, 10, 12]
    assert [bool(row["eval_loss"]) for row in rows] == [False, True] * 3
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"]) - 0.3
    assert float(rows[-1]["eval_loss"]) == metrics["eval_loss"]


def test_the_adapter_names_its_base_and_leaves_embeddings_alone(trained):
    _, folder = trained
    config = read_json(folder / "adapter_config.json")
    assert config["base_model_name_or_path"] == "tiny"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not [name for name in weights(folder) if "lm_head" in name or "embed" in name]
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "adapter_model.safetensors", "adapter_config.json", "loss.csv", "metrics.json",
    }  # fmt: skip
    assert (folder / "adapter_model.safetensors").stat().st_mode & 0o077, "others may not read it"


def test_a_run_shorter_than_its_logging_has_a_loss(tmp_path, random_base):
    study = Study(tmp_path, random_base)
    recipe = study.recipe(training={"max_steps": 3, "logging_steps": 10})
    metrics = study.train_in_process(recipe, "out")
    with (tmp_path / "out/loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["3"]
    assert float(rows[0]["loss"]) == metrics["train_loss"] > 0


def test_an_equal_run_gives_equal_bytes(study, trained):
    study.train_in_process(study.folder / "plain.yaml", "again")
    for name in ("adapter_model.safetensors", "adapter_config.json", "loss.csv"):
        assert (study.folder / "again" / name).read_bytes() == (trained[1] / name).read_bytes()


@pytest.mark.slow
def test_another_seed_gives_other_weights(study, trained):
    recipe = study.recipe("seeded", lora={"lora_dropout": 0.1}, training={"seed": 1})
    study.train_in_process(recipe, "seeded")
    with pytest.raises(AssertionError):
        assert_same_weights(study.folder / "seeded", trained[1])


def test_no_validation_records_means_no_evaluation(tmp_path, random_base):
    study = Study(tmp_path, random_base, train=8, validation=0)
    metrics = study.train_in_process(study.recipe(training={"max_steps": 2}), "out")
    assert metrics["eval_loss"] is None
    assert "eval_loss" in (tmp_path / "out/loss.csv").read_text().splitlines()[0]


RTE = {
    "user": 'Does "{premise}" imply that "{hypothesis}"? Please answer yes or no.'
    "You only need to answer one word, no explanation",
    "answer": "{label}",
}


def published_rte(study, **changes):
    """The recipe of the published adapter rte."""
    training = {
        "learning_rate": 5e-6,
        "weight_decay": 0.1,
        "warmup_steps": 20,
        "num_train_epochs": 10,
        "max_steps": -1,
        "per_device_train_batch_size": 4,
        "lr_scheduler_type": "cosine",
        "bf16": True,
        "max_length": 4096,
        "logging_steps": 1,
        "save_steps": 50,
        **changes.pop("training", {}),
    }
    lora = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}
    return study.recipe("rte", training=training, lora=lora, global_batch_size=64, **changes)


@pytest.mark.slow
def test_the_published_run_on_rte_has_390_steps(study, tmp_path, monkeypatch):
    """2,490 records in steps of 64, ten times: 4 devices add up 4 batches of 4, one adds 16."""
    from snaketune.config.data import Prompt
    from snaketune.loading import load_tokenizer
    from snaketune.training import accumulation, build_trainer, prepare_records

    pair = {"premise": "No weapons were found.", "hypothesis": "Weapons were found."}
    records = tmp_path / "rte.jsonl"
    write_jsonl(records, ({"id": str(i), "fields": pair, "label": "no"} for i in range(2490)))
    recipe = read_recipe(published_rte(study)).model_copy(update={"prompt": Prompt(**RTE)})
    tokenizer = load_tokenizer(study.base)
    rows = prepare_records(tokenizer, recipe, records)
    sets = {"train": rows, "validation": rows.select([])}
    source = read_json(study.source)
    trainer = build_trainer(recipe, source, tokenizer, sets, tmp_path / "c", lambda: 0.0)
    loader = trainer.get_train_dataloader()
    *_, max_steps = trainer.set_initial_training_values(trainer.args, loader)
    assert max_steps == 390 and trainer.args.gradient_accumulation_steps == 16
    assert trainer.args.get_warmup_steps(max_steps) == 20
    assert trainer.args.weight_decay == 0.1 and trainer.args.lr_scheduler_type == "cosine"
    assert {"q_proj", "v_proj"} == trainer.model.peft_config["default"].target_modules
    assert [accumulation(recipe, count) for count in (1, 2, 4, 8, 16)] == [16, 8, 4, 2, 1]


@pytest.mark.parametrize("devices", [3, 32])
def test_a_global_batch_that_cannot_be_shared_is_the_user_s_error(study, devices):
    from snaketune.training import accumulation

    with pytest.raises(UserError, match=f"global_batch_size 64 .* 4 × {devices} devices"):
        accumulation(read_recipe(published_rte(study)), devices)


def test_metrics_say_how_a_step_was_made_up(tmp_path, random_base):
    study = Study(tmp_path, random_base)
    training = {"max_steps": 2, "per_device_train_batch_size": 4}
    recipe = study.recipe("shared", training=training, global_batch_size=16)
    metrics = study.train_in_process(recipe, "shared")
    steps = ("devices", "gradient_accumulation_steps", "effective_batch_size", "samples")
    assert [metrics[key] for key in steps] == [1, 4, 16, 32]


@pytest.mark.slow
def test_two_devices_train_as_one_does(tmp_path, random_base):
    """One adapter, by steps of the same records, in one run folder."""
    study = Study(tmp_path, random_base)
    training = {"per_device_train_batch_size": 4, "save_steps": 6}
    recipe = study.recipe("shared", training=training, global_batch_size=16)
    words = study.train_command(recipe, "two")
    run([*on_devices(2, words), "--log", str(tmp_path / "two.log")])
    one, two = study.train_in_process(recipe, "one"), read_json(tmp_path / "two/metrics.json")
    assert (two["devices"], two["gradient_accumulation_steps"]) == (2, 2)
    assert (one["devices"], one["gradient_accumulation_steps"]) == (1, 4)
    for key in ("steps", "samples", "tokens", "effective_batch_size", "recipe_hash"):
        assert one[key] == two[key], key
    curves = []
    for name in ("one", "two"):
        with (tmp_path / name / "loss.csv").open(encoding="utf-8") as file:
            curves.append([float(row["loss"]) for row in csv.DictReader(file)])
    assert len(curves[0]) == 6 and curves[1] == pytest.approx(curves[0], rel=1e-3)
    assert curves[0][-1] < curves[0][0] - 0.3
    log = (tmp_path / "two.log").read_text(encoding="utf-8")
    assert log.count("Step 12 of 12: loss") == 1, "the second process writes no log"

    (folder,) = (tmp_path / "checkpoints-two").glob("*/")
    (mark,) = folder.glob("checkpoint-*/complete.json")
    assert {"rng_state_0.pth", "rng_state_1.pth"} < read_json(mark)["files"].keys()
    before = (tmp_path / "two/adapter_model.safetensors").read_bytes()
    shutil.rmtree(tmp_path / "two")
    again = study.train_in_process(recipe, "two")
    assert again["resumed_from_step"] == 12, "another number of devices is no other run"
    assert (tmp_path / "two/adapter_model.safetensors").read_bytes() == before


def test_an_unknown_target_module_is_the_user_s_error(study):
    recipe = study.recipe("targets", lora={"target_modules": ["c_attn"]})
    with pytest.raises(UserError, match="c_attn"):
        study.train_in_process(recipe, "targets")


def test_a_half_written_base_is_noticed(tmp_path, random_base):
    shutil.copytree(random_base, tmp_path / "base")
    study = Study(tmp_path, tmp_path / "base")
    weights_file = tmp_path / "base/model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"model\.safetensors has 1000 bytes.*half-written"):
        study.train_in_process(study.recipe(), "out")


# ------------------------------------------------------------------------------ 4 bits


def test_evaluation_leaves_4_bit_layers_trainable(study):
    """bitsandbytes would repack them on some CPUs, for a kernel without gradients."""
    import torch

    from snaketune.loading import load_base

    recipe = read_recipe(study.recipe("q4", quantized=True))
    layer = load_base(read_json(study.source), recipe).model.layers[0].mlp.gate_proj
    x = torch.randn(3, 64)
    with torch.no_grad():
        before = layer(x)
    layer.train()
    x.requires_grad_()
    after = layer(x)
    assert torch.equal(after, before)
    after.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.slow
def test_qlora_learns_and_repeats_bitwise(study):
    recipe = study.recipe("qlora", quantized=True)
    one = study.train_in_process(recipe, "qlora")
    study.train_in_process(recipe, "qlora-again")
    assert_same_weights(study.folder / "qlora", study.folder / "qlora-again")
    with (study.folder / "qlora/loss.csv").open(encoding="utf-8") as file:
        assert float(next(csv.DictReader(file))["loss"]) > one["train_loss"] + 0.3


def test_help_needs_no_torch():
    code = "import sys; sys.argv[1:] = ['--help']; import {0}; assert 'torch' not in sys.modules"
    for script in ("train_adapter", "merge_adapter", "predict", "write_recipe"):
        subprocess.run([sys.executable, "-c", code.format(script)], check=True, cwd=SCRIPTS)
