"""Print the headline numbers of every study of a run, and where the rest is."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.showing import summary


def main(args: argparse.Namespace) -> None:
    """Print to the terminal."""
    print(summary(args.results))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder, as results/demo")
    cli.run(main, parser.parse_args())
