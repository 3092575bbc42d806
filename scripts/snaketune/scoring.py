"""Answers against gold: accuracies with Wilson intervals, and exact McNemar tests."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from snaketune.config.common import Name, Strict
from snaketune.config.data import JsonExtract
from snaketune.errors import UserError
from snaketune.extracting import by_id
from snaketune.places import place_name
from snaketune.recipe import recipe_hash


def typed_place_name(text: str) -> str:
    """Canonical form of a place name as a model types it: no white space, no full-width letters."""
    return place_name(re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)))


NORMALISERS: dict[str, Callable[[str], str]] = {"place_name": typed_place_name}

_MISSING = object()


class ScoreSettings(Strict):
    """What score.py is told about the answers it scores."""

    study: Name
    model: Name
    dataset: Name
    split: str
    baseline: Name
    extract: JsonExtract
    responses_per_record: int = 1


class Metric(NamedTuple):
    """A question with a yes or a no for every answer."""

    name: str
    correct: Callable[[dict], bool]
    """Of a row of the answers file."""
    gold: Callable[[dict], Any] | None
    """The gold value of a label, for the majority baseline; None where there is no such value."""


def metrics_of(extract: JsonExtract) -> list[Metric]:
    """The metrics of a dataset, in the order of the table.

    valid_json (the whole reply is one JSON object), field_match:<field>, exact_match (the gold's
    fields and no others, all right), then the same matches with the fields of
    `extract.normalise` in canonical form.
    """
    plain: dict[str, str] = {}
    metrics = [Metric("valid_json", lambda row: row["valid"], None)]
    metrics += [_field(f"field_match:{field}", field, plain) for field in extract.fields]
    metrics.append(_exact("exact_match", plain))
    if extract.normalise:
        metrics += [
            _field(f"field_match_normalised:{field}", field, extract.normalise)
            for field in extract.normalise
        ]
        metrics.append(_exact("exact_match_normalised", extract.normalise))
    return metrics


def _field(name: str, field: str, rules: dict[str, str]) -> Metric:
    def value(fields: dict) -> Any:
        return _canonical(field, fields.get(field, _MISSING), rules)

    return Metric(
        name,
        lambda row: row["answer"] is not None and _same(value(row["answer"]), value(row["label"])),
        value,
    )


def _exact(name: str, rules: dict[str, str]) -> Metric:
    def value(fields: dict) -> dict:
        return {field: _canonical(field, part, rules) for field, part in fields.items()}

    return Metric(
        name,
        lambda row: row["answer"] is not None and _same(value(row["answer"]), value(row["label"])),
        value,
    )


def _canonical(field: str, value: Any, rules: dict[str, str]) -> Any:
    if field in rules and isinstance(value, str):
        return NORMALISERS[rules[field]](value)
    return value


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values; to Python, true is 1 and 1 is 1.0, to JSON they differ."""
    if one is _MISSING or other is _MISSING:
        return False
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def score(settings: ScoreSettings, answers: Path, baseline: Path, recipe: Path | None) -> dict:
    """Score one model's answers; `baseline` are the baseline model's answers to the same records.

    Records without a gold answer are left out and counted. An unparsed reply and an error are
    wrong in every metric and counted besides. Returns the content of the score file.
    """
    rows, base = by_id(answers), by_id(baseline)
    if rows.keys() != base.keys():
        odd = sorted(rows.keys() ^ base.keys())
        raise UserError(
            f"{answers} and {baseline} answer different records ({len(odd)} are in one only, such "
            f"as '{odd[0]}'), so they cannot be compared. Delete both and run again."
        )
    with_gold = [row for row in rows.values() if row["label"] is not None]
    for row in with_gold:
        _check_gold(answers, row, settings.extract)
    pairs = None
    if settings.model != settings.baseline:
        pairs = [base[row["id"]] for row in with_gold]
    return {
        "study": settings.study,
        "model": settings.model,
        "dataset": settings.dataset,
        "split": settings.split,
        "responses_per_record": settings.responses_per_record,
        "recipe_hash": recipe_hash(recipe) if recipe else "",
        "without_gold": len(rows) - len(with_gold),
        "metrics": [_measure(m, with_gold, pairs) for m in metrics_of(settings.extract)],
    }


def _check_gold(path: Path, row: dict, extract: JsonExtract) -> None:
    label = row["label"]
    if not isinstance(label, dict):
        raise UserError(
            f"{path}: the gold answer of record '{row['id']}' is no JSON object, which "
            "extract.kind 'json' compares with. Mend the record or the dataset's extract."
        )
    for field in extract.fields:
        if field not in label:
            raise UserError(
                f"{path}: the gold answer of record '{row['id']}' lacks '{field}', which "
                f"extract.fields names; it has {', '.join(label)}."
            )


def _measure(metric: Metric, rows: list[dict], pairs: list[dict] | None) -> dict:
    n = len(rows)
    right = [metric.correct(row) for row in rows]
    low, high = wilson(sum(right), n)
    majority = None
    if metric.gold and n:
        majority = max(Counter(_key(metric.gold(row["label"])) for row in rows).values()) / n
    return {
        "metric": metric.name,
        "n": n,
        "correct": sum(right),
        "unparsed": sum(row["outcome"] == "unparsed" for row in rows),
        "errors": sum(row["outcome"] == "error" for row in rows),
        "accuracy": sum(right) / n if n else None,
        "ci_low": low,
        "ci_high": high,
        "majority_class": majority,
        "p_vs_base": None if pairs is None else exact_p(right, [metric.correct(p) for p in pairs]),
    }


def wilson(correct: int, n: int) -> tuple[float | None, float | None]:
    """95 % interval of a share (Wilson 1927), as shares of 1; (None, None) for no records."""
    if n == 0:
        return None, None
    low, high = proportion_confint(correct, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def exact_p(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Two-sided exact McNemar test (McNemar 1947) of two models on the same records, in order.

    The probability, if both were equally good, of a split of the records that only one of them
    gets right at least as uneven as the one seen; 1 where there is no such record.
    """
    pairs = Counter(zip(ours, theirs, strict=True))
    table = [
        [pairs[True, True], pairs[True, False]],
        [pairs[False, True], pairs[False, False]],
    ]
    return float(mcnemar(table, exact=True).pvalue)
