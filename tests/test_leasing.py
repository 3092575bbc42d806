"""GPUs are leased by lock files; nvidia-smi is one that a test has made."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from snaketune import leasing
from snaketune.errors import UserError

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
VARIABLES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SNAKETUNE_GPUS", "RANK", "SLURM_JOB_ID")


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A function that gives the machine some GPUs; it has two at first."""
    for name in VARIABLES:  # what leasing sets is taken back after the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("SNAKETUNE_LEASES", str(tmp_path / "leases"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(leasing, "_held", [])

    def give(count: int, status: int = 0) -> None:
        path = tmp_path / "bin/nvidia-smi"
        path.parent.mkdir(exist_ok=True)
        lines = "".join(f"echo GPU-{index}{index}-fake\n" for index in range(count))
        path.write_text(f"#!/bin/sh\n{lines}exit {status}\n", encoding="utf-8")
        path.chmod(0o755)

    give(2)
    yield give
    for file in leasing._held:
        file.close()


HOLDER = """
import sys, time
from snaketune import leasing
print(*leasing.lease(int(sys.argv[1])), flush=True)
time.sleep(600)
"""


def started(program: str, *arguments: str, **more) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        text=True,
        **more,
    )


def test_a_job_sees_only_what_it_leased(gpus):
    assert leasing.lease(1) == ["0"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert leasing.leased() == 1


def test_none_hides_all(gpus):
    assert leasing.lease(0) == []
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert leasing.leased() == 0


@pytest.mark.parametrize(
    ("outer", "seen"),
    [
        ("1", {"1": "GPU-11-fake"}),
        ("1,0", {"1": "GPU-11-fake", "0": "GPU-00-fake"}),
        ("GPU-11", {"GPU-11": "GPU-11-fake"}),
        ("MIG-abc", {"MIG-abc": "MIG-abc"}),
        ("1,7,0", {"1": "GPU-11-fake"}),
        ("-1", {}),
        ("", {}),
        ("NoDevFiles", {}),
    ],
)
def test_visible_devices_of_the_surroundings_are_kept_to(gpus, monkeypatch, outer, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    assert leasing.visible_devices() == seen


@pytest.mark.parametrize(
    ("devices", "outer", "count", "says"),
    [
        ((0,), None, 1, "A GPU is needed, and nvidia-smi shows none here"),
        ((2, 9), None, 1, "A GPU is needed, and nvidia-smi shows none here"),  # a broken driver
        ((2,), None, 3, "3 GPUs are needed, and nvidia-smi shows 2 here"),
        (
            (2,),
            "1",
            2,
            "2 GPUs are needed, and nvidia-smi shows 1 of those in CUDA_VISIBLE_DEVICES",
        ),
    ],
)
def test_too_few_end_with_one_message(gpus, monkeypatch, devices, outer, count, says):
    gpus(*devices)
    if outer is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    with pytest.raises(UserError, match=says) as caught:
        leasing.lease(count)
    assert caught.value.exit_code == 75
    assert not leasing._held


def test_jobs_of_a_cluster_do_not_wait_for_each_other(gpus, monkeypatch):
    gpus(1)
    for job in ("7", "8"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        assert leasing.lease(1) == ["0"]


def test_processes_of_torchrun_have_what_their_starter_leased(gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("RANK", "1")
    assert leasing.lease(2) == []
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.slow
def test_a_wait_is_announced_and_ends_with_the_holder(gpus, tmp_path):
    holder = started(HOLDER, "2", stdout=subprocess.PIPE)
    command = [sys.executable, str(SCRIPTS / "merge_adapter.py"), "--gpus", "1"]
    files = ("base", "recipe", "adapter", "records", "out", "log")
    command += [word for name in files for word in (f"--{name}", str(tmp_path / name))]
    waiter = None
    try:
        assert holder.stdout.readline() == "0 1\n"
        waiter = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = waiter.stderr.readline()
        assert f"Waiting for 1 of 2 GPUs: leased by process {holder.pid}." in said
        holder.send_signal(signal.SIGKILL)
        _, rest = waiter.communicate(timeout=120)
        assert "sees 0" in rest  # there is no real GPU behind it
        assert waiter.returncode == 75
    finally:
        for process in filter(None, (holder, waiter)):
            process.kill()
            process.wait()
            (process.stdout or process.stderr).close()


FIGHTER = """
import os, sys, time
from snaketune import leasing
(device,) = leasing.lease(1)
with open(sys.argv[1], "a") as file:
    print("takes", device, os.getpid(), file=file, flush=True)
    if sys.argv[2] == "hangs":
        time.sleep(600)
    time.sleep(0.05)
    print("leaves", device, os.getpid(), file=file, flush=True)
"""


@pytest.mark.slow
def test_eight_processes_never_share_one_of_two_devices(gpus, tmp_path):
    """Two of them hang and are killed; the others still come to their turn."""
    told = tmp_path / "told"
    told.touch()
    lines = lambda: [line.split() for line in told.read_text().splitlines()]  # noqa: E731
    takers = lambda: {pid for what, _, pid in lines() if what == "takes"}  # noqa: E731
    fighters = [started(FIGHTER, str(told), "hangs") for _ in range(2)]
    killed = {str(fighter.pid) for fighter in fighters}
    try:
        deadline = time.monotonic() + 120
        while takers() != killed:
            assert time.monotonic() < deadline, "the first two have not got their devices"
            time.sleep(0.01)
        fighters += [started(FIGHTER, str(told), "works") for _ in range(6)]
        for fighter in fighters[:2]:
            fighter.kill()
        assert [fighter.wait(timeout=120) for fighter in fighters] == [-signal.SIGKILL] * 2 + [
            0
        ] * 6
    finally:
        for fighter in fighters:
            fighter.kill()
            fighter.wait()
    assert len(takers()) == 8
    users: dict[str, str] = {}
    for what, device, pid in lines():
        if what == "takes":
            assert users.get(device) in (None, *killed), f"{device} is taken while it is in use"
            users[device] = pid
        else:
            assert users.pop(device) == pid


def is_alive(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.slow
def test_torchrun_keeps_the_leases_of_its_starter(gpus, tmp_path):
    """The script that becomes torchrun holds its devices until the last process has ended."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from snaketune import leasing\n"
        "leasing.lease(2)\n"
        "if 'RANK' in os.environ:\n"
        "    leasing.end_with_starter()\n"
        "    text = f\"{os.getpid()} {os.environ['CUDA_VISIBLE_DEVICES']}\"\n"
        "    Path(sys.argv[1], os.environ['RANK']).write_text(text)\n"
        "    time.sleep(600)\n"
        "leasing.become_torchrun(2)\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"}
    files = [tmp_path / "0", tmp_path / "1"]
    process = subprocess.Popen([sys.executable, program, tmp_path], env=environment)
    try:
        deadline = time.monotonic() + 180
        while not all(file.exists() and file.read_text() for file in files):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers, devices = zip(*(file.read_text().split() for file in files), strict=True)
        assert devices == ("0,1", "0,1")
        assert leasing._try(leasing.visible_devices(), 1, leasing._folder()) == []
        process.kill()
        process.wait()
        deadline = time.monotonic() + 60
        while any(map(is_alive, workers)):
            assert time.monotonic() < deadline, "a worker outlives its starter"
            time.sleep(0.05)
        assert leasing.lease(2) == ["0", "1"]
    finally:
        process.kill()
        process.wait()
        for file in filter(Path.exists, files):
            with suppress(ProcessLookupError):
                os.kill(int(file.read_text().split()[0]), signal.SIGKILL)


def test_lock_files_name_their_holder(gpus, tmp_path):
    leasing.lease(2)
    held = {path.name: path.read_text() for path in (tmp_path / "leases").glob("GPU*")}
    assert held == {f"GPU-{i}{i}-fake.lock": f"process {os.getpid()}\n" for i in range(2)}
