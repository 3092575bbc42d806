"""How much rounding alone changes a model's logits: what other differences are measured by."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel

ROUNDINGS = 3
"""So many times the rounding that `other_sums` shows may a check allow. Weights that were merged in
bfloat16 were seen to differ by 1.4 times as much."""


@contextmanager
def other_sums(model: PreTrainedModel) -> Iterator[None]:
    """Let a model attend by another kernel in the block: the same sums in another order."""
    own = model.config._attn_implementation
    model.set_attn_implementation("sdpa" if own == "eager" else "eager")
    try:
        yield
    finally:
        model.set_attn_implementation(own)
