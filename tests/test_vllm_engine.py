"""vLLM in process: what every engine must do, and adapters, schemas and devices besides."""

import json

import pytest
from conformance import (  # noqa: F401  (its tests run here)
    BARE,
    DRAWN,
    GREEDY,
    question,
    rows,
    session,
    test_a_penalty_of_one_is_none_and_others_do_not_depend_on_the_batch,
    test_a_prompt_that_does_not_fit_is_an_error_of_its_own,
    test_a_response_does_not_depend_on_its_batch,
    test_a_second_run_takes_all_from_the_journal,
    test_draws_differ_between_responses_and_seeds,
    test_edited_reordered_and_added_records_are_not_paid_twice,
    test_every_record_is_answered_in_its_order,
    test_fresh_runs_write_equal_bytes,
    test_greedy_decoding_ignores_the_base_s_own_sampling,
    test_more_responses_keep_those_there_are,
    test_the_base_s_own_generation_config_does_not_leak_in,
    test_the_penalty_is_that_of_transformers_generate,
)
from tuning import SCRIPTS, Study

from snaketune.files import read_json, read_jsonl
from snaketune.session import Session

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base, train=40, validation=30)


class OneVllm:
    """The engines of the last session that was opened: a process has one vLLM at a time."""

    def __init__(self):
        self.source, self.engines = None, {}

    def open(self, source, asked):
        """Engines by model, with what is loaded already where the base is that of the last time."""
        from snaketune.engines.vllm_engine import open_engines

        if self.source != source or self.engines.keys() != asked.models.keys():
            self.close()
            self.source, self.engines = source, open_engines(source, asked)
        return self.engines

    def close(self):
        for engine in self.engines.values():
            engine.weights.close()


@pytest.fixture(scope="module")
def one_vllm():
    engines = OneVllm()
    yield engines
    engines.close()


@pytest.fixture
def ask(study, one_vllm, tmp_path):
    """Function that asks the base the validation records; returns metrics and the bytes written."""
    from snaketune.predicting import predict

    def go(dataset="out", journal="journal", records=study.validation, source=None, **sampling):
        asked = session(DRAWN | sampling, [question(tmp_path, records, dataset=dataset)], "vllm")
        engine = one_vllm.open(source or read_json(study.source), asked)["base"]
        facts = predict(engine, asked.questions[0], asked.sampling, tmp_path / journal)
        return facts, asked.questions[0].out.read_bytes()

    return go


def texts_of(engines, asked: Session, folder) -> dict[str, list[str]]:
    from snaketune.predicting import predict

    found = {}
    for part in asked.in_order():
        predict(engines[part.model], part, asked.sampling, folder / "journal")
        found[part.model] = [row["responses"][0] for row in read_jsonl(part.out)]
        for response in found[part.model]:
            assert response["model_id"] == engines[part.model].model_id
    return found


def adapter(study, name: str, rank: int) -> dict:
    """An adapter with random weights, large enough to change answers."""
    import torch
    from peft import LoraConfig, get_peft_model

    from snaketune.loading import load_model

    torch.manual_seed(rank)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
    model = get_peft_model(load_model(study.base, "float32"), config)
    for key, value in model.named_parameters():
        if "lora_B" in key:
            torch.nn.init.normal_(value, std=0.05)
    model.save_pretrained(study.folder / name)
    return {
        "adapter": str(study.folder / name),
        "recipe": str(study.recipe(name, lora={"r": rank})),
    }


def test_adapters_on_one_loaded_base_answer_as_they_do_by_transformers(one_vllm, tmp_path):
    """Greedily, in float32, the shipped base and two adapters of it."""
    from snaketune.engines import transformers_engine

    tiny = Study(tmp_path, SCRIPTS.parent / "resources/tiny-base", validation=40)
    models = {"base": BARE, "eight": adapter(tiny, "eight", 8), "four": adapter(tiny, "four", 4)}
    source, found = read_json(tiny.source), {}
    for name, opens in (
        ("transformers", transformers_engine.open_engines),
        ("vllm", one_vllm.open),
    ):
        (tmp_path / name).mkdir()
        questions = [question(tmp_path / name, tiny.validation, model) for model in models]
        asked = session(GREEDY | {"max_new_tokens": 32}, questions, name, **models)
        answering = opens(source, asked)
        found[name] = texts_of(answering, asked, tmp_path)
        assert len({id(engine.weights) for engine in answering.values()}) == 1
    pairs = [
        (one, other)
        for model in models
        for one, other in zip(found["transformers"][model], found["vllm"][model], strict=True)
    ]
    equal = sum(one == other for one, other in pairs)
    print(f"{equal} of {len(pairs)} answers are equal")
    assert equal >= 0.95 * len(pairs) and len(pairs) == 120
    said = [[response["text"] for response in found["vllm"][model]] for model in models]
    assert said[0] != said[1] != said[2] != said[0], "each answers as itself"


def test_replies_are_held_to_a_schema(ask):
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["北京", "上海"]}, "day": {"enum": [1, 2]}},
        "required": ["city", "day"],
        "additionalProperties": False,
    }
    _, text = ask(response_schema=schema, max_new_tokens=200)
    replies = [response for row in rows(text) for response in row["responses"]]
    whole = [json.loads(r["text"]) for r in replies if r["finish_reason"] == "stop"]
    assert len(whole) >= 10, "of 60; the others went on with blanks"
    for reply in whole:
        assert reply["city"] in ("北京", "上海") and reply["day"] in (1, 2) and len(reply) == 2
