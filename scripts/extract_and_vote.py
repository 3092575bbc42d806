"""Read what each record's replies answer, keeping unreadable and failed ones apart."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.extracting import ExtractSettings, answer_records
from snaketune.files import write_jsonl


def main(args: argparse.Namespace) -> None:
    """Write a row a record, with what was read from every response."""
    extract = ExtractSettings.model_validate(args.settings).extract
    write_jsonl(args.out, answer_records(args.records, args.predictions, extract))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--records", type=Path, required=True, help="records that were asked")
    parser.add_argument("--predictions", type=Path, required=True, help="the model's replies")
    parser.add_argument("--out", type=Path, required=True, help="what was read from them")
    cli.run(main, parser.parse_args())
