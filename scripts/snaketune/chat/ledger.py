"""What every request cost: append-only files, one a process, that no job rewrites."""

import fcntl
import itertools
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snaketune.files import json_line

UNFINISHED = "unfinished"
"""Status of a request whose process ended before the answer came."""

SYNC_SECONDS = 1.0


@dataclass(frozen=True)
class Spent:
    """Money of one endpoint: as servers counted it, and what requests without a bill cost at most.

    Those are lost ones (timeout, lost connection, torn answer) and those still under way.
    """

    billed: float = 0.0
    unbilled: float = 0.0

    @property
    def at_most(self) -> float:
        return self.billed + self.unbilled


class Ledger:
    """This process's file in a folder of ledgers, made with the first line.

    A request has two lines: `sent`, written before it leaves, so that a kill hides no spending,
    and a settled one that tells all. Lines are in the file when the call returns and survive a
    kill of the process; `sync` brings them to the disk, so that a crash of the machine hides what
    a second cost, at most. A wait for the disk with every answer would cost a tenth of the speed.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._file: int | None = None
        self._ids = itertools.count()
        self._synced = time.monotonic()

    def sent(self, endpoint: str, currency: str | None, at_most: float | None, **facts) -> int:
        """Write that a request is about to leave, and what it costs at most.

        Returns:
            Its id in this file.
        """
        number = next(self._ids)
        line = {"sent": number, "endpoint": endpoint, "currency": currency, "at_most": at_most}
        self._write({**line, "time": round(time.time(), 3), **facts})
        return number

    def settled(self, number: int, endpoint: str, currency: str | None, **facts) -> None:
        """Write how a request ended; `cost` is null where there is no bill, then see `at_most`."""
        line = {"settled": number, "endpoint": endpoint, "currency": currency}
        self._write({**line, "time": round(time.time(), 3), **facts})

    def _write(self, line: dict) -> None:
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._file = os.open(self.folder / name, flags, 0o644)
        os.write(self._file, json_line(line) + b"\n")

    def sync(self) -> None:
        """Bring all lines to the disk, if that was not done in the last second."""
        now = time.monotonic()
        if self._file is not None and now - self._synced > SYNC_SECONDS:
            os.fsync(self._file)
            self._synced = now

    def close(self) -> None:
        """Bring all lines to the disk and close the file."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from reading and spending at the same time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Spending:
    """What a folder of ledgers adds up to; each look reads only what is new."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._read: dict[str, int] = {}
        self._open: dict[tuple[str, int], dict] = {}
        self._billed: dict[tuple[str, str | None], float] = {}
        self._unbilled: dict[tuple[str, str | None], float] = {}

    def of(self, endpoint: str, currency: str | None) -> Spent:
        """Money of an endpoint in a currency, by all processes up to now."""
        for name, line in self._new_lines():
            self._add(name, line)
        account = (endpoint, currency)
        under_way = sum(
            line["at_most"] or 0
            for line in self._open.values()
            if (line["endpoint"], line["currency"]) == account
        )
        return Spent(self._billed.get(account, 0.0), self._unbilled.get(account, 0.0) + under_way)

    def _add(self, name: str, line: dict) -> None:
        if "sent" in line:
            self._open[name, line["sent"]] = line
            return
        self._open.pop((name, line["settled"]), None)
        account = (line["endpoint"], line["currency"])
        if line.get("cost") is not None:
            self._billed[account] = self._billed.get(account, 0.0) + line["cost"]
        else:
            more = line.get("at_most") or 0.0
            self._unbilled[account] = self._unbilled.get(account, 0.0) + more

    def _new_lines(self) -> Iterator[tuple[str, dict]]:
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as files:
            sizes = {f.name: f.stat().st_size for f in files if f.name.endswith(".jsonl")}
        for name, size in sorted(sizes.items()):
            if size > self._read.get(name, 0):
                for line, end in _lines(self.folder / name, self._read.get(name, 0)):
                    yield name, line
                    self._read[name] = end


def requests(folder: Path) -> Iterator[dict]:
    """Yield every request of a folder of ledgers as its settled line, in order of the files.

    One that was never settled is yielded as it was sent, with status `unfinished`.
    """
    for path in sorted(Path(folder).glob("*.jsonl")):
        under_way: dict[int, dict] = {}
        for line, _ in _lines(path, 0):
            if "sent" in line:
                under_way[line["sent"]] = line
            else:
                under_way.pop(line["settled"], None)
                yield line
        yield from ({**line, "status": UNFINISHED} for line in under_way.values())


def _lines(path: Path, start: int) -> Iterator[tuple[dict, int]]:
    """Whole lines behind byte `start`, each with its end; a torn last line is left for later."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if line.endswith(b"\n"):
                start += len(line)
                yield json.loads(line), start
