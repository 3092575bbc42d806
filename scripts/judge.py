"""Have a model behind an address judge answers; run again, it asks only for what is missing."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated


def main(args: argparse.Namespace) -> None:
    """Write the verdicts and the metrics from the settings.

    `{"study", "model", "dataset", "split", "judge": Judge, "endpoint": Endpoint}`.
    """
    from snaketune.judging import Settings, judge

    judge(
        validated(Settings, args.settings, "settings"),
        *(args.records, args.predictions, args.out, args.metrics, args.journal, args.ledger),
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--records", type=Path, required=True, help="records of one split")
    parser.add_argument("--predictions", type=Path, required=True, help="responses to them")
    parser.add_argument("--out", type=Path, required=True, help="verdicts to write")
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file of counts to write")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--ledger", type=Path, required=True, help="folder of the ledgers")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
