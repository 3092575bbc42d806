"""Score a model's answers: accuracies with intervals, and a test against the baseline model."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.files import write_json
from snaketune.scoring import ScoreSettings, score

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write one JSON file with a model's metrics on one split."""
    settings = ScoreSettings.model_validate(args.settings)
    made = score(settings, args.answers, args.baseline, args.recipe, args.combination)
    write_json(args.out, made)
    for row in made["metrics"]:
        log.info("%s: %d of %d", row["metric"], row["correct"], row["n"])


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--answers", type=Path, required=True, help="the model's answers")
    parser.add_argument("--baseline", type=Path, required=True, help="the baseline's answers")
    made_of = parser.add_mutually_exclusive_group()
    made_of.add_argument("--recipe", type=Path, help="the adapter's recipe; none for a base")
    made_of.add_argument("--combination", type=Path, help="combination.json of a sum of adapters")
    parser.add_argument("--out", type=Path, required=True, help="the score file")
    cli.run(main, parser.parse_args())
