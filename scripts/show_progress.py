"""Print which jobs of a run are at work, how far they are, and which ended without an end."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.running import at_work


def main(args: argparse.Namespace) -> None:
    """Print to the terminal."""
    print(at_work(args.results))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder, as results/demo")
    cli.run(main, parser.parse_args())
