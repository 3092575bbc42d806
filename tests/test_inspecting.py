"""Inspection: the tensors of an adapter, their sizes, and how much each changes the base."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from snaketune.errors import UserError
from snaketune.files import read_json, write_json
from snaketune.inspecting import as_csv, as_html, inspect, inspect_untrained, summarise
from snaketune.recipe import write_recipe

SCRIPT = Path(__file__).resolve().parents[1] / "scripts/inspect_adapter.py"
LAYER = "base_model.model.model.layers.{}.self_attn.{}.lora_{}.weight"
QWEN25_3B = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 2048,
    "intermediate_size": 11008,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
"""Sizes of Qwen2.5-3B-Instruct."""


def write_adapter(folder: Path, tensors: dict[str, np.ndarray], **config) -> Path:
    """A LoRA adapter's two files."""
    from safetensors.numpy import save_file

    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    plain = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "bias": "none"}
    write_json(folder / "adapter_config.json", {**plain, **config})
    return folder


def tensors(layers: int = 12, dtype=np.float32) -> dict[str, np.ndarray]:
    """Random factors of q_proj and v_proj."""
    draw = np.random.default_rng(0)
    made = {}
    for layer in range(layers):
        for kind, outputs in (("q_proj", 16), ("v_proj", 4)):
            made[LAYER.format(layer, kind, "A")] = draw.normal(size=(3, 16)).astype(dtype)
            made[LAYER.format(layer, kind, "B")] = draw.normal(size=(outputs, 3)).astype(dtype)
    return made


def recipe(folder: Path, **lora) -> Path:
    """A recipe with LoRA on q_proj and v_proj."""
    path = folder / "recipe.yaml"
    adapter = {
        "base": "qwen",
        "dataset": "mnli",
        "training": {"learning_rate": 5e-6},
        "lora": {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], **lora},
    }
    settings = {"study": "nli", "name": "mnli", "adapter": adapter, "prompt": {"user": "{x}"}}
    write_recipe(settings, path)
    return path


def rows(found) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(found))))


def test_the_published_figures_on_the_published_architecture(tmp_path):
    write_json(tmp_path / "config.json", QWEN25_3B)
    found = inspect_untrained(recipe(tmp_path), tmp_path / "config.json")
    summary = summarise(found, "mnli")
    assert summary["tensors"] == 144 and summary["modules"] == 72 and summary["ranks"] == [8]
    assert summary["parameters"] == 1_843_200
    assert summary["bytes"] == 7_372_800 and summary["mebibytes"] == 7.03
    assert summary["delta_norm"] is None and "not trained" in summary["no_norms"]
    shapes = {tensor.name: (*tensor.shape, tensor.dtype) for tensor in found.tensors}
    for layer in (0, 35):
        assert shapes[LAYER.format(layer, "q_proj", "A")] == (8, 2048, "float32")
        assert shapes[LAYER.format(layer, "q_proj", "B")] == (2048, 8, "float32")
        assert shapes[LAYER.format(layer, "v_proj", "A")] == (8, 2048, "float32")
        assert shapes[LAYER.format(layer, "v_proj", "B")] == (256, 8, "float32")
    html = as_html(found, "mnli", "NLI")
    for cell in ("self_attn.q_proj", "36", "2048 × 8", "256 × 8", "1,843,200", "7.03 MiB"):
        assert cell in html
    assert "layer by layer" not in html


def test_an_untrained_adapter_is_what_training_would_write(tmp_path, random_base):
    """Names and shapes are those of PEFT's own file."""
    from peft import LoraConfig, get_peft_model

    from snaketune.loading import load_model

    tuned = get_peft_model(
        load_model(random_base, "float32"),
        LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=["q_proj", "v_proj"]),
    )
    tuned.save_pretrained(tmp_path / "trained", save_embedding_layers=False)
    untrained = inspect_untrained(recipe(tmp_path), random_base)
    trained = inspect(tmp_path / "trained")
    assert untrained.tensors == trained.tensors
    assert summarise(trained, "a")["delta_norm"] == 0  # PEFT begins with B = 0


def test_modules_that_the_base_has_not_are_refused(tmp_path):
    write_json(tmp_path / "config.json", QWEN25_3B)
    with pytest.raises(UserError, match=r"recipe\.yaml does not fit .*config\.json.*w_pack"):
        inspect_untrained(recipe(tmp_path, target_modules=["w_pack"]), tmp_path / "config.json")
    write_json(tmp_path / "config.json", {"model_type": "nothing"})
    with pytest.raises(UserError, match="no architecture of a causal language model"):
        inspect_untrained(recipe(tmp_path), tmp_path / "config.json")


@pytest.mark.parametrize(("stable", "scaling"), [(False, 6 / 3), (True, 6 / 3**0.5)])
def test_norms_are_those_of_the_scaled_products(tmp_path, stable, scaling):
    made = tensors()
    found = inspect(write_adapter(tmp_path / "a", made, use_rslora=stable))
    table = {row["tensor"]: row for row in rows(found)}
    assert list(table) == [  # layer 2 before layer 10
        LAYER.format(layer, kind, side)
        for layer in range(12)
        for kind in ("q_proj", "v_proj")
        for side in "AB"
    ]
    squares = 0.0
    for name, row in table.items():
        if name.endswith("lora_A.weight"):
            assert row["delta_norm"] == ""
            continue
        delta = scaling * made[name] @ made[name.replace("lora_B", "lora_A")]
        assert float(row["delta_norm"]) == pytest.approx(np.linalg.norm(delta), rel=1e-5)
        squares += (delta**2).sum()
    summary = summarise(found, "a")
    assert summary["delta_norm"] == pytest.approx(squares**0.5, rel=1e-5)
    assert summary["parameters"] == 12 * (3 * 16 + 16 * 3 + 3 * 16 + 4 * 3)
    assert summary["bytes"] == 4 * summary["parameters"]
    assert summary["file_bytes"] == (tmp_path / "a/adapter_model.safetensors").stat().st_size


def test_half_precision_is_counted_as_such(tmp_path):
    import torch
    from safetensors.torch import save_file

    made = {name: torch.from_numpy(value).bfloat16() for name, value in tensors(1).items()}
    folder = write_adapter(tmp_path / "a", tensors(1, np.float16))
    half = inspect(folder)
    save_file(made, folder / "adapter_model.safetensors")
    brain = inspect(folder)
    for found, dtype in ((half, "float16"), (brain, "bfloat16")):
        summary = summarise(found, "a")
        assert summary["bytes"] == 2 * summary["parameters"]
        assert {row["dtype"] for row in rows(found)} == {dtype}
    assert brain.norms == pytest.approx(half.norms, rel=0.01)


def test_the_page_has_every_layer_and_kind(tmp_path):
    found = inspect(write_adapter(tmp_path / "a", tensors()))
    html = as_html(found, "mnli <1>", "NLI & more")
    assert "NLI &amp; more: adapter mnli &lt;1&gt;" in html
    assert len(re.findall(r"<tr><td>\d+</td>", html)) == 12
    assert all(f"{norm:#.4g}" in html for norm in found.norms.values())


@pytest.mark.parametrize(
    "config", [{"use_dora": True}, {"alpha_pattern": {"q_proj": 3}}, {"bias": "all"}]
)
def test_no_norm_is_given_where_it_would_be_wrong(tmp_path, config):
    found = inspect(write_adapter(tmp_path / "a", tensors(1), **config))
    summary = summarise(found, "a")
    assert summary["delta_norm"] is None and summary["no_norms"]
    assert summary["tensors"] == 4
    assert f"No norms: {summary['no_norms']}." in as_html(found, "a", "t")


def test_other_kinds_of_adapters_are_refused(tmp_path):
    folder = write_adapter(tmp_path / "a", tensors(1), peft_type="IA3")
    with pytest.raises(UserError, match="peft_type is IA3; LORA is expected"):
        inspect(folder)


def test_values_of_another_type_are_refused(tmp_path):
    folder = write_adapter(tmp_path / "a", tensors(1, np.int8))
    with pytest.raises(UserError, match=r"layers\.0\..* is of type I8; known are F64, F32"):
        inspect(folder)


def test_the_script_needs_no_torch(tmp_path):
    folder = write_adapter(tmp_path / "a", tensors(2))
    words = ["--adapter", str(folder), "--settings", json.dumps({"title": "NLI", "adapter": "x"})]
    for kind, name in (("csv", "t.csv"), ("summary", "t.json"), ("html", "t.html")):
        words += [f"--{kind}", str(tmp_path / name)]
    command = [sys.executable, "-X", "importtime", str(SCRIPT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert " snaketune.inspecting" in done.stderr
    assert not re.search(r"\b(torch|transformers|peft)\b", done.stderr)
    found = inspect(folder)
    assert read_json(tmp_path / "t.json") == summarise(found, "x")
    assert (tmp_path / "t.csv").read_text() == as_csv(found)
    assert (tmp_path / "t.html").read_text() == as_html(found, "x", "NLI")


def test_the_script_wants_one_kind_of_adapter(tmp_path):
    words = ["--csv", "a", "--summary", "b", "--html", "c", "--recipe", "r.yaml"]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True)
    assert done.returncode == 1 and "--recipe with --architecture" in done.stderr
