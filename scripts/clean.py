"""Drop records that are there twice, and list those whose labels contradict each other."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.splits import Split
from snaketune.files import jsonl_lines, write_json, write_lines
from snaketune.records import Duplicates

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """The script's slice of the config."""

    duplicates: Literal["drop", "keep"] = "drop"
    split: Split | Literal["given"] = "given"


def main(args: argparse.Namespace) -> None:
    """Write the kept records and the counts from the settings `{"duplicates", "split"}`."""
    settings = validated(Settings, args.settings, "settings")
    duplicates = Duplicates(settings.duplicates == "drop", settings.split == "given")
    write_lines(args.out, _kept(args.raw, duplicates))
    counts = duplicates.counts()
    write_json(args.counts, counts)
    log.info("%d of %d records kept.", counts["kept"], counts["in"])
    if counts["conflicting_labels"]:
        log.warning(
            "%d contents have contradicting labels; all are kept, %s lists them.",
            counts["conflicting_labels"],
            args.counts,
        )


def _kept(raw: Path, duplicates: Duplicates) -> Iterator[bytes]:
    return (line for _, line, record in jsonl_lines(raw) if duplicates.keeps(record))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="records to read, JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="kept records to write")
    parser.add_argument("--counts", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
