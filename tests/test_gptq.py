"""Bases in GPTQ, as far as can be seen without gptqmodel: refusals, layers, environment, sizes."""

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_engine_config import BASE, models, study
from tuning import Study
from workflow import Project

from snaketune import gptq
from snaketune.config.tuning import LocalBase, Lora
from snaketune.errors import UserError
from snaketune.files import read_json, write_json

INT4 = "Qwen/Qwen2.5-1.5B-Instruct-GPTQ-Int4"
ON_GPTQ = {**BASE["adapters"]["lora"], "base": "int4"}
UNMERGED = {"adapter": "lora", "merge": False}


def on_gptq(trained: dict | None = None, **tuned):
    """A study whose base is in GPTQ, with an adapter on it."""
    return study(
        bases={"int4": {"source": "hub", "id": INT4, "quantized": "gptq"}},
        adapters={"lora": ON_GPTQ | (trained or {})},
        models=models(base={"base": "int4"}, tuned=UNMERGED | tuned),
    )


@pytest.mark.parametrize(
    ("adapter", "tuned", "said"),
    [
        ({}, {"merge": True}, "models.tuned.merge: no adapter can be merged .*set merge: false"),
        ({}, {"engine": "vllm"}, "models.tuned.engine: vLLM puts no adapter on a base in 4 bits"),
        ({"quantization": {}}, {}, "adapters.lora.quantization: .*quantised already"),
        ({"lora": {"use_dora": True}}, {}, "adapters.lora.lora.use_dora: PEFT puts no DoRA"),
        (
            {},
            {"adapter": None, "base": "int4", "serve": {"program": "transformers"}},
            "models.tuned.serve.program: base 'int4' is in GPTQ",
        ),
    ],
)
def test_what_such_a_base_cannot_do_is_refused_with_the_config(adapter, tuned, said):
    assert on_gptq().models["tuned"].base == "int4"
    with pytest.raises(ValueError, match=said):
        on_gptq(adapter, **tuned)


def stored(folder, method: str | None):
    folder.mkdir()
    settings = {"quantization_config": {"quant_method": method, "bits": 4}} if method else {}
    write_json(folder / "config.json", {"model_type": "qwen2", **settings})
    return folder


@pytest.mark.parametrize(
    ("declared", "method", "said"),
    [
        (None, "gptq", r"bases.b.quantized: the weights in .* are in GPTQ; set it to gptq\."),
        ("gptq", None, r"bases.b.quantized: the weights in .* are whole; take it out\."),
        (None, "awq", r"bases.b: the weights in .* are quantised by awq\. Read are whole"),
        ("gptq", "gptq", None),
        (None, None, None),
    ],
)
def test_the_config_and_the_folder_say_the_same(tmp_path, declared, method, said):
    folder = stored(tmp_path / "base", method)
    if said is None:
        gptq.check_declared("b", declared, folder)
        return
    with pytest.raises(UserError, match=said):
        gptq.check_declared("b", declared, folder)


def test_a_base_that_says_nothing_of_gptq_is_found_out_when_it_is_located(tmp_path):
    from snaketune.bases import TINY, locate

    folder = tmp_path / "base"
    shutil.copytree(TINY, folder)
    config = read_json(folder / "config.json") | {"quantization_config": {"quant_method": "gptq"}}
    write_json(folder / "config.json", config)
    with pytest.raises(UserError, match=r"bases\.mine\.quantized"):
        locate("mine", LocalBase(source="local", path=str(folder)))
    told = LocalBase(source="local", path=str(folder), quantized="gptq")
    assert locate("mine", told)["path"] == str(folder)


def test_missing_packages_are_named_with_their_mend(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="gptqmodel and optimum are not installed here") as error:
        gptq.check_packages(tmp_path)
    assert "pip install --no-deps -r requirements-gptq.lock" in str(error.value)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "optimum" or None)
    with pytest.raises(UserError, match="and optimum is not installed here"):
        gptq.check_packages(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    gptq.check_packages(tmp_path)


def test_all_linear_is_every_quantised_layer_but_the_head():
    head, layer, norm = (SimpleNamespace(qweight=1), SimpleNamespace(qweight=1), SimpleNamespace())
    names = {"model.layers.0.mlp.up_proj": layer, "model.norm": norm, "lm_head": head}
    model = SimpleNamespace(named_modules=names.items, get_output_embeddings=lambda: head)
    found = gptq.spelled_out(Lora(r=4), model)
    assert found["target_modules"] == ["model.layers.0.mlp.up_proj"] and found["r"] == 4
    named = gptq.spelled_out(Lora(target_modules=["q_proj"]), model)
    assert named["target_modules"] == ["q_proj"]
    del layer.qweight
    assert gptq.spelled_out(Lora(), model)["target_modules"] == "all-linear"


@pytest.mark.slow
def test_what_cannot_be_loaded_is_said_before_it_is(tmp_path, random_base, monkeypatch):
    from snaketune import loading
    from snaketune.config.tuning import Quantization

    folder = tmp_path / "base"
    shutil.copytree(random_base, folder)
    config = read_json(folder / "config.json") | {"quantization_config": {"quant_method": "gptq"}}
    write_json(folder / "config.json", config)
    tuned = Study(tmp_path, folder)
    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", None)
    with pytest.raises(UserError, match="in GPTQ already; set quantization: null"):
        loading.load_model(folder, "float32", quantization=Quantization())
    monkeypatch.setattr(gptq, "installed", list)
    with pytest.raises(UserError, match="gptqmodel and optimum are not installed here"):
        tuned.train_in_process(tuned.recipe(), "out")


@pytest.mark.slow
def test_weights_in_gptq_are_estimated_at_their_size(tmp_path):
    """Half a byte each and a fiftieth for the scales; embeddings stay whole."""
    from snaketune.files import write_jsonl
    from snaketune.forecasting import Settings, forecast

    rows = tmp_path / "rows.jsonl"
    write_jsonl(
        rows, [{"id": str(i), "fields": {"sentence": "青岛"}, "label": "是"} for i in (1, 2)]
    )
    prompt = {"user": "{sentence}"}

    def found(**how):
        base = {"source": "hub", "id": INT4, **how}
        about = {"study": "s", "prompt": prompt, "records": rows}
        about["base"] = {"name": "b", "base": base, "found": tmp_path / "none"}
        adapter = {**ON_GPTQ, "training": {"learning_rate": 1e-3, "max_steps": 1}}
        trained = {**about, "name": "a", "adapter": adapter, "metrics": tmp_path / "m"}
        asked = {**about, "name": "a", "dtype": "bfloat16", "sampling": {}}
        asked["metrics"] = [tmp_path / "n"]
        return forecast(Settings.model_validate({"trained": [trained], "asked": [asked]}))

    small, whole = found(quantized="gptq"), found()
    weights = [[job["memory_gb"]["weights"] for job in each["jobs"]] for each in (small, whole)]
    assert weights == [[1.15, 1.15], [3.09, 3.09]]
    assert (small["disk_gb"]["bases"], whole["disk_gb"]["bases"]) == (1.15, 3.09)


CONDA = """#!/bin/sh
case "$1" in
  info) echo '{"platform": "linux-64", "conda_prefix": "/no", "conda_version": "25.1.0"}' ;;
  config) echo '{"get": {"channel_priority": "strict"}}' ;;
  *) echo "conda 25.1.0" ;;
esac
"""


@pytest.mark.slow
def test_jobs_that_load_such_a_base_have_its_environment(tmp_path):
    """Snakemake lists what it would make; a conda that answers its questions is enough for that."""
    project = Project.copied(tmp_path / "project")
    conda = tmp_path / "bin/conda"
    conda.parent.mkdir()
    conda.write_text(CONDA)
    conda.chmod(0o755)

    def environments(*target: str) -> set[str]:
        places = (str(conda.parent), str(Path(sys.executable).parent), os.environ["PATH"])
        how = ("--configfile", "config/paper.yaml", "-n", "--list-conda-envs")
        said = project.snakemake(*target, *how, PATH=os.pathsep.join(places))
        return {line.split()[0] for line in said.splitlines() if line.startswith("envs/")}

    place = "results/paper/weather"
    trained = f"{place}/adapters/{{}}/adapter_model.safetensors"
    assert environments(trained.format("lora")) == {"envs/data.yaml", "envs/train.yaml"}
    answered = f"{place}/predictions/base/weather/test.jsonl"
    for target in (trained.format("qlora"), answered):
        assert "envs/gptq.yaml" in environments(target)
