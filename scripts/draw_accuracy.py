"""Draw a study's accuracies with their intervals."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.figures import accuracy_svg
from snaketune.files import write_text
from snaketune.tables import read_table


def main(args: argparse.Namespace) -> None:
    """Write the figure."""
    write_text(args.out, accuracy_svg(read_table(args.table), args.settings["title"]))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the study's accuracy.csv")
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    cli.run(main, parser.parse_args())
