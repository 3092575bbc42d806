"""Records of a dataset: reading them with checks, dropping duplicates, splitting by group.

A record is `{"id": str, "fields": {name: str}, "label": str | {name: str | null} | null,
"group": str}`. Label null means that there is no gold answer. Records of one group are never
parted by a split; a record that states no group is one of its own.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from snaketune.config.data import Split
from snaketune.config.sources import FileSource
from snaketune.errors import UserError
from snaketune.files import numbered_jsonl

SPLITS = ("train", "validation", "test")


def read_records(path: Path, source: FileSource) -> Iterator[dict]:
    """Yield the checked records of a JSON-lines file, in the order id, fields, label, group.

    A UserError names file and line of a record with a wrong shape, without an id, a field or a
    part of the label that the config promises, or with an id that an earlier record has.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Mend 'path' of the dataset's source.")
    seen: dict[str, int] = {}
    for number, row in numbered_jsonl(path):
        where = f"{path}, line {number}"
        record = _checked(row, source, where)
        first = seen.setdefault(record["id"], number)
        if first != number:
            raise UserError(
                f"{where}: id '{record['id']}' is taken by line {first}. Ids must be unique."
            )
        yield record
    if not seen:
        raise UserError(f"{path}: no record in it. One JSON object is expected on each line.")


def _checked(row: dict, source: FileSource, where: str) -> dict:
    for key in row:
        if key not in ("id", "fields", "label", "group"):
            raise UserError(f"{where}: unknown key '{key}'. Known: id, fields, label, group.")
    name, fields, label = row.get("id"), row.get("fields"), row.get("label")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where}: no 'id', or not a text.")
    if not isinstance(fields, dict):
        raise UserError(f"{where}: no 'fields', or not an object of names and texts.")
    for field in source.fields:
        if not isinstance(fields.get(field), str):
            raise UserError(
                f"{where}: record '{name}' has no field '{field}', or it is not a text."
            )
    if "label" not in row:
        raise UserError(f"{where}: record '{name}' has no 'label'; null says: no gold answer.")
    _check_label(label, source.label, f"{where}: record '{name}'")
    group = row.get("group", name)
    if not isinstance(group, str):
        raise UserError(f"{where}: 'group' of record '{name}' is not a text.")
    return {"id": name, "fields": fields, "label": label, "group": group}


def _check_label(label: object, parts: list[str], where: str) -> None:
    if label is None:
        return
    if not parts:
        if not isinstance(label, str):
            raise UserError(f"{where}: the label is not a text (null says: no gold answer).")
        return
    if not isinstance(label, dict) or set(label) != set(parts):
        raise UserError(f"{where}: the label must be an object with the keys {', '.join(parts)}.")
    for part, value in label.items():
        if not isinstance(value, str | None):
            raise UserError(f"{where}: '{part}' of the label is neither a text nor null.")


def _text(value: object) -> str:
    """One text for equal values, whatever the order of their keys."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def clean(records: Iterable[dict]) -> tuple[list[dict], dict]:
    """Drop exact duplicates and say which labels contradict each other.

    A duplicate has the fields and the label of an earlier record. Records with equal fields and
    different labels are kept and listed: which of them is right is for a person to say.

    Returns:
        The kept records in their order, and counts: `in`, `kept`, `dropped` by reason,
        `conflicting_labels` (how many contents), `conflicts` (fields, and id and label of each).
    """
    kept: list[dict] = []
    by_fields: dict[str, dict[str, dict]] = defaultdict(dict)
    total = 0
    for record in records:
        total += 1
        labels = by_fields[_text(record["fields"])]
        if labels.setdefault(_text(record["label"]), record) is record:
            kept.append(record)
    conflicts = [
        {
            "fields": next(iter(labels.values()))["fields"],
            "labels": [{"id": r["id"], "label": r["label"]} for r in labels.values()],
        }
        for labels in by_fields.values()
        if len(labels) > 1
    ]
    return kept, {
        "in": total,
        "kept": len(kept),
        "dropped": {"duplicate": total - len(kept)},
        "conflicting_labels": len(conflicts),
        "conflicts": conflicts,
    }


def split(records: list[dict], settings: Split) -> dict[str, list[dict]]:
    """Share whole groups out to train, validation and test.

    The groups come in an order hashed from the seed, the large ones (by powers of two) first, and
    each goes where it leaves the split least filled in proportion to its target. So the sizes
    come as near to the shares as whole groups allow, no split gets all the large groups, and the
    result depends neither on the order of the records nor on the machine. Every split with a
    share gets at least one group. The records keep their order.

    Raises:
        UserError: no record, or fewer groups than splits with a share.
    """
    shares = {name: getattr(settings, name) for name in SPLITS}
    shares = {name: share for name, share in shares.items() if share > 0}
    sizes = Counter(record["group"] for record in records)
    if len(sizes) < len(shares):
        raise UserError(
            f"{len(records)} records in {len(sizes)} groups cannot be split into "
            f"{', '.join(shares)}: each needs a group of its own. Give more data, or set a share "
            "to 0."
        )
    home = _assign(sizes, shares, settings.seed)
    parts: dict[str, list[dict]] = {name: [] for name in SPLITS}
    for record in records:
        parts[home[record["group"]]].append(record)
    return parts


def _assign(sizes: Counter[str], shares: dict[str, float], seed: int) -> dict[str, str]:
    def turn(group: str) -> tuple[int, str]:
        return -sizes[group].bit_length(), hashlib.sha256(f"{seed} {group}".encode()).hexdigest()

    order = sorted(sizes, key=turn)
    filled = dict.fromkeys(shares, 0)
    home = {}
    for group in order:
        name = min(shares, key=lambda s: (filled[s] + sizes[group]) / shares[s])
        home[group] = name
        filled[name] += sizes[group]
    for empty in (name for name in shares if not filled[name]):
        counts = Counter(home.values())
        richest = max(counts, key=lambda s: counts[s])
        home[next(group for group in reversed(order) if home[group] == richest)] = empty
    return home


def quality(parts: dict[str, list[dict]], counts: dict) -> dict:
    """What is known of a dataset's splits; the two leakage figures should be 0.

    Args:
        parts: the records of each split.
        counts: what `clean` counted.

    Returns:
        The counts of `clean` without its list, then per split `records`, `groups` and
        `without_gold`, and `leakage`: groups that stand in more than one split (`groups`) and
        contents asked in more than one split (`prompts`).
    """
    groups = [{record["group"] for record in part} for part in parts.values()]
    prompts = [{_text(record["fields"]) for record in part} for part in parts.values()]
    return {
        **{key: value for key, value in counts.items() if key != "conflicts"},
        "splits": {
            name: {
                "records": len(part),
                "groups": len(groups[index]),
                "without_gold": sum(record["label"] is None for record in part),
            }
            for index, (name, part) in enumerate(parts.items())
        },
        "leakage": {"groups": _shared(groups), "prompts": _shared(prompts)},
    }


def _shared(sets: list[set[str]]) -> int:
    """How many members stand in more than one of the sets."""
    return sum(count > 1 for count in Counter(x for members in sets for x in members).values())
