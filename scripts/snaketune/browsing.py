"""The data of the answers page: every record of a study with what each model answered.

The page holds them as one JSON object: {"datasets": [{"name", "metrics", "every", "records"}]},
where a record is {"id", "gold", "prompt": [[role, content]], "models": {model: …}}, with `brief`,
the letters alone, where the gold answer holds more than them. What a model answered is {"states",
"answers", "error", "replies"}. `states` has a letter a metric (see `STATES`), `answers` what counts
as the answer in it, and a reply is {"text", "reasoning", "read"}, null where it failed, with what
each metric reads from it.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snaketune.answers import read_answers
from snaketune.config.common import Name, Strict
from snaketune.config.data import Extract
from snaketune.errors import UserError
from snaketune.files import read_jsonl
from snaketune.metrics import Metric, answered, ballot, compared_metrics, is_right
from snaketune.option_replies import gold_letters

MOST_BYTES = 48 * 2**20
"""Of predictions on one page; a browser holds that well, and not ten times as much."""

STATES = {"r": "right", "w": "wrong", "u": "unparsed", "e": "error", "-": "no gold answer"}
"""What a letter says of an answer."""


class Asked(Strict):
    """One split, and the models that answered it."""

    dataset: Name
    split: str
    models: list[Name]


class BrowseSettings(Strict):
    """What browse_answers.py is told about the study whose answers it shows."""

    title: str
    note: str = ""
    folder: Path
    """Of the study's results, in which every file has its place."""
    extracts: dict[Name, Extract]
    asked: list[Asked]

    def file(self, kind: str, model: str, asked: Asked) -> Path:
        """A model's `predictions` or `answers` to a split."""
        return self.folder / kind / model / asked.dataset / f"{asked.split}.jsonl"


def browsed(settings: BrowseSettings, most_bytes: int = MOST_BYTES) -> list[dict]:
    """The datasets of the page, in the order of the settings.

    Where all predictions together are larger than `most_bytes`, only every n-th record is taken,
    and `every` says so.
    """
    files = [
        settings.file("predictions", model, one) for one in settings.asked for model in one.models
    ]
    size = sum(file.stat().st_size for file in files)
    every = max(1, math.ceil(size / most_bytes))
    return [_dataset(settings, one, every) for one in settings.asked]


def _dataset(settings: BrowseSettings, asked: Asked, every: int) -> dict[str, Any]:
    extract = settings.extracts[asked.dataset]
    metrics = compared_metrics(extract)
    records: dict[str, dict] = {}
    path = settings.folder / "data" / asked.dataset / f"{asked.split}.jsonl"
    for number, record in enumerate(read_jsonl(path)):
        if number % every == 0:
            label = record["label"]
            records[record["id"]] = {
                "id": record["id"],
                "gold": None if label is None else shown(label),
                **({"brief": gold_letters(label)} if extract.kind == "options" and label else {}),
                "prompt": [],
                "models": {},
            }
    for model in asked.models:
        kinds = ("predictions", "answers")
        predictions, answers = (settings.file(kind, model, asked) for kind in kinds)
        for prediction, row in _answers(predictions, answers, extract, records):
            record = records[row["id"]]
            record["prompt"] = [[part["role"], part["content"]] for part in prediction["prompt"]]
            record["models"][model] = _answer(metrics, prediction, row)
    return {
        "name": f"{asked.dataset} / {asked.split}",
        "metrics": [metric.name for metric in metrics],
        "every": every,
        "records": list(records.values()),
    }


def _answers(
    predictions: Path, answers: Path, extract: Extract, wanted: dict
) -> Iterator[tuple[dict, dict]]:
    """The prediction and the answers row of each wanted record."""
    rows = read_answers(answers, extract)
    for prediction in read_jsonl(predictions):
        if prediction["id"] in wanted:
            if prediction["id"] not in rows:
                raise UserError(
                    f"{answers} lacks record '{prediction['id']}' of {predictions}. "
                    "Delete it and run again."
                )
            yield prediction, rows[prediction["id"]]


def _answer(metrics: list[Metric], prediction: dict, row: dict) -> dict[str, Any]:
    found = [answered(metric, row) for metric in metrics]
    states = [_state(metric, one, row["label"]) for metric, one in zip(metrics, found, strict=True)]
    reads = zip(*(ballot(metric, row) for metric in metrics), strict=True)
    replies = prediction["responses"] if row["read"] else []
    return {
        "states": "".join(states),
        "answers": [shown(one.answer) for one in found],
        "error": row["error"],
        "replies": [_reply(reply, read) for reply, read in zip(replies, reads, strict=True)],
    }


def _state(metric: Metric, found: Any, label: Any) -> str:
    if label is None:
        return "-"
    if found.error:
        return "e"
    if is_right(metric, found.answer, label):
        return "r"
    return "u" if found.unparsed else "w"


def _reply(reply: dict | None, read: tuple) -> dict[str, Any] | None:
    if reply is None:
        return None
    thought = {"reasoning": reply["reasoning"]} if reply.get("reasoning") else {}
    return {"text": reply["text"], **thought, "read": [shown(one) for one in read]}


def shown(value: Any) -> str | None:
    """An answer, a gold answer or what was read, as a person reads it; None where there is none."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"answer", "valid"}:
        return shown(value["answer"])
    if isinstance(value, dict):
        return ", ".join(f"{key}: {part}" for key, part in value.items())
    return str(value)
