"""Keeps a command running for as long as somebody holds the other end of standard input.

    python guard.py COMMAND ARGUMENT…

A parent that dies, in whatever way, lets go of that pipe; then the command and all that it started
are ended. The command's process id is the first line on standard output. Where the guard itself is
killed, the command is killed by Linux; its own children are left to it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PATIENCE = 15.0
"""Seconds between asking to end and ending."""
LINUX = sys.platform == "linux"
DIES_WITH_PARENT, ADOPTS_ORPHANS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER


def main(command: list[str]) -> int:
    """Run the command until it ends or is not wanted any more; its exit status."""
    prctl = ctypes.CDLL(None).prctl if LINUX else None
    if prctl:
        prctl(ADOPTS_ORPHANS, 1)
    guard = os.getpid()

    def before() -> None:
        if prctl:
            prctl(DIES_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != guard:  # it died before the line above
                os._exit(1)

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,
        preexec_fn=before,
    )
    print(child.pid, flush=True)

    def wait_for_parent() -> None:
        while os.read(0, 1024):
            pass
        ended.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    while child.poll() is None and not ended.wait(0.1):
        pass
    end(child)
    return child.returncode


def end(child: subprocess.Popen) -> None:
    """End the command's process group, and what had left that group."""
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        left = _adopted(child.pid)
        if child.poll() is not None and not left:
            break
        for pid in left:
            os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)
    _signal(child.pid, signal.SIGKILL)
    child.wait()
    while left := _adopted(child.pid):  # each that dies may leave us its own
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in it


def _adopted(child: int) -> list[int]:
    """Living processes that this one is the parent of, but for the child that it started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat") if LINUX else ():
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended just now
        if parent == os.getpid() and int(stat.parent.name) != child:
            found.append(int(stat.parent.name))
    return [pid for pid in found if os.waitpid(pid, os.WNOHANG) == (0, 0)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
