"""Where a training reports its losses besides loss.csv: transformers' report_to, made ready.

Keys and modes are the trackers' own environment variables and are read by them alone.
"""

import importlib.metadata
import importlib.util
import netrc
import os
from pathlib import Path
from typing import NamedTuple

from snaketune.errors import UserError


class Tracker(NamedTuple):
    """What a tracker needs."""

    packages: tuple[str, ...]
    """One of these must be installed."""
    folder: str = ""
    """Environment variable with the folder that it writes to."""
    project: str = ""
    """Environment variable with the project's name."""
    key: str = ""
    """Environment variable with the key, where the tracker would ask a person for it."""
    mode: str = ""
    """Environment variable that is one of `offline` where no key is needed."""
    offline: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    """Files in which an earlier login is kept."""
    below: str = ""
    """Version from which on transformers no longer knows how to talk to it."""


TRACKERS = {
    "tensorboard": Tracker(("tensorboard", "tensorboardX"), folder="TENSORBOARD_LOGGING_DIR"),
    "swanlab": Tracker(
        ("swanlab",),
        *("SWANLAB_LOG_DIR", "SWANLAB_PROJECT", "SWANLAB_API_KEY", "SWANLAB_MODE"),
        offline=("local", "offline", "disabled"),
        logins=("~/.swanlab/.netrc",),
        below="0.8",
    ),
    "wandb": Tracker(
        ("wandb",),
        *("WANDB_DIR", "WANDB_PROJECT", "WANDB_API_KEY", "WANDB_MODE"),
        offline=("offline", "disabled", "dryrun"),
        logins=("~/.netrc", "~/_netrc"),
    ),
    "trackio": Tracker(("trackio",), folder="TRACKIO_DIR"),
    "mlflow": Tracker(("mlflow",), project="MLFLOW_EXPERIMENT_NAME"),
    "comet_ml": Tracker(("comet_ml",), project="COMET_PROJECT_NAME"),
    "clearml": Tracker(("clearml",), project="CLEARML_PROJECT"),
    "azure_ml": Tracker(("azureml",)),
    "codecarbon": Tracker(("codecarbon",)),
    "dagshub": Tracker(("dagshub",)),
    "dvclive": Tracker(("dvclive",)),
    "flyte": Tracker(("flytekit",)),
    "neptune": Tracker(("neptune",)),
}
"""By their names in transformers; kubeflow is none that a person would look at."""


def prepare(name: str, study: str, folder: Path) -> None:
    """Check that a tracker can work, before hours of training, and say where it writes.

    What the environment says already stays.

    Args:
        name: of the tracker; `none` is none.
        study: the project's name.
        folder: for trackers that write files.

    Raises:
        UserError: its package is not installed, or it would ask for a key.
    """
    if name == "none":
        return
    tracker = TRACKERS[name]
    wanted = tracker.packages[0] + (f"<{tracker.below}" if tracker.below else "")
    mend = (
        f"Install it (pip install '{wanted}'; with --sdm conda add it to envs/train.yaml), or set "
        "report_to: none."
    )
    if not any(map(importlib.util.find_spec, tracker.packages)):
        raise UserError(f"report_to: {name} needs {wanted}, which is not installed here. {mend}")
    if tracker.below:
        there = importlib.metadata.version(tracker.packages[0])
        if _numbers(there) >= _numbers(tracker.below):
            raise UserError(f"report_to: {name} needs {wanted}, but {there} is installed. {mend}")
    if tracker.key and not _can_log_in(tracker):
        raise UserError(
            f"report_to: {name} has no key. Put it into the environment variable {tracker.key}, "
            f"or keep the run on this machine by {tracker.mode}={tracker.offline[0]}."
        )
    for variable, value in ((tracker.folder, str(folder.resolve())), (tracker.project, study)):
        if variable:
            os.environ.setdefault(variable, value)
    if tracker.folder:
        folder.mkdir(parents=True, exist_ok=True)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdecimal()]


def _can_log_in(tracker: Tracker) -> bool:
    if os.environ.get(tracker.key) or os.environ.get(tracker.mode) in tracker.offline:
        return True
    return any(map(_is_login, tracker.logins))


def _is_login(path: str) -> bool:
    try:
        return bool(netrc.netrc(Path(path).expanduser()).hosts)
    except (OSError, netrc.NetrcParseError):
        return False
