"""Begin a study from a file with records: CSV, TSV, JSON or JSON lines.

Guesses the file's encoding and format, the column of the label, the fields that are asked and the
prompt, writes a commented study and says what it guessed and why. With --run it puts the study's
name into that run's list of studies too.
"""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import new_study_path, read_yaml
from snaketune.files import write_text
from snaketune.starting.guessing import guess
from snaketune.starting.reading import read_table
from snaketune.starting.writing import as_study, with_study

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write the study and say what was guessed."""
    path = new_study_path(args.name)
    table = read_table(_near(args.source))
    found = guess(table, args.label, args.fields)
    write_text(path, as_study(table, found, args.name))
    for line in found.told:
        log.info("%s", line)
    log.info("%s: %d rows with a label. Look it through.", path, found.labelled)
    if args.run:
        _add(args.run, args.name)
    log.info("Then: snakemake %s --cores all", args.name)


def _near(path: Path) -> Path:
    """A path as a study should have it: relative where the file lies in the project."""
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _add(run: Path, name: str) -> None:
    if name in read_yaml(run).get("studies", []):
        return
    text = with_study(run.read_text(encoding="utf-8"), name)
    if text is None:
        log.warning("%s: its studies are no list of lines; add %s to it yourself.", run, name)
        return
    write_text(run, text)
    log.info("%s: %s was added to its studies.", run, name)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="the file with the records"
    )
    parser.add_argument("--name", required=True, help="what the study is called")
    parser.add_argument("--label", help="column of the label, if the guess is wrong")
    parser.add_argument("--fields", nargs="+", help="columns that are asked, likewise")
    parser.add_argument("--run", type=Path, help="run config that gets the study's name")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
