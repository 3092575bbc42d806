"""Checkpoints that outlive a killed training run, and how a half-written one is told from a whole.

They lie outside the declared outputs, in one folder a run. Its name says which adapter it trains
and ends with a digest of what decides the weights: recipe, data, base and the versions of the
libraries. Other settings never meet them. The last checkpoint of a finished run stays, so that
outputs which got lost are written again without training, until that adapter gets another run.
"""

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from safetensors import SafetensorError, safe_open
from tqdm import tqdm
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from snaketune import devices
from snaketune.code import code_of
from snaketune.errors import UserError
from snaketune.files import read_json, write_json

log = logging.getLogger(__name__)

COMPLETE = "complete.json"
"""Written last into a checkpoint: its files with their sizes, the seconds trained so far, and
the code that trained."""

SCRIPT = "train_adapter"

SEPARATOR = "+"
"""Between the parts of a run folder's name; no study and no adapter has it in its own."""


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file in the block; where another process holds it, say so and wait for it.

    A killed Snakemake leaves its jobs running: such a one still writes checkpoints and outputs.
    The system frees the lock when its process ends, however it ends.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as file:
        _acquire(file)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _acquire(file: TextIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        text = f"Another process (pid {file.read()}) trains this adapter; waiting for it."
        log.warning("%s Should it be ended, this one goes on from its last checkpoint.", text)
        tqdm.write(text, file=sys.stderr)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:  # some network file systems know no locks
        log.warning("%s cannot be locked (%s): let no other job train this.", file.name, error)


def usable_checkpoint(folder: Path) -> Path | None:
    """Newest complete checkpoint of a run's folder; later, half-written ones are removed.

    Those of a run that other code finished are removed too: who asks for a finished run once more
    after a change of the code wants that code's result.
    """
    for path in _newest_first(folder):
        if not _is_whole(path):
            log.info("Checkpoint %s is half-written; removed.", path.name)
            shutil.rmtree(path)
        elif is_finished(path) and read_json(path / COMPLETE)["code"] != code_of(SCRIPT):
            log.info("Checkpoint %s was finished by other code; trains anew.", path.name)
            shutil.rmtree(folder)
            return None
        else:
            return path
    return None


def is_finished(checkpoint: Path) -> bool:
    """Whether a checkpoint is of the last step of its run."""
    state = read_json(checkpoint / TRAINER_STATE_NAME)
    return state["global_step"] >= state["max_steps"]


def keep_newest(folder: Path) -> None:
    """Remove all checkpoints of a run but its last."""
    for path in _newest_first(folder)[1:]:
        shutil.rmtree(path)


def remove_other_runs(folder: Path) -> None:
    """Remove the folders of other runs of the adapter that a run's folder belongs to."""
    of_adapter = folder.name.rpartition(SEPARATOR)[0]
    for other in folder.parent.iterdir():
        if other.name.rpartition(SEPARATOR)[0] == of_adapter and other != folder:
            log.info("Checkpoints of an earlier run, %s, removed.", other.name)
            shutil.rmtree(other)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=_step, reverse=True)


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
        self.code = code_of(SCRIPT)  # now: the files may change while it trains

    def on_save(self, args, state, control, **kwargs):
        """List the checkpoint's files; the list is moved into place in one step."""
        devices.wait_for_all()  # each process saves the state of its random draws
        if not devices.is_first():
            return
        path = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        files = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
        facts = {"files": files, "seconds": self.clock(), "code": self.code}
        write_json(path / COMPLETE, facts)
