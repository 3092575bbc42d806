"""Facts about a run that its metrics record: memory, versions, the project's commit."""

import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch

LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets")


def versions() -> dict[str, str]:
    """Versions of what trains and generates."""
    return {name: metadata.version(name) for name in LIBRARIES}


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
