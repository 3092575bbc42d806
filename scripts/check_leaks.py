"""Look for training records among the evaluation records of a study, across its datasets."""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import write_json, write_text
from snaketune.leaks import LeakSettings, check_leaks
from snaketune.leaks_page import as_html

log = logging.getLogger(__name__)


def main(args: argparse.Namespace) -> None:
    """Write the counts as JSON and as a page, from the settings `LeakSettings`."""
    settings = validated(LeakSettings, args.settings, "settings")
    report = check_leaks(settings)
    for pair in report["pairs"]:
        name = f"{pair['evaluation']}/{pair['split']} against {pair['training']}/train"
        if pair["same_file"]:
            log.info("%s: the same file, not compared.", name)
            continue
        level = logging.WARNING if pair["exact"] else logging.INFO
        log.log(level, "%s: %d of %d exact, %d near.", name, *_figures(pair))
    write_json(args.out, report)
    write_text(args.html, as_html(settings.title, report))


def _figures(pair: dict) -> tuple[int, int, int]:
    return pair["exact"], pair["n"], pair["near"]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file of counts to write")
    parser.add_argument("--html", type=Path, required=True, help="page for people to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
