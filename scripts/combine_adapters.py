"""Combine adapters of one base into sums, and measure how far each is from the exact one.

Settings: {"sums": [{"model": NAME, "combine": Combination, "base": source.json,
"adapters": [FOLDER, …], "recipes": [recipe.yaml, …], "out": FOLDER}, …]}; recipes in the order of
the adapters.
"""

import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.common import Name, Strict
from snaketune.config.tuning import Combination

log = logging.getLogger("snaketune")


class Sum(Strict):
    """One combined adapter to be made."""

    model: Name
    combine: Combination
    base: Path
    adapters: list[Path]
    recipes: list[Path]
    out: Path


def main(args) -> None:
    """Write the adapters and their figures."""
    sums = list(map(Sum.model_validate, args.settings["sums"]))

    from snaketune.combining import combine
    from snaketune.loading import use_threads

    use_threads(args.threads)
    for one in sums:
        facts = combine(one.model, one.combine, one.base, one.adapters, one.recipes, one.out)
        distance = facts["relative_distance"]
        if distance is None:
            log.info("%s: the adapters' changes add up to nothing.", one.model)
            continue
        log.info(
            "%s, %s, rank %d: %.3g %% away from the exact sum (cosine %.6f).",
            *(one.model, facts["method"], facts["rank"], 100 * distance, facts["cosine"] or 0.0),
        )


if __name__ == "__main__":
    parser = cli.parser(__doc__, gpus=True)
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    cli.run(main, parser.parse_args())
