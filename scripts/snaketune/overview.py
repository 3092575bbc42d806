"""What a study did, for one page: where its records went, who was right where, speed and memory."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from snaketune.browsing import Asked
from snaketune.config.common import Name, Strict
from snaketune.files import read_json
from snaketune.tables import percent

MOST_MODELS = 12
"""Models whose confusions are shown; a sweep may have hundreds."""
MOST_LABELS = 12
"""Labels whose records in a split are told."""


class Source(Strict):
    """What a dataset's records come from."""

    raw: Name
    """The dataset whose raw data they are: of a fold, the whole."""
    sites: list[Name] = []
    """Sites that its questions were crawled from."""
    reasoned: list[str] = []
    """Splits that a teacher's reasoning was written for."""


class OverviewSettings(Strict):
    """What describe_study.py is told about the study."""

    study: Name
    title: str
    note: str = ""
    folder: Path
    """Of the study's results, in which every file has its place."""
    datasets: dict[Name, Source]
    headlines: dict[Name, str]
    """The metric of each dataset that stands for all."""
    adapters: list[Name] = []
    asked: list[Asked]
    scored: list[Asked]
    """What has a score; folds are put together."""


class Step(Strict):
    """A box of a data flow."""

    title: str
    count: int
    notes: list[str] = []
    """What was lost on the way here, and what else is worth a line."""


def flow(folder: Path, dataset: str, source: Source) -> list[list[Step]]:
    """The steps that a dataset's records took, in columns; steps of a column lie side by side."""

    def facts(path: str) -> dict:
        return read_json(folder / path)

    quality = facts(f"data/{dataset}/quality.json")
    columns = [
        [_crawled(site, facts(f"pages/{site}/crawl.json")) for site in source.sites],
        [_parsed(site, facts(f"questions/{site}.json")) for site in source.sites],
        [_raw(facts(f"raw/{source.raw}.json"), quality)],
        [_kept(quality)],
        [
            _split(name, split, facts(f"cot/{dataset}/{name}.metrics.json") if taught else None)
            for name, split in quality["splits"].items()
            for taught in [name in source.reasoned]
        ],
    ]
    return [column for column in columns if column]


def _crawled(site: str, crawl: dict) -> Step:
    notes = [crawl.get("from") or "", *_counts({"missing": crawl.get("missing")})]
    return Step(
        title=f"{site}: pages crawled", count=crawl["pages"], notes=list(filter(None, notes))
    )


def _parsed(site: str, parsed: dict) -> Step:
    lost = {key: parsed.get(key) for key in ("unread", "repeated")}
    return Step(title=f"{site}: questions read", count=parsed["questions"], notes=_counts(lost))


def _raw(raw: dict, quality: dict) -> Step:
    notes = [f"source: {raw['kind']}"]
    for name, counts in raw.get("questions", {}).items():
        left = {"with a picture": counts.get("left_out_for_picture"), **counts.get("unusable", {})}
        notes += [f"{name}: {line}" for line in _counts(left, "left out: ")]
    return Step(title="records", count=quality["in"], notes=notes)


def _kept(quality: dict) -> Step:
    known = {
        "kept though duplicate": quality.get("duplicates_kept"),
        "with conflicting labels": quality.get("conflicting_labels"),
        "with conflicting answers": quality.get("conflicting_answers"),
    }
    notes = [*_counts(quality["dropped"], "dropped: "), *_counts(known)]
    return Step(title="after cleaning", count=quality["kept"], notes=notes)


def _split(name: str, split: dict, reasoned: dict | None) -> Step:
    told = {"groups": split.get("groups"), "without gold": split.get("without_gold")}
    notes = _counts(told | {"masked": split.get("masked")})
    labels = split.get("labels", {})
    shown = dict(list(labels.items())[:MOST_LABELS])
    notes += _counts(shown, "label ") + _counts({"other labels": len(labels) - len(shown)})
    if reasoned:
        notes += [f"with a teacher's reasoning: {reasoned['kept']:,}"]
        notes += _counts(reasoned["rejected"], "rejected: ")
    return Step(title=name, count=split["records"], notes=notes)


def _counts(counts: dict[str, Any], before: str = "") -> list[str]:
    """A line for each count that is not 0; a list counts by its length."""
    numbers = {
        name: len(count) if isinstance(count, list) else count for name, count in counts.items()
    }
    return [f"{before}{name}: {count:,}" for name, count in numbers.items() if count]


class Heat(Strict):
    """A table of shares as colours: rows of a name and cells, each a text and a share or None."""

    title: str
    head: list[str]
    rows: list[tuple[str, list[tuple[str, float | None]]]]


def crossed(rows: list[dict], headlines: dict[str, str]) -> Heat | None:
    """Models by datasets, in the headline metric; None where a study asks only one dataset."""
    kept = [row for row in rows if headlines.get(row["dataset"]) == row["metric"]]
    places = list(dict.fromkeys((row["dataset"], row["split"]) for row in kept))
    if len(places) < 2:
        return None
    by = {(row["model"], row["dataset"], row["split"]): row["accuracy"] for row in kept}
    models = dict.fromkeys(row["model"] for row in kept)
    shares = {name: [by.get((name, *place)) for place in places] for name in models}
    return Heat(
        title="Accuracy in percent of each model on each dataset",
        head=[f"{dataset} / {split}: {headlines[dataset]}" for dataset, split in places],
        rows=[
            (name, [(percent(share), share) for share in found]) for name, found in shares.items()
        ],
    )


def confusions(scores: Iterable[dict], headlines: dict[str, str]) -> list[Heat]:
    """For each model that answers with a label, which answers it gives to which gold label."""
    found: list[Heat] = []
    # in the order of the study's evaluations
    for _, group in groupby(scores, key=lambda score: (score["dataset"], score["split"])):
        shown = [
            (score, line["confusion"])
            for score in group
            for line in score["metrics"]
            if line["metric"] == headlines[score["dataset"]] and line.get("confusion")
        ]
        given = {a for _, table in shown for row in table.values() for a in row if row[a]}
        found += [_confusion(score, table, given) for score, table in shown[:MOST_MODELS]]
    return found


def _confusion(score: dict, table: dict[str, dict[str, int]], given: set[str]) -> Heat:
    """The columns are the gold labels and what any model of the dataset answered, as in each."""
    answers = [a for a in next(iter(table.values())) if a in table or a in given]
    totals = {gold: sum(row.values()) for gold, row in table.items()}
    return Heat(
        title=f"{score['model']} on {score['dataset']} / {score['split']}",
        head=answers,
        rows=[
            (
                gold,
                [(f"{row[a]:,}", row[a] / totals[gold] if totals[gold] else None) for a in answers],
            )
            for gold, row in table.items()
        ],
    )


TRAINED_HEAD = (
    *("adapter", "device", "steps", "records", "tokens", "seconds", "tokens/s", "MFU %"),
    *("peak memory", "trained parameters"),
)
ASKED_HEAD = (
    "model",
    "asked",
    "device",
    "records",
    "generated",
    "seconds",
    "tokens/s",
    "peak memory",
)


def trained(folder: Path, adapters: list[str]) -> list[list[str]]:
    """Cells of `TRAINED_HEAD`, a row an adapter."""
    rows = []
    for name in adapters:
        made = read_json(folder / f"adapters/{name}/metrics.json")
        device = made.get("card") or made["device"]
        devices = f"{made['devices']} × {device}" if made.get("devices", 1) > 1 else device
        mfu = made.get("mfu")
        counts = [_number(made.get(key)) for key in ("steps", "samples", "tokens", "seconds")]
        speed = _number(made.get("tokens_per_second"))
        rest = [_memory(made.get("peak_memory_mb")), _number(made.get("trainable_parameters"))]
        rows.append([name, devices, *counts, speed, percent(mfu), *rest])
    return rows


def answered(folder: Path, model: str, asked: Asked) -> list[str]:
    """Cells of `ASKED_HEAD`."""
    made = read_json(folder / f"predictions/{model}/{asked.dataset}/{asked.split}.metrics.json")
    where = made.get("device") or (made.get("endpoint") or {}).get("name", "–")
    counts = [_number(made.get(key)) for key in ("records", "generated", "seconds")]
    speed = _number(made.get("tokens_per_second"))
    place = f"{asked.dataset} / {asked.split}"
    return [model, place, where, *counts, speed, _memory(made.get("peak_memory_mb"))]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"


def _memory(peak: dict[str, float] | None) -> str:
    """`512 MB RAM, 1,024 MB GPU`."""
    return ", ".join(f"{mb:,.0f} MB {name.upper()}" for name, mb in (peak or {}).items()) or "–"
