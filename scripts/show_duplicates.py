"""Write the page that shows which questions were taken for one, and which were not."""

import argparse
from pathlib import Path

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.duplicates_page import as_html
from snaketune.files import read_json, write_text


class Settings(BaseModel):
    """The script's slice of the config."""

    title: str
    dataset: str


def main(args: argparse.Namespace) -> None:
    """Write the page from the settings `{"title", "dataset"}`."""
    settings = validated(Settings, args.settings, "settings")
    title = f"{settings.title}: one question or two, in {settings.dataset}"
    write_text(args.html, as_html(title, read_json(args.quality), read_json(args.examples)))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--quality", type=Path, required=True, help="quality.json of the dataset")
    parser.add_argument("--examples", type=Path, required=True, help="examples of `deduplicate`")
    parser.add_argument("--html", type=Path, required=True, help="page to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
