"""Draw the way from one adapter to another: accuracy over the weight of the second."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_text
from snaketune.grids import GridSettings, grid_svg
from snaketune.tables import read_table


def main(args: argparse.Namespace) -> None:
    """Write the figure."""
    settings = GridSettings.model_validate(args.settings)
    write_text(args.out, grid_svg(read_table(args.table), settings))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the study's accuracy.csv")
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    cli.run(main, parser.parse_args())
