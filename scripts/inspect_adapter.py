"""List the tensors of an adapter: a trained one, or the one that a recipe would train on a base."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.errors import UserError
from snaketune.files import write_json, write_text
from snaketune.inspecting import as_csv, as_html, inspect, inspect_untrained, summarise


def main(args: argparse.Namespace) -> None:
    """Write table, summary and page; settings are `{"title", "adapter"}`, the study's and its."""
    if bool(args.adapter) == bool(args.recipe) or bool(args.recipe) != bool(args.architecture):
        raise UserError(
            "Give --adapter, a trained one, or --recipe with --architecture, for one that is not."
        )
    if args.adapter:
        found = inspect(args.adapter)
    else:
        found = inspect_untrained(args.recipe, args.architecture)
    name = args.settings.get("adapter") or (args.adapter or args.recipe.parent).name
    write_text(args.csv, as_csv(found))
    write_json(args.summary, summarise(found, name))
    write_text(args.html, as_html(found, name, args.settings.get("title", "Snaketune")))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--adapter", type=Path, help="folder of a trained adapter")
    parser.add_argument("--recipe", type=Path, help="recipe.yaml of an adapter to be trained")
    parser.add_argument("--architecture", type=Path, help="its base: a folder or a config.json")
    parser.add_argument("--csv", type=Path, required=True, help="one row a tensor")
    parser.add_argument("--summary", type=Path, required=True, help="the figures, as JSON")
    parser.add_argument("--html", type=Path, required=True, help="a page to read")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
