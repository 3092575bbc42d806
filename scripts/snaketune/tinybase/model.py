"""The network of the tiny base and the loss of one batch."""

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen2Config, Qwen2ForCausalLM

from snaketune.tinybase.corpus import Document
from snaketune.tinybase.settings import PretrainSettings


def new_model(settings: PretrainSettings, vocabulary: int, pad: int, end: int) -> Qwen2ForCausalLM:
    """A Qwen2 with random bfloat16 weights."""
    torch.manual_seed(settings.seed)
    config = Qwen2Config(
        # A multiple of 64 suits every quantiser and engine; the surplus rows are never used.
        vocab_size=-(-vocabulary // 64) * 64,
        hidden_size=settings.hidden,
        intermediate_size=settings.intermediate,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        max_position_embeddings=settings.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attn_implementation="eager",
        use_cache=False,
    )
    return Qwen2ForCausalLM(config).to(torch.bfloat16)


def batch_loss(model: Qwen2ForCausalLM, batch: list[Document], pad: int) -> Tensor:
    """Mean cross-entropy over the target tokens of a batch.

    Padding stands on the right, where causal attention never looks back at it, so no mask is
    needed. Only the states that foretell a target go through the large output matrix.
    """
    width = max(len(document.ids) for document in batch)
    ids = torch.tensor([one.ids + [pad] * (width - len(one.ids)) for one in batch])
    targets = torch.tensor([one.targets + [False] * (width - len(one.ids)) for one in batch])
    states = model.model(input_ids=ids, use_cache=False).last_hidden_state
    wanted = targets[:, 1:]
    logits = model.lm_head(states[:, :-1][wanted])
    return functional.cross_entropy(logits.float(), ids[:, 1:][wanted])
