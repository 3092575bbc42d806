"""Drop records that are there twice, and list those whose labels contradict each other."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.files import read_jsonl, write_json, write_jsonl
from snaketune.records import clean

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write the kept records and the counts."""
    kept, counts = clean(read_jsonl(args.raw))
    write_jsonl(args.out, kept)
    write_json(args.counts, counts)
    log.info("%d of %d records kept.", counts["kept"], counts["in"])
    if counts["conflicting_labels"]:
        log.warning(
            "%d contents have contradicting labels; all are kept, %s lists them.",
            counts["conflicting_labels"],
            args.counts,
        )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="records to read, JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="kept records to write")
    parser.add_argument("--counts", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
