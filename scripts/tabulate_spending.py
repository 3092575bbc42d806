"""Tabulate what a study asked of models behind addresses and what it paid, from the ledger."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import write_text
from snaketune.spending import Settings, as_html, tabulate, write_csv


def main(args: argparse.Namespace) -> None:
    """Write the table and its page."""
    settings = validated(Settings, args.settings, "settings")
    rows = tabulate(args.ledger, settings.study)
    write_csv(args.csv, rows)
    write_text(args.html, as_html(settings.title, rows))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(f'{__doc__}\n\nSettings: {{"study", "title"}}.')
    parser.add_argument("--ledger", type=Path, required=True, help="folder of the ledgers")
    parser.add_argument("--csv", type=Path, required=True, help="table to write")
    parser.add_argument("--html", type=Path, required=True, help="page to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
