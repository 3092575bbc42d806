"""The config of studies with labels, sums of adapters and grids, and of sources from files."""

import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from snaketune.config.data import Dataset
from snaketune.config.resolve import load_study, merged, read_yaml, resolve
from snaketune.config.study import Study
from snaketune.config.tuning import Adapter
from snaketune.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
NLI = ROOT / "config/studies/nli.yaml"
SEED = ROOT.parent / "shared/seeds/nli.md"
TABLE = {"kind": "table", "path": "a.tsv", "fields": ["text"], "label": "label"}
LABELS = {"kind": "label", "labels": ["yes", "no", "maybe"]}
FIRST = {"rule": "first_word"}
TRAINING = {"learning_rate": 1e-3}
ALONE = {"combine": {"weights": {"a": 1}}}


def study(**changes) -> Study:
    """A small study with two adapters, changed."""
    adapter = {"base": "tiny", "dataset": "d", "training": TRAINING}
    settings = {
        "title": "t",
        "prompts": {"p": {"user": "{text}"}},
        "datasets": {"d": {"source": TABLE, "prompt": "p", "extract": LABELS}},
        "adapters": {"a": adapter, "b": adapter},
        "models": {"base": {"base": "tiny"}, "a": {"adapter": "a", "merge": False}},
        "baseline": "base",
        "evaluations": [{"dataset": "d"}],
        **changes,
    }
    return Study.model_validate(settings)


PUBLISHED = {"model": "a", "dataset": "d", "metric": "accuracy", "value": 0.5}
BASE_ONLY = {"dataset": "d", "models": ["base"]}


def summed(**combine) -> dict:
    """Models, one of them a sum of two adapters."""
    return {"base": {"base": "tiny"}, "x": {"combine": {"weights": {"a": 1, "b": 1}, **combine}}}


def said_of(**changes) -> str:
    with pytest.raises(ValidationError) as caught:
        study(**changes)
    return str(caught.value)


@pytest.fixture
def nli(monkeypatch):
    """The shipped study at a scale."""
    monkeypatch.chdir(ROOT)
    return lambda scale: load_study(NLI, scale)


@pytest.mark.skipif(not SEED.is_file(), reason="the study's text is not on this machine")
def test_published_prompts_are_those_of_the_text(nli):
    text = SEED.read_text(encoding="utf-8")
    prompts = nli("paper").prompts
    for name, columns in (("rte", ("sentence1", "sentence2")), ("mnli", ("premise", "hypothesis"))):
        code = prompts[name].user.replace('"', '\\"')
        for field, column in zip(("premise", "hypothesis"), columns, strict=True):
            code = code.replace(f"{{{field}}}", f'{{item["{column}"]}}')
        assert f'f"{code}"' in text


def test_corrected_prompts_differ_by_one_blank(nli):
    prompts = nli("paper").prompts
    for name in ("rte", "mnli"):
        corrected = prompts[f"{name}_corrected"].user
        assert corrected.replace(". You only", ".You only") == prompts[name].user != corrected


def test_published_recipe(nli):
    adapters = nli("paper").adapters
    for name, epochs, warmup in (("rte", 10, 20), ("mnli", 1, 100)):
        adapter = adapters[name]
        assert (adapter.lora.r, adapter.lora.lora_alpha, adapter.lora.lora_dropout) == (8, 16, 0)
        assert adapter.lora.target_modules == ["q_proj", "v_proj"]
        training = adapter.training
        assert (training.learning_rate, training.weight_decay) == (5e-6, 0.1)
        assert (training.num_train_epochs, training.warmup_steps) == (epochs, warmup)
        assert training.lr_scheduler_type == "cosine" and training.bf16
        assert training.max_length == 4096
        assert adapter.global_batch_size == 4 * 4 * training.per_device_train_batch_size


def test_published_sizes_are_asserted(nli):
    datasets = nli("paper").datasets
    assert datasets["rte"].source.expect == {"train": 2490, "test": 277}
    assert datasets["mnli"].source.expect == {"train": 392702, "test": 9815}
    assert datasets["mnli_mismatched"].source.splits == {"test": "validation_mismatched"}
    assert all(item.duplicates == "keep" and item.split == "given" for item in datasets.values())


def test_every_model_is_asked_both_datasets(nli):
    for scale in ("demo", "paper"):
        asked = {
            e.dataset: e.models for e in nli(scale).evaluations if e.dataset in ("rte", "mnli")
        }
        assert asked["rte"] == asked["mnli"] == list(nli(scale).models)


def test_a_source_of_another_kind_is_replaced_whole():
    base = {"source": {"kind": "nli", "records": 5}, "prompt": "p"}
    over = {"source": {"kind": "table", "path": "x.tsv"}}
    assert merged(base, over) == {"source": {"kind": "table", "path": "x.tsv"}, "prompt": "p"}
    same = {"source": {"kind": "nli", "seed": 1}}
    assert merged(base, same)["source"] == {"kind": "nli", "records": 5, "seed": 1}
    assert merged({"b": {"source": "tiny"}}, {"b": {"source": "hub", "id": "a/b"}}) == {
        "b": {"source": "hub", "id": "a/b"}
    }


def test_yes_and_no_are_labels_and_booleans_where_booleans_are_meant(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("labels: [yes, no, maybe, off]\nflag: true\nother: no\n", encoding="utf-8")
    assert read_yaml(file) == {
        "labels": ["yes", "no", "maybe", "off"],
        "flag": True,
        "other": "no",
    }
    merge = study(models={"base": {"base": "tiny"}, "a": {"adapter": "a", "merge": "no"}})
    assert merge.models["a"].merge is False


def test_grid_adds_the_models_between(nli):
    grids = {"way": {"start": "a", "end": "b", "methods": ["cat", "linear"]}}
    made = study(grids=grids)
    assert list(made.models) == [
        "base", "a", "way.cat.0.25", "way.cat.0.5", "way.cat.0.75", "way.1",
        "way.linear.0.25", "way.linear.0.5", "way.linear.0.75",
    ]  # fmt: skip
    assert made.models["way.cat.0.25"].combine.weights == {"a": 0.75, "b": 0.25}
    assert made.models["way.linear.0.75"].combine.method == "linear"
    assert made.models["way.1"].adapter == "b"
    assert all(made.models[name].base == "tiny" for name in made.models)
    assert made.evaluations[0].models == list(made.models)


def test_grid_uses_models_that_are_there(nli):
    half = {"combine": {"weights": {"a": 0.5, "b": 0.5}}, "merge": False}
    models = {"base": {"base": "tiny"}, "a": {"adapter": "a", "merge": False}, "half": half}
    made = study(models=models, grids={"way": {"start": "a", "end": "b", "weights": [0, 0.5, 1]}})
    assert list(made.models) == ["base", "a", "half", "way.1"]


def test_grid_by_its_name_in_an_evaluation():
    grids = {"way": {"start": "a", "end": "b", "weights": [0, 0.5, 1]}}
    made = study(grids=grids, evaluations=[{"dataset": "d", "models": ["base", "way"]}])
    assert made.evaluations[0].models == ["base", "a", "way.cat.0.5", "way.1"]


def test_points_of_a_grid_reach_the_rules(monkeypatch):
    monkeypatch.chdir(ROOT)
    config = resolve({"run": "r", "scale": "demo", "studies": ["nli"]})
    points = config["studies"]["nli"]["grids"]["rte_to_mnli"]["points"]
    assert [p["weight"] for p in points] == [0, 0.25, 0.5, 0.75, 1]
    assert [points[i]["model"] for i in (0, 2, 4)] == ["rte", "half_cat", "mnli"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grids": {"way": {"start": "a", "end": "c"}}}, "adapter 'c'"),
        ({"grids": {"a": {"start": "a", "end": "b"}}}, "grids.a: a model has this name"),
        (
            {"models": {"base": {"base": "tiny"}, "x": {"combine": {"weights": {"a": 1, "d": 1}}}}},
            "models.x.combine.weights.d: no adapter 'd'",
        ),
        (
            {"models": {"base": {"base": "tiny"}, "x": {"adapter": "a", **ALONE}}},
            "exclude each other",
        ),
        ({"evaluations": [{"dataset": "d", "models": ["base", "a", "a"]}]}, "asked for twice"),
        ({"grids": {"way": {"start": "a", "end": "a"}}}, "one adapter"),
        ({"grids": {"way": {"start": "a", "end": "b", "weights": [0.5, 0.5000001]}}}, "two are"),
        (
            {"grids": {"way": {"start": "a", "end": "b"}}, "evaluations": [BASE_ONLY]},
            "no evaluation asks",
        ),
        ({"models": summed(method="ties", weights={"a": 1})}, "name two"),
        ({"models": summed(weights={"a": float("nan"), "b": 1})}, "finite number"),
        ({"models": summed(method="cat", rank=4)}, "belongs to svd"),
        ({"models": summed(method="svd", rank=99)}, "is over 16"),
        ({"published": [PUBLISHED, PUBLISHED]}, "two numbers for a on d"),
    ],
)  # fmt: skip
def test_grids_and_sums_that_cannot_be(changes, said):
    assert said in said_of(**changes)


def test_parts_of_a_sum_stand_on_the_same_weights():
    adapter = {"base": "tiny", "dataset": "d", "training": TRAINING}
    models = {"base": {"base": "tiny"}, "x": {"combine": {"weights": {"a": 1, "b": 1}}}}
    quantised = {"a": adapter, "b": {**adapter, "quantization": {}}}
    assert "differently quantised" in said_of(adapters=quantised, models=models)
    ranks = {"a": adapter, "b": {**adapter, "lora": {"r": 4}}}
    assert "use cat or svd" in said_of(adapters=ranks, models=summed(method="linear"))
    assert study(adapters=ranks, models=summed(method="cat")).models["x"].base == "tiny"
    dora = {"a": adapter, "b": {**adapter, "lora": {"use_dora": True}}}
    assert "'b' is a DoRA adapter" in said_of(adapters=dora, models=models)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": "given"}, "the source names no splits"),
        ({"source": {**TABLE, "labels": {"1": "ja"}}}, "lacks ja"),
        ({"source": {**TABLE, "label": None, "labels": {"1": "yes"}}}, "name it as label"),
        ({"source": {**TABLE, "expect": {"train": 5}}}, "expect.train"),
        ({"source": {**TABLE, "expect": {"all": -1}}}, "greater than or equal to 0"),
        ({"source": {**TABLE, "encoding": "nonsense"}}, "no encoding 'nonsense'"),
        ({"source": {**TABLE, "labels": {0: "yes", "0": "no"}}}, "stands there twice"),
        ({"source": {**TABLE, "path": {"train": "a", "test": "a"}}}, "one file for two splits"),
        (
            {"extract": {**LABELS, "readings": {"r": {**FIRST, "map": {"mayby": "no"}}}}},
            "Did you mean 'maybe'?",
        ),
        ({"source": {**TABLE, "kind": "hub", "id": "a/b", "splits": {"test": "x"}}}, "path"),
    ],
)  # fmt: skip
def test_datasets_that_cannot_be(changes, said):
    with pytest.raises(ValidationError) as caught:
        Dataset.model_validate({"source": TABLE, "prompt": "p", "extract": LABELS, **changes})
    assert said in str(caught.value)


def test_a_hub_names_the_splits():
    hub = {"kind": "hub", "id": "a/b", "splits": {"test": "dev"}, "fields": ["text"], "label": "l"}
    settings = {"source": hub, "prompt": "p", "extract": LABELS}
    made = Dataset.model_validate(settings)
    assert made.split == "given"
    assert made.has_split("test") and not made.has_split("train")
    with pytest.raises(ValidationError, match="shares would mix the splits"):
        Dataset.model_validate({**settings, "split": {"train": 0.5, "test": 0.4}})


def test_files_of_a_table_that_are_splits_stay_splits():
    source = {**TABLE, "path": {"train": "a.tsv", "test": "b.tsv"}}
    settings = {"source": source, "prompt": "p", "extract": LABELS}
    assert Dataset.model_validate(settings).split == "given"
    with pytest.raises(ValidationError, match="shares would mix the splits"):
        Dataset.model_validate({**settings, "split": {}})
    assert Dataset.model_validate({**settings, "source": TABLE}).split.train == 0.7


def test_labels_of_a_column_may_be_numbers():
    source = {**TABLE, "labels": {0: "yes", "1": "no", -1: None}}
    made = Dataset.model_validate({"source": source, "prompt": "p", "extract": LABELS})
    assert made.source.labels == {"0": "yes", "1": "no", "-1": None}


def test_global_batch_sets_the_accumulation():
    adapter = {"base": "tiny", "dataset": "d", "training": TRAINING, "global_batch_size": 64}
    assert Adapter.model_validate(adapter).global_batch_size == 64
    with pytest.raises(ValidationError, match="no multiple of"):
        Adapter.model_validate({**adapter, "global_batch_size": 60})
    twice = {**adapter, "training": {**TRAINING, "gradient_accumulation_steps": 2}}
    with pytest.raises(ValidationError, match="state one"):
        Adapter.model_validate(twice)


def test_an_adapter_needs_labels_to_train_on():
    source = {key: value for key, value in TABLE.items() if key != "label"}
    datasets = {"d": {"source": source, "prompt": "p", "extract": LABELS}}
    assert "names no label" in said_of(datasets=datasets)


def test_the_example_is_a_study_over_files_of_the_user(tmp_path, monkeypatch):
    example = ROOT / "config/examples/glue_files.yaml"
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "resources", tmp_path / "resources")
    with pytest.raises(UserError, match=r"datasets.rte.source.path: no file data/rte/train.tsv"):
        load_study(example, "demo")
    paths = []
    for dataset in yaml.safe_load(example.read_text(encoding="utf-8"))["datasets"].values():
        path = dataset["source"]["path"]
        paths += path.values() if isinstance(path, dict) else [path]
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    assert load_study(example, "demo").datasets["rte"].source.expect["test"] == 277
