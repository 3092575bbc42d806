"""Several records in one row: whether the attention kernel keeps them from seeing each other."""

import logging

import torch
from transformers import PreTrainedModel

from snaketune.errors import UserError
from snaketune.recipe import Recipe
from snaketune.rounding import ROUNDINGS, other_sums

log = logging.getLogger(__name__)

PACKING_TOLERANCE = {"float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}
"""Largest difference of two logits that only rounding explains, in standard deviations; in a deep
model more, see snaketune.rounding."""


def check_and_report(model: PreTrainedModel, recipe: Recipe) -> None:
    """Check packing (see `check_packing`), and warn where it costs more than it saves."""
    difference = check_packing(model, recipe)
    log.info("Packed records differ from single ones by %.1g standard deviations.", difference)
    rows = recipe.training.per_device_train_batch_size
    if rows > 1 and recipe.attn_implementation != "flash_attention_2":
        log.warning(
            "training.packing joins %d rows of %d tokens into one, and %s takes time and memory "
            "by the square of its length: set per_device_train_batch_size to 1.",
            rows,
            recipe.training.max_length,
            recipe.attn_implementation,
        )


@torch.no_grad()
def check_packing(model: PreTrainedModel, recipe: Recipe) -> float:
    """Check that two texts packed in one row, told apart by their positions, do not see each other.

    Packing as in TRL's best-fit decreasing, padding-free rows (Krell et al. 2021; Ding et al.
    2024) is free of contamination only where the attention kernel parts the texts.

    Returns:
        The largest difference of a logit from that of the text alone, in standard deviations.

    Raises:
        UserError: the difference is more than rounding explains.
    """
    generator = torch.Generator().manual_seed(0)
    texts = [
        torch.randint(model.config.vocab_size, (1, n), generator=generator).to(model.device)
        for n in (13, 8)
    ]
    alone = _each_alone(model, texts)
    with other_sums(model):
        rounding = _most(_each_alone(model, texts), alone)
    positions = torch.cat([torch.arange(text.shape[1]) for text in texts])[None].to(model.device)
    row = torch.cat(texts, dim=1)
    packed = model(row, position_ids=positions, use_cache=False).logits
    difference = _most(packed, alone)
    if difference > max(PACKING_TOLERANCE[recipe.dtype], ROUNDINGS * rounding):
        raise UserError(
            f"training.packing: with attn_implementation {recipe.attn_implementation} packed "
            f"records see each other (logits differ by {difference:.2g} standard deviations). "
            "Set packing: false, or attn_implementation to one that parts them, as sdpa or "
            "flash_attention_2 do for most models."
        )
    return difference


def _each_alone(model: PreTrainedModel, texts: list[torch.Tensor]) -> torch.Tensor:
    """Logits of each text in a row of its own, one behind the other."""
    return torch.cat([model(text, use_cache=False).logits for text in texts], dim=1)


def _most(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, in standard deviations of what is expected."""
    return ((found - expected).abs().max() / expected.float().std()).item()
