"""Write the page on which a person reads a study's answers, record by record.

Settings: {"title", "note", "folder": of the study's results, "extracts": {dataset: Extract},
"asked": [{"dataset", "split", "models": [NAME, …]}, …]}.
"""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.browser_page import as_html
from snaketune.browsing import BrowseSettings, browsed
from snaketune.files import write_text

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write the page."""
    settings = BrowseSettings.model_validate(args.settings)
    datasets = browsed(settings)
    html = as_html(settings.title, settings.note, datasets, args.script, args.style)
    write_text(args.out, html)
    for dataset in datasets:
        log.info("%s: %d records.", dataset["name"], len(dataset["records"]))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--script", type=Path, required=True, help="the page's own JavaScript")
    parser.add_argument("--style", type=Path, required=True, help="the page's own CSS")
    parser.add_argument("--out", type=Path, required=True, help="the page")
    cli.run(main, parser.parse_args())
