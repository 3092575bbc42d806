"""Draw the training and validation loss of a study's adapters."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.figures import loss_svg
from snaketune.files import write_text


def named_path(text: str) -> tuple[str, Path]:
    """`name=path` as a pair."""
    name, found, path = text.partition("=")
    if not (name and found and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=FILE")
    return name, Path(path)


def main(args: argparse.Namespace) -> None:
    """Write the figure."""
    write_text(args.out, loss_svg(dict(args.loss), args.settings["title"]))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--loss", type=named_path, nargs="+", required=True, help="adapter=loss.csv, one or more"
    )
    parser.add_argument("--out", type=Path, required=True, help="the figure, SVG")
    cli.run(main, parser.parse_args())
