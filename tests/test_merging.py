"""Merging: the merged weights answer as base and adapter do, or are not written."""

import json

import pytest
from tuning import Study, command, run

from snaketune.errors import UserError
from snaketune.files import read_json, sha256_file
from snaketune.folders import publish, read_manifest


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.fixture(scope="module")
def lora(study):
    recipe = study.recipe("lora")
    study.train_in_process(recipe, "lora")
    return recipe


@pytest.fixture(scope="module")
def qlora(study):
    recipe = study.recipe("qlora", quantized=True)
    study.train_in_process(recipe, "qlora")
    return recipe


def merge(study, recipe, adapter, out):
    from snaketune.merging import merge

    return merge(recipe, study.source, study.folder / adapter, study.validation, study.folder / out)


def test_merged_and_unmerged_lora_answer_alike(study, lora):
    parity = merge(study, lora, "lora", "merged-lora")
    assert parity["prompts"] == 12 and parity["equal_argmax"] == 1
    assert 0 < parity["max_difference"] < 1e-4
    folder = study.folder / "merged-lora"
    assert read_json(folder / "parity.json") == parity
    weights = [path.name for path in folder.iterdir() if path.suffix in (".safetensors", ".bin")]
    assert weights == ["model.safetensors"]


def test_the_adapter_changed_something(study, lora):
    """Else parity would prove nothing."""
    import torch

    from snaketune.loading import load_model

    merge(study, lora, "lora", "merged-changed")
    ids = torch.arange(40)[None]
    with torch.no_grad():
        base = load_model(study.base, "float32")(ids).logits
        merged = load_model(study.folder / "merged-changed", "float32")(ids).logits
    assert (merged - base).abs().mean() > 0.05 * base.std()


def test_qlora_is_merged_into_the_weights_it_was_trained_on(study, qlora):
    import torch

    from snaketune.loading import load_base, load_model
    from snaketune.recipe import read_recipe

    parity = merge(study, qlora, "qlora", "merged-qlora")
    assert parity["equal_argmax"] == 1 and parity["max_difference"] < 1e-4
    folder = study.folder / "merged-qlora"
    assert "quantization_config" not in read_json(folder / "config.json")
    rounded = load_base(read_json(study.source), read_recipe(qlora)).dequantize()
    merged, plain = load_model(folder, "float32"), load_model(study.base, "float32")
    name = "model.layers.0.self_attn.v_proj.weight"
    found = merged.get_parameter(name)
    delta = found - rounded.get_parameter(name)
    assert torch.linalg.matrix_rank(delta, rtol=1e-3) <= 8
    assert torch.linalg.matrix_rank(found - plain.get_parameter(name), rtol=1e-3) > 8


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_within_its_own_tolerance(study, lora, dtype):
    recipe = study.folder / f"lora-{dtype}.yaml"
    recipe.write_text(lora.read_text(encoding="utf-8").replace("dtype: float32", f"dtype: {dtype}"))
    parity = merge(study, recipe, "lora", f"merged-{dtype}")
    assert parity["dtype"] == dtype
    assert 0 < parity["mean_difference"] / parity["standard_deviation"] < parity["tolerance"]
    assert 0 < parity["rounding"] < parity["tolerance"]


def test_a_wrong_merge_is_refused_and_leaves_no_model(study, lora, monkeypatch):
    """As if the adapter were scaled wrongly: twice its weights."""
    from snaketune import merging

    whole = merging._merge_weights

    def doubled(unmerged, *rest):
        for name, weight in unmerged.named_parameters():
            if "lora_B" in name:
                weight.data *= 2
        return whole(unmerged, *rest)

    monkeypatch.setattr(merging, "_merge_weights", doubled)
    with pytest.raises(UserError, match="merged and unmerged weights answer differently"):
        merge(study, lora, "lora", "merged-wrong")
    assert not (study.folder / "merged-wrong").exists()


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_damaged_adapter_is_named_removed_and_rebuilt(study, lora, name):
    file = study.folder / "lora" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=rf"lora/{name} was cut off.*run the same command again"):
        merge(study, lora, "lora", "merged-damaged")
    assert not file.exists()
    assert study.train_in_process(lora, "lora")["resumed_from_step"] == 12
    assert file.read_bytes() == whole


def test_no_sampling_default_of_the_base_survives(study, lora, tmp_path, random_base):
    import shutil

    base = tmp_path / "base"
    shutil.copytree(random_base, base)
    (base / "generation_config.json").write_text(
        json.dumps({"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20,
                    "repetition_penalty": 1.1, "eos_token_id": [258, 256], "pad_token_id": 256})
    )  # fmt: skip
    other = Study(tmp_path, base)
    other.train_in_process(other.recipe("lora", training={"max_steps": 2}), "lora")
    merge(other, tmp_path / "lora.yaml", "lora", "merged")
    found = read_json(tmp_path / "merged/generation_config.json")
    assert found["eos_token_id"] == [258, 256] and found["do_sample"] is False
    assert not found.keys() & {"temperature", "top_p", "top_k", "repetition_penalty"}


def test_the_manifest_lists_every_file_and_comes_last(study, lora):
    merge(study, lora, "lora", "merged-listed")
    folder = study.folder / "merged-listed"
    manifest = read_manifest(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == manifest["files"].keys() | {"manifest.json"}
    assert {"config.json", "tokenizer.json", "chat_template.jinja", "parity.json"} < names
    for name, facts in manifest["files"].items():
        assert facts["sha256"] == sha256_file(folder / name)
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "manifest.json"


def test_a_half_written_model_folder_is_no_model(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part/model.safetensors").write_bytes(b"12345")
    out = tmp_path / "model"
    publish(tmp_path / "part", out, {"adapter": "a"})
    assert read_manifest(out)["adapter"] == "a"
    (out / "model.safetensors").write_bytes(b"123")
    with pytest.raises(UserError, match=r"rebuilt\..*3 bytes, not 5"):
        read_manifest(out)
    assert not (out / "manifest.json").exists()


def test_a_failed_publication_leaves_no_old_manifest(tmp_path, monkeypatch):
    from snaketune import folders

    def publish_text(text: str):
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "part/weights").write_text(text)
        publish(tmp_path / "part", tmp_path / "model", {})

    def fail(source, target):
        raise OSError("killed")

    publish_text("old")
    monkeypatch.setattr(folders, "move", fail)
    with pytest.raises(OSError, match="killed"):
        publish_text("new")
    assert not (tmp_path / "model/manifest.json").exists()


def test_an_empty_validation_file_leaves_the_prompt_to_compare_on(study, lora, tmp_path):
    from snaketune.merging import merge

    empty = tmp_path / "empty.jsonl"
    empty.touch()
    adapter = study.folder / "lora"
    parity = merge(lora, study.source, adapter, empty, tmp_path / "merged")
    assert parity["prompts"] == 1 and parity["tokens"] > 20
    assert 0 < parity["max_difference"] < 1e-4 and parity["equal_argmax"] == 1


def test_a_combined_adapter_is_merged_under_its_own_name(study, lora, tmp_path):
    """Twice the adapter, by the recipe of its part: the merged weights move twice as far."""
    import shutil

    from safetensors.torch import load_file, save_file

    from snaketune.loading import load_model
    from snaketune.merging import merge

    double = tmp_path / "double"
    shutil.copytree(study.folder / "lora", double)
    weights = load_file(double / "adapter_model.safetensors")
    doubled = {name: t * 2 if "lora_B" in name else t for name, t in weights.items()}
    save_file(doubled, double / "adapter_model.safetensors")
    merge(lora, study.source, double, study.validation, tmp_path / "merged-double")
    merge(lora, study.source, study.folder / "lora", study.validation, tmp_path / "merged-once")
    assert read_manifest(tmp_path / "merged-double")["adapter"] == "double"
    assert read_manifest(tmp_path / "merged-once")["adapter"] == "lora"
    folders = (study.base, tmp_path / "merged-once", tmp_path / "merged-double")
    name = "model.layers.0.self_attn.q_proj.weight"
    base, once, twice = (load_model(path, "float32").get_parameter(name) for path in folders)
    assert (twice - base - 2 * (once - base)).abs().max() < 1e-5 < (once - base).abs().max()


@pytest.mark.slow
def test_the_script_merges(study, lora):
    out = study.folder / "merged-script"
    words = command(
        "merge_adapter",
        recipe=lora,
        base=study.source,
        adapter=study.folder / "lora",
        records=study.validation,
        out=out,
    )
    assert "100.00 % choose the same token" in run(words)
    assert read_manifest(out)["adapter"] == "lora"
