"""What a model's config says of its size: parameters, matrices, arithmetic a token."""

import logging
from dataclasses import dataclass
from pathlib import Path

import snaketune.loading  # noqa: F401  (first: it sets what the libraries below read)

# isort: split
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from snaketune.files import read_json

log = logging.getLogger(__name__)

ARCHITECTURES = Path(__file__).resolve().parents[2] / "resources" / "architectures.json"
"""Configs of models on the hub, for plans that are made before they are downloaded."""


@dataclass(frozen=True)
class Shape:
    """A decoder's size; counts of single weights."""

    parameters: int
    linear: dict[str, tuple[int, int]]
    """Name → (in, out) of every matrix in the blocks; an adapter may sit on each."""
    head: int
    """The matrix from the last hidden state to the vocabulary, tied or not."""
    layers: int
    hidden: int
    intermediate: int
    key_values: int
    """Width of keys, and of values, of one token and layer."""
    vocabulary: int
    attention: int
    """Width of all heads of a layer together."""
    norms_of_heads: bool
    """Queries and keys have norms of their own, as in Qwen3."""

    @property
    def blocks(self) -> int:
        """Weights of the matrices in the blocks."""
        return sum(rows * columns for rows, columns in self.linear.values())

    def lora(self, r: int, target_modules: str | list[str]) -> int:
        """Weights of an adapter."""
        return sum(
            r * (rows + columns)
            for name, (rows, columns) in self.linear.items()
            if target_modules == "all-linear" or name.rpartition(".")[2] in target_modules
        )

    def forward_flops(self, context: float, scored: float = 1.0) -> float:
        """Operations of one token's way through the model, a multiplication and a sum each one.

        Args:
            context: tokens that it looks at, itself among them, on average.
            scored: share of tokens whose logits are computed.
        """
        attention = 2 * self.layers * (self.attention * context)
        return 2 * (self.blocks + attention + self.head * scored)


def shape_of(config: PretrainedConfig) -> Shape:
    """Sizes of a decoder, from its modules on the meta device: no weights are made."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    modules = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    head = model.get_output_embeddings()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        parameters=sum(p.numel() for p in model.parameters()),
        linear={n: (m.in_features, m.out_features) for n, m in modules if m is not head},
        head=head.weight.numel(),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        key_values=(getattr(config, "num_key_value_heads", None) or heads) * width,
        vocabulary=config.vocab_size,
        attention=heads * width,
        norms_of_heads=any(name.endswith("q_norm") for name, _ in model.named_modules()),
    )


def shape_in(folder: Path) -> Shape | None:
    """Sizes of the model in a folder; None where transformers has no class of its own for it."""
    try:
        return shape_of(AutoConfig.from_pretrained(folder, local_files_only=True))
    except (ValueError, OSError) as error:
        log.info("%s: its size is not known (%s).", folder, str(error).splitlines()[0])
        return None


def shape_on_hub(model: str) -> Shape | None:
    """Sizes of a model of the hub that resources/architectures.json knows, else None."""
    known = read_json(ARCHITECTURES)
    if model not in known:
        return None
    return shape_of(AutoConfig.for_model(**known[model]))
