"""Put together what the models of all folds of a cross-validation answered."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_jsonl
from snaketune.folding import pooled_rows


def main(args: argparse.Namespace) -> None:
    """Write the rows of all folds, each with its fold."""
    write_jsonl(args.out, pooled_rows(args.answers))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--answers", type=Path, nargs="+", required=True, help="answers of each fold, in order"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    cli.run(main, parser.parse_args())
