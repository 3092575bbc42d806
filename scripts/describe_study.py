"""Write the page of a study: where its records went, who was right where, speed and memory.

Settings: as `snaketune.overview.OverviewSettings` says.
"""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_text
from snaketune.overview import OverviewSettings
from snaketune.overview_page import as_html


def main(args: argparse.Namespace) -> None:
    """Write the page."""
    write_text(args.out, as_html(OverviewSettings.model_validate(args.settings)))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the page")
    cli.run(main, parser.parse_args())
