"""Compare any two models of a study on the records that both answered, by exact McNemar tests."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.comparing import CompareSettings, compare
from snaketune.comparisons import as_csv
from snaketune.files import write_text


def main(args: argparse.Namespace) -> None:
    """Write a row a pair of models, split and metric."""
    settings = CompareSettings.model_validate(args.settings)
    write_text(args.csv, as_csv(compare(settings)))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--csv", type=Path, required=True, help="the comparisons")
    cli.run(main, parser.parse_args())
