"""From a model's replies to what they answer, keeping unreadable and failed ones apart."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from snaketune.answers import by_id
from snaketune.config.common import Strict
from snaketune.config.data import Extract, LabelExtract
from snaketune.config.options import LETTERS, OptionsExtract
from snaketune.errors import UserError
from snaketune.json_replies import read_reply
from snaketune.label_replies import label_reader
from snaketune.option_replies import check_gold, choices_of, option_reader
from snaketune.thinking import answer_part


class ExtractSettings(Strict):
    """What extract_and_vote.py is told about the dataset whose replies it reads."""

    extract: Extract


def reader(extract: Extract) -> Callable[[str, dict], dict[str, Any]]:
    """A function from a reply's text, and the record that was asked, to what is read from it, as
    the answers file holds it. Reasoning in <think> is no part of what is read."""
    read = _reader(extract)
    return lambda text, record: read(answer_part(text), record)


def _reader(extract: Extract) -> Callable[[str, dict], dict[str, Any]]:
    if isinstance(extract, OptionsExtract):
        return lambda text, record: {LETTERS: option_reader(choices_of(extract, record))(text)}
    if not isinstance(extract, LabelExtract):
        return lambda text, _: read_reply(text)._asdict()
    readers = {
        name: label_reader(reading, extract.labels) for name, reading in extract.readings.items()
    }

    def read_labels(text: str, record: dict) -> dict[str, Any]:
        options = choices_of(extract, record) if extract.choices else []
        return {name: read(text, options) for name, read in readers.items()}

    return read_labels


def answer_records(records: Path, predictions: Path, extract: Extract) -> Iterator[dict]:
    """Yield a row of the answers file (see `snaketune.answers`) for each record, in their order.

    Among the responses of a prediction, null stands for one that failed where others did not.

    Raises:
        UserError: the predictions lack a record or have one that is not asked for, or hold
            neither a response nor an error for one; or a gold answer names an option that its
            record has not.
    """
    asked = by_id(records)
    given = by_id(predictions)
    _same_ids(records, set(asked), predictions, set(given))
    read = reader(extract)
    for name, record in asked.items():
        if isinstance(extract, OptionsExtract):
            check_gold(extract, record)
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
