"""Distilling, who writes: a model behind an address, or the rules of the demo."""

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from snaketune.bars import Bar
from snaketune.config.common import Name, Strict
from snaketune.config.data import Distill
from snaketune.config.services import Endpoint
from snaketune.config.study import RULES
from snaketune.engines import Request
from snaketune.errors import UserError
from snaketune.journal import Journal
from snaketune.label_replies import negative_first
from snaketune.predicting import journal_folder, requests_for
from snaketune.prompts import render_for_teacher
from snaketune.teaching import RulesTeacher

log = logging.getLogger(__name__)

RULE_BASED = "rule-based teacher"


class Settings(Strict):
    """What distill.py gets of the config."""

    study: Name
    dataset: Name
    distill: Distill
    labels: list[str]
    """Of the dataset's extract, the negated one first; empty where a label has parts."""
    endpoint: Endpoint | None = None
    """The teacher's; null for the rule-based one."""


@dataclass(frozen=True)
class Reply:
    """One text of a teacher, or why there is none."""

    text: str | None
    truncated: bool = False
    error: str | None = None


class Teacher(Protocol):
    """Writes texts for records."""

    name: str
    attempts: int
    """How many texts for one record may differ."""

    def write(self, records: list[dict], index: int) -> list[Reply]:
        """The text number `index`, from 0, for each record."""
        ...

    def facts(self) -> dict:
        """What the texts came from and cost, for the metrics."""
        ...


class ByRules:
    """`RulesTeacher` as a teacher of one attempt."""

    name, attempts = RULE_BASED, 1

    def __init__(self, settings: Settings):
        self._write = RulesTeacher(*two_labels(settings.labels), settings.distill.max_chars)

    def write(self, records: list[dict], index: int) -> list[Reply]:
        return [Reply(self._write(record)) for record in records]

    def facts(self) -> dict:
        return {"model": None, "served_models": {}}


class Served:
    """A model behind an address; what it wrote once is in the journal and never bought again."""

    def __init__(self, settings: Settings, journal: Path, ledger: Path):
        from snaketune.engines.openai_engine import OpenAIEngine

        self.distill, self.endpoint = settings.distill, settings.endpoint
        self.name = settings.distill.teacher
        # at temperature 0 a further text would be the first once more
        self.attempts = settings.distill.attempts if settings.distill.sampling.temperature else 1
        about = {"purpose": "distill", "study": settings.study, "dataset": settings.dataset}
        self.engine = OpenAIEngine(self.name, settings.endpoint, ledger, about)
        self.journal = journal_folder(journal, self.engine.model_sha256)
        self.bought = 0
        self._used: dict[str, dict] = {}

    def request(self, record: dict, index: int) -> Request:
        """What is asked for a record's text number `index`."""
        messages = self.engine.encode(render_for_teacher(self.distill.prompt, record))
        (request,) = requests_for(
            self.engine, messages, self.distill.sampling, range(index, index + 1)
        )
        return request

    def write(self, records: list[dict], index: int) -> list[Reply]:
        requests = [self.request(record, index) for record in records]
        keys = {request.key for request in requests}
        with Journal(self.journal) as done:
            missing = sum(key not in done for key in keys)
            if missing:
                self.engine.load()
                log.info("Text %d: %d to ask %s for.", index + 1, missing, self.name)
            title = f"{self.name}, text {index + 1}"
            known = len(keys) - missing
            with Bar(total=len(keys), initial=known, desc=title, unit="text") as bar:
                for batch in self.engine.answer(requests, self.distill.sampling, done):
                    done.add({key: response.as_dict() for key, response in batch.items()})
                    self.bought += len(batch)
                    bar.update(len(batch))
            self._used |= {key: done[key] for key in keys if key in done}
        return [self._reply(request.key) for request in requests]

    def _reply(self, key: str) -> Reply:
        if key not in self._used:
            return Reply(None, error=self.engine.failures.get(key, "no answer"))
        response = self._used[key]
        return Reply(response["text"].strip(), response["finish_reason"] == "length")

    def facts(self) -> dict:
        """Tokens and money are those of all texts used here, whenever they were bought."""
        from snaketune.chat.budget import cost
        from snaketune.chat.wire import Usage

        used = self._used.values()
        prompt = sum(response["prompt_tokens"] for response in used)
        completion = sum(response["tokens"] for response in used)
        money = cost(self.endpoint.price, Usage(prompt, completion, estimated=False))
        return {
            "model": self.endpoint.model,
            "served_models": dict(Counter(response["served_model"] for response in used)),
            "sampling": self.distill.sampling.model_dump(),
            "from_journal": len(used) - self.bought,
            "bought": self.bought,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "cost": money,
            "currency": self.endpoint.price.currency if self.endpoint.price else None,
        }


def teacher_of(settings: Settings, journal: Path, ledger: Path) -> Teacher:
    """The teacher that the settings name; `journal` and `ledger` are the folders of all of them."""
    if settings.distill.teacher == RULES:
        return ByRules(settings)
    if settings.endpoint is None:
        raise UserError(
            f"distill: there is no endpoint for the teacher {settings.distill.teacher}."
        )
    return Served(settings, journal, ledger)


def two_labels(labels: list[str]) -> tuple[str, str]:
    """Both labels, the negated one first; other numbers of labels are a UserError."""
    if len(labels) != 2:
        raise UserError(
            "distill: the checks and the rule-based teacher know two labels, as extract.labels "
            f"[不相同, 相同]; the dataset has {len(labels)}. Take a teacher with an endpoint, and "
            "verify: false."
        )
    return negative_first(*labels)
