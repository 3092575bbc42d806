"""Write answers as a competition takes them, and a table of them for people."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import write_json, write_jsonl, write_text
from snaketune.submitting import SubmissionSettings, answered, as_csv, counts, submission

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write the submission, the table and the counts, from the settings `SubmissionSettings`."""
    settings = validated(SubmissionSettings, args.settings, "settings")
    sent = answered(settings, args.records, args.answers)
    write_jsonl(args.out, submission(sent))
    write_text(args.csv, as_csv(sent))
    made = counts(sent, settings)
    write_json(args.counts, made)
    log.info("%(questions)d questions, %(abstained)d of them answered by %(fallback)s.", made)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--records", type=Path, required=True, help="questions, in their order")
    parser.add_argument("--answers", type=Path, required=True, help="what was read of the replies")
    parser.add_argument("--out", type=Path, required=True, help="submission, JSON lines")
    parser.add_argument("--csv", type=Path, required=True, help="the same for people")
    parser.add_argument("--counts", type=Path, required=True, help="JSON file of counts")
    cli.run(main, parser.parse_args())
