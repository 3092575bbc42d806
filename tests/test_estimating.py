"""Estimates of memory and time, against what an H200 was seen to take."""

import json
from types import SimpleNamespace

import pytest

from snaketune.cards import CARDS, card_named
from snaketune.config.tuning import Adapter, Sampling
from snaketune.files import write_json, write_jsonl

EIGHT_B = "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B"
TRAINING = {"bf16": True, "max_steps": 12, "learning_rate": 1e-4}
SEEN = {  # settings, tokens of a record and its longest; GB at most and seconds on one H200
    "packed": (
        {**TRAINING, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 16,
         "max_steps": 5, "packing": True},
        {"r": 32, "lora_dropout": 0.03}, None, 57.7, 66.0,
    ),
    "four_bits": (
        {**TRAINING, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8},
        {"r": 8}, {"bnb_4bit_quant_type": "nf4"}, 8.0, 48.0,
    ),
    "checkpointed": (
        {**TRAINING, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4,
         "gradient_checkpointing": True},
        {"r": 8, "lora_dropout": 0.1}, None, 17.4, 34.5,
    ),
    "two_matrices": (
        {**TRAINING, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4},
        {"r": 8, "target_modules": ["q_proj", "v_proj"]}, None, 21.6, 14.9,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def eight_b():
    from snaketune.shapes import shape_on_hub

    return shape_on_hub(EIGHT_B)


def adapter(training: dict, lora: dict, quantization: dict | None = None) -> Adapter:
    return Adapter.model_validate(
        {"base": "b", "dataset": "d", "training": training, "lora": lora,
         "quantization": quantization}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("a100", "a100"), ("NVIDIA A100-SXM4-80GB", "a100"), ("NVIDIA A100-PCIE-40GB", "a100-40gb"),
        ("NVIDIA H200", "h200"), ("NVIDIA GeForce RTX 4090", "rtx4090"), ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"), ("Tesla T4", None), ("", None),
    ],
)  # fmt: skip
def test_cards_by_the_names_of_clusters_and_drivers(name, card):
    assert card_named(name) == card


@pytest.mark.slow
def test_sizes_of_models_that_are_not_downloaded(eight_b):
    from snaketune.shapes import ARCHITECTURES, shape_on_hub

    counts = {
        "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
        "Qwen/Qwen2.5-1.5B-Instruct": 1_543_714_304,
        "Qwen/Qwen2.5-3B-Instruct": 3_085_938_688,
        "Qwen/Qwen2-7B-Instruct": 7_615_616_512,
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": 7_615_616_512,
        EIGHT_B: 8_190_735_360,
    }
    assert counts.keys() <= json.loads(ARCHITECTURES.read_text()).keys()
    assert {name: shape_on_hub(name).parameters for name in counts} == counts
    assert shape_on_hub("Qwen/Qwen2.5-3B-Instruct").lora(8, ["q_proj", "v_proj"]) == 1_843_200
    assert eight_b.lora(32, "all-linear") == 87_293_952, "as PEFT counted it"
    assert shape_on_hub("someone/unknown") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEN)
def test_memory_and_time_are_near_what_was_measured(eight_b, name):
    from snaketune.estimating import Tokens, hours, training_estimate

    training, lora, quantization, gigabytes, seconds = SEEN[name]
    settings = adapter(training, lora, quantization)
    found = training_estimate(eight_b, settings, Tokens(2200, 190, 225, 28))
    assert found["peak_gb"] == pytest.approx(gigabytes, rel=0.05)
    assert hours(found, CARDS["h200"]) * 3600 == pytest.approx(seconds, rel=0.25)


@pytest.mark.slow
def test_answers_are_near_what_was_measured(eight_b):
    from snaketune.estimating import Tokens, answering_estimate, hours

    sampling = Sampling(max_new_tokens=128, temperature=0.6, responses_per_record=5, batch_size=320)
    found = answering_estimate(eight_b, "bfloat16", None, sampling, Tokens(128, 160, 190))
    assert found["peak_gb"] == pytest.approx(33.0, rel=0.06)
    assert hours(found, CARDS["h200"]) * 3600 == pytest.approx(35.7, rel=0.25)


@pytest.mark.slow
def test_steps_are_those_of_the_published_run(eight_b):
    from snaketune.estimating import Tokens, training_estimate

    rte = adapter({"learning_rate": 5e-6, "num_train_epochs": 10,
                   "per_device_train_batch_size": 4}, {})  # fmt: skip
    rte = rte.model_copy(update={"global_batch_size": 64})
    found = training_estimate(eight_b, rte, Tokens(2490, 90, 300, 2), devices=4)
    assert found["steps"] == 390
    assert found["tokens"] == 2490 * 90 * 10


@pytest.mark.slow
def test_what_does_not_fit_is_said_with_its_mend(tmp_path):
    from snaketune.forecasting import Settings, as_text, forecast

    rows = tmp_path / "train.jsonl"
    text = "花呗怎么还款" * 20
    write_jsonl(rows, [{"id": str(i), "fields": {"q": text}, "label": "是"} for i in range(40)])
    base = {"name": "big", "base": {"source": "hub", "id": EIGHT_B}, "found": tmp_path / "none"}
    prompt = {"user": "{q}"}
    training = {"learning_rate": 1e-4, "per_device_train_batch_size": 64}
    settings = {
        "card": "rtx4090", "devices": 1, "merged": {"big": 1},
        "trained": [{"study": "s", "name": "a", "base": base, "prompt": prompt, "records": rows,
                     "adapter": adapter(training, {}).model_dump(), "metrics": tmp_path / "m"}],
        "asked": [{"study": "s", "name": "tuned: d/test", "base": base, "dtype": "bfloat16",
                   "sampling": {"max_new_tokens": 8}, "prompt": prompt, "records": rows,
                   "metrics": [tmp_path / "n"]}],
    }  # fmt: skip
    found = forecast(Settings.model_validate(settings))
    train, ask = found["jobs"]
    assert train["steps"] == 1 and train["gpu_hours"] > 0 and ask["gpu_hours"] > 0
    (warning,) = found["warnings"]
    assert "s: train a needs about" in warning and "gradient_checkpointing: true" in warning
    assert found["disk_gb"]["bases"] == found["disk_gb"]["merged"] == 16.38
    measured = {"peak_memory_mb": {"gpu": 30000.0}, "tokens_per_second": 1234.0, "mfu": 0.21}
    write_json(tmp_path / "m", measured)
    shown = as_text(forecast(Settings.model_validate(settings)))
    assert "31.5" in shown and "1,234" in shown and "21.0%" in shown
    small = {**settings, "card": "h200"}
    assert forecast(Settings.model_validate(small))["warnings"] == []


@pytest.mark.slow
def test_lengths_are_those_of_the_bases_tokenizer(tmp_path, random_base):
    from snaketune.config.data import Prompt
    from snaketune.forecasting import Known, lengths
    from snaketune.loading import load_tokenizer
    from snaketune.prompts import encode, render

    prompt = Prompt(user="{q}?", answer="{reasoning}{label}")
    rows = tmp_path / "r.jsonl"
    records = [{"id": str(i), "fields": {"q": "x" * i}, "label": "yes"} for i in (3, 9)]
    write_jsonl(rows, records)
    tokenizer = load_tokenizer(random_base)
    found = lengths(Known(None, tokenizer), prompt, rows, reasoning=7)
    messages, _ = render(prompt, records[1])
    assert found.longest == len(encode(tokenizer, messages, "字" * 7 + "yes"))
    assert found.records == 2 and found.answer == 7 * 3 + 3 + 1
    asked = lengths(Known(None, tokenizer), prompt, rows, answered=False)
    assert asked.longest == len(encode(tokenizer, messages))


@pytest.mark.slow
def test_card_of_a_run_is_in_its_metrics(monkeypatch, tmp_path):
    import torch

    from snaketune import measuring

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA A100-SXM4-80GB")
    monkeypatch.setattr(measuring, "shape_in", lambda folder: SimpleNamespace(
        forward_flops=lambda context, scored: 7.8e9))  # fmt: skip
    found = measuring.arithmetic(tmp_path, 100, 0.5, {"tokens_per_second": 10_000, "devices": 1})
    assert found["card"] == "NVIDIA A100-SXM4-80GB" and found["flops_per_token"] == 15_600_000_000
    assert found["mfu"] == pytest.approx(0.5)
