"""Answers against gold: accuracies with Wilson intervals, and exact McNemar tests."""

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from snaketune.answers import read_answers, same_records
from snaketune.config.common import Name, Strict
from snaketune.config.data import Extract, LabelExtract
from snaketune.config.options import OptionsExtract
from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.folding import over_folds
from snaketune.judged import METRIC as JUDGED_METRIC
from snaketune.judged import agreement, judged_rows, read_judgements
from snaketune.metrics import (
    Metric,
    answered,
    as_key,
    ballot,
    compared_metrics,
    is_right,
    metrics_of,
    voted_right,
    votes,
)
from snaketune.option_kinds import by_kind
from snaketune.recipe import recipe_hash
from snaketune.significance import exact_p, wilson
from snaketune.voting import Ballot, measured


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
    judgements: Path | None = None,
    baseline_judgements: Path | None = None,
) -> dict:
    """Score one model's answers.

    A record's answer is the vote over its responses (see `snaketune.voting.decide`); where there
    are several, `mean` and `sd` are those of the accuracies of each response index by itself, and
    `votes` of a reading says what the vote is worth (see `snaketune.voting.measured`), and where
    the answers are those of folds, `folds` what each fold gave (see `snaketune.folding`). Records
    without a gold answer are left out and counted. A record without an answer (unparsed) and an
    error are wrong in every metric and counted besides; where unreadable replies count as a label,
    a record that has it from nothing else is counted as unparsed, right or not.

    Args:
        settings: what is scored.
        answers: the model's answers.
        baseline: the baseline model's answers to the same records.
        recipe: of the model's adapter, None where there is none.
        combination: what a sum of adapters was made of, None where it is none.
        judgements: a judge's verdicts on the model's answers, None where nothing is judged.
        baseline_judgements: those on the baseline's.

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
    extract, k = settings.extract, settings.responses_per_record
    lines = []
    for metric in metrics_of(extract):
        line = _measure(metric, with_gold, pairs, k)
        if isinstance(extract, LabelExtract):
            table = confusion(extract.labels, metric, with_gold)
            line |= f1(table, extract.positive) if extract.positive else {}
            line |= {"votes": _votes(metric, with_gold, k), "confusion": table}
        if with_gold and "fold" in with_gold[0]:
            rights = zip(
                (row["fold"] for row in with_gold), voted_right(metric, with_gold), strict=True
            )
            line["folds"] = over_folds(rights)
        lines.append(line)
    more: dict[str, Any] = {}
    if judgements:
        found = read_judgements(judgements, rows.values())
        others = pairs and judged_rows(pairs, read_judgements(baseline_judgements, base.values()))
        lines.append(_measure(JUDGED_METRIC, judged_rows(with_gold, found), others, 1))
        first = compared_metrics(extract)[0]
        more["judge"] = agreement(first.name, with_gold, voted_right(first, with_gold), found)
    if isinstance(extract, OptionsExtract):
        more["by_kind"] = by_kind(with_gold)
    return {
        "study": settings.study,
        "model": settings.model,
        "dataset": settings.dataset,
        "split": settings.split,
        "responses_per_record": settings.responses_per_record,
        "recipe_hash": _hash(recipe, combination),
        "without_gold": len(rows) - len(with_gold),
        "metrics": lines,
        **more,
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


def _measure(metric: Metric, rows: list[dict], pairs: list[dict] | None, k: int) -> dict[str, Any]:
    n = len(rows)
    right = voted_right(metric, rows)
    low, high = wilson(sum(right), n)
    majority = None
    if metric.gold and n:
        majority = max(Counter(as_key(metric.gold(row["label"])) for row in rows).values()) / n
    mean, sd = _spread(metric, rows, k)
    answers = [answered(metric, row) for row in rows]
    return {
        "metric": metric.name,
        "n": n,
        "correct": sum(right),
        "unparsed": sum(answer.unparsed for answer in answers),
        "errors": sum(answer.error for answer in answers),
        "accuracy": sum(right) / n if n else None,
        "ci_low": low,
        "ci_high": high,
        "mean": mean,
        "sd": sd,
        "f1": None,
        "majority_class": majority,
        "p_vs_base": None if pairs is None else exact_p(right, voted_right(metric, pairs)),
    }


def _spread(metric: Metric, rows: list[dict], k: int) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of the accuracies of the k responses; None for k = 1."""
    if k == 1 or not rows:
        return None, None
    rights = [
        [is_right(metric, answer, row["label"]) for answer in ballot(metric, row) or [None] * k]
        for row in rows
    ]
    shares = [sum(column) / len(rows) for column in zip(*rights, strict=True)]
    return statistics.fmean(shares), statistics.stdev(shares)


def _votes(metric: Metric, rows: list[dict], k: int) -> dict[str, Any] | None:
    """What a reading's vote is worth, and how many single responses were unreadable or failed;
    None for k = 1."""
    if k == 1 or not rows:
        return None
    ballots = [
        Ballot(tuple(votes(metric, row)) if any(row["read"]) else (), row["label"]) for row in rows
    ]
    reads = [read for row in rows for read in row["read"]]
    there = [read for read in reads if read is not None]
    return {
        **measured(ballots, metric.vote, k),
        "responses": k * len(rows),
        "unreadable": sum(map(metric.unreadable, there)),
        "failed": k * len(rows) - len(there),
    }


def confusion(labels: list[str], metric: Metric, rows: list[dict]) -> dict[str, dict[str, int]]:
    """Counts of answers by gold label: {gold: {each label, "unparsed", "error": count}}.

    Only labels that are gold for some record have a row; all have a column. A default counts as
    the label that it is.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found = answered(metric, row)
        missing = "error" if found.error else "unparsed"
        counts[row["label"], missing if found.answer is None else found.answer] += 1
    given = {gold for gold, _ in counts}
    return {
        gold: {answer: counts[gold, answer] for answer in (*labels, "unparsed", "error")}
        for gold in labels
        if gold in given
    }


def f1(table: dict[str, dict[str, int]], positive: str) -> dict[str, float | None]:
    """`precision`, `recall` and their harmonic mean `f1` for a label, from a confusion table.

    A record that is unparsed or an error is not predicted. None where nothing was to be divided
    by: no answer, no gold, or neither of the label.
    """
    hits = table.get(positive, {}).get(positive, 0)
    said = sum(row[positive] for row in table.values())
    gold = sum(table.get(positive, {}).values())
    return {
        "precision": hits / said if said else None,
        "recall": hits / gold if gold else None,
        "f1": 2 * hits / (said + gold) if said + gold else None,
    }
