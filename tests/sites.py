"""A few questions, a local site that shows them, and crawls of it in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

from workflow import ROOT

from snaketune.questions import JUDGE_OPTIONS, Question

CONTACT = "us@example.org"
MOTORWAY = ["60公里", "80公里", "100公里", "120公里"]
DEEDS = ["闯红灯", "逆行", "超员", "系安全带", "让行人"]


def question(number: int, stem: str, options: list[str], right: list[int], **others) -> Question:
    kind = "multi" if len(right) > 1 else "single"
    kind = "judge" if options == list(JUDGE_OPTIONS) else kind
    return Question(
        id=f"made-{number}",
        stem=stem,
        options=options,
        answer=[options[at] for at in right],
        type=kind,
        source="made",
        source_id=str(number),
        **others,
    )


def bank(questions: int = 20) -> list[Question]:
    """Questions of every type, with pictures, a film, explanations of several lines."""
    made = []
    for number in range(questions):
        kind, extra = number % 5, {}
        if number % 3 == 0:
            extra["media"] = f"sign-{number}{'.mp4' if number % 6 == 0 else '.jpg'}"
        if number % 2 == 0:
            extra["explanation"] = f"第{number}条：时速<60公里 & 慢行。\n见图。"
        stem, options, right = {
            0: (f"{number}号路的限速是多少？", MOTORWAY, [number % 4]),
            1: (f"{number}号路可以掉头。", list(JUDGE_OPTIONS), [number % 2]),
            2: (f"在{number}号路，哪些行为违法？", DEEDS, [0, 1, 2]),
            3: (f"在{number}号路，哪些是车速？", MOTORWAY, [0, 1, 2, 3]),
            4: (f"在{number}号路，哪种行为违法？", DEEDS[2:], [0]),
        }[kind]
        made.append(question(number, stem, options, right, **extra))
    return made


def meaning(item: Question) -> tuple:
    """What a question says, whatever order a site gives its options."""
    options, answer = frozenset(item.options), frozenset(item.answer)
    return item.stem, options, answer, item.type, item.media, item.explanation


def live(spider: str, address: str, **settings) -> dict:
    """Settings of a site at an address, asked without pauses."""
    known = {"spider": spider, "url": address, "contact": CONTACT, "accept_terms": True}
    return {**known, "delay": 0, "throttle": 1, **settings}


class Crawl:
    """Crawls of one site into one folder."""

    def __init__(self, folder: Path, name: str, **settings):
        self.folder, self.name, self.settings = folder, name, settings
        self.pages = folder / "pages.jsonl"
        self.questions = folder / "questions.jsonl"

    def command(self, script: str) -> list[str]:
        settings = json.dumps({"name": self.name, "site": self.settings})
        return [sys.executable, str(ROOT / f"scripts/{script}.py"), "--settings", settings]

    def start(self) -> subprocess.Popen:
        command = [*self.command("crawl"), "--pages", self.pages, "--store", self.folder / "store"]
        return subprocess.Popen(
            [*command, "--manifest", self.folder / "crawl.json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def run(self, rc: int = 0) -> str:
        """Crawl to the end; returns what was printed."""
        process = self.start()
        try:
            printed, _ = process.communicate(timeout=300)
        finally:
            process.kill()
        assert process.returncode == rc, printed
        return printed

    def parse(self) -> dict:
        """Read the questions; returns the counts."""
        counts = self.folder / "counts.json"
        command = [*self.command("parse_pages"), "--pages", self.pages, "--out", self.questions]
        subprocess.run([*command, "--counts", counts], cwd=self.folder, check=True)
        return json.loads(counts.read_text(encoding="utf-8"))

    @property
    def manifest(self) -> dict:
        return json.loads((self.folder / "crawl.json").read_text(encoding="utf-8"))
