"""The files of a LoRA adapter, checked and read without torch and without its base."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import safe_open

from snaketune.bases import check_safetensors
from snaketune.errors import UserError
from snaketune.files import read_json

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
FACTOR = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<factor>[AB])\.weight")
"""Name of a tensor that is A or B of a module."""

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}

PLAIN = {
    "use_dora": "it is a DoRA adapter, whose magnitudes cannot be summed",
    "modules_to_save": "it has whole modules beside its low-rank ones (modules_to_save)",
    "rank_pattern": "its modules have ranks of their own (rank_pattern)",
    "alpha_pattern": "its modules have scalings of their own (alpha_pattern)",
    "lora_bias": "its low-rank layers have biases (lora_bias)",
    "layer_replication": "it repeats layers of its base (layer_replication)",
    "target_parameters": "it tunes bare parameters (target_parameters)",
    "trainable_token_indices": "it tunes single tokens (trainable_token_indices)",
}
"""Keys of adapter_config.json that, when set, make an adapter more than scaling · B · A."""


class Factors(NamedTuple):
    """The change of one module's weights, b @ a: each has the root of the adapter's scaling."""

    a: np.ndarray
    """[rank, inputs], float32."""
    b: np.ndarray
    """[outputs, rank], float32."""


class Tensor(NamedTuple):
    """What a safetensors header says of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def check_adapter(folder: Path) -> None:
    """Check that an adapter's two files are there and whole.

    Raises:
        UserError: one is missing or damaged; a damaged one is removed, so that the rule that
            declares it runs again.
    """
    for name, check in {WEIGHTS: check_safetensors, CONFIG: read_json}.items():
        path = Path(folder) / name
        if not path.is_file():
            raise UserError(f"{folder} is not an adapter: {name} is missing.")
        try:
            check(path)
        except (UserError, UnicodeDecodeError) as error:
            path.unlink()
            raise UserError(
                f"{path} was cut off or damaged. It is removed now; run the same command again "
                "and it is rebuilt."
            ) from error


def read_config(folder: Path) -> dict:
    """adapter_config.json of a checked LoRA adapter, in PEFT's key names."""
    check_adapter(folder)
    config = read_json(Path(folder) / CONFIG)
    if config.get("peft_type") != "LORA":
        raise UserError(f"{folder}: peft_type is {config.get('peft_type')}; LORA is expected.")
    return config


def not_plain(config: dict) -> str | None:
    """Why an adapter is more than scaling · B · A, or None when it is just that."""
    if config.get("bias", "none") != "none":
        return f"it tunes biases (bias: {config['bias']})"
    return next((why for key, why in PLAIN.items() if config.get(key)), None)


def scaling(config: dict) -> float:
    """What B · A is multiplied by: alpha/r (Hu et al. 2021) or alpha/√r (Kalajdzievski 2023)."""
    rank = config["r"]
    return config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)


def list_tensors(folder: Path) -> list[Tensor]:
    """Name, shape and dtype of each tensor, in the order of the modules."""
    with safe_open(Path(folder) / WEIGHTS, "numpy") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        made = [
            Tensor(name, tuple(part.get_shape()), _dtype(folder, name, part.get_dtype()))
            for name, part in parts.items()
        ]
    return sorted(made, key=lambda tensor: natural(tensor.name))


def _dtype(folder: Path, name: str, code: str) -> str:
    if code not in DTYPES:
        raise UserError(f"{folder}: {name} is of type {code}; known are {', '.join(DTYPES)}.")
    return DTYPES[code]


def natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which layers.2 comes before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split(".")]


def read_factors(folder: Path) -> dict[str, Factors]:
    """Both factors of every module, by its name in the base.

    Raises:
        UserError: a tensor is no factor, lacks its other one, or holds a value that is infinite or
            no number.
    """
    root = np.float32(math.sqrt(scaling(read_config(folder))))
    halves: dict[str, dict[str, np.ndarray]] = {}
    for name, values in _values(folder):
        found = FACTOR.fullmatch(name)
        if not found:
            raise UserError(f"{folder}: {name} is neither A nor B of a linear layer.")
        if not np.isfinite(values).all():
            raise UserError(
                f"{folder}: {name} holds values that are no numbers: its training diverged. "
                "Train again with a lower learning_rate."
            )
        halves.setdefault(found["module"], {})[found["factor"]] = root * values
    for module, pair in halves.items():
        if len(pair) != 2:
            raise UserError(f"{folder}: {module} has only lora_{next(iter(pair))}.")
    return {
        module: Factors(halves[module]["A"], halves[module]["B"])
        for module in sorted(halves, key=natural)
    }


def _values(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(name, float32 values) of each tensor; only bfloat16, which numpy lacks, needs torch."""
    tensors = list_tensors(folder)
    numpy_lacks_it = any(tensor.dtype == "bfloat16" for tensor in tensors)
    with safe_open(Path(folder) / WEIGHTS, "pt" if numpy_lacks_it else "numpy") as file:
        for name, *_ in tensors:
            values = file.get_tensor(name)
            yield name, values.float().numpy() if numpy_lacks_it else values.astype(np.float32)


def delta_norm(factors: Factors) -> float:
    """Frobenius norm of b @ a, as √tr((bᵀb)(aaᵀ)): the product itself is never made."""
    a, b = (factor.astype(np.float64) for factor in factors)
    return math.sqrt(max(((b.T @ b) * (a @ a.T)).sum(), 0.0))
