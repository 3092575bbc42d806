"""Combine adapters of one base into one adapter, and measure how far it is from their exact sum."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.tuning import Combination

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write the adapter and its figures; settings are `{"model", "combine": Combination}`."""
    combination = Combination.model_validate(args.settings["combine"])

    from snaketune.combining import combine
    from snaketune.loading import use_threads

    use_threads(args.threads)
    facts = combine(
        args.settings["model"], combination, args.base, args.adapters, args.recipes, args.out
    )
    distance = facts["relative_distance"]
    if distance is None:
        log.info("The adapters' changes add up to nothing.")
    else:
        log.info(
            "%s, rank %d: %.3g %% away from the exact sum (cosine %.6f).",
            *(facts["method"], facts["rank"], 100 * distance, facts["cosine"] or 0.0),
        )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument(
        "--adapters", type=Path, nargs="+", required=True, help="folders of the adapters"
    )
    parser.add_argument(
        "--recipes", type=Path, nargs="+", required=True, help="recipe.yaml of each, in that order"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the combined adapter")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
