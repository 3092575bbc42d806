"""What a reply is measured by: the metrics of a dataset, from its extract."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

from snaketune.config.data import Extract, LabelExtract, Reading, Vote
from snaketune.config.options import LETTERS, OptionsExtract
from snaketune.option_replies import gold_letters
from snaketune.places import place_name
from snaketune.voting import Raw, decide


def typed_place_name(text: str) -> str:
    """Canonical form of a place name as a model types it: no white space, no full-width letters."""
    return place_name(re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)))


NORMALISERS: dict[str, Callable[[str], str]] = {"place_name": typed_place_name}

_MISSING = object()


class Metric(NamedTuple):
    """A question with a yes or a no for the answer to a record (see `snaketune.answers`)."""

    name: str
    says: Callable[[dict], Any]
    """What a response answers, of what was read from it; None where it answers nothing."""
    unreadable: Callable[[dict], bool]
    """Of what was read from a response, whatever that counts as."""
    right: Callable[[Any, Any], bool]
    """Of an answer, and the gold answer."""
    gold: Callable[[Any], Any] | None
    """The gold value in a gold answer, for the majority baseline; None where there is none."""
    vote: Vote | None = None
    """How responses become one answer; None: the first of them is the answer."""


class Answered(NamedTuple):
    """What counts as a record's answer."""

    answer: Any
    """None where there is none."""
    unparsed: bool
    """There is no answer, or nothing but what unreadable replies count as."""
    error: bool
    """There is no response that could count."""


def metrics_of(extract: Extract) -> list[Metric]:
    """The metrics of a dataset, in the order of the table.

    Labels: each reading is a metric. Options: exact (the right options and no others) and partial
    (at least one right option and no wrong one). JSON: valid_json (the whole reply is one JSON
    object), field_match:<field>, exact_match (the gold's fields and no others, all right), then the
    same matches with the fields of `extract.normalise` in canonical form.
    """
    if isinstance(extract, LabelExtract):
        return [_reading(name, reading) for name, reading in extract.readings.items()]
    if isinstance(extract, OptionsExtract):
        return [
            _picked("exact", _same_options, gold_letters),
            _picked("partial", _none_wrong, None),
        ]
    plain: dict[str, str] = {}
    metrics = [Metric("valid_json", _itself, _no_object, lambda read, label: read["valid"], None)]
    metrics += [_field(f"field_match:{field}", field, plain) for field in extract.fields]
    metrics.append(_exact("exact_match", plain))
    if extract.normalise:
        metrics += [
            _field(f"field_match_normalised:{field}", field, extract.normalise)
            for field in extract.normalise
        ]
        metrics.append(_exact("exact_match_normalised", extract.normalise))
    return metrics


def compared_metrics(extract: Extract) -> list[Metric]:
    """The metrics in which any two models are compared: those of the whole answer."""
    whole = ("exact_match", "exact_match_normalised")
    metrics = metrics_of(extract)
    if isinstance(extract, LabelExtract | OptionsExtract):
        return metrics
    return [metric for metric in metrics if metric.name in whole]


def ballot(metric: Metric, row: dict) -> list[Any]:
    """What each response in a row of an answers file answers; None for one that answers nothing,
    because it could not be read or failed."""
    return [None if read is None else metric.says(read) for read in row["read"]]


def votes(metric: Metric, row: dict) -> list[Any]:
    """`ballot`, or where whole replies vote, those; see `snaketune.voting.Raw`."""
    says = ballot(metric, row)
    if metric.vote is None or metric.vote.of == "label" or len(says) < 2:
        return says
    return [
        None if same is None else Raw(same, label)
        for same, label in zip(row["same"], says, strict=True)
    ]


def answered(metric: Metric, row: dict) -> Answered:
    """The answer to a row of an answers file."""
    by_first = metric.vote is None or metric.vote.rule == "first"
    counting = [read for read in (row["read"][:1] if by_first else row["read"]) if read is not None]
    if not counting:
        return Answered(None, False, True)
    says = votes(metric, row)
    answer = says[0] if metric.vote is None else decide(says, metric.vote).label
    return Answered(answer, answer is None or all(map(metric.unreadable, counting)), False)


def voted_right(metric: Metric, rows: list[dict]) -> list[bool]:
    """Whether the answer to each row of an answers file is right; none and an error are not."""
    return [is_right(metric, answered(metric, row).answer, row["label"]) for row in rows]


def is_right(metric: Metric, answer: Any, label: Any) -> bool:
    """Whether an answer is there and right."""
    return answer is not None and metric.right(answer, label)


def _reading(name: str, reading: Reading) -> Metric:
    return Metric(
        name,
        lambda read: reading.default if read[name] is None else read[name],
        lambda read: read[name] is None,
        lambda answer, label: answer == label,
        lambda label: label,
        reading.vote,
    )


def _picked(
    name: str, right: Callable[[str, Any], bool], gold: Callable[[Any], str] | None
) -> Metric:
    return Metric(name, lambda read: read[LETTERS], lambda read: read[LETTERS] is None, right, gold)


def _same_options(letters: str, label: Any) -> bool:
    return letters == gold_letters(label)


def _none_wrong(letters: str, label: Any) -> bool:
    return set(letters) <= set(gold_letters(label))


def _itself(read: dict) -> dict:
    return read


def _no_object(read: dict) -> bool:
    return read["answer"] is None


def _field(name: str, field: str, rules: dict[str, str]) -> Metric:
    def value(fields: dict) -> Any:
        return _canonical(field, fields.get(field, _MISSING), rules)

    return _match(name, value)


def _exact(name: str, rules: dict[str, str]) -> Metric:
    def value(fields: dict) -> dict:
        return {field: _canonical(field, part, rules) for field, part in fields.items()}

    return _match(name, value)


def _match(name: str, value: Callable[[dict], Any]) -> Metric:
    def right(read: dict, label: dict) -> bool:
        return read["answer"] is not None and _same(value(read["answer"]), value(label))

    return Metric(name, _itself, _no_object, right, value)


def _canonical(field: str, value: Any, rules: dict[str, str]) -> Any:
    if field in rules and isinstance(value, str):
        return NORMALISERS[rules[field]](value)
    return value


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values; to Python, true is 1 and 1 is 1.0, to JSON they differ."""
    if one is _MISSING or other is _MISSING:
        return False
    return as_key(one) == as_key(other)


def as_key(value: Any) -> str:
    """One text for equal JSON values, whatever the order of their keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
