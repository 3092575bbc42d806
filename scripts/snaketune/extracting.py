"""From a model's replies to what they answer, keeping unreadable and failed ones apart."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from snaketune.answers import by_id
from snaketune.config.common import Strict
from snaketune.config.data import Extract, LabelExtract
from snaketune.errors import UserError
from snaketune.json_replies import read_reply
from snaketune.label_replies import label_reader


class ExtractSettings(Strict):
    """What extract_and_vote.py is told about the dataset whose replies it reads."""

    extract: Extract


def reader(extract: Extract) -> Callable[[str, dict], dict[str, Any]]:
    """A function from a reply's text, and the record that was asked, to what is read from it, as
    the answers file holds it."""
    if not isinstance(extract, LabelExtract):
        return lambda text, record: read_reply(text)._asdict()
    readers = {
        name: label_reader(reading, extract.labels) for name, reading in extract.readings.items()
    }

    def read(text: str, record: dict) -> dict[str, Any]:
        options = options_of(record, extract.options) if extract.options else []
        return {name: read(text, options) for name, read in readers.items()}

    return read


def options_of(record: dict, field: str) -> list[str]:
    """The texts of a question's options; a field that is no list of them is a UserError."""
    try:
        options = json.loads(record["fields"].get(field, ""))
    except json.JSONDecodeError:
        options = None
    if not isinstance(options, list) or not all(isinstance(text, str) for text in options):
        raise UserError(
            f"record {record['id']}: field '{field}', which extract.options names, is no JSON list "
            f"of texts: {record['fields'].get(field)!r}. Mend the record."
        )
    return options


def answer_records(records: Path, predictions: Path, extract: Extract) -> Iterator[dict]:
    """Yield a row of the answers file (see `snaketune.answers`) for each record, in their order.

    Among the responses of a prediction, null stands for one that failed where others did not.

    Raises:
        UserError: the predictions lack a record or have one that is not asked for, or hold
            neither a response nor an error for one.
    """
    asked = by_id(records)
    given = by_id(predictions)
    _same_ids(records, set(asked), predictions, set(given))
    read = reader(extract)
    for name, record in asked.items():
        texts = [
            None if response is None else response["text"]
            for response in _responses(predictions, given[name])
        ]
        yield {
            "id": name,
            "label": record["label"],
            "error": given[name].get("error"),
            "text": next((text for text in texts if text is not None), None),
            "read": [None if text is None else read(text, record) for text in texts],
            **({"same": [_first(texts, text) for text in texts]} if len(texts) > 1 else {}),
        }


def _first(texts: list[str | None], text: str | None) -> int | None:
    """Place of the first response with this text; None for one that failed."""
    return None if text is None else texts.index(text)


def _responses(path: Path, prediction: dict) -> list[dict | None]:
    if prediction.get("error"):
        return []
    responses = prediction.get("responses")
    if not responses or all(response is None for response in responses):
        raise UserError(
            f"{path}: record '{prediction['id']}' has neither a response nor an error. "
            "Delete the file and predict again."
        )
    return responses


def _same_ids(records: Path, asked: set[str], predictions: Path, given: set[str]) -> None:
    for missing, where, other in (
        (asked - given, predictions, records),
        (given - asked, records, predictions),
    ):
        if missing:
            raise UserError(
                f"{where} lacks {len(missing)} of the records of {other}: "
                f"{', '.join(sorted(missing)[:3])}{', …' if len(missing) > 3 else ''}. "
                "They belong to different runs: delete the predictions and predict again."
            )
