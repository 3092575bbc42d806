"""Crawl the pages of a site's questions, one request at a time; pages that are there are kept.

Stops, and says so, where the site refuses; the same command goes on from there.
"""

import argparse
from pathlib import Path

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.sites import Site
from snaketune.crawling.running import crawl


class Settings(BaseModel):
    """The script's slice of the config."""

    name: str
    site: Site


def main(args: argparse.Namespace) -> None:
    """Write the pages and the manifest from the settings `{"name", "site"}`."""
    settings = validated(Settings, args.settings, "settings")
    crawl(settings.name, settings.site, args.pages, args.manifest, args.store)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="JSON-lines file to write")
    parser.add_argument("--manifest", type=Path, required=True, help="JSON file of facts to write")
    parser.add_argument("--store", type=Path, required=True, help="folder in which pages are kept")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
