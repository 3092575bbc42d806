"""A model's modules without its weights: what an adapter can be put on when nothing is asked."""

from collections.abc import Iterable
from pathlib import Path

from snaketune import loading  # noqa: F401  first: it sets what the libraries read when imported

# isort: split
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from snaketune.errors import UserError


def skeleton(architecture: Path, trust_remote_code: bool = False) -> PreTrainedModel:
    """A causal language model on the meta device: names, shapes and float32, but no memory.

    Args:
        architecture: a model folder, or a config.json by itself.
        trust_remote_code: run the model code that the folder brings.
    """
    try:
        config = AutoConfig.from_pretrained(
            architecture, local_files_only=True, trust_remote_code=trust_remote_code
        )
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(
                config, dtype=torch.float32, trust_remote_code=trust_remote_code
            )
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{architecture} is no architecture of a causal language model: {error}"
        ) from error


def stand_on_zero(model: PreTrainedModel, modules: Iterable[str]) -> None:
    """Give linear layers of a skeleton one shared zero as weights, on the CPU.

    PEFT puts an adapter where its layer's weights are; on the meta device it would lose its own.
    """
    for name in modules:
        layer = model.get_submodule(name)
        zeros = torch.zeros(()).expand(layer.weight.shape)
        layer.weight = torch.nn.Parameter(zeros, requires_grad=False)
