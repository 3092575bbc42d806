"""Rows of any source become records: fields, label, id and group out of named columns."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from snaketune.config.common import nearest
from snaketune.config.sources import Columns
from snaketune.errors import UserError


class Number(str):
    """A number as it was written; of the cells of a row only a text is a plain str."""


class Rows(NamedTuple):
    """Rows of one file or one split, each with its number and its cells of the wanted columns."""

    where: str
    """What a message names before a row's number, as in `train.tsv, line`."""
    split: str | None
    """The split that the source names, or None."""
    cells: Iterable[tuple[int, Sequence[Any]]]


def wanted_columns(source: Columns) -> list[str]:
    """Columns that a source reads, in the order in which its rows' cells come: fields first."""
    others = (source.label, source.record_id, source.group)
    return [*source.fields.values(), *(column for column in others if column is not None)]


def missing_column(where: str, key: str, column: str, known: Iterable[str]) -> UserError:
    """What to say of a column that `where` lacks."""
    return UserError(f"{where}: no column '{column}', which {key} names. {nearest(column, known)}")


class Mapper:
    """Makes records of a source's rows; one serves all splits, so that ids stay unique.

    `key` is the source's place in the config, for messages: `datasets.rte.source`.
    """

    def __init__(self, source: Columns, key: str):
        self.source, self.key = source, key
        self._names = list(source.fields)
        self._sorted = sorted(self._names)
        columns = wanted_columns(source)
        ends = iter(range(len(self._names), len(columns)))
        self._label_at = next(ends) if source.label is not None else None
        self._id_at = next(ends) if source.record_id is not None else None
        self._group_at = next(ends) if source.group is not None else None
        self._taken: dict[str, str] = {}
        self._times: Counter[str] = Counter()
        self._total = 0

    def records(self, rows: Rows) -> Iterator[dict]:
        """Yield a raw record for each row, and check their number at the end.

        The id is the text of the `record_id` column, behind the split's name where the source
        names splits, for files often count anew in each; or a digest of fields and label, with -2
        for the second row of equal content. The group is the text of the `group` column, or a
        digest of the fields.

        Raises:
            UserError: a cell that is no text or number, a label that is empty or that the map
                lacks, an id that is empty or taken, no rows, or not as many as expected.
        """
        count = 0
        for number, cells in rows.cells:
            count += 1
            try:
                yield self._record(cells, rows.split, rows.where, number)
            except UnicodeEncodeError:
                raise UserError(
                    f"{rows.where} {number}: half of a surrogate pair, which is no character. Mend "
                    "the text."
                ) from None
        if not count:
            raise UserError(f"{rows.where.rpartition(',')[0]}: no rows in it ({self.key}).")
        self._total += count
        if rows.split:
            self._expect(rows.split, count)

    def finish(self) -> None:
        """Check the number of all rows, after the last of them."""
        self._expect("all", self._total)

    def _expect(self, split: str, count: int) -> None:
        promised = self.source.expect.get(split, count)
        if promised != count:
            raise UserError(
                f"{self.key}.expect.{split}: {promised:,} rows are expected, but there are "
                f"{count:,}. Mend the number or the data; a wrong quoting or format also changes "
                "how many rows are read."
            )

    def _record(self, cells: Sequence[Any], split: str | None, where: str, number: int) -> dict:
        fields = dict(zip(self._names, cells, strict=False))
        for name, cell in fields.items():
            if type(cell) is not str:
                place = f"{where} {number}, column '{self.source.fields[name]}'"
                fields[name] = _text(cell, place)
        if not any(fields.values()):
            raise UserError(f"{where} {number}: all fields are empty. Delete the row or mend it.")
        label = (
            None if self._label_at is None else self._label(cells[self._label_at], where, number)
        )
        record = {"id": "", "fields": fields, "label": label, "group": ""}
        content = "".join([encode_basestring(fields[name]) for name in self._sorted])
        digest = hashlib.blake2b(content.encode(), digest_size=8)
        if self._group_at is None:
            record["group"] = digest.hexdigest()
        else:
            place = f"{where} {number}, column '{self.source.group}'"
            record["group"] = _text(cells[self._group_at], place)
        if self._id_at is None:
            digest.update(b"null" if label is None else encode_basestring(label).encode())
            name = digest.hexdigest()
            self._times[name] += 1
            record["id"] = name if self._times[name] == 1 else f"{name}-{self._times[name]}"
        else:
            record["id"] = self._named(cells[self._id_at], split, f"{where} {number}")
        if split:
            record["split"] = split
        return record

    def _named(self, cell: Any, split: str | None, where: str) -> str:
        name = _text(cell, f"{where}, column '{self.source.record_id}'")
        if not name:
            raise UserError(f"{where}, column '{self.source.record_id}': no id in it.")
        name = f"{split}-{name}" if split else name
        if name in self._taken:
            raise UserError(
                f"{where}, column '{self.source.record_id}': id '{name}' is taken by "
                f"{self._taken[name]}. Ids must be unique; without {self.key}.record_id they are "
                "derived from the content."
            )
        self._taken[name] = where
        return name

    def _label(self, cell: Any, where: str, number: int) -> str | None:
        known = self.source.labels
        if type(cell) is str and cell in known:
            return known[cell]
        place = f"{where} {number}, column '{self.source.label}'"
        value = "" if cell is None else cell
        if not isinstance(value, str):
            raise UserError(
                f"{place}: a label is a text or a whole number, not {_kind(value)}. Mend the row."
            )
        if known:
            if value in known:
                return known[value]
            what = f"'{value}' is not a label that the map knows" if value else "the label is empty"
            raise UserError(
                f"{place}: {what}. {self.key}.labels maps: {', '.join(map(repr, known))}. Mend the "
                f'row or the map; {{"{value}": null}} says: no gold answer.'
            )
        if not value:
            raise UserError(
                f'{place}: the label is empty. Mend the row, or write {self.key}.labels: "": null '
                "says: no gold answer (and the map then names every other value too)."
            )
        if isinstance(value, Number) and not value.removeprefix("-").isdecimal():
            raise UserError(
                f"{place}: {value} is no whole number. Mend the row, or map it in "
                f"{self.key}.labels."
            )
        return str(value)


def _text(cell: Any, place: str) -> str:
    if not isinstance(cell, str) or cell in ("NaN", "Infinity", "-Infinity"):
        raise UserError(f"{place}: a text or a number is expected, not {_kind(cell)}.")
    return str(cell)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    kinds = {type(None): "null", bool: "true or false", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
