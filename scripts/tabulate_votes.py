"""Tabulate what each further vote is worth in a study, from its score files."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import read_json, write_text
from snaketune.vote_tables import VoteTableSettings, as_html, vote_rows, write_csv


def main(args: argparse.Namespace) -> None:
    """Write the table and its page."""
    settings = validated(VoteTableSettings, args.settings, "settings")
    scores = [read_json(path) for path in args.scores]
    write_csv(args.csv, vote_rows(scores, settings))
    write_text(args.html, as_html(scores, settings))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(f'{__doc__}\n\nSettings: {{"study", "title", "models": [name]}}.')
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--csv", type=Path, required=True, help="table to write")
    parser.add_argument("--html", type=Path, required=True, help="page to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
