"""Training in stages: parts of the records, weights that are gone on from, fresh schedules."""

import csv
import json
import shutil

import pytest
from tuning import PROMPT, Study, assert_same_weights, kill_when, run, weather_records, weights

from snaketune.config.data import Prompt
from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl, write_json, write_jsonl
from snaketune.folders import adapter_digest
from snaketune.prompts import check_prompt_gate, missing, render
from snaketune.recipe import read_recipe, write_recipe

GENTLE = 1e-7


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.fixture(scope="module")
def first(study):
    """Metrics of stage 1, on the first 32 of 48 records."""
    return train(study, study.recipe("one", take=32), "one")


def train(study, recipe, out, init_from=None, source=None) -> dict:
    from snaketune.training import train

    return train(
        *(recipe, source or study.source, study.train, study.validation),
        *(study.folder / out, study.folder / f"checkpoints-{out}"),
        init_from=init_from and study.folder / init_from,
    )


def distance(one: dict, other: dict) -> float:
    """How far two adapters are apart, as a share of the norm of the first."""
    apart = sum(((one[name] - other[name]) ** 2).sum() for name in one) ** 0.5
    return float(apart / sum((weight**2).sum() for weight in one.values()) ** 0.5)


# ------------------------------------------------------------------------------ parts


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({}, range(48)),
        ({"take": 32}, range(32)),
        ({"skip": 32}, range(32, 48)),
        ({"skip": 10, "take": 5}, range(10, 15)),
        ({"take": 48}, range(48)),
    ],
)
def test_a_stage_has_its_part_of_the_records_in_their_order(study, part, expected):
    from snaketune.stages import part_of

    found = part_of(read_recipe(study.recipe("part", **part)), study.train)
    assert [record["id"] for record in found] == [f"r1-{number}" for number in expected]


@pytest.mark.parametrize("part", [{"take": 49}, {"skip": 40, "take": 9}, {"skip": 48}])
def test_fewer_records_than_a_stage_wants_are_the_user_s_error(study, part):
    from snaketune.stages import part_of

    with pytest.raises(UserError, match=r"train\.jsonl: adapter 'part' is to skip .* there are 48"):
        part_of(read_recipe(study.recipe("part", **part)), study.train)


def test_only_the_part_is_trained_on_and_checked(tmp_path, random_base):
    """Records of another stage may lack what this one needs."""
    study = Study(tmp_path, random_base, train=12)
    rows = list(read_jsonl(study.train))
    write_jsonl(
        study.train, [{**row, "label": None} if i < 4 else row for i, row in enumerate(rows)]
    )
    epoch = {"max_steps": -1, "num_train_epochs": 1}
    metrics = train(study, study.recipe(skip=4, training=epoch), "out")
    assert metrics["samples"] == 8 and metrics["steps"] == 1
    with pytest.raises(UserError, match="1 of 9 records have no label"):
        train(study, study.recipe(skip=3, training=epoch), "out")


def test_the_recipe_names_part_start_and_prompt(study, tmp_path):
    adapter = {"base": "tiny", "dataset": "d", "training": {"learning_rate": 5e-6}}
    adapter |= {"prompt": "own", "skip": 3, "take": 4, "init_from": "one"}
    settings = {"study": "s", "name": "two", "adapter": adapter, "prompt": {"user": "own {a}"}}
    write_recipe(settings, tmp_path / "recipe.yaml")
    recipe = read_recipe(tmp_path / "recipe.yaml")
    assert (recipe.skip, recipe.take, recipe.init_from) == (3, 4, "one")
    assert recipe.prompt.user == "own {a}"


# ------------------------------------------------------------------------------ going on


@pytest.mark.slow
def test_a_gentle_second_stage_stays_near_the_first(study, first):
    recipe = study.recipe("two", skip=32, init_from="one", training={"learning_rate": GENTLE})
    metrics = train(study, recipe, "two", "one")
    assert metrics["init_from"] == {
        "adapter": "one",
        "sha256": adapter_digest(study.folder / "one", None),
    }
    assert "init_from" not in first
    assert metrics["steps"] == 12 and metrics["samples"] == 96, "a schedule of its own"
    fresh = study.recipe("fresh", skip=32, training={"learning_rate": GENTLE})
    train(study, fresh, "fresh")
    one, two, third = (weights(study.folder / name) for name in ("one", "two", "fresh"))
    assert 0 < distance(one, two) < 1e-4 < 0.1 < distance(one, third)
    assert metrics["eval_loss"] == pytest.approx(first["eval_loss"], rel=1e-4)


@pytest.mark.parametrize("quantized", [False, True], ids=["lora", "qlora"])
def test_the_loss_before_the_first_step_is_the_first_stage_s_last(study, first, quantized):
    from snaketune.loading import load_tokenizer
    from snaketune.training import build_trainer, prepare_records

    name, metrics = "one", first
    if quantized:
        name = "one-q"
        metrics = train(study, study.recipe(name, True, training={"max_steps": 4}), name)
    recipe = read_recipe(study.recipe("later", quantized, init_from=name))
    tokenizer = load_tokenizer(study.base)
    sets = {
        part: prepare_records(tokenizer, recipe, getattr(study, part))
        for part in ("train", "validation")
    }
    start = {"init_from": study.folder / name}
    trainer = build_trainer(
        recipe, read_json(study.source), tokenizer, sets, study.folder / "c", lambda: 0.0, **start
    )
    assert trainer.evaluate()["eval_loss"] == pytest.approx(metrics["eval_loss"], rel=1e-6)
    assert trainer.optimizer is None and trainer.state.global_step == 0
    assert {str(w.dtype) for w in trainer.model.parameters() if w.requires_grad} == {
        "torch.float32"
    }


@pytest.mark.slow
def test_another_first_stage_is_another_run(study, first):
    """Its digest is in that of the run, so no checkpoint of the old one is taken."""
    recipe = study.recipe("digest", init_from="one", training={"max_steps": 2})
    assert train(study, recipe, "digest", "one")["resumed_from_step"] is None
    assert train(study, recipe, "digest", "one")["resumed_from_step"] == 2
    train(study, study.recipe("other", training={"max_steps": 2}), "other")
    assert train(study, recipe, "digest", "other")["resumed_from_step"] is None


@pytest.mark.slow
def test_a_killed_second_stage_goes_on_where_it_was(study, first):
    long = {"max_steps": 40, "save_steps": 5, "eval_steps": 20, "logging_steps": 5}
    recipe = study.recipe("killed", skip=32, init_from="one", training=long)
    train(study, recipe, "whole", "one")
    words = [*study.train_command(recipe, "killed"), "--init-from", str(study.folder / "one")]
    checkpoints = study.folder / "checkpoints-killed"
    kill_when(words, lambda: list(checkpoints.glob("*/checkpoint-10/complete.json")))
    run(words)
    metrics = read_json(study.folder / "killed" / "metrics.json")
    assert metrics["resumed_from_step"] >= 10 and metrics["steps"] == 40
    assert metrics["init_from"]["adapter"] == "one"
    assert_same_weights(study.folder / "killed", study.folder / "whole")


def test_a_packed_second_stage_goes_on_too(study, first):
    training = {"max_steps": 2, "max_length": 300, "packing": True, "learning_rate": GENTLE}
    metrics = train(study, study.recipe("packed", init_from="one", training=training), "p", "one")
    assert metrics["eval_loss"] == pytest.approx(first["eval_loss"], rel=1e-4)
    with (study.folder / "p" / "loss.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["loss"]) < first["train_loss"] + 0.3


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "start", "message"),
    [
        ({"init_from": "one"}, None, "goes on from 'one', but there is no --init-from"),
        ({}, "one", "names no init_from, but --init-from is"),
        ({"init_from": "none"}, "none", "is not an adapter: adapter_model.safetensors is missing"),
        ({"init_from": "one", "lora": {"r": 4}}, "one", "has r 8, the recipe of 'x' has 4"),
        ({"init_from": "one", "lora": {"lora_alpha": 8}}, "one", "has lora_alpha 16"),
        ({"init_from": "one", "lora": {"use_rslora": True}}, "one", "has use_rslora False"),
        (
            {"init_from": "one", "lora": {"target_modules": ["q_proj"]}},
            "one",
            r"has other tensors .*down_proj.*missing here",
        ),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(study, first, changes, start, message):
    with pytest.raises(UserError, match=message):
        train(study, study.recipe("x", **changes), "x", start)


def test_an_adapter_of_another_base_is_refused(study, first, tmp_path):
    source = tmp_path / "source.json"
    write_json(source, {**read_json(study.source), "name": "other"})
    with pytest.raises(UserError, match=r"one was trained on base 'tiny', not on 'other'"):
        train(study, study.recipe("x", init_from="one"), "x", "one", source)


def test_a_damaged_first_stage_is_noticed(study, first):
    shutil.copytree(study.folder / "one", study.folder / "cut")
    file = study.folder / "cut" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match="cut off or damaged"):
        train(study, study.recipe("x", init_from="cut"), "x", "cut")


# ------------------------------------------------------------------------------ reasoning


REASONED = Prompt(user=PROMPT["user"], answer="{reasoning}")


def with_reasoning(record: dict) -> dict:
    text = f"推理过程：说的是{record['label']['city']}。结论：{json.dumps(record['label'])}"
    return {**record, "fields": {**record["fields"], "reasoning": text}}


def test_the_answer_is_the_reasoning_where_there_is_one():
    plain = weather_records(1)[0]
    reasoned = with_reasoning(plain)
    assert render(REASONED, reasoned)[1] == reasoned["fields"]["reasoning"]
    messages, answer = render(REASONED, plain)
    assert answer is None and messages == render(REASONED, reasoned)[0]
    assert missing(REASONED, plain) == "reasoning" and missing(REASONED, reasoned) is None
    assert missing(REASONED, {**plain, "label": None}) == "label"
    assert missing(Prompt(**PROMPT), plain) is None
    assert missing(Prompt(**PROMPT), {**plain, "label": "0"}) is None


def test_the_gate_holds_with_and_without_reasoning(random_base):
    from snaketune.loading import load_tokenizer

    tokenizer, plain = load_tokenizer(random_base), weather_records(1)[0]
    ((asked, trained), (only, ids)) = check_prompt_gate(
        tokenizer, REASONED, [with_reasoning(plain), plain]
    )
    assert asked == only == len(ids) and trained[:asked] == ids
    text = with_reasoning(plain)["fields"]["reasoning"]
    assert tokenizer.decode(trained[asked:]) == text + "<|im_end|>"


def test_records_that_no_teacher_saw_are_not_trained_on(study):
    from snaketune.loading import load_tokenizer
    from snaketune.training import prepare_records

    tokenizer = load_tokenizer(study.base)
    recipe = read_recipe(study.recipe("reasoned")).model_copy(update={"prompt": REASONED})
    path = study.folder / "half.jsonl"
    rows = weather_records(3)
    write_jsonl(path, [with_reasoning(rows[0]), *rows[1:]])
    with pytest.raises(UserError, match=r"2 of 3 records have no reasoning .* \(distill\)"):
        prepare_records(tokenizer, recipe, path)
    write_jsonl(path, map(with_reasoning, rows))
    long = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"max_length": 999})}
    )
    assert len(prepare_records(tokenizer, long, path)) == 3
