"""Split records into train, validation and test; records of one group stay together."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.data import Split
from snaketune.config.resolve import validated
from snaketune.files import read_json, read_jsonl, write_json, write_jsonl
from snaketune.records import quality, split

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write the three splits and quality.json from the settings `{"split": Split}`."""
    settings = validated(Split, args.settings.get("split", {}), "settings: split")
    parts = split(list(read_jsonl(args.clean)), settings)
    report = quality(parts, read_json(args.counts))
    for name, part in parts.items():
        write_jsonl(getattr(args, name), part)
        log.info("%s: %d records, %d groups.", name, len(part), report["splits"][name]["groups"])
    if report["leakage"]["prompts"]:
        log.warning(
            "%d contents stand in more than one split: give records with equal fields one group.",
            report["leakage"]["prompts"],
        )
    write_json(args.quality, report)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--clean", type=Path, required=True, help="records to read, JSON lines")
    parser.add_argument("--counts", type=Path, required=True, help="counts that `clean` wrote")
    parser.add_argument("--train", type=Path, required=True, help="records to train on, to write")
    parser.add_argument("--validation", type=Path, required=True, help="validation records")
    parser.add_argument("--test", type=Path, required=True, help="held-out records")
    parser.add_argument("--quality", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
