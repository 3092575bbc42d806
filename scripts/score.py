"""Score models' answers: accuracies with intervals, and a test against the baseline model.

Settings: {"scores": [{"settings": ScoreSettings, "answers": FILE, "baseline": FILE,
"recipe": FILE | null, "combination": FILE | null, "judgements": FILE | null,
"baseline_judgements": FILE | null, "out": FILE}, …]}; recipe and combination say what the model's
weights are, both null for a base; judgements are a judge's verdicts on the answers.
"""

import logging
from pathlib import Path

from pydantic import model_validator

from snaketune import cli
from snaketune.config.common import Strict
from snaketune.files import write_json
from snaketune.scoring import ScoreSettings, score

log = logging.getLogger("snaketune")


class Scored(Strict):
    """One model's answers to one split, and where its score goes."""

    settings: ScoreSettings
    answers: Path
    baseline: Path
    recipe: Path | None = None
    combination: Path | None = None
    judgements: Path | None = None
    baseline_judgements: Path | None = None
    out: Path

    @model_validator(mode="after")
    def _made_of_one(self) -> "Scored":
        if self.recipe and self.combination:
            raise ValueError("recipe and combination exclude each other")
        if bool(self.judgements) != bool(self.baseline_judgements):
            raise ValueError("judgements and baseline_judgements go together")
        return self


def main(args) -> None:
    """Write one JSON file a model and split."""
    for one in map(Scored.model_validate, args.settings["scores"]):
        made = score(one.settings, **one.model_dump(exclude={"settings", "out"}))
        write_json(one.out, made)
        for row in made["metrics"]:
            place = f"{made['model']} on {made['dataset']}/{made['split']}"
            log.info("%s, %s: %d of %d", place, row["metric"], row["correct"], row["n"])


if __name__ == "__main__":
    cli.run(main, cli.parser(__doc__).parse_args())
