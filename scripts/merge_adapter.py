"""Merge an adapter into its base, and check that merged and unmerged weights answer alike."""

import argparse
import logging
from pathlib import Path

from snaketune import cli

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write the merged model folder, its parity figures, and last its manifest."""
    from snaketune.loading import use_threads
    from snaketune.merging import merge

    use_threads(args.threads)
    parity = merge(args.recipe, args.base, args.adapter, args.records, args.out)
    log.info(
        "Merged and unmerged logits differ by %.2g at most; %.2f %% choose the same token.",
        parity["max_difference"],
        100 * parity["equal_argmax"],
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__, gpus=True)
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument(
        "--recipe",
        type=Path,
        required=True,
        help="recipe.yaml of the adapter, or of a combination's first part",
    )
    parser.add_argument(
        "--adapter", type=Path, required=True, help="folder of the adapter, trained or combined"
    )
    parser.add_argument(
        "--records", type=Path, required=True, help="records for the parity check; may be empty"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the merged model")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
