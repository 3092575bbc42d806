"""Estimate memory, tokens, steps, GPU-hours and disk of all jobs that load a model; load none."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import write_json, write_text


def main(args: argparse.Namespace) -> None:
    """Write the estimate as JSON, and as text for the terminal."""
    from snaketune.forecasting import Settings, as_text, forecast

    found = forecast(validated(Settings, args.settings, "settings"))
    write_json(args.out, found)
    write_text(args.text, as_text(found) + "\n")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(f"{__doc__}\n\nSettings: see snaketune.forecasting.Settings.")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--text", type=Path, required=True, help="text file to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
