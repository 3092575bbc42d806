"""Finished responses, kept as they come, so that a kill loses at most the batch under way.

A response is found by what was asked (model, prompt, sampling, which of the k samples), not by
the record's name or place: records may be edited, added or reordered, and nothing that is still
asked is generated or paid twice.
"""

import json
import logging
import os
import secrets
import socket
import struct
import time
from pathlib import Path
from typing import BinaryIO

from snaketune.config.tuning import Sampling
from snaketune.files import digest

log = logging.getLogger(__name__)

MOST_OPEN = 64
"""Files that are read from, kept open at once."""

_PLACE = struct.Struct("<IQI")
_HEAD = '"responses":{'
_parsed = json.JSONDecoder().raw_decode


def response_key(
    model: str, prompt: list, sampling: Sampling, index: int, served: bool = False
) -> str:
    """Name of a response: SHA-256 over all that decides it.

    Args:
        model: digest of the weights, or a served model's id.
        prompt: token ids asked, or messages where the server renders them.
        sampling: its seed, top_p and top_k count only where something is drawn; the batch size
            and the number of responses never do.
        index: which of the record's responses.
        served: by an address, where what the weights are loaded as is not ours to say.
    """
    drawn = sampling.temperature > 0
    settings = sampling.model_dump(exclude={"batch_size", "responses_per_record"})
    if not drawn:
        kept = ("max_new_tokens", "dtype", "repetition_penalty", "response_schema")
        settings = {key: settings[key] for key in kept}
    if served:
        del settings["dtype"]
    # the absence of either, as before there were such settings
    if sampling.repetition_penalty == 1:
        del settings["repetition_penalty"]
    if sampling.response_schema is None:
        del settings["response_schema"]
    return digest([model, prompt, settings, index])


class Journal:
    """Responses by key in a folder of append-only JSON-lines files, one file a writing process.

    A line holds all responses of one batch, and is there whole or not at all: a torn last line is
    skipped. A writer never opens another's file, so jobs may write side by side. In memory is
    where each response stands, not the response: some 250 bytes each.

    Keys are those of `response_key`. One thread may look for keys while another adds.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._places: dict[bytes, bytes] = {}
        self._paths: list[Path] = []
        self._open: dict[int, BinaryIO] = {}
        self._own: BinaryIO | None = None
        for path in sorted(self.folder.glob("*.jsonl")):
            self._read(path)

    def _read(self, path: Path) -> None:
        number, start = self._number(path), 0
        with path.open("rb") as file:
            for count, line in enumerate(file, start=1):
                try:
                    self._note(number, start, _places(line))
                except ValueError:
                    log.info("%s, line %d is torn; skipped.", path.name, count)
                start += len(line)

    def _number(self, path: Path) -> int:
        self._paths.append(path)
        return len(self._paths) - 1

    def _note(self, number: int, start: int, places: dict[str, tuple[int, int]]) -> None:
        for key, (begin, end) in places.items():
            self._places[bytes.fromhex(key)] = _PLACE.pack(number, start + begin, end - begin)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key) in self._places

    def __getitem__(self, key: str) -> dict:
        number, start, length = _PLACE.unpack(self._places[bytes.fromhex(key)])
        return json.loads(os.pread(self._file(number).fileno(), length, start))

    def __len__(self) -> int:
        return len(self._places)

    def _file(self, number: int) -> BinaryIO:
        if number not in self._open:
            if len(self._open) >= MOST_OPEN:
                self._close_all()
            self._open[number] = self._paths[number].open("rb", buffering=0)
        return self._open[number]

    def add(self, responses: dict[str, dict]) -> None:
        """Append a batch; when this returns, it is on the disk."""
        if self._own is None:
            self._own = self._create()
        line, places = _line(responses)
        start = self._own.tell()
        self._own.write(line)
        self._own.flush()
        os.fsync(self._own.fileno())
        self._note(self._own_number, start, places)

    def _create(self) -> BinaryIO:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._own_number = self._number(self.folder / name)
        return (self.folder / name).open("xb")

    def _close_all(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    def close(self) -> None:
        """Close all files; what is there can still be looked up."""
        self._close_all()
        if self._own is not None:
            self._own.close()
            self._own = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error) -> None:
        self.close()


def _line(responses: dict[str, dict]) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The line of a batch, and where in it each response begins and ends, in bytes."""
    line = bytearray(f'{{"time":{round(time.time(), 3)},{_HEAD}'.encode())
    places = {}
    for key, response in responses.items():
        line += f'{"," if places else ""}"{key}":'.encode()
        begin = len(line)
        line += json.dumps(response, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        places[key] = begin, len(line)
    return bytes(line + b"}}\n"), places


def _places(line: bytes) -> dict[str, tuple[int, int]]:
    """Where in a line of `_line` each response begins and ends; a ValueError where it is torn."""
    text = line.decode("latin-1")  # a character a byte, and JSON's own marks stay what they are
    at = text.index(_HEAD) + len(_HEAD)
    places = {}
    while text[at : at + 1] == '"':
        key, begin = _parsed(text, at)
        _, end = _parsed(text, begin + 1)
        places[key] = begin + 1, end
        at = end + text.startswith(",", end)
    if text[at:].rstrip("\n") != "}}":
        raise ValueError("the line has no end")
    return places
