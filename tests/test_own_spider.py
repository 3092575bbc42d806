"""The spider of the README, crawling a site of its shape."""

import json
import re

import pytest
import yaml
from sites import Crawl
from workflow import ROOT

from snaketune.config.sites import Site
from snaketune.crawling.local_site import Reply, served
from snaketune.crawling.running import spider_of
from snaketune.errors import UserError
from snaketune.files import read_jsonl


def block(kind: str, holding: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```{kind}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return next(code for code in found if holding in code)


SETTINGS = yaml.safe_load(block("yaml", "sites:"))["sites"]["town"]


class Town:
    """Three questions, the last of them without a right option."""

    def answer(self, path: str, agent: str) -> Reply:
        if path == "/robots.txt":
            return Reply(404, "text/html", "<p>404</p>")
        if path == "/list.json":
            return Reply(body=json.dumps({"ids": [1, 2, 2, 3]}))
        number = int(re.search(r"\d+", path)[0])
        shown = {"id": number, "text": f"第{number}题？", "options": ["甲", "乙"], "right": "甲"}
        return Reply(body=json.dumps(shown | ({"right": "丙"} if number == 3 else {})))


def written(folder):
    path = folder / "spiders/town.py"
    path.parent.mkdir()
    path.write_text(block("python", "class TownSpider"), encoding="utf-8")
    return path


def test_the_settings_of_the_readme_are_right():
    assert Site(**SETTINGS).own_file() == "spiders/town.py"


@pytest.mark.slow
def test_the_spider_of_the_readme_crawls(tmp_path):
    written(tmp_path)
    with served(Town()) as address:
        crawl = Crawl(tmp_path, "town", **SETTINGS | {"url": address, "delay": 0})
        crawl.run()
        counts = crawl.parse()
    questions = list(read_jsonl(crawl.questions))
    assert [item["id"] for item in questions] == ["town-1", "town-2"]
    assert questions[0]["robots"] == "no robots.txt"
    assert counts["reasons"] == {"answer: '丙' is none of the options": 1}
    assert crawl.manifest["repeated_ids"] == 1


def test_a_spider_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"spider: no file spiders/town\.py"):
        spider_of(Site(**SETTINGS))
    path = written(tmp_path)
    assert spider_of(Site(**SETTINGS)).__name__ == "TownSpider"
    other = SETTINGS | {"spider": "spiders/town.py:VillageSpider"}
    with pytest.raises(UserError, match="no class VillageSpider that is a SiteSpider"):
        spider_of(Site(**other))
    path.write_text("import nothing_of_that_name\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"town\.py: cannot be loaded \(ModuleNotFoundError"):
        spider_of(Site(**SETTINGS))
