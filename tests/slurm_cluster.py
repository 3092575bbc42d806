"""A SLURM of one node on this machine: munged, slurmctld and slurmd, with one GPU that is none."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = Path("/etc/slurm/slurm.conf")
"""Its place is not free: jobs start others without the variable that could name another."""
OURS = "# of Snaketune's tests\n"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scontrol")


def missing() -> str:
    """Why no cluster can be started here; blank if one can."""
    found = [shutil.which(name, path=_path()) for name in PROGRAMS]
    if not all(found):
        return f"no {PROGRAMS[found.index(None)]} on this machine"
    if os.getuid() != 0:
        return "only root can start a SLURM"
    if CONFIG.exists() and OURS not in CONFIG.read_text(encoding="utf-8"):
        return "this machine belongs to a cluster"
    return ""


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _config(folder: Path) -> str:
    """slurm.conf for a node with this machine's cores, memory and one a100."""
    node = socket.gethostname().partition(".")[0]
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024**2
    control, daemon = _free_ports(2)
    return f"""{OURS}ClusterName=snaketune
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={control}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
ReturnToService=2
EnforcePartLimits=ALL
MinJobAge=300
KillWait=5
NodeName={node} NodeAddr=127.0.0.1 CPUs={cores} Boards=1 SocketsPerBoard=1 CoresPerSocket={cores} \
ThreadsPerCore=1 RealMemory={memory} Gres=gpu:a100:1 State=UNKNOWN
PartitionName=cpu Nodes={node} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=gpu Nodes={node} Default=NO MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Start the daemons, wait until the node is idle, and end them and what they run at the end.

    Args:
        folder: for their state and logs; nothing else may be in it.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    CONFIG.parent.mkdir(exist_ok=True)
    gres = CONFIG.with_name("gres.conf")
    CONFIG.write_text(_config(folder), encoding="utf-8")
    node = socket.gethostname().partition(".")[0]
    gres.write_text(f"AutoDetect=off\nNodeName={node} Name=gpu Type=a100 File=/dev/null\n")
    files = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
    munged += [f"--{name}{'' if name == 'socket' else '-file'}={files[name]}" for name in files]
    daemons = []
    try:
        daemons.append(_started(folder, munged))
        _wait_for(lambda: Path(files["socket"]).exists(), "munged", folder)
        daemons.append(_started(folder, ["slurmctld", "-D"]))
        _wait_for(lambda: "is UP" in said("scontrol", "ping"), "slurmctld", folder)
        daemons.append(_started(folder, ["slurmd", "-D", "-N", node]))
        _wait_for(
            lambda: said("sinfo", "-h", "-p", "cpu", "-o", "%t").strip() == "idle", "slurmd", folder
        )
        yield
    finally:
        said("scancel", "--user", "root", "--signal=KILL", "--full")
        _end(folder, daemons)
        CONFIG.unlink()
        gres.unlink()


def _started(folder: Path, command: list[str]) -> subprocess.Popen:
    with (folder / f"{command[0]}.out").open("wb") as out:
        return subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": _path()},
            start_new_session=True,
        )


def said(*command: str) -> str:
    """What a command of SLURM prints, whether it succeeds or not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def _wait_for(holds, what: str, folder: Path) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        logs = "\n".join(path.read_text(errors="replace")[-3000:] for path in folder.glob("*.out"))
        assert time.monotonic() < deadline, f"{what} does not come up:\n{logs}"
        time.sleep(0.2)


def _end(folder: Path, daemons: list[subprocess.Popen]) -> None:
    """End the daemons, the last first, and the steps that slurmd has left behind."""
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
