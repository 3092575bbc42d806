"""Checkpoints that outlive a killed training run, and how a half-written one is told from a whole.

They lie outside the declared outputs, in one folder a run, named after what decides its weights:
recipe, data, base and the versions of the libraries. Other settings never meet them.
"""

import logging
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from snaketune.errors import UserError
from snaketune.files import read_json, write_json

log = logging.getLogger(__name__)

COMPLETE = "complete.json"
"""Written last into a checkpoint: its files with their sizes, and the seconds trained so far."""


def usable_checkpoint(folder: Path) -> Path | None:
    """Newest complete checkpoint of a run's folder; later, half-written ones are removed."""
    for path in sorted(folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=_step, reverse=True):
        if _is_whole(path):
            return path
        log.info("Checkpoint %s is half-written; removed.", path.name)
        shutil.rmtree(path)
    return None


def _step(path: Path) -> int:
    return int(path.name.rsplit("-", 1)[1])


def _is_whole(path: Path) -> bool:
    """Every listed file is there in its size, and the weights can be opened."""
    try:
        listed = read_json(path / COMPLETE)["files"]
        if any((path / name).stat().st_size != size for name, size in listed.items()):
            return False
        with safe_open(path / "adapter_model.safetensors", framework="pt") as weights:
            return bool(weights.keys())
    except (OSError, KeyError, TypeError, UserError, SafetensorError):
        return False


def seconds_before(checkpoint: Path | None) -> float:
    """Seconds of training that went into a checkpoint, over all parts of an interrupted run."""
    return read_json(checkpoint / COMPLETE)["seconds"] if checkpoint else 0.0


class MarkComplete(TrainerCallback):
    """Writes the mark of completeness once the trainer has saved all of a checkpoint."""

    def __init__(self, clock):
        """`clock()` gives the seconds trained so far."""
        self.clock = clock

    def on_save(self, args, state, control, **kwargs):
        """List the checkpoint's files; the list is moved into place in one step."""
        path = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        files = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
        write_json(path / COMPLETE, {"files": files, "seconds": self.clock()})
