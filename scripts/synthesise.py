"""Generate the records of a dataset from its seeded source."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.sources import WeatherSource
from snaketune.files import write_jsonl
from snaketune.weather import weather_records

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write raw records from the settings `{"source": WeatherSource}`."""
    source = validated(WeatherSource, args.settings.get("source", {}), "settings: source")
    count = write_jsonl(args.out, weather_records(source))
    log.info("%d records with seed %d.", count, source.seed)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
