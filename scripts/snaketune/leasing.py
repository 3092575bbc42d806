"""GPUs of one machine, leased by lock files: jobs side by side never share one.

A job locks as many devices as it was told to take and sees no others. The locks are the kernel's,
so that they end with the job, however it ends. SNAKETUNE_LEASES names the folder of the lock files,
which is otherwise one a user among the machine's temporary files.
"""

import ctypes
import fcntl
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from snaketune.errors import TEMPORARY, UserError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
LEASED = "SNAKETUNE_GPUS"

_held: list[TextIO] = []
"""The lock files of this process, open until it ends."""


def lease(count: int) -> list[str]:
    """Wait until `count` GPUs are free, take them, and hide all others; 0 hides all.

    It must come before a library looks for devices. Processes that torchrun started share what
    their starter leased.

    Returns:
        The devices, as CUDA_VISIBLE_DEVICES names them.

    Raises:
        UserError: there are fewer than `count`, with the exit code of a passing failure.
    """
    if "RANK" in os.environ:
        return []
    # by default CUDA counts the fastest first, nvidia-smi by their place
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    devices = visible_devices() if count else {}
    if len(devices) < count:
        raise UserError(_too_few(count, len(devices)), TEMPORARY)
    names = _take(devices, count) if count else []
    os.environ[VISIBLE] = ",".join(names)
    os.environ[LEASED] = str(count)
    return names


def leased() -> int:
    """How many GPUs this process, or the one that started it, has leased."""
    return int(os.environ.get(LEASED, "0"))


def visible_devices() -> dict[str, str]:
    """Physical ids of the GPUs that this process may use, by their names in CUDA_VISIBLE_DEVICES.

    What a user or a cluster has set there is kept to; CUDA reads it up to the first that is not
    there.
    """
    uuids = physical_devices()
    if VISIBLE not in os.environ:
        return {str(index): uuid for index, uuid in enumerate(uuids)}
    devices = {}
    for name in map(str.strip, os.environ[VISIBLE].split(",")):
        if name.isdecimal():
            uuid = uuids[int(name)] if int(name) < len(uuids) else None
        elif name.startswith("MIG-"):  # a part of a GPU
            uuid = name if uuids else None
        else:
            uuid = next((uuid for uuid in uuids if name and uuid.startswith(name)), None)
        if uuid is None:
            break
        devices[name] = uuid
    return devices


def physical_devices() -> list[str]:
    """Ids of the NVIDIA GPUs that the driver shows, in its order."""
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()


def _too_few(count: int, found: int) -> str:
    needed = "A GPU is" if count == 1 else f"{count} GPUs are"
    shown = f"{found or 'none'} of those in {VISIBLE}={os.environ.get(VISIBLE)}"
    if VISIBLE not in os.environ:
        shown = f"{found or 'none'}"
    return (
        f"{needed} needed, and nvidia-smi shows {shown} here. Run it on a machine that has them, "
        "or set machine.gpu in the run's config, 0 for none."
    )


def _take(devices: dict[str, str], count: int) -> list[str]:
    """Names of the devices that were locked, once there are enough."""
    folder, told = _folder(), False
    while not (names := _try(devices, count, folder)):
        if not told:
            holders = ", ".join(_holders(devices, folder)) or "others"
            log.warning("Waiting for %d of %d GPUs: leased by %s.", count, len(devices), holders)
            told = True
        time.sleep(random.uniform(0.2, 1.0))
    log.info("Leased GPU %s.", ", ".join(names))
    return names


def _try(devices: dict[str, str], count: int, folder: Path) -> list[str]:
    """Lock `count` of the devices if as many are free, else none."""
    found: dict[str, TextIO] = {}
    with _alone(folder):
        for name, uuid in devices.items():
            file = (folder / f"{uuid}.lock").open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            found[name] = file
            if len(found) == count:
                break
        if len(found) < count:
            for file in found.values():
                file.close()
            return []
        for file in found.values():
            file.truncate(0)
            print(f"process {os.getpid()}", file=file, flush=True)
    _held.extend(found.values())
    return list(found)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time chooses: two that want all devices would else take half each."""
    with (folder / "choosing.lock").open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _holders(devices: dict[str, str], folder: Path) -> list[str]:
    paths = [folder / f"{uuid}.lock" for uuid in devices.values()]
    told = [path.read_text(encoding="utf-8").strip() for path in paths if path.is_file()]
    return sorted({text for text in told if text})


def _folder() -> Path:
    """Where the lock files are. A cluster's job has a folder of its own: SLURM has already parted
    the devices of its jobs, and what shares one there is meant to."""
    told = os.environ.get("SNAKETUNE_LEASES")
    folder = Path(told or f"{tempfile.gettempdir()}/snaketune-gpus-{os.getuid()}")
    if job := os.environ.get("SLURM_JOB_ID"):
        folder = folder / f"slurm-{job}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def check_torch(count: int) -> None:
    """Stop where torch does not see the GPUs that were leased, rather than compute without them.

    Raises:
        UserError: torch is built without CUDA, or sees fewer devices.
    """
    if not count:
        return
    import torch

    seen = torch.cuda.device_count()  # asks the driver only: nothing is initialised before a fork
    if seen < count:
        raise UserError(
            f"{count} leased GPU{'s' * (count > 1)}, but torch {torch.__version__} sees {seen}. Is "
            "it a build for CPUs, or the driver too old for it?",
            TEMPORARY,
        )


def become_torchrun(count: int) -> None:
    """Go on as torchrun, which starts this script once a GPU; the leases stay with the process."""
    for file in _held:
        os.set_inheritable(file.fileno(), True)
    sys.stdout.flush()
    sys.stderr.flush()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", str(count), "--", *sys.argv]
    os.execv(sys.executable, launcher)


def end_with_starter() -> None:
    """Let the kernel end this process with the one that started it and holds its leases."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
