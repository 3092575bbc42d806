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
import time
from pathlib import Path

from snaketune.config.tuning import Sampling
from snaketune.files import digest

log = logging.getLogger(__name__)


def response_key(model: str, prompt: list, sampling: Sampling, index: int) -> str:
    """Name of a response: SHA-256 over all that decides it.

    Args:
        model: digest of the weights, or a served model's id.
        prompt: token ids asked, or messages where the server renders them.
        sampling: its seed, top_p and top_k count only where something is drawn; the batch size
            and the number of responses never do.
        index: which of the record's responses.
    """
    drawn = sampling.temperature > 0
    settings = sampling.model_dump(exclude={"batch_size", "responses_per_record"})
    if not drawn:
        settings = {key: settings[key] for key in ("max_new_tokens", "dtype", "repetition_penalty")}
    if sampling.repetition_penalty == 1:  # its absence, as before there was such a setting
        del settings["repetition_penalty"]
    return digest([model, prompt, settings, index])


class Journal:
    """Responses by key in a folder of append-only JSON-lines files, one file a writing process.

    A line holds all responses of one batch, and is there whole or not at all: a torn last line is
    skipped. A writer never opens another's file, so jobs may write side by side.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._known: dict[str, dict] = {}
        self._file = None
        for path in sorted(self.folder.glob("*.jsonl")):
            self._read(path)

    def _read(self, path: Path) -> None:
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                self._known.update(json.loads(line)["responses"])
            except (ValueError, KeyError, TypeError):
                log.info("%s, line %d is torn; skipped.", path.name, number)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> dict:
        return self._known[key]

    def __len__(self) -> int:
        return len(self._known)

    def add(self, responses: dict[str, dict]) -> None:
        """Append a batch; when this returns, it is on the disk."""
        line = {"time": round(time.time(), 3), "responses": responses}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        if self._file is None:
            self._file = self._create()
        self._file.write(text.encode("utf-8"))
        os.fsync(self._file.fileno())
        self._known.update(responses)

    def _create(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        return (self.folder / name).open("xb", buffering=0)

    def close(self) -> None:
        """Close this process's file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error) -> None:
        self.close()
