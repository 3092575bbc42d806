"""Servers of our own: awaited, on ports of their own, and gone with whoever started them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tuning import SCRIPTS

from snaketune.errors import UserError
from snaketune.serving import guard
from snaketune.serving.server import Server, is_well

TOY = Path(__file__).with_name("toy_server.py")
PATIENCE = 120

pytestmark = pytest.mark.slow  # each starts processes


def toy(folder: Path, *options: str, name: str = "toy", **environment: str) -> Server:
    command = [sys.executable, str(TOY), *options]
    return Server(name, command, {**os.environ, **environment}, folder / f"{name}.log")


def gone(pids: list[int]) -> bool:
    """Whether processes end within a long time; the dead that nobody took leave of count."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not any(_lives(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def child_of(server: Server) -> int:
    return int(server.output.read_text().splitlines()[0])


def test_two_at_once_have_ports_of_their_own_and_end_with_all_they_started(tmp_path):
    one, two = toy(tmp_path, name="one"), toy(tmp_path, name="two")
    try:
        ports = [server.start(PATIENCE) for server in (one, two)]
        assert len(set(ports)) == 2 and all(is_well(port) for port in ports)
        pids = [one.pid, child_of(one)]
        others = [two.pid, child_of(two)]
        one.stop()
        assert gone(pids) and not is_well(ports[0])
        assert all(_lives(pid) for pid in others) and is_well(ports[1])
    finally:
        one.stop()
        two.stop()
    assert gone(others)


def test_it_is_awaited_until_it_is_well(tmp_path):
    server = toy(tmp_path, "--wait", "1")
    try:
        start = time.monotonic()
        server.start(PATIENCE)
        assert time.monotonic() - start > 1
    finally:
        server.stop()


def test_one_that_ends_or_is_never_well_is_shown_with_what_it_said(tmp_path):
    server = toy(tmp_path, "--fails")
    with pytest.raises(UserError, match=r"toy ended before .*toy\.log:\n  There is no such model"):
        server.start(PATIENCE)
    server = toy(tmp_path, "--wait", "999", TOY_KEY="not shown")
    with pytest.raises(UserError, match=r"toy does not answer after 3 s\. Raise serve\.startup"):
        server.start(3)
    assert gone([child_of(server)])


def test_one_that_heeds_no_sigterm_is_killed(tmp_path, monkeypatch):
    quick = guard.PATIENCE
    text = (SCRIPTS / "snaketune/serving/guard.py").read_text().replace(f"{quick}", "0.2", 1)
    impatient = tmp_path / "guard.py"
    impatient.write_text(text)
    monkeypatch.setattr("snaketune.serving.server.GUARD", impatient)
    server = toy(tmp_path, "--stubborn")
    try:
        server.start(PATIENCE)
        pids = [server.pid, child_of(server)]
    finally:
        server.stop()
    assert gone(pids)


PARENT = """
import json, os, sys, time
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from test_serving import child_of, toy
server = toy(Path(sys.argv[2]), TOY_KEY="sesame")
port = server.start(120)
print(json.dumps([port, server._guard.pid, server.pid, child_of(server)]), flush=True)
time.sleep(600)
"""


@pytest.fixture
def parent(tmp_path):
    """A process that started a server; with the port, and the ids of guard, server and child."""
    paths = json.dumps([str(SCRIPTS), str(TOY.parent)])
    words = [sys.executable, "-c", PARENT, paths, str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_it_dies_with_its_parent(parent, number):
    process, (port, *pids) = parent
    assert is_well(port) and all(_lives(pid) for pid in pids)
    process.send_signal(number)
    process.wait()
    assert gone(pids) and not is_well(port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a death")
def test_it_dies_with_its_guard(parent):
    _, (port, guarding, server, child) = parent
    os.kill(guarding, signal.SIGKILL)
    assert gone([guarding, server]) and not is_well(port)
    os.kill(child, signal.SIGKILL)  # of a server that looks after none


def test_a_key_is_in_the_environment_and_in_no_command_line(parent, tmp_path):
    _, (_, *pids) = parent
    assert (tmp_path / "toy.log").read_text().splitlines()[1] == "sesame"
    lines = [word for pid in pids for word in psutil.Process(pid).cmdline()]
    assert lines and all("sesame" not in word for word in lines)
