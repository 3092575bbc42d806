"""Serve made questions on the loopback, in the shapes and with the oddities of a site.

Prints `{"address": …}` on its first line, then serves until it is stopped. To try a spider:

    python scripts/serve_site.py --settings '{"spider": "jxedt", "local": {"questions": 50}}'
"""

import argparse
import json
import threading
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.sites import Site
from snaketune.crawling.local_site import LocalSite, served
from snaketune.driving import driving_questions
from snaketune.errors import UserError


def main(args: argparse.Namespace) -> None:
    """Serve the `local` questions of the settings, which are a site's."""
    site = validated(Site, args.settings, "settings")
    if site.local is None:
        raise UserError("--settings: 'local' says which questions are served; it is not there.")
    shown = LocalSite(
        site.spider, driving_questions(site.local, site.spider), site.faults, args.requests
    )
    with served(shown, args.port) as address:
        print(json.dumps({"address": address}), flush=True)
        threading.Event().wait()


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--requests", type=Path, help="JSON-lines file that gets each request")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
