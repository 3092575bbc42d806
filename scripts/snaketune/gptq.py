"""Bases whose weights are stored in GPTQ (Frantar et al. 2022): told apart, checked, adapted.

Importing this module loads no library.
"""

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snaketune.config.tuning import Lora
from snaketune.errors import UserError
from snaketune.files import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACKAGES = ("gptqmodel", "optimum")
"""What transformers reads such weights with."""
MEND = "pip install --no-deps -r requirements-gptq.lock"


def stored_as(folder: Path) -> str | None:
    """What a model's config.json says that its weights are quantised by; None: they are whole."""
    settings = read_json(Path(folder) / "config.json").get("quantization_config")
    return (settings.get("quant_method") or "bitsandbytes") if settings else None


def is_gptq(folder: Path) -> bool:
    """Whether the weights in a folder are in GPTQ."""
    return stored_as(folder) == "gptq"


def check_declared(name: str, declared: str | None, folder: Path) -> None:
    """Hold what the config says of a base's weights against what lies in its folder.

    Raises:
        UserError: the weights are stored in another way than `bases.{name}.quantized` says, or in
            one that is not read.
    """
    found = stored_as(folder)
    if found not in (None, "gptq"):
        raise UserError(
            f"bases.{name}: the weights in {folder} are quantised by {found}. Read are whole "
            "weights, which an adapter's `quantization` brings to 4 bits, and weights in GPTQ."
        )
    if found != declared:
        are, mend = ("in GPTQ", "set it to gptq") if found else ("whole", "take it out")
        raise UserError(f"bases.{name}.quantized: the weights in {folder} are {are}; {mend}.")


def installed() -> list[str]:
    """Those of the packages that are there."""
    return [name for name in PACKAGES if importlib.util.find_spec(name)]


def check_packages(folder: Path) -> None:
    """Stop before weights in GPTQ are loaded where the packages for them are missing."""
    missing = [name for name in PACKAGES if name not in installed()]
    if missing:
        raise UserError(
            f"{folder}: its weights are in GPTQ, and {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not installed here. Run: {MEND} (or "
            "snakemake with --sdm conda, which has an environment for such jobs)."
        )


def loading_arguments() -> dict[str, Any]:
    """Arguments of `from_pretrained` for weights in GPTQ.

    One kind of kernel, that which knows a gradient, trains and answers: with another one an adapter
    would be asked on other sums than it was trained on.
    """
    from logbar import LogBar
    from transformers import GPTQConfig

    LogBar.shared().setLevel("ERROR")  # gptqmodel's, which greets and tells of every layer
    warnings.filterwarnings("ignore", "You passed `quantization_config`")  # as is meant
    return {"quantization_config": GPTQConfig(bits=4, backend="auto_trainable")}


def spelled_out(lora: Lora, model: "PreTrainedModel") -> dict[str, Any]:
    """Arguments of PEFT's LoraConfig for an adapter on a model.

    For weights in GPTQ all-linear becomes the names of all their layers but the head: PEFT looks
    for torch's own layers, and would find none.
    """
    arguments, head = lora.model_dump(), model.get_output_embeddings()
    layers = [
        name
        for name, module in model.named_modules()
        if hasattr(module, "qweight") and module is not head
    ]
    if layers and lora.target_modules == "all-linear":
        arguments["target_modules"] = layers
    return arguments
