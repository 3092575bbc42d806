"""Prompts that are read once for all their responses, whatever a model keeps of what it read."""

import pytest
from conformance import DRAWN, question, session
from tuning import Study

from snaketune.files import read_json, read_jsonl


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base, train=40, validation=30)


def test_a_prompt_is_read_once_for_all_its_responses(study, tmp_path):
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict

    def read(k: int) -> tuple[int, int]:
        """Tokens of the prompts, and tokens that the model was given, for k responses each."""
        asked = session(
            DRAWN | {"responses_per_record": k, "batch_size": 8, "max_new_tokens": 1},
            [question(tmp_path, study.validation)],
        )
        engine = open_engines(read_json(study.source), asked)["base"]
        engine.load()
        given = []
        with engine.weights.carrying(None) as model:
            model.register_forward_pre_hook(
                lambda module, args, kwargs: given.append(kwargs["input_ids"].numel()),
                with_kwargs=True,
            )
        predict(engine, asked.questions[0], asked.sampling, tmp_path / f"journal-{k}")
        prompts = [
            row["responses"][0]["prompt_tokens"] for row in read_jsonl(asked.questions[0].out)
        ]
        return sum(prompts), sum(given)

    (prompts, once), (_, eight) = read(1), read(8)
    assert once < 1.3 * prompts, "little padding"
    # each prompt once, and its last token once a response
    assert eight == prompts - 30 + 8 * 30


@pytest.mark.parametrize("kind", ["mamba", "gemma3_text", "recurrent_gemma", "qwen3_next"])
def test_models_with_other_caches_answer_as_without_sharing(kind):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    from snaketune.engines import Request
    from snaketune.engines.transformers_engine import _read_once

    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "vocab_size": 64}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    special = {
        "mamba": {},
        "gemma3_text": {"sliding_window": 4},
        "recurrent_gemma": {"lru_width": 32, "attention_window_size": 8},
        "qwen3_next": {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
        },
    }
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **small, **heads, **special[kind])
    model = AutoModelForCausalLM.from_config(config).eval()
    model.generation_config = GenerationConfig(do_sample=False, pad_token_id=0, eos_token_id=1)
    prompts = [(5, 6, 7, 8, 9, 10), (11, 12, 13), (14, 15, 16, 17)]
    batch = [Request(f"{k}{i}", ids) for k in range(3) for i, ids in enumerate(prompts)]
    ids = torch.tensor([[0] * (6 - len(one.ids)) + list(one.ids) for one in batch])
    asked = {"input_ids": ids, "attention_mask": (ids > 0).long(), "max_new_tokens": 8}
    with torch.inference_mode():
        apart = model.generate(**asked)
        shared = _read_once(model, batch, ids, asked["attention_mask"])
        together = model.generate(**asked, **shared)
    assert bool(shared) == (kind in ("gemma3_text", "qwen3_next"))
    assert torch.equal(apart, together)
