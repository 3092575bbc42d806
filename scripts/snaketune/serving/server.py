"""A server as a child of this process: on a port that the system chose, awaited, taken down."""

import logging
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from snaketune.errors import UserError

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
GUARD = Path(__file__).with_name("guard.py")
LINES_SHOWN = 15
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to the loopback


class Server:
    """A command that serves HTTP on a free port of the loopback, with a guard that outlives us.

    The command is told port 0. Which one the system gave it is read from the process's own
    sockets, so that no other server can be taken for it, nor it be refused a port.
    """

    def __init__(self, name: str, command: list[str], environment: dict[str, str], output: Path):
        """
        Args:
            name: for messages.
            command: with host and port.
            environment: of the command; a key is in here, and never in the command.
            output: file that receives what the command says.
        """
        self.name, self.command, self.environment = name, command, environment
        self.output = output
        self._guard: subprocess.Popen | None = None
        self.pid: int | None = None
        """Of the server; None while it does not run."""

    def start(self, seconds: float) -> int:
        """Start it and wait until it is well; its port.

        Raises:
            UserError: it ended, or was not well in so many seconds; with what it said last.
        """
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, str(GUARD), *self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=self.environment,
                start_new_session=True,  # Ctrl-C is for us, and the guard sees what comes of it
            )
        try:
            self.pid = int(self._guard.stdout.readline() or 0)
            return self._wait(time.monotonic() + seconds, seconds)
        except BaseException:
            self.stop()
            raise

    def _wait(self, deadline: float, seconds: float) -> int:
        while self._guard.poll() is None:
            for port in listening(self.pid):
                if is_well(port):
                    log.info("%s answers on port %d.", self.name, port)
                    return port
            if time.monotonic() > deadline:
                raise UserError(
                    f"{self.name} does not answer after {seconds:g} s. Raise serve.startup, or see "
                    f"what it says in {self.output}:\n{self._last_lines()}"
                )
            time.sleep(0.1)
        raise UserError(
            f"{self.name} ended before it answered. It said last, in {self.output}:\n"
            f"{self._last_lines()}"
        )

    def _last_lines(self) -> str:
        lines = self.output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LINES_SHOWN:])

    def stop(self) -> None:
        """Take it down, and all that it started; when this returns, it is gone."""
        if self._guard is None:
            return
        self._guard.stdin.close()
        self._guard.wait()
        self._guard.stdout.close()
        self._guard = self.pid = None


def listening(pid: int) -> list[int]:
    """Ports of the loopback that a process listens on."""
    try:
        sockets = psutil.Process(pid).net_connections("tcp4")
    except psutil.Error:
        return []  # it ended, or is not there yet
    return [
        socket.laddr.port
        for socket in sockets
        if socket.status == psutil.CONN_LISTEN and socket.laddr.ip == HOST
    ]


def is_well(port: int) -> bool:
    """Whether a server on the loopback says that it can answer."""
    try:
        with _direct.open(f"http://{HOST}:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
