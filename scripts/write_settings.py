"""Write config/SETTINGS.md: what the studies' texts state, and what the config has there."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_text
from snaketune.settings import document


def main(args: argparse.Namespace) -> None:
    write_text(
        args.config / "SETTINGS.md", document(args.config / "published", args.config / "studies")
    )


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config"), help="folder of the config")
    cli.run(main, parser.parse_args())
