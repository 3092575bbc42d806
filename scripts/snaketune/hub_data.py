"""Datasets of the Hugging Face hub, read at one commit."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from datasets import (
    ClassLabel,
    Dataset,
    DatasetBuilder,
    disable_progress_bars,
    load_dataset_builder,
)
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError

from snaketune.columns import Mapper, Number, Rows, missing_column, wanted_columns
from snaketune.config.common import nearest
from snaketune.config.sources import HubSource
from snaketune.errors import UserError
from snaketune.hub import HUB_ERRORS, explained

log = logging.getLogger(__name__)

BATCH = 1000
INSTEAD = "bring the data here as files and use kind: table"


def hub_records(source: HubSource, key: str) -> tuple[Iterator[dict], dict]:
    """Resolve a dataset's revision to a commit; its raw records are read as they are asked for.

    Downloads stay in the hub's own cache, where an interrupted one is taken up again.

    Args:
        source: which splits of which dataset, and how their columns become records.
        key: the source's place in the config, for messages.

    Returns:
        The records, and the facts `kind`, `id`, `config` and `revision` (the commit).

    Raises:
        UserError: no such dataset, revision, configuration, split or column, no access, no network
            (then with the exit code of a passing failure), or a row that makes no record.
    """
    try:
        api = HfApi()
        commit = api.dataset_info(source.id, revision=source.revision).sha
        _check_access(api, source.id, commit)
    except HUB_ERRORS as error:
        raise explained(error, f"{key}: {source.id}", source.revision, INSTEAD) from None
    log.info("%s at commit %s.", source.id, commit)
    facts = {"kind": "hub", "id": source.id, "config": source.config, "revision": commit}
    return _records(source, key, commit), facts


def _check_access(api: HfApi, name: str, commit: str) -> None:
    """Ask for one file: a gated dataset's facts are public, and `datasets` hides the reason."""
    try:
        api.hf_hub_download(name, "README.md", repo_type="dataset", revision=commit)
    except RemoteEntryNotFoundError:
        log.info("%s has no README.md.", name)


def _records(source: HubSource, key: str, commit: str) -> Iterator[dict]:
    mapper = Mapper(source, key)
    with tempfile.TemporaryDirectory() as folder:
        builder = _prepared(source, key, commit, folder)
        for ours, theirs in source.splits.items():
            name = theirs.partition("[")[0]
            if name not in builder.info.splits:
                known = nearest(name, builder.info.splits)
                raise UserError(
                    f"{key}.splits.{ours}: {source.id} has no split '{theirs}'. {known}"
                )
            where = f"{source.id}, split {theirs}"
            try:
                data = builder.as_dataset(split=theirs)
            except ValueError as error:
                raise UserError(
                    f"{key}.splits.{ours}: '{theirs}' is no part of a split ({error}); "
                    "train[:1000] and train[10%:] are some."
                ) from None
            yield from mapper.records(Rows(f"{where}, row", ours, _cells(data, source, key, where)))
    mapper.finish()


def _prepared(source: HubSource, key: str, commit: str, folder: str) -> DatasetBuilder:
    """The dataset's builder with its rows in `folder`.

    The card's numbers are not checked, for cards grow old; `expect` is there for that. A fresh
    folder keeps the library from taking another revision out of its cache.
    """
    disable_progress_bars()
    try:
        builder = load_dataset_builder(source.id, source.config, revision=commit, cache_dir=folder)
        if source.config is None and len(builder.builder_configs) > 1:
            names = ", ".join(sorted(builder.builder_configs))
            raise UserError(f"{key}.config: {source.id} has several; choose one of {names}.")
        builder.download_and_prepare(verification_mode="no_checks")
    except HUB_ERRORS as error:
        raise explained(error, f"{key}: {source.id}", source.revision, INSTEAD) from None
    except (DatasetsError, ValueError, RuntimeError) as error:
        reason = error.__cause__ or error
        raise UserError(
            f"{key}: {source.id} at commit {commit} cannot be read ({reason}). Mend "
            f"{key}.config or choose a repository of plain data files (revision: "
            f"refs/convert/parquet often has them); or {INSTEAD}."
        ) from None
    return builder


def _cells(
    data: Dataset, source: HubSource, key: str, where: str
) -> Iterator[tuple[int, Sequence[Any]]]:
    """Row, counted from 1, and wanted cells of a split."""
    wanted = wanted_columns(source)
    for column in wanted:
        if column not in data.column_names:
            raise missing_column(where, key, column, data.column_names)
    is_class = source.label and isinstance(data.features[source.label], ClassLabel)
    label_at = wanted.index(source.label) if is_class and not source.labels else None
    number = 0
    for batch in data.select_columns(list(dict.fromkeys(wanted))).iter(BATCH):
        for row in zip(*(batch[column] for column in wanted), strict=True):
            number += 1
            if label_at is not None and row[label_at] == -1:
                raise UserError(
                    f"{where}, row {number}, column '{source.label}': -1 says that the label is "
                    f"hidden. Choose another split, or map every value in {key}.labels, -1 to null."
                )
            yield number, [_as_cell(value) for value in row]


def _as_cell(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Number(value) if is_number else value
