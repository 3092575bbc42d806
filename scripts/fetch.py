"""Read the records of a dataset from the user's files or from a hub, and check each of them.

Of a bank's questions, from files and crawled sites, it writes questions; `deduplicate` makes
records of them.

HF_ENDPOINT chooses a mirror of the hub, HF_TOKEN opens gated and private datasets.
"""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field

from snaketune import cli
from snaketune.config.problems import ProblemsSource
from snaketune.config.question_source import QuestionsSource
from snaketune.config.resolve import validated
from snaketune.config.sources import FileSource, HubSource, TableSource
from snaketune.files import sha256_file, write_json, write_jsonl
from snaketune.problems import problem_records
from snaketune.records import read_records, tallied
from snaketune.rows import table_records

log = logging.getLogger(__name__)


Fetched = FileSource | TableSource | ProblemsSource | HubSource


class Settings(BaseModel):
    """The script's slice of the config."""

    source: Fetched | QuestionsSource = Field(discriminator="kind")
    dataset: str
    sites: dict[str, Path] = {}
    """Files of the questions of sites."""


def main(args: argparse.Namespace) -> None:
    """Write raw records and the facts of their source from the settings `{"source", "dataset"}`."""
    settings = validated(Settings, args.settings, "settings")
    source, key = settings.source, f"datasets.{settings.dataset}.source"
    if isinstance(source, QuestionsSource):
        _fetch_questions(source, settings.sites, key, args)
        return
    records, facts = _opened(source, key)
    count = write_jsonl(args.out, tallied(records, facts))
    write_json(args.facts, facts)
    log.info("%d records of %s, of kind %s.", count, settings.dataset, source.kind)


def _fetch_questions(
    source: QuestionsSource, sites: dict[str, Path], key: str, args: argparse.Namespace
) -> None:
    from snaketune.question_files import read_questions

    questions, found = read_questions(source, sites, key)
    count = write_jsonl(args.out, (question.model_dump() for question in questions))
    files = {path: sha256_file(Path(path)) for path in source.paths()}
    facts = {"kind": source.kind, "files": files, "questions": found, "labels": {}}
    write_json(args.facts, facts)
    log.info("%d questions of %s.", count, ", ".join(found))
    for name, counts in found.items():
        for reason, times in counts["unusable"].items():
            log.warning("%s: %d left out: %s.", name, times, reason)


def _opened(source: Fetched, key: str) -> tuple[Iterator[dict], dict]:
    """The records of a source, and what is known of it before they are read."""
    if isinstance(source, HubSource):
        from snaketune.hub_data import hub_records

        return hub_records(source, key)
    paths = [source.path] if isinstance(source, FileSource) else list(source.paths().values())
    files = {path: sha256_file(path) for path in paths if Path(path).is_file()}
    facts = {"kind": source.kind, "files": files}
    if isinstance(source, ProblemsSource):
        return problem_records(source, key, facts), facts
    if isinstance(source, TableSource):
        return table_records(source, key), facts
    return read_records(Path(source.path), source), facts


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    parser.add_argument("--facts", type=Path, required=True, help="JSON file of facts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
