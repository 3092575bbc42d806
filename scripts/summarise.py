"""Write the first page of a run: every study's headline, what was run, and where the rest is.

Settings: as `snaketune.summary.SummarySettings` says.
"""

import argparse
from datetime import datetime
from pathlib import Path

from snaketune import cli
from snaketune.files import write_text
from snaketune.summary import SummarySettings, as_html


def main(args: argparse.Namespace) -> None:
    """Write the page."""
    settings = SummarySettings.model_validate(args.settings)
    write_text(args.out, as_html(settings, args.results, datetime.now().astimezone()))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="the run's folder")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    cli.run(main, parser.parse_args())
