"""Sweeps: one adapter and model a combination, names that tell them apart, averages over seeds."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from workflow import Project

from snaketune.config.resolve import load_study, read_yaml
from snaketune.config.sweeps import LISTS, SEEDS, expanded, text_of
from snaketune.config.tuning import Adapter, Lora, Quantization, Training, Variant
from snaketune.errors import UserError
from snaketune.seeds import over_seeds, with_seeds

ROOT = Path(__file__).resolve().parents[1]

STUDY = """
title: A sweep
prompts: {ask: {user: "{sentence}"}}
datasets:
  d:
    source: {kind: file, path: records.jsonl, fields: [sentence]}
    prompt: ask
    extract: {kind: label, labels: [a, b]}
adapters:
  one:
    base: tiny
    dataset: d
    seeds: [0, 1, 2]
    training: {learning_rate: [1.0e-3, 5.0e-5]}
    lora: {r: [8, 16], target_modules: [q_proj, v_proj]}
  other:
    base: tiny
    dataset: d
    training: {learning_rate: 1.0e-3}
models:
  base: {base: tiny}
  tuned: {adapter: one, merge: false}
  plain: {adapter: other, merge: false}
baseline: base
evaluations: [{dataset: d, split: test, models: [base, tuned]}]
published: [{model: tuned, dataset: d, metric: accuracy, value: 0.5}]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a record, and a function that writes the study with changes and loads it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    Path("records.jsonl").write_text("{}\n", encoding="utf-8")

    def load(**changes):
        data = yaml.safe_load(STUDY)
        for path, value in changes.items():
            place = data
            *parents, last = path.split("__")
            for key in parents:
                place = place[key]
            place[last] = value
        Path("study.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
        return load_study(Path("study.yaml"), "demo")

    return load


def test_every_combination_is_an_adapter_and_a_model(project):
    study = project()
    swept = [name for name in study.adapters if name != "other"]
    assert len(swept) == 2 * 2 * 3
    assert swept[0] == "one.r-8.learning_rate-0.001.seed-0"
    last = study.adapters["one.r-16.learning_rate-5e-5.seed-2"]
    assert (last.training.learning_rate, last.lora.r, last.training.seed) == (5e-5, 16, 2)
    assert last.lora.target_modules == ["q_proj", "v_proj"]
    model = study.models["tuned.r-16.learning_rate-5e-5.seed-2"]
    assert model.adapter == "one.r-16.learning_rate-5e-5.seed-2"
    assert model.variant == Variant(of="tuned", average_as="tuned.r-16.learning_rate-5e-5")
    assert study.models["plain"].variant is None
    assert len(study.evaluations[0].models) == 1 + 12


def test_without_lists_a_study_is_left_as_it_is():
    data = yaml.safe_load(STUDY)
    data["adapters"]["one"] = data["adapters"]["other"]
    assert expanded(data) is data


def test_lists_of_modules_are_swept_by_lists_of_lists(project):
    study = project(adapters__one__lora={"target_modules": [["q_proj", "v_proj"], "all-linear"]})
    modules = {name: a.lora.target_modules for name, a in study.adapters.items() if "one" in name}
    assert modules["one.target_modules-q_proj-v_proj.learning_rate-0.001.seed-0"] == [
        "q_proj",
        "v_proj",
    ]
    assert modules["one.target_modules-all-linear.learning_rate-0.001.seed-0"] == "all-linear"


def test_no_other_setting_is_a_list_by_itself():
    """A list there would be taken for a sweep."""
    settings = {(key,): field for key, field in Adapter.model_fields.items()}
    for part, model in (("training", Training), ("lora", Lora), ("quantization", Quantization)):
        settings |= {(part, key): field for key, field in model.model_fields.items()}
    assert {path for path, field in settings.items() if "list[" in str(field.annotation)} == LISTS


def test_equal_sweeps_of_a_sum_go_together_and_others_do_not(project):
    combine = {"weights": {"one": 0.5, "other": 0.5}}
    study = project(
        adapters__one={
            "base": "tiny",
            "dataset": "d",
            "seeds": [0, 1],
            "training": {"learning_rate": [1e-3, 2e-3]},
        },
        adapters__other={
            "base": "tiny",
            "dataset": "d",
            "seeds": [0, 1],
            "training": {"learning_rate": [1e-3, 3e-3]},
        },
        models__half={"combine": combine, "merge": False},
    )
    halves = {name: m for name, m in study.models.items() if m.variant and m.variant.of == "half"}
    assert len(halves) == 2 * 2 * 2
    name = "half.one-learning_rate-0.002.other-learning_rate-0.003.seed-1"
    assert list(halves[name].combine.weights) == [
        "one.learning_rate-0.002.seed-1",
        "other.learning_rate-0.003.seed-1",
    ]
    assert halves[name].variant.average_as == (
        "half.one-learning_rate-0.002.other-learning_rate-0.003"
    )


def test_a_stage_goes_on_from_each_adapter_of_a_sweep(project):
    study = project(
        adapters__one__lora={"r": 8, "lora_alpha": 16},
        adapters__other__init_from="one",
        adapters__other__seeds=[0, 1, 2],
    )
    stage = study.adapters["other.learning_rate-5e-5.seed-1"]
    assert stage.init_from == "one.learning_rate-5e-5.seed-1"
    assert (stage.training.learning_rate, stage.training.seed) == (1e-3, 1)
    assert sum(name.startswith("other") for name in study.adapters) == 6


def test_a_grid_between_swept_adapters_is_one_for_each(project):
    study = project(
        adapters__one={
            "base": "tiny",
            "dataset": "d",
            "seeds": [0, 1],
            "training": {"learning_rate": 1e-3},
        },
        grids={"way": {"start": "one", "end": "other", "weights": [0, 0.5, 1]}},
        evaluations=[{"dataset": "d", "models": ["base", "way"]}],
    )
    assert {name: grid.start for name, grid in study.grids.items()} == {
        "way.seed-0": "one.seed-0",
        "way.seed-1": "one.seed-1",
    }
    assert "way.seed-1.cat.0.5" in study.evaluations[0].models


def test_general_ability_is_asked_of_each_model_of_a_sweep(project):
    study = project(mmlu={"path": "mmlu", "models": ["tuned"]})
    assert len(study.mmlu.models) == 1 + 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adapters__one__seeds": []}, "adapters.one.seeds: the list is empty"),
        ({"adapters__one__seeds": 3}, "adapters.one.seeds: a list is expected"),
        ({"adapters__one__seeds": [1, 1]}, "adapters.one.seeds: 1 stands there twice"),
        ({"adapters__one__training__seed": [1, 2]}, "training.seed is a list, too; state one"),
        ({"adapters__one__lora__r": [8, 8.0]}, "adapters.one.lora.r: 8 stands there twice"),
        ({"baseline": "tuned"}, "baseline: 'tuned' is swept; name one of tuned.r-8.learning"),
        (
            {"submission": {"sent": {"dataset": "d", "model": "tuned", "reading": "accuracy"}}},
            "submission.sent.model: 'tuned' is swept; name one of tuned.r-8",
        ),
        (
            {"models__tuned.r-8.learning_rate-5e-5.seed-0": {"base": "tiny"}},
            "'tuned.r-8.learning_rate-5e-5.seed-0' is the name of two",
        ),
        (
            {"adapters__one__training__learning_rate": [1e-3, 5]},
            "adapters.one.r-8.learning_rate-5.seed-0: training.learning_rate: 5 is over 0.01",
        ),
    ],
)
def test_what_is_wrong_with_a_sweep(project, changes, said):
    with pytest.raises(UserError, match=r"study\.yaml: ") as caught:
        project(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5e-05, "5e-5"),
        ("5e-5", "5e-5"),
        (2e20, "2e20"),
        (0.03, "0.03"),
        (100000.0, "100000"),
        (-1, "-1"),
        (True, "true"),
        (None, "none"),
        ("Flash_Attention 2", "flash_attention-2"),
    ],
)
def test_values_in_names(value, text):
    assert text_of(value) == text


def test_editors_accept_sweeps():
    schema = json.loads((ROOT / "config/study.schema.json").read_text(encoding="utf-8"))
    definitions = schema["$defs"]
    editor = jsonschema.Draft202012Validator({**definitions["Adapter"], "$defs": definitions})
    adapter = yaml.safe_load(STUDY)["adapters"]["one"]
    assert editor.is_valid(adapter)
    adapter["training"]["learning_rate"] = [1e-3, "much"]
    assert not editor.is_valid(adapter)
    assert SEEDS in definitions["Adapter"]["properties"]


def _row(model, accuracy, metric="accuracy"):
    place = {"dataset": "d", "split": "test", "metric": metric, "model": model}
    return {**place, "accuracy": accuracy, "published": 0.5}


def test_accuracies_are_averaged_over_seeds():
    variants = {f"t.seed-{i}": Variant(of="t", average_as="t") for i in range(3)}
    variants["t.r-8"] = Variant(of="t")
    rows = [_row("base", 0.1), *(_row(f"t.seed-{i}", 0.6 + 0.1 * i) for i in range(3))]
    rows += [_row("t.r-8", 0.9), _row("t.seed-0", 0.2, "other"), _row("t.seed-1", None, "other")]
    made = with_seeds(rows, variants)
    assert [row["seeds_mean"] for row in made] == pytest.approx(
        [None, 0.7, 0.7, 0.7, None, None, None]
    )
    assert made[1]["seeds_sd"] == pytest.approx(0.1)
    (block,) = over_seeds(rows, variants)
    assert block.title == "d / test: over seeds"
    assert block.rows == [["accuracy", "t", "3", "70.0 ± 10.0", "60.0", "80.0", "50.0"]]
    assert over_seeds(rows[:1], variants) == []


def test_published_number_stands_beside_each_of_a_sweep(project, tmp_path):
    study = project()
    assert study.published[0].model == "tuned"
    assert read_yaml(Path("study.yaml"))["published"][0]["model"] == "tuned"
    with pytest.raises(UserError, match=r"published\.0\.model: no model or sweep 'tunt'"):
        project(published=[{"model": "tunt", "dataset": "d", "metric": "accuracy", "value": 0.5}])


@pytest.mark.slow
def test_the_plan_of_a_sweep_has_each_adapter_once(tmp_path):
    project = Project.copied(tmp_path)
    study = yaml.safe_load(STUDY)
    study["adapters"]["one"] |= {"seeds": list(range(9)), "lora": {"r": [4, 8, 16]}}
    study["models"]["whole"] = {"adapter": "one"}
    study["evaluations"] = [{"dataset": "d"}]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    record = {"id": "1", "fields": {"sentence": "x"}, "label": "a", "group": "g"}
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    run = {"run": "sweep", "scale": "demo", "studies": ["sweep.yaml"]}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    plan = project.plan("--configfile", "run.yaml")
    adapters = 9 * 3 * 2 + 1
    for rule in ("write_recipe", "train_adapter", "inspect_adapter"):
        assert plan[rule] == adapters
    assert plan["merge_adapter"] == adapters - 1
    assert plan["extract_and_vote"] == 2 * (adapters - 1) + 2
    # merged models answer alone, the others fifty a job; scores are made fifty a job, too
    names = [rule for rule in plan if rule.startswith("predict_")]
    assert len(names) == adapters - 1 + 2
    assert [rule for rule in plan if rule.startswith("score_")] == [
        "score_sweep",
        "score_sweep_part2",
        "score_sweep_part3",
    ]
