"""Running a crawl: Scrapy's settings, pages that are kept, and what is said of it at the end."""

import fcntl
import importlib.util
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings

from snaketune.config.sites import Site
from snaketune.crawling.conduct import ROBOT, Conduct
from snaketune.crawling.jkbd import JkbdSpider
from snaketune.crawling.jxedt import JxedtSpider
from snaketune.crawling.local_site import LocalSite, served
from snaketune.crawling.page import Page
from snaketune.crawling.spider import SiteSpider
from snaketune.driving import driving_questions
from snaketune.errors import UserError
from snaketune.files import digest, write_json, write_jsonl
from snaketune.journal import Journal

log = logging.getLogger(__name__)

AGENT = f"{ROBOT}/0.1"
SHIPPED = {"jkbd": JkbdSpider, "jxedt": JxedtSpider}
RETRIES = 2
"""Further tries of a page after a fault of the server or the line."""


def crawl(name: str, site: Site, pages: Path, manifest: Path, store: Path) -> None:
    """Ask for the pages of a site that the store does not have, and write all of them.

    Args:
        name: the site's name in the study.
        site: its settings.
        pages: JSON-lines file of the pages, in the order in which they were asked.
        manifest: JSON file: counts, robots.txt, times, what ended it.
        store: folder of kept pages, which outlives a killed crawl.

    Raises:
        UserError: the site refused, or robots.txt forbids the start; what came is in the store.
    """
    spider_class = spider_of(site)
    with site_address(name, site, store) as (address, identity), Journal(store) as journal:
        spider, conduct, seconds = _run(spider_class, name, site, address, identity, journal)
        facts = _facts(name, site, spider, conduct, seconds)
        log.info("%d pages asked, %d there already.", conduct.asked, conduct.stored)
        if spider.error:
            raise spider.error
        check(name, site, spider)
        write_jsonl(pages, (conduct.page(path).row() for path in spider.used))
    write_json(manifest, facts)


def spider_of(site: Site) -> type[SiteSpider]:
    """The class of a site's spider, shipped or of the user's file."""
    path, _, name = site.spider.rpartition(":")
    if not path:
        return SHIPPED[name]
    if not Path(path).is_file():
        raise UserError(f"spider: no file {path}")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, SiteSpider)):
        raise UserError(
            f"{path}: no class {name} that is a SiteSpider of snaketune.crawling.spider"
        )
    return found


@contextmanager
def site_address(name: str, site: Site, store: Path) -> Iterator[tuple[str, str]]:
    """Where the site is, and what its pages are kept under; made questions are served meanwhile."""
    if site.local is not None:
        questions = driving_questions(site.local, name)
        shown = LocalSite(site.spider, questions, site.faults)
        made_of = [site.spider, [q.model_dump() for q in questions], site.faults.model_dump()]
        with served(shown) as address:
            yield address, digest(made_of)
        return
    # Two crawls of one host, of another study or run, would be two requests at once.
    store.mkdir(parents=True, exist_ok=True)
    with (store / f"{urlsplit(site.url).netloc.replace(':', '_')}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("Another crawl of this host is under way; waiting for its end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield site.url, site.url


def _run(
    spider_class: type[SiteSpider],
    name: str,
    site: Site,
    address: str,
    identity: str,
    journal: Journal,
) -> tuple[SiteSpider, Conduct, float]:
    settings = Settings()
    settings.setdict(_settings(site), priority="cmdline")
    logging.disable(logging.INFO)  # its versions and middlewares
    process = AsyncCrawlerProcess(settings)
    logging.disable(logging.NOTSET)
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    crawler = process.create_crawler(spider_class)
    start = time.monotonic()
    known = {"name": name, "site": site, "address": address}
    task = process.crawl(crawler, **known, journal=journal, identity=identity)
    process.start()
    if task.done() and not task.cancelled() and task.exception():
        raise task.exception()
    if crawler.stats.get_value("finish_reason") != "finished":
        raise UserError(
            f"{name}: the crawl was interrupted. What came is kept, and the same command goes on "
            "from there.",
            exit_code=75,
        )
    conduct = crawler.get_downloader_middleware(Conduct)
    return crawler.spider, conduct, time.monotonic() - start


def _settings(site: Site) -> dict:
    """Scrapy's settings, over which a spider's custom_settings do not win."""
    return {
        "USER_AGENT": f"{AGENT} (+{site.contact})" if site.contact else f"{AGENT} (local)",
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": ROBOT,
        "CONCURRENT_REQUESTS": 1,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": site.delay,
        "DOWNLOAD_DELAY_JITTER": 0,
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": site.delay,
        "AUTOTHROTTLE_MAX_DELAY": max(60.0, site.delay),
        "AUTOTHROTTLE_TARGET_CONCURRENCY": site.throttle,
        "COOKIES_ENABLED": False,
        "REFERER_ENABLED": False,
        "REDIRECT_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "HTTPERROR_ALLOW_ALL": True,
        "HTTPPROXY_ENABLED": site.local is None,
        "RETRY_TIMES": RETRIES,
        "RETRY_HTTP_CODES": [500, 502, 504, 522, 524, 408],
        "DOWNLOAD_TIMEOUT": 60,
        "DOWNLOAD_MAXSIZE": 32 * 2**20,
        "DOWNLOADER_MIDDLEWARES": {Conduct: 50},
        "WARN_ON_GENERATOR_RETURN_VALUE": False,  # parses the spider's code at each page
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
        "LOG_LEVEL": "WARNING",
    }


def _facts(name: str, site: Site, spider: SiteSpider, conduct: Conduct, seconds: float) -> dict:
    pages = [conduct.page(path) for path in spider.used]
    return {
        "site": name,
        "spider": site.spider,
        "from": "made questions, served on this machine" if site.local else site.url,
        "ended_by": spider.limit or "nothing left to ask",
        "robots": {"said": _said(pages), "forbidden": spider.forbidden},
        "pages": len(pages),
        "items_asked_for": spider.items,
        "repeated_ids": spider.repeated,
        "missing": [page.path for page in pages if page.status in (404, 410)],
        "circles": [page.path for page in pages if 300 <= page.status < 400],
        "failed": [{"path": path, "reason": reason} for path, reason in spider.failed],
        "first_fetched": min((page.fetched for page in pages), default=None),
        "last_fetched": max((page.fetched for page in pages), default=None),
        "this_time": {
            "asked": conduct.asked,
            "there_already": conduct.stored,
            "waits": conduct.waits,
            "seconds": round(seconds, 1),
        },
    }


def _said(pages: list[Page]) -> str | None:
    return next((page.robots for page in reversed(pages) if page.robots), None)


def check(name: str, site: Site, spider: SiteSpider) -> None:
    """A refused crawl fails, though all pages that came are kept."""
    where = site.url or "the local site"
    if spider.refused:
        raise UserError(
            f"{name}: the crawl of {where} stopped at {spider.refused}. {len(spider.used)} pages "
            "are kept, and the same command goes on from there: later, or with a greater delay; "
            "if this is the site's last word, not at all. With a max_items that is there already "
            "nothing more is asked.",
            exit_code=75,
        )
    if not spider.used and spider.forbidden:
        raise UserError(
            f"{name}: robots.txt of {where} forbids {spider.forbidden[0]}, so nothing was asked. "
            "Ask the site's owner, or take another source."
        )
    if not spider.used:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in spider.failed)
        reasons = reasons or (
            f"{spider.limit} ended it" if spider.limit else "its spider names none"
        )
        raise UserError(f"{name}: no page came ({reasons}).")
