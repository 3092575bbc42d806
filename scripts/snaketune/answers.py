"""The answers file: what was read from every response to a record.

A row is {"id", "label", "error", "text", "read"}, and "same" where there are several responses.
`error` says why there is no response (else null), `text` is the first response (null on an error),
and `read` has one object a response, in their order: {"answer", "valid"} where JSON is read,
{reading: label or null} where labels are, {"letters": the options picked, as AC} where a question
has options. Null among what was read means unparsed; in the place of a response that failed, where
others to the same record did not, stands null. On an error `read` is empty. `same` has for each
response the place of the first one with its very text, for votes on whole replies.

What a reading's default and vote make of this is the business of `snaketune.metrics`, so that
other ones need no reading again.
"""

from pathlib import Path

from snaketune.config.data import Extract, LabelExtract
from snaketune.config.options import LETTERS, OptionsExtract
from snaketune.errors import UserError
from snaketune.files import read_jsonl
from snaketune.option_replies import gold_letters


def by_id(path: Path) -> dict[str, dict]:
    """The rows of a JSON-lines file by their `id`; a missing or repeated id is a UserError."""
    rows: dict[str, dict] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        if "id" not in row:
            raise UserError(f"{path}, row {number}: it has no 'id'.")
        if row["id"] in rows:
            raise UserError(f"{path}, row {number}: the id '{row['id']}' stands there twice.")
        rows[row["id"]] = row
    return rows


def read_answers(path: Path, extract: Extract) -> dict[str, dict]:
    """The rows of an answers file by id, checked against the dataset's extract.

    Raises:
        UserError: a gold answer that the extract cannot compare with, or answers that were read
            by another extract.
    """
    rows = by_id(path)
    keys = _keys(extract)
    for row in rows.values():
        if row["label"] is not None:
            _check_gold(path, row, extract)
        if any(read is not None and set(read) != keys for read in row["read"]):
            raise UserError(
                f"{path}: record '{row['id']}' was read by another extract than the dataset has "
                "now. Delete the file and extract again."
            )
    return rows


def _keys(extract: Extract) -> set[str]:
    """Of what was read from a response."""
    if isinstance(extract, LabelExtract):
        return set(extract.readings)
    return {LETTERS} if isinstance(extract, OptionsExtract) else {"answer", "valid"}


def same_records(paths: tuple[Path, Path], rows: tuple[dict, dict]) -> None:
    """Refuse two answers files that answer different records."""
    odd = sorted(rows[0].keys() ^ rows[1].keys())
    if odd:
        raise UserError(
            f"{paths[0]} and {paths[1]} answer different records ({len(odd)} are in one only, such "
            f"as '{odd[0]}'), so they cannot be compared. Delete both and run again."
        )


def _check_gold(path: Path, row: dict, extract: Extract) -> None:
    label = row["label"]
    if isinstance(extract, LabelExtract):
        if label not in extract.labels:
            raise UserError(
                f"{path}: the gold answer of record '{row['id']}' is {label!r}, which is not among "
                f"extract.labels ({', '.join(extract.labels)}). Mend the record or the labels."
            )
        return
    if isinstance(extract, OptionsExtract):
        try:
            gold_letters(label)
        except UserError as error:
            raise UserError(f"{path}, record '{row['id']}': {error}") from None
        return
    if not isinstance(label, dict):
        raise UserError(
            f"{path}: the gold answer of record '{row['id']}' is no JSON object, which "
            "extract.kind 'json' compares with. Mend the record or the dataset's extract."
        )
    for field in extract.fields:
        if field not in label:
            raise UserError(
                f"{path}: the gold answer of record '{row['id']}' lacks '{field}', which "
                f"extract.fields names; it has {', '.join(label)}."
            )
