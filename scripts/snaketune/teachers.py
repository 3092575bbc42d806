"""Distilling, who writes: a model behind an address, or the rules of the demo."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
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


class Teacher(AbstractContextManager, Protocol):
    """Writes texts for records."""

    name: str
    attempts: int
    """How many texts for one record may differ."""

    def ask(self, records: Callable[[], Iterable[dict]], index: int) -> None:
        """Have the text number `index`, from 0, written for records, which are read more than
        once."""
        ...

    def reply(self, record: dict, index: int) -> Reply:
        """That text for one record."""
        ...

    def facts(self) -> dict:
        """What the texts came from and cost, for the metrics."""
        ...


class ByRules:
    """`RulesTeacher` as a teacher of one attempt."""

    name, attempts = RULE_BASED, 1

    def __init__(self, settings: Settings):
        self._write = RulesTeacher(*two_labels(settings.labels), settings.distill.max_chars)

    def __enter__(self) -> "ByRules":
        return self

    def __exit__(self, *error) -> None:
        pass

    def ask(self, records: Callable[[], Iterable[dict]], index: int) -> None:
        pass

    def reply(self, record: dict, index: int) -> Reply:
        return Reply(self._write(record))

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
        self._done = Journal(journal_folder(journal, self.engine.model_sha256))
        self._failures: dict[str, str] = {}
        self._used: set[bytes] = set()
        self._sums: Counter[str] = Counter()
        self._models: Counter[str] = Counter()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *error) -> None:
        self._done.close()

    def _request(self, record: dict, index: int) -> Request:
        messages = self.engine.encode(render_for_teacher(self.distill.prompt, record))
        (request,) = requests_for(
            self.engine, messages, self.distill.sampling, range(index, index + 1)
        )
        return request

    def ask(self, records: Callable[[], Iterable[dict]], index: int) -> None:
        keys = {bytes.fromhex(self._request(record, index).key) for record in records()}
        known, wanted = sum(key.hex() in self._done for key in keys), len(keys)
        del keys
        if known == wanted:
            return
        self.engine.load()
        log.info("Text %d: %d to ask %s for.", index + 1, wanted - known, self.name)
        title = f"{self.name}, text {index + 1}"
        requests = (self._request(record, index) for record in records())
        with Bar(total=wanted, initial=known, desc=title, unit="text") as bar:
            for batch in self.engine.answer(requests, self.distill.sampling, self._done):
                self._done.add({key: response.as_dict() for key, response in batch.items()})
                self._sums["bought"] += len(batch)
                bar.update(len(batch))
        self._failures |= self.engine.failures

    def reply(self, record: dict, index: int) -> Reply:
        key = self._request(record, index).key
        if key not in self._done:
            return Reply(None, error=self._failures.get(key, "no answer"))
        response = self._done[key]
        self._count(key, response)
        return Reply(response["text"].strip(), response["finish_reason"] == "length")

    def _count(self, key: str, response: dict) -> None:
        """Count a text that is used, once."""
        name = bytes.fromhex(key)[:16]
        if name not in self._used:
            self._used.add(name)
            self._models[response["served_model"]] += 1
            for part in ("prompt_tokens", "tokens"):
                self._sums[part] += response[part]

    def facts(self) -> dict:
        """Tokens and money are those of all texts used here, whenever they were bought."""
        from snaketune.chat.budget import cost
        from snaketune.chat.wire import Usage

        prompt, completion, bought = (
            self._sums[part] for part in ("prompt_tokens", "tokens", "bought")
        )
        money = cost(self.endpoint.price, Usage(prompt, completion, estimated=False))
        return {
            "model": self.endpoint.model,
            "served_models": dict(self._models),
            "sampling": self.distill.sampling.model_dump(),
            "from_journal": len(self._used) - bought,
            "bought": bought,
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
