"""Gather a study's scores into its accuracy table: CSV, Markdown and a page to open."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_text
from snaketune.pages import as_html, as_markdown
from snaketune.tables import TableSettings, as_csv, gather, sections


def main(args: argparse.Namespace) -> None:
    """Write the three forms of the table."""
    settings = TableSettings.model_validate(args.settings)
    rows = gather(settings, args.scores)
    parts = sections(rows, settings.baseline)
    write_text(args.csv, as_csv(rows))
    write_text(args.markdown, as_markdown(settings, parts))
    write_text(args.html, as_html(settings, parts))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--csv", type=Path, required=True, help="the table, for programs")
    parser.add_argument("--markdown", type=Path, required=True, help="the table, for text")
    parser.add_argument("--html", type=Path, required=True, help="the table, for a browser")
    cli.run(main, parser.parse_args())
