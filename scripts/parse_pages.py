"""Read the questions on the pages of a crawl; can be run again without crawling."""

import argparse
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.sites import Site
from snaketune.crawling.page import Page, Unread
from snaketune.crawling.running import spider_of
from snaketune.crawling.spider import SiteSpider
from snaketune.errors import UserError
from snaketune.files import read_jsonl, write_json, write_jsonl
from snaketune.questions import Question

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """The script's slice of the config."""

    name: str
    site: Site


def main(args: argparse.Namespace) -> None:
    """Write questions and counts from the settings `{"name", "site"}`."""
    settings = validated(Settings, args.settings, "settings")
    spider = spider_of(settings.site)(name=settings.name, site=settings.site)
    counts: Counter[str] = Counter()
    unread: list[Unread] = []
    questions = _questions(spider, args.pages, counts, unread)
    written = write_jsonl(args.out, (question.model_dump() for question in questions))
    if not written:
        reasons = Counter(item.reason for item in unread).most_common(1)
        raise UserError(
            f"{args.pages}: no question could be read"
            f" ({reasons[0][0] if reasons else 'none of its pages has any'}). If the site's pages "
            "have changed, its spider must be mended; the pages are kept."
        )
    write_json(args.counts, {"site": settings.name, **_summary(counts, unread)})
    log.info("%d questions, %d could not be read.", written, len(unread))


def _questions(
    spider: SiteSpider, pages: Path, counts: Counter[str], unread: list[Unread]
) -> Iterator[Question]:
    """Yield each question once, and note what else was there."""
    seen: set[str] = set()
    for row in read_jsonl(pages):
        page = Page(**row)
        counts["pages"] += 1
        counts["mended"] += page.status == 200 and not page.is_html and page.is_mended
        for found in spider.read(page):
            if isinstance(found, Unread):
                unread.append(found)
            elif found.id in seen:
                counts["repeated"] += 1
            else:
                seen.add(found.id)
                counts.update(["questions", found.type], with_media=found.media is not None)
                yield found


def _summary(counts: Counter[str], unread: list[Unread]) -> dict:
    return {
        "pages": counts["pages"],
        "mended_pages": counts["mended"],
        "questions": counts["questions"],
        "types": {name: counts[name] for name in ("judge", "single", "multi")},
        "with_media": counts["with_media"],
        "repeated": counts["repeated"],
        "unread": len(unread),
        "reasons": dict(Counter(item.reason for item in unread).most_common()),
        "unread_questions": [vars(item) for item in unread],
    }


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="JSON-lines file of pages")
    parser.add_argument("--out", type=Path, required=True, help="JSON-lines file to write")
    parser.add_argument("--counts", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
