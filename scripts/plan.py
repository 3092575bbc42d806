"""Print what models behind addresses will be asked and paid, before anything is; ask nobody."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.files import write_json


def main(args: argparse.Namespace) -> None:
    """Print the plan and write it as JSON."""
    from snaketune.planning import Settings, as_text, plan

    settings = validated(Settings, args.settings, "settings")
    found = plan(settings, args.journal, args.ledger)
    if args.out:
        write_json(args.out, found)
    print(as_text(found))
    if args.estimate:
        print("", args.estimate.read_text(encoding="utf-8"), sep="\n")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(
        f"""{__doc__}

Settings: {{"jobs": [{{"study", "purpose": "distill" | "predict", "dataset", "split",
"model": name | null, "endpoint": {{"name", "endpoint": Endpoint}}, "sampling": Sampling,
"prompt": {{"system", "user"}}, "records": FILE, "label": bool, "attempts": int}}]}}.
"""
    )
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--ledger", type=Path, required=True, help="folder of the ledgers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--estimate", type=Path, help="text of estimate.py, printed below")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
