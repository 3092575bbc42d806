"""Gather what models of a study got right of MMLU, before and after tuning, into one table."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.ability_tables import Settings, as_csv, as_html, as_markdown, gather
from snaketune.files import write_text


def main(args: argparse.Namespace) -> None:
    """Write the three forms of the table."""
    settings = Settings.model_validate(args.settings)
    rows = gather(settings, args.outcomes)
    write_text(args.csv, as_csv(rows))
    write_text(args.markdown, as_markdown(settings, rows))
    write_text(args.html, as_html(settings, rows))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--outcomes", type=Path, nargs="+", required=True, help="a file a model")
    parser.add_argument("--csv", type=Path, required=True, help="the table, for programs")
    parser.add_argument("--markdown", type=Path, required=True, help="the table, for text")
    parser.add_argument("--html", type=Path, required=True, help="the table, for a browser")
    cli.run(main, parser.parse_args())
