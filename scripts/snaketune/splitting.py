"""Splits of a dataset: by sizes, whole groups kept, or as its source gives them; what they hold."""

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Literal

from snaketune.config.splits import HeldOut, Split
from snaketune.errors import UserError
from snaketune.records import SPLITS, content_digest

MOST_LABELS = 50
"""Different labels; of more, as of free texts, it is not counted how many a split has."""


class Outline:
    """What splitting and counting need of all records, a list for each part.

    Lists of texts, for a million small objects would keep the garbage collector busy.
    """

    def __init__(self, records: Iterable[dict]):
        self.groups: list[str] = []
        self.contents: list[bytes] = []
        self.labels: list[str | None] = []
        """Labels that are one text; of a structured one the empty text."""
        self.splits: list[str | None] = []
        self.strata: list[str | None] = []
        self.without_split: str | None = None
        for record in records:
            self.groups.append(record["group"])
            self.contents.append(content_digest(record))
            label = record["label"]
            plain = label if isinstance(label, str | None) else ""
            self.labels.append(plain and sys.intern(plain))
            self.splits.append(record.get("split"))
            self.strata.append(record.get("stratum"))
            if self.without_split is None and self.splits[-1] is None:
                self.without_split = record["id"]


def check_labels(facts: dict, labels: list[str] | None) -> None:
    """Refuse gold labels that no reply could be read as, before anything is trained on them.

    Args:
        facts: what is known of the source; `labels` counts its gold labels.
        labels: those that `extract` reads; None: any.
    """
    unknown = sorted(facts["labels"].keys() - labels) if labels else []
    if unknown:
        raise UserError(
            f"extract.labels: lacks {', '.join(map(repr, unknown[:5]))}, which records have as "
            f"gold label; it has {', '.join(map(repr, labels or []))}. Map them in source.labels, "
            "or add them."
        )


def split(records: Outline, settings: Split | Literal["given"]) -> list[str]:
    """The split of each record: the one that it names, or one by shares or numbers of records.

    By these, whole groups are dealt out. They come in an order hashed from the seed, the large
    ones (by powers of two) first, and each goes where it leaves the split least filled in
    proportion to its target (where records name strata, or `stratify` makes them of the labels,
    with records of the stratum that most of the group has). So the sizes come as near to the
    targets as whole groups and strata allow (without strata, numbers of records are met exactly
    where groups are single records), no split gets all the large groups, and the result depends
    neither on the order of the records nor on the machine.
    Every split with a target gets at least one group. Folds are dealt out in the same way, and the
    test is the one that `fold` names.

    Raises:
        UserError: no record, fewer groups than splits with a target, numbers that leave nothing
            for train, or `given` and a record that names no split.
    """
    if settings == "given":
        if records.without_split is not None:
            raise UserError(
                f"split: given, but record '{records.without_split}' names no split. Add \"split\" "
                "to each record of the source, or state shares."
            )
        return [name for name in records.splits if name is not None]
    targets = _targets(settings, len(records.groups))
    sizes = Counter(records.groups)
    if settings.fold:
        return _fold(records, sizes, settings)
    if len(sizes) < len(targets):
        raise UserError(
            f"{len(records.groups)} records in {len(sizes)} groups cannot be split into "
            f"{', '.join(targets)}: each needs a group of its own. Give more data, or set a share "
            "to 0."
        )
    home = _assign(sizes, _strata(records, settings), targets, settings.seed)
    return [home[group] for group in records.groups]


def _fold(records: Outline, sizes: Counter[str], settings: Split) -> list[str]:
    """One fold is the test; of the other folds' groups some are for validation."""
    parts = {str(number): 1.0 for number in range(1, settings.folds + 1)}
    if len(sizes) < len(parts) + bool(settings.validation):
        raise UserError(
            f"{len(sizes)} groups cannot be parted into {len(parts)} folds and a validation split. "
            "Give more data, or fewer folds."
        )
    strata = _strata(records, settings)
    part = _assign(sizes, strata, parts, settings.seed)
    rest = Counter({name: size for name, size in sizes.items() if part[name] != str(settings.fold)})
    shares = {"train": settings.train, "validation": settings.validation}
    shares = {name: share for name, share in shares.items() if share}
    home = _assign(rest, strata, shares, settings.seed)
    return [home.get(group, "test") for group in records.groups]


def hold_out(records: Outline, homes: list[str], settings: HeldOut) -> list[str]:
    """`homes`, with training records moved to validation, whole groups, in an order hashed from
    the seed, until each label has its share of their number.

    Raises:
        UserError: the source gives validation records already, has no more training records than
            are asked for, or its groups are all too large.
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index in (index for index, home in enumerate(homes) if home == "train"):
        members[records.groups[index]].append(index)
    there = homes.count("train")
    if "validation" in homes:
        raise UserError("held_out: the source gives validation records; leave held_out away.")
    if settings.records >= there:
        raise UserError(
            f"held_out.records: {settings.records} leave none of {there} training records."
        )
    labels = Counter(records.labels[index] for part in members.values() for index in part)
    left = _quotas(labels, settings.records)
    moved = list(homes)
    for group in sorted(members, key=lambda group: _drawn(group, settings.seed)):
        needs = Counter(records.labels[index] for index in members[group])
        if all(number <= left[label] for label, number in needs.items()):
            left -= needs
            for index in members[group]:
                moved[index] = "validation"
    if "validation" not in moved:
        raise UserError(f"held_out: every group is larger than {settings.records} records.")
    return moved


def _quotas(labels: Counter[str | None], total: int) -> Counter[str | None]:
    """`total` shared out in proportion, the rest to the labels that rounding down costs most."""
    shares = {label: total * count / labels.total() for label, count in labels.items()}
    quotas = Counter({label: int(share) for label, share in shares.items()})
    short = sorted(shares, key=lambda label: (quotas[label] - shares[label], label or ""))
    quotas.update(short[: total - quotas.total()])
    return quotas


def _drawn(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {group}".encode()).hexdigest()


def _targets(settings: Split, records: int) -> dict[str, float]:
    """What each split that is to have records should have: its share, or else its number."""
    targets = {name: getattr(settings, name) for name in SPLITS}
    if settings.train is None:  # numbers of records, and train has what they leave
        for name in ("validation", "test"):
            if 0 < targets[name] <= 1:
                targets[name] = max(1, round(targets[name] * records))
        targets["train"] = records - targets["validation"] - targets["test"]
        if targets["train"] <= 0:
            raise UserError(
                f"split: validation {targets['validation']:g} and test {targets['test']:g} leave "
                f"none of {records} records for train. Lower them, or state shares."
            )
    return {name: target for name, target in targets.items() if target > 0}


def _strata(records: Outline, settings: Split) -> dict[str, str | None]:
    """The stratum that most records of each group have, the first of equals; {} without strata."""
    found: dict[str, Counter[str | None]] = {}
    strata = records.labels if settings.stratify == "label" else records.strata
    if any(strata):
        for group, stratum in zip(records.groups, strata, strict=True):
            found.setdefault(group, Counter())[stratum] += 1
    return {group: counts.most_common(1)[0][0] for group, counts in found.items()}


def _assign(
    sizes: Counter[str], strata: dict[str, str | None], targets: dict[str, float], seed: int
) -> dict[str, str]:
    def turn(group: str) -> tuple[int, str]:
        return -sizes[group].bit_length(), _drawn(group, seed)

    order = sorted(sizes, key=turn)
    filled: Counter[tuple[str, str | None]] = Counter()
    home: dict[str, str] = {}
    for group in order:
        size, stratum = sizes[group], strata.get(group)
        name = min(targets, key=lambda s: (filled[s, stratum] + size) / targets[s])
        home[group] = name
        filled[name, stratum] += size
    for empty in [name for name in targets if name not in home.values()]:
        counts = Counter(home.values())
        richest = max(counts, key=lambda s: counts[s])
        home[next(group for group in reversed(order) if home[group] == richest)] = empty
    return home


def quality(
    records: Outline, homes: list[str], counts: dict, source: dict, masked: Mapping[str, int]
) -> dict:
    """What is known of a dataset's splits; the two leakage figures should be 0.

    Args:
        records: outline of all clean records.
        homes: the split of each of them.
        counts: what `clean` counted.
        source: the facts of where the records come from.
        masked: split → records of it in which a number was masked.

    Returns:
        `source`, the counts of `clean` without its list, then per split `records`, `groups`,
        `without_gold` and `masked` (and how many of each of the `strata`, if any, and of the
        `labels`, if they are one text and not over MOST_LABELS), and `leakage`: groups that stand
        in more than one split (`groups`) and contents asked in more than one split (`prompts`).
    """
    sizes = Counter(homes)
    pairs = zip(homes, records.labels, strict=True)
    no_gold = Counter(home for home, label in pairs if label is None)
    strata: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    for home, stratum in zip(homes, records.strata, strict=True):
        if stratum is not None:
            strata[home][stratum] += 1
    labels: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    if len({*records.labels} - {"", None}) <= MOST_LABELS:
        for home, label in zip(homes, records.labels, strict=True):
            labels[home].update([label] if label else [])
    groups, contents = _by_home(homes, records.groups), _by_home(homes, records.contents)
    return {
        "source": source,
        **{key: value for key, value in counts.items() if key != "conflicts"},
        "splits": {
            name: {
                "records": sizes[name],
                "groups": len(groups[name]),
                "without_gold": no_gold[name],
                "masked": masked.get(name, 0),
                **({"strata": dict(sorted(strata[name].items()))} if strata[name] else {}),
                **({"labels": dict(sorted(labels[name].items()))} if labels[name] else {}),
            }
            for name in SPLITS
        },
        "leakage": {"groups": _shared(groups), "prompts": _shared(contents)},
    }


def _by_home(homes: list[str], values: list) -> dict[str, set]:
    members: dict[str, set] = {name: set() for name in SPLITS}
    for home, value in zip(homes, values, strict=True):
        members[home].add(value)
    return members


def _shared(members: dict[str, set]) -> int:
    """How many stand in more than one of the sets."""
    return len(set().union(*(a & b for a, b in combinations(members.values(), 2))))
