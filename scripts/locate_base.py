"""Find a base on this machine, check its files and write down what they are."""

import argparse
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from snaketune import cli
from snaketune.bases import locate
from snaketune.config.resolve import validated
from snaketune.config.tuning import LocalBase, PretrainedBase, TinyBase
from snaketune.files import write_json


class Settings(BaseModel):
    """The script's slice of the config."""

    name: str
    base: Annotated[TinyBase | LocalBase | PretrainedBase, Field(discriminator="source")]


def main(args: argparse.Namespace) -> None:
    """Write source.json from the settings `{"name", "base"}`."""
    settings = validated(Settings, args.settings, "settings")
    write_json(args.out, locate(settings.name, settings.base, args.folder))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--folder", type=Path, help="where the weights of a pretrained base are")
    parser.add_argument("--out", type=Path, required=True, help="source.json to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
