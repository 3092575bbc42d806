"""Generate the records of a dataset from its seeded source."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field

from snaketune import cli
from snaketune.config.problems import PuzzlesSource
from snaketune.config.resolve import validated
from snaketune.config.sources import NliSource, PairsSource, WeatherSource
from snaketune.files import write_json, write_jsonl
from snaketune.records import tallied

log = logging.getLogger(__name__)


Generator = WeatherSource | NliSource | PairsSource | PuzzlesSource


class Settings(BaseModel):
    """The script's slice of the config."""

    source: Generator = Field(discriminator="kind")


def main(args: argparse.Namespace) -> None:
    """Write raw records and their counts from the settings `{"source"}`."""
    source = validated(Settings, args.settings, "settings").source
    facts = {"kind": source.kind, "seed": source.seed}
    count = write_jsonl(args.out, tallied(_generated(source), facts))
    write_json(args.facts, facts)
    log.info("%d records of kind %s with seed %d.", count, source.kind, source.seed)


def _generated(source: Generator) -> Iterator[dict]:
    if isinstance(source, WeatherSource):
        from snaketune.weather import weather_records

        return weather_records(source)
    if isinstance(source, NliSource):
        from snaketune.nli import nli_records

        return nli_records(source)
    if isinstance(source, PairsSource):
        from snaketune.pairs import pairs_records

        return pairs_records(source)
    from snaketune.puzzles import puzzle_records

    return puzzle_records(source)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    parser.add_argument("--facts", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
