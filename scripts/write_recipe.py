"""Write the recipe of one adapter: every setting of its training run, before the run starts."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.recipe import write_recipe


def main(args: argparse.Namespace) -> None:
    """Write recipe.yaml from the settings `{"study", "name", "adapter", "prompt"}`."""
    write_recipe(args.settings, args.out)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="recipe.yaml to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
