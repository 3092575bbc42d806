"""Make records of a bank's questions: each question once, near twins in one group."""

import argparse
import logging
from pathlib import Path

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.deduplicating import Deduplication
from snaketune.config.resolve import validated
from snaketune.deduplicating import deduplicate
from snaketune.errors import UserError
from snaketune.files import read_jsonl, write_json, write_jsonl
from snaketune.question_records import question_record
from snaketune.questions import Question

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """The script's slice of the config."""

    deduplicate: Deduplication = Deduplication()
    option: str = "{letter}. {text}"
    between: str = "\n"


def main(args: argparse.Namespace) -> None:
    """Write records, counts, examples from the settings `{"deduplicate", "option", "between"}`."""
    settings = validated(Settings, args.settings, "settings")
    questions = [Question.model_validate(row) for row in read_jsonl(args.raw)]
    found = deduplicate(questions, settings.deduplicate)
    if not found.kept:
        raise UserError(
            f"{args.raw}: all {len(questions)} questions contradict one another. Set "
            "deduplicate.conflicts: keep to keep one of each answer."
        )
    form = settings.option, settings.between
    write_jsonl(args.out, (question_record(one, group, *form) for one, group in found.kept))
    write_json(args.counts, found.counts)
    write_json(args.examples, found.examples)
    log.info("%d of %d questions kept.", found.counts["kept"], found.counts["in"])
    if found.counts["conflicting_answers"]:
        text = "%d questions have several answers; they are %s."
        kept = "dropped" if settings.deduplicate.conflicts == "drop" else "kept, in one split each"
        log.warning(text, found.counts["conflicting_answers"], kept)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="questions to read, JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="records to write")
    parser.add_argument("--counts", type=Path, required=True, help="JSON file of counts to write")
    parser.add_argument("--examples", type=Path, required=True, help="JSON of examples to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
