"""Read the records of a dataset from the user's file and check each of them."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.sources import FileSource
from snaketune.files import write_jsonl
from snaketune.records import read_records

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write raw records from the settings `{"source": FileSource}`."""
    source = validated(FileSource, args.settings.get("source", {}), "settings: source")
    count = write_jsonl(args.out, read_records(Path(source.path), source))
    log.info("%d records from %s.", count, source.path)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
