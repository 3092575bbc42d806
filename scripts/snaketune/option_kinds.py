"""Questions with options by kind: how often a reply is right, and how much of an answer it has."""

import statistics
from collections.abc import Iterable
from typing import Any

from snaketune.config.options import LETTERS
from snaketune.option_replies import gold_letters
from snaketune.tables import Block, percent

KINDS = {"one": "one right option", "several": "several right options"}


def shares_of(letters: str | None, gold: str) -> float:
    """Jaccard index of the options picked and the right ones: shared over all that either has."""
    picked, right = set(letters or ""), set(gold)
    return len(picked & right) / len(picked | right)


def by_kind(rows: Iterable[dict]) -> list[dict[str, Any]]:
    """For the questions with one right option, and those with several: n, exact, partial, Jaccard.

    Args:
        rows: of an answers file, with a gold answer; the first response counts.
    """
    found: dict[str, list[tuple[str | None, str]]] = {}
    for row in rows:
        gold = gold_letters(row["label"])
        read = row["read"][0] if row["read"] else None
        kind = "one" if len(gold) == 1 else "several"
        found.setdefault(kind, []).append((read[LETTERS] if read else None, gold))
    return [
        {
            "kind": kind,
            "n": len(found[kind]),
            "exact": sum(letters == gold for letters, gold in found[kind]),
            "partial": sum(bool(one) and set(one) <= set(gold) for one, gold in found[kind]),
            "jaccard": statistics.fmean(shares_of(*pair) for pair in found[kind]),
        }
        for kind in KINDS
        if kind in found
    ]


TITLE = "{dataset} / {split}: by kind of question"
TEXT = (
    "Exact: the right options and no others. Partial: at least one right option and no wrong one. "
    "Jaccard: the options that reply and key share, over all that either has, as a mean over the "
    "questions; a reply without a readable answer has 0."
)
HEAD = ("model", "questions with", "n", "exact %", "partial %", "Jaccard %")


def kinds(scores: Iterable[dict], models: list[str]) -> list[Block]:
    """A table for each dataset and split whose questions have options, if some have several right.

    Args:
        scores: contents of score files.
        models: of the study, in order.
    """
    places: dict[tuple[str, str], list[dict]] = {}
    for score in scores:
        if len(score.get("by_kind") or []) > 1:
            places.setdefault((score["dataset"], score["split"]), []).append(score)
    blocks: list[Block] = []
    for (dataset, split), group in places.items():
        group.sort(key=lambda score: models.index(score["model"]))
        rows = [_row(score["model"], line) for score in group for line in score["by_kind"]]
        title, text = TITLE.format(dataset=dataset, split=split), "" if blocks else TEXT
        blocks.append(Block(title, text, list(HEAD), rows, []))
    return blocks


def _row(model: str, line: dict) -> list[str]:
    shares = (line["exact"] / line["n"], line["partial"] / line["n"], line["jaccard"])
    return [model, KINDS[line["kind"]], f"{line['n']:,}", *map(percent, shares)]
