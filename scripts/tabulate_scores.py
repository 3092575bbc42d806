"""Gather a study's scores into its accuracy table: CSV, Markdown and a page to open."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.combined import combined
from snaketune.comparisons import matrices, read_comparisons
from snaketune.files import read_json, write_text
from snaketune.folding import folded
from snaketune.judged import agreements
from snaketune.option_kinds import kinds
from snaketune.pages import as_html, as_markdown
from snaketune.seeds import over_seeds, with_seeds
from snaketune.tables import Block, TableSettings, as_csv, gather, sections
from snaketune.voted import voted
from snaketune.whole_datasets import whole_datasets


def main(args: argparse.Namespace) -> None:
    """Write the three forms of the table."""
    settings = TableSettings.model_validate(args.settings)
    rows = with_seeds(gather(settings, args.scores), settings.variants)
    parts = sections(rows, settings.baseline)
    scores = [read_json(path) for path in args.scores]
    blocks = [
        *over_seeds(rows, settings.variants),
        *folded(scores, settings.models),
        *voted(scores, settings.models),
        *kinds(scores, settings.models),
        *agreements(scores, settings.models),
        *whole_datasets(rows),
        *matrices(read_comparisons(args.comparisons)),
        *combined(map(read_json, args.combinations), settings.models),
        *published_claims(settings),
    ]
    write_text(args.csv, as_csv(rows))
    write_text(args.markdown, as_markdown(settings, parts, blocks))
    write_text(args.html, as_html(settings, parts, blocks))


def published_claims(settings: TableSettings) -> list[Block]:
    """What the published numbers say; their tests take a second to load, so only where needed."""
    if not any(number.n for number in settings.published):
        return []
    from snaketune.claims import claims

    return claims(settings.published)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="score files")
    parser.add_argument("--comparisons", type=Path, required=True, help="comparisons.csv")
    parser.add_argument(
        "--combinations",
        type=Path,
        nargs="*",
        default=[],
        help="combination.json of each combined model",
    )
    parser.add_argument("--csv", type=Path, required=True, help="the table, for programs")
    parser.add_argument("--markdown", type=Path, required=True, help="the table, for text")
    parser.add_argument("--html", type=Path, required=True, help="the table, for a browser")
    cli.run(main, parser.parse_args())
