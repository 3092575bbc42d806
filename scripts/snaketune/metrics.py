"""What a reply is measured by: the metrics of a dataset, from its extract."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

from snaketune.answers import vote
from snaketune.config.data import JsonExtract, LabelExtract
from snaketune.places import place_name


def typed_place_name(text: str) -> str:
    """Canonical form of a place name as a model types it: no white space, no full-width letters."""
    return place_name(re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)))


NORMALISERS: dict[str, Callable[[str], str]] = {"place_name": typed_place_name}

_MISSING = object()


class Metric(NamedTuple):
    """A question with a yes or a no for what was read from a reply (see `snaketune.answers`)."""

    name: str
    right: Callable[[dict, Any], bool]
    """Of what was read, and the gold answer."""
    unparsed: Callable[[dict], bool]
    """Of what was read."""
    gold: Callable[[Any], Any] | None
    """The gold value in a gold answer, for the majority baseline; None where there is none."""


def metrics_of(extract: JsonExtract | LabelExtract) -> list[Metric]:
    """The metrics of a dataset, in the order of the table.

    Labels: each reading is a metric. JSON: valid_json (the whole reply is one JSON object),
    field_match:<field>, exact_match (the gold's fields and no others, all right), then the same
    matches with the fields of `extract.normalise` in canonical form.
    """
    if isinstance(extract, LabelExtract):
        return [_reading(name) for name in extract.readings]
    plain: dict[str, str] = {}
    metrics = [Metric("valid_json", lambda read, label: read["valid"], _no_object, None)]
    metrics += [_field(f"field_match:{field}", field, plain) for field in extract.fields]
    metrics.append(_exact("exact_match", plain))
    if extract.normalise:
        metrics += [
            _field(f"field_match_normalised:{field}", field, extract.normalise)
            for field in extract.normalise
        ]
        metrics.append(_exact("exact_match_normalised", extract.normalise))
    return metrics


def compared_metrics(extract: JsonExtract | LabelExtract) -> list[Metric]:
    """The metrics in which any two models are compared: those of the whole answer."""
    whole = ("exact_match", "exact_match_normalised")
    metrics = metrics_of(extract)
    if isinstance(extract, LabelExtract):
        return metrics
    return [metric for metric in metrics if metric.name in whole]


def voted_right(metric: Metric, rows: list[dict]) -> list[bool]:
    """Whether the vote of each row of an answers file is right; an error is not."""
    return [(read := vote(row)) is not None and metric.right(read, row["label"]) for row in rows]


def _reading(name: str) -> Metric:
    return Metric(
        name,
        lambda read, label: read[name] == label,
        lambda read: read[name] is None,
        lambda label: label,
    )


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

    return Metric(name, right, _no_object, value)


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
