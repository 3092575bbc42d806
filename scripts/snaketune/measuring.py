"""Facts about a run that its metrics record: memory, arithmetic, versions, the project's commit."""

import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import torch

from snaketune.cards import CARDS, card_named
from snaketune.estimating import training_flops, utilisation
from snaketune.gptq import installed, is_gptq
from snaketune.shapes import shape_in

LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets")


def versions(
    libraries: Sequence[str] = LIBRARIES, base: Path | str | None = None
) -> dict[str, str]:
    """Versions of what trains and generates, and of what reads the weights of a base in GPTQ."""
    more = installed() if base and is_gptq(Path(base)) else ()
    return {name: metadata.version(name) for name in (*libraries, *more)}


def git_commit() -> str | None:
    """Commit of the project these scripts belong to, `+changed` behind it where files differ.

    None outside a git checkout.
    """
    commit = _git("rev-parse", "HEAD")
    return f"{commit}+changed" if commit and _git("status", "--porcelain") else commit


def _git(*arguments: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def peak_memory_mb() -> dict[str, float]:
    """Most memory that this process held: `ram` (resident) and, with a GPU, `gpu` (torch's)."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    peak = {"ram": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)}
    if torch.cuda.is_available():
        peak["gpu"] = round(torch.cuda.max_memory_allocated() / 1024**2, 1)
    return peak


def arithmetic(folder: Path, context: float, scored: float, metrics: dict) -> dict:
    """How much arithmetic a training did, and what share of the GPUs' that was.

    Args:
        folder: of the base.
        context: tokens of a record, on average.
        scored: share of them that bears loss.
        metrics: of the run, with `tokens_per_second` and `devices`.

    Returns:
        `card` (the driver's name, null without a GPU), `flops_per_token` and `mfu`; the last two
        are null where the model's size, or the card, is not known.
    """
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    shape, known = shape_in(folder), card and card_named(card)
    flops = shape and training_flops(shape, context, scored)
    mfu = None
    if flops and known:
        mfu = utilisation(flops, metrics["tokens_per_second"], CARDS[known], metrics["devices"])
    return {
        "card": card,
        "flops_per_token": flops and round(flops),
        "mfu": mfu and round(mfu, 4),
    }
