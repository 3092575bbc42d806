"""Records of a dataset: reading them with checks, counting them, dropping duplicates.

A record is `{"id": str, "fields": {name: str}, "label": str | {name: str | null} | null,
"group": str}`. Label null means that there is no gold answer. Records of one group are never
parted by a split; a record that states no group is one of its own. A raw record may have `split`
besides, where its source names one.

Datasets of a million records pass here: nothing keeps the records themselves, only digests.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from snaketune.config.sources import FileSource
from snaketune.errors import UserError
from snaketune.files import json_line, jsonl_lines

SPLITS = ("train", "validation", "test")
KEYS = ("id", "fields", "label", "group", "split")


def read_records(path: Path, source: FileSource) -> Iterator[dict]:
    """Yield the checked records of a JSON-lines file, in the order id, fields, label, group, split.

    A UserError names file and line of a record with a wrong shape, without an id, a field or a
    part of the label that the config promises, or with an id that an earlier record has.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Mend 'path' of the dataset's source.")
    seen: dict[str, int] = {}
    for number, line, row in jsonl_lines(path):
        where = f"{path}, line {number}"
        record = _checked(row, source, where)
        if b"\\u" in line:
            _check_characters(record, where)
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
        if key not in KEYS:
            raise UserError(f"{where}: unknown key '{key}'. Known: {', '.join(KEYS)}.")
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
    record = {"id": name, "fields": fields, "label": label, "group": group}
    if "split" in row:
        if row["split"] not in SPLITS:
            raise UserError(f"{where}: 'split' of record '{name}' is none of {', '.join(SPLITS)}.")
        record["split"] = row["split"]
    return record


def _check_characters(record: dict, where: str) -> None:
    """Refuse what JSON can escape and UTF-8 cannot write."""
    try:
        json_line(record)
    except UnicodeEncodeError:
        raise UserError(
            f"{where}: half of a surrogate pair, which is no character. Mend the text."
        ) from None


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


def tallied(records: Iterable[dict], facts: dict) -> Iterator[dict]:
    """Yield the records, and count them into `facts` when the last has passed.

    Adds `rows` ({split: n}, or {"all": n} where the source names no splits) and `labels`
    ({label: n}, of labels that are one text; records without gold are left out).
    """
    rows: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for record in records:
        rows[record.get("split", "all")] += 1
        if isinstance(record["label"], str):
            labels[record["label"]] += 1
        yield record
    facts["rows"] = dict(rows)
    facts["labels"] = dict(sorted(labels.items()))


_to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def content_digest(record: dict) -> bytes:
    """Digest (16 bytes) of what a record asks: equal for equal fields in whatever order."""
    return hashlib.blake2b(_to_json(record["fields"]).encode(), digest_size=16).digest()


class Duplicates:
    """Tells which records stay, one after the other, and counts.

    A duplicate has the fields and the label of an earlier record, and the same split where the
    source's splits stay as they are: to drop a repetition across them would shrink a benchmark.
    Records with equal fields and different labels stay and are listed: which of them is right is
    for a person to say.

    Args:
        drop: whether duplicates go; else they stay and are counted.
        given: whether the splits that records name stay as they are.
    """

    def __init__(self, drop: bool = True, given: bool = False):
        self.drop, self.given = drop, given
        self.total = self.duplicates = self.across = 0
        self._first: dict[bytes, tuple] = {}
        self._all: dict[bytes, list[tuple]] = {}
        self._conflicting: dict[bytes, dict] = {}

    def keeps(self, record: dict) -> bool:
        """Whether the next record stays."""
        self.total += 1
        content, label = content_digest(record), record["label"]
        split = record.get("split") if self.given else None
        this = (label, split, record["id"])
        first = self._first.setdefault(content, this)
        if first is this:
            return True
        seen = self._all.setdefault(content, [first])
        splits = [s for known, s, _ in seen if known == label]
        if split in splits:
            self.duplicates += 1
            return not self.drop
        if splits:
            self.across += 1
        else:
            self._conflicting.setdefault(content, record["fields"])
        seen.append(this)
        return True

    def counts(self) -> dict:
        """What was counted so far.

        `in`, `kept`, `dropped` by reason, `duplicates_kept`, `across_splits` (records that stand
        in an earlier split too), `conflicting_labels` (how many contents), and `conflicts`
        (fields, and id and label of the first record of each label).
        """
        dropped = self.duplicates if self.drop else 0
        conflicts = []
        for content in (content for content in self._first if content in self._conflicting):
            labels: list[dict] = []
            for label, _, name in self._all[content]:
                if all(label != known["label"] for known in labels):
                    labels.append({"id": name, "label": label})
            conflicts.append({"fields": self._conflicting[content], "labels": labels})
        return {
            "in": self.total,
            "kept": self.total - dropped,
            "dropped": {"duplicate": dropped},
            "duplicates_kept": self.duplicates - dropped,
            "across_splits": self.across,
            "conflicting_labels": len(conflicts),
            "conflicts": conflicts,
        }
