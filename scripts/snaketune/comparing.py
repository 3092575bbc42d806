"""Any two models of a study, compared on the records that both answered."""

from collections.abc import Iterator
from itertools import combinations, groupby
from pathlib import Path

from snaketune.answers import read_answers, same_records
from snaketune.config.common import Name, Strict
from snaketune.config.data import Extract
from snaketune.errors import UserError
from snaketune.metrics import compared_metrics, voted_right
from snaketune.significance import exact_p


class Answered(Strict):
    """A model's answers to one split."""

    model: Name
    dataset: Name
    split: str
    path: Path


class CompareSettings(Strict):
    """What compare_models.py is told about the study whose models it compares."""

    study: Name
    baseline: Name
    models: list[Name]
    """In the order of the table."""
    answers: list[Answered]
    extracts: dict[Name, Extract]
    """Of each dataset."""


def compare(settings: CompareSettings) -> Iterator[dict]:
    """Yield a row for each dataset and split, metric and pair of models, in their order.

    A row has the columns of comparisons.csv: of the n records with a gold answer, how many only
    `model` gets right and how many only `other`, the difference of the accuracies (`model` less
    `other`) and the p of the exact McNemar test. `other` is the baseline, or the model that comes
    first in the study.
    """
    order = [settings.baseline, *(m for m in settings.models if m != settings.baseline)]
    for answered in settings.answers:
        if answered.model not in order or answered.dataset not in settings.extracts:
            raise UserError(
                f"--settings: the answers {answered.path} are of a model or a dataset that "
                "`models` or `extracts` does not name."
            )
    places = list(dict.fromkeys((a.dataset, a.split) for a in settings.answers))
    by_place = sorted(
        settings.answers,
        key=lambda a: (places.index((a.dataset, a.split)), order.index(a.model)),
    )
    for (dataset, split), group in groupby(by_place, key=lambda a: (a.dataset, a.split)):
        yield from (
            {"study": settings.study, "dataset": dataset, "split": split, **row}
            for row in _pairs(list(group), settings.extracts[dataset])
        )


def _pairs(group: list[Answered], extract: Extract) -> Iterator[dict]:
    first, tables = group[0], [read_answers(answered.path, extract) for answered in group]
    for answered, table in zip(group[1:], tables[1:], strict=True):
        same_records((first.path, answered.path), (tables[0], table))
    asked = [name for name, row in tables[0].items() if row["label"] is not None]
    for metric in compared_metrics(extract):
        right = {
            answered.model: voted_right(metric, [table[name] for name in asked])
            for answered, table in zip(group, tables, strict=True)
        }
        for other, model in combinations(right, 2):
            yield {
                "metric": metric.name,
                "model": model,
                "other": other,
                **_compared(right[model], right[other]),
            }


def _compared(ours: list[bool], theirs: list[bool]) -> dict:
    n = len(ours)
    ahead = sum(ours) - sum(theirs)
    return {
        "n": n,
        "model_accuracy": sum(ours) / n if n else None,
        "other_accuracy": sum(theirs) / n if n else None,
        "only_model": sum(a and not b for a, b in zip(ours, theirs, strict=True)),
        "only_other": sum(b and not a for a, b in zip(ours, theirs, strict=True)),
        "difference": ahead / n if n else None,
        "p": exact_p(ours, theirs),
    }
