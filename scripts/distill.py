"""Let a teacher write the reasoning for records; run again, it asks only for what is missing."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.distilling import Settings, distill


def main(args: argparse.Namespace) -> None:
    """Write kept and rejected records and the metrics from the settings.

    `{"study", "dataset", "distill": Distill, "labels", "endpoint": Endpoint | null}`.
    """
    distill(
        validated(Settings, args.settings, "settings"),
        *(args.records, args.out, args.rejected, args.metrics, args.journal, args.ledger),
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--records", type=Path, required=True, help="records of one split")
    parser.add_argument("--out", type=Path, required=True, help="records with reasoning to write")
    parser.add_argument("--rejected", type=Path, required=True, help="rejected records to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file of counts to write")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--ledger", type=Path, required=True, help="folder of the ledgers")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
