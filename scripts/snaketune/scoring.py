"""Answers against gold: accuracies with Wilson intervals, and exact McNemar tests."""

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from snaketune.answers import read_answers, same_records, vote
from snaketune.config.common import Name, Strict
from snaketune.config.data import Extract, LabelExtract
from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.metrics import Metric, as_key, metrics_of, voted_right
from snaketune.recipe import recipe_hash
from snaketune.significance import exact_p, wilson


class ScoreSettings(Strict):
    """What score.py is told about the answers it scores."""

    study: Name
    model: Name
    dataset: Name
    split: str
    baseline: Name
    extract: Extract
    responses_per_record: int = 1


def score(
    settings: ScoreSettings,
    answers: Path,
    baseline: Path,
    recipe: Path | None = None,
    combination: Path | None = None,
) -> dict:
    """Score one model's answers.

    A record's answer is the vote over its responses (see `snaketune.answers.vote`); where there
    are several, `mean` and `sd` are those of the accuracies of each response index by itself.
    Records without a gold answer are left out and counted. An unparsed reply and an error are
    wrong in every metric and counted besides.

    Args:
        settings: what is scored.
        answers: the model's answers.
        baseline: the baseline model's answers to the same records.
        recipe: of the model's adapter, None where there is none.
        combination: what a sum of adapters was made of, None where it is none.

    Returns:
        The content of the score file.
    """
    rows = read_answers(answers, settings.extract)
    base = read_answers(baseline, settings.extract)
    same_records((answers, baseline), (rows, base))
    with_gold = [row for row in rows.values() if row["label"] is not None]
    _check_responses(answers, with_gold, settings.responses_per_record)
    pairs = None
    if settings.model != settings.baseline:
        pairs = [base[row["id"]] for row in with_gold]
    lines = [_measure(m, with_gold, pairs, settings) for m in metrics_of(settings.extract)]
    if isinstance(settings.extract, LabelExtract):
        for line in lines:
            line["confusion"] = confusion(settings.extract.labels, line["metric"], with_gold)
    return {
        "study": settings.study,
        "model": settings.model,
        "dataset": settings.dataset,
        "split": settings.split,
        "responses_per_record": settings.responses_per_record,
        "recipe_hash": _hash(recipe, combination),
        "without_gold": len(rows) - len(with_gold),
        "metrics": lines,
    }


def _hash(recipe: Path | None, combination: Path | None) -> str:
    if combination:
        return read_json(combination)["recipe_hash"]
    return recipe_hash(recipe) if recipe else ""


def _check_responses(path: Path, rows: list[dict], wanted: int) -> None:
    for row in rows:
        if row["read"] and len(row["read"]) != wanted:
            raise UserError(
                f"{path}: record '{row['id']}' has {len(row['read'])} responses, where "
                f"sampling.responses_per_record is {wanted}. Delete the predictions and predict "
                "again."
            )


def _measure(
    metric: Metric, rows: list[dict], pairs: list[dict] | None, settings: ScoreSettings
) -> dict[str, Any]:
    n = len(rows)
    right = voted_right(metric, rows)
    low, high = wilson(sum(right), n)
    majority = None
    if metric.gold and n:
        majority = max(Counter(as_key(metric.gold(row["label"])) for row in rows).values()) / n
    mean, sd = _spread(metric, rows, settings.responses_per_record)
    votes = [vote(row) for row in rows]
    return {
        "metric": metric.name,
        "n": n,
        "correct": sum(right),
        "unparsed": sum(read is not None and metric.unparsed(read) for read in votes),
        "errors": sum(read is None for read in votes),
        "accuracy": sum(right) / n if n else None,
        "ci_low": low,
        "ci_high": high,
        "mean": mean,
        "sd": sd,
        "majority_class": majority,
        "p_vs_base": None if pairs is None else exact_p(right, voted_right(metric, pairs)),
    }


def _spread(metric: Metric, rows: list[dict], k: int) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of the accuracies of the k responses; None for k = 1."""
    if k == 1 or not rows:
        return None, None
    shares = [
        sum(bool(row["read"]) and metric.right(row["read"][i], row["label"]) for row in rows)
        / len(rows)
        for i in range(k)
    ]
    return statistics.fmean(shares), statistics.stdev(shares)


def confusion(labels: list[str], reading: str, rows: list[dict]) -> dict[str, dict[str, int]]:
    """Counts of answers by gold label: {gold: {each label, "unparsed", "error": count}}.

    Only labels that are gold for some record have a row; all have a column.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        read = vote(row)
        answer = "error" if read is None else read[reading]
        counts[row["label"], "unparsed" if answer is None else answer] += 1
    given = {gold for gold, _ in counts}
    return {
        gold: {answer: counts[gold, answer] for answer in (*labels, "unparsed", "error")}
        for gold in labels
        if gold in given
    }
