"""Draw a study's accuracies over the number of votes."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import read_json, write_text
from snaketune.vote_curves import VoteFigureSettings, votes_svg


def main(args: argparse.Namespace) -> None:
    """Write the figure."""
    settings = VoteFigureSettings.model_validate(args.settings)
    write_text(args.out, votes_svg([read_json(path) for path in args.scores], settings))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    cli.run(main, parser.parse_args())
