"""Which engine answers for which model: what a study may say, and what it then has."""

import pytest

from snaketune.config.study import Study

BASE = {
    "title": "t",
    "prompts": {"p": {"user": "{sentence}"}},
    "datasets": {
        "d": {
            "source": {
                **{"kind": "file", "path": "d.jsonl", "fields": ["sentence"]},
                "label": ["city"],
            },
            "prompt": "p",
            "split": {"train": 0.5, "validation": 0, "test": 0.5},
            "extract": {"kind": "json", "fields": ["city"]},
        }
    },
    "adapters": {
        "lora": {"base": "tiny", "dataset": "d", "training": {"learning_rate": 1e-3}},
        "qlora": {
            **{"base": "tiny", "dataset": "d", "training": {"learning_rate": 1e-3}},
            "quantization": {},
        },
    },
    "models": {"base": {"base": "tiny"}, "tuned": {"adapter": "lora"}},
    "baseline": "base",
    "evaluations": [{"dataset": "d"}],
}


def study(**changes) -> Study:
    return Study.model_validate({**BASE, **changes})


def models(**changes) -> dict:
    return {**BASE["models"], **changes}


def test_a_model_has_the_study_s_engine_unless_it_names_another():
    address = {"a": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
    more = {
        "here": {"adapter": "lora", "engine": "transformers"},
        "own": {"base": "tiny", "serve": {}},
        "far": {"endpoint": "a"},
    }
    found = study(engine="vllm", models=models(**more), endpoints=address).models
    engines = {name: model.engine for name, model in found.items()}
    assert engines == {
        **{"base": "vllm", "tuned": "vllm", "here": "transformers", "own": None, "far": None}
    }
    assert found["own"].serve.program == "vllm"
    assert {model.engine for model in study().models.values()} == {"transformers"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"base": "tiny", "engine": "vlm"}, "'transformers' or 'vllm'"),
        ({"base": "tiny", "engine": "vllm", "serve": {}}, "serve and engine exclude each other"),
        ({"adapter": "lora", "merge": False, "serve": {}}, "its adapter is merged"),
        ({"adapter": "qlora", "merge": False, "engine": "vllm"}, "no adapter on a base in 4 bits"),
        ({"endpoint": "a", "serve": {}}, "has no engine or server of ours"),
        ({"base": "tiny", "serve": {"progam": "vllm"}}, "did you mean 'program'"),
    ],
)
def test_what_cannot_be_is_refused(model, said):
    with pytest.raises(ValueError, match=said):
        study(models=models(odd=model))


def test_a_schema_is_for_what_can_hold_replies_to_one():
    schema = {"response_schema": {"type": "object"}}
    served = {"base": "tiny", "serve": {"program": "transformers"}}
    assert study(sampling=schema, engine="vllm").sampling.response_schema
    assert study(sampling=schema, models={"base": {"base": "tiny", "serve": {}}})
    for free in (models(), {"base": served}):
        with pytest.raises(ValueError, match="cannot be held to a schema"):
            study(sampling=schema, models=free)
