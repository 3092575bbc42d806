"""Write the cards of a study's merged models: data, recipe, scores, licence, how to use them."""

import argparse

from snaketune import cli
from snaketune.files import write_text
from snaketune.model_card import CARD, StudyCards, card


def main(args: argparse.Namespace) -> None:
    """Write README.md into the folder of every model; the settings are a `StudyCards`."""
    study = StudyCards.model_validate(args.settings)
    for one in study.cards:
        write_text(one.folder / CARD, card(study, one))


if __name__ == "__main__":
    cli.run(main, cli.parser(__doc__).parse_args())
