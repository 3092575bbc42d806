"""Cross-validation: answers of all folds in one file, and what the folds say of each other."""

import statistics
from collections.abc import Iterable, Iterator
from math import sqrt
from pathlib import Path

from snaketune.errors import UserError
from snaketune.files import read_jsonl
from snaketune.tables import Block, percent

TITLE = "{dataset} / {split}: over {k} folds, {n} records"
TEXT = (
    "Cross-validation: the groups of records are dealt out to folds, and each fold is answered by "
    "models that were trained on the others. The table above counts the records of all folds "
    "together, and its intervals are for the choice of records alone. Here: mean and sample "
    "standard deviation of the folds' accuracies, and the 95 % interval of their mean by "
    "Student's t, which takes in what another training and another choice of groups would do; "
    "the folds share training records, so it is somewhat too narrow."
)
HEAD = ["metric", "model", "mean %", "95 % interval", "sd", "each fold %"]


def pooled_rows(paths: Iterable[Path]) -> Iterator[dict]:
    """Yield the rows of the folds' answers files one after the other, each with its `fold` from 1.

    A UserError names a record that stands in two folds.
    """
    seen: dict[str, Path] = {}
    for fold, path in enumerate(paths, start=1):
        for row in read_jsonl(path):
            if row["id"] in seen:
                raise UserError(
                    f"{path}: record '{row['id']}' stands in {seen[row['id']]} too, so its folds "
                    "are not those of one dataset. Delete both and run again."
                )
            seen[row["id"]] = path
            yield {**row, "fold": fold}


def over_folds(rights: Iterable[tuple[int, bool]]) -> dict:
    """Accuracies of the folds, from each record's fold and whether its answer is right.

    Returns:
        `accuracies` in the order of the folds, their `mean` and `sd`, and the 95 % interval
        (`low`, `high`) of the mean by Student's t with k - 1 degrees of freedom.
    """
    from scipy.stats import t

    by_fold: dict[int, list[bool]] = {}
    for fold, right in rights:
        by_fold.setdefault(fold, []).append(right)
    found = [statistics.fmean(by_fold[fold]) for fold in sorted(by_fold)]
    mean, sd, k = statistics.fmean(found), statistics.stdev(found), len(found)
    reach = float(t.ppf(0.975, k - 1)) * sd / sqrt(k)
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    return {"accuracies": found, "mean": mean, "sd": sd, "low": low, "high": high}


def folded(scores: Iterable[dict], models: list[str]) -> list[Block]:
    """A table for each dataset that was taken through folds; the first says how to read all.

    Args:
        scores: contents of score files.
        models: of the study, in order.
    """
    blocks: dict[tuple[str, str], Block] = {}
    for made in sorted(scores, key=lambda made: models.index(made["model"])):
        for line in (line for line in made["metrics"] if line.get("folds")):
            folds, place = line["folds"], (made["dataset"], made["split"])
            k, n = len(folds["accuracies"]), f"{line['n']:,}"
            title = TITLE.format(dataset=place[0], split=place[1], k=k, n=n)
            block = blocks.setdefault(place, Block(title, "" if blocks else TEXT, HEAD, [], []))
            block.rows.append(
                [
                    line["metric"],
                    made["model"],
                    percent(folds["mean"]),
                    f"[{percent(folds['low'])}, {percent(folds['high'])}]",
                    percent(folds["sd"]),
                    ", ".join(map(percent, folds["accuracies"])),
                ]
            )
    for block in blocks.values():
        names = list(dict.fromkeys(row[0] for row in block.rows))
        block.rows.sort(key=lambda row: names.index(row[0]))
    return list(blocks.values())
