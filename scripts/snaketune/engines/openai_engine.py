"""The engine for models behind an OpenAI-compatible address."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

from snaketune.chat.background import results
from snaketune.chat.client import Answer, Client, Failure
from snaketune.chat.keys import read_key
from snaketune.chat.ledger import Ledger
from snaketune.chat.wire import Ask
from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.files import digest
from snaketune.prompts import Message

SEEDS = 2**31
"""Servers differ in the seeds they take; all take these."""


@dataclass(frozen=True)
class ServedResponse(Response):
    """A response that was bought.

    Of several choices in one request the server counts the tokens together; `tokens` then shares
    them out by length of text. `finish_reason` is the server's.
    """

    reasoning: str | None
    """What the server gave as the model's thinking, apart from the reply."""
    served_model: str
    """Id of the model, as the server says it."""
    seed: int | None
    """As sent; None where nothing is drawn. Several choices of one request share one."""
    seconds: float
    """Until the answer of the request that was answered."""
    time: float
    """When that was, in seconds since 1970."""


class OpenAIEngine:
    """Answers with one endpoint; what it asked and paid is in the ledger."""

    served = True

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        ledger: Path,
        about: dict[str, str],
        retry_truncated: bool = False,
    ):
        """
        Args:
            name: of the endpoint.
            endpoint: where and how to ask.
            ledger: folder of the ledgers.
            about: what is asked for: purpose, study, dataset.
            retry_truncated: try again where a reply is cut at the token limit.
        """
        self.name, self.endpoint, self.ledger, self.about = name, endpoint, Path(ledger), about
        self.retry_truncated = retry_truncated
        self.model_id = endpoint.model
        # only what is set counts, so that a further option leaves earlier keys as they are
        more = {"extra_body": endpoint.extra_body} if endpoint.extra_body else {}
        self.model_sha256 = digest([endpoint.base_url, endpoint.model, more])
        self.failures: dict[str, str] = {}
        """Requests of the last `answer` that got none after all tries, and why."""

    def encode(self, messages: list[Message]) -> list[Message]:
        """The messages themselves; the server renders them."""
        return messages

    def refusal(self, ids: list[Message], sampling: Sampling) -> str | None:
        """None: only the server knows what fits."""
        return None

    def load(self) -> None:
        """Check that the key is there."""
        read_key(self.name, self.endpoint)

    def answer(
        self, requests: Iterable[Request], sampling: Sampling, known: Container[str]
    ) -> Iterator[dict[str, Response]]:
        """Answer what is not known yet, in the order asked, many at once; see `Engine.answer`.

        Missing responses to one prompt are wanted in one request. An answer with fewer choices is
        kept and the rest asked again. What is not kept yet, when the caller dies, are at most the
        answers of `endpoint.concurrency` requests.

        Raises:
            UserError: as `Client.ask`, behind all that was answered.
        """
        self.failures = {}
        taken: set[str] = set()
        groups = _missing(requests, known, taken)
        if (first := next(groups, None)) is None:
            return
        ledger = Ledger(self.ledger)
        client = Client(self.name, self.endpoint, ledger, self.about, self.retry_truncated)

        def parted(group: list[Request]) -> list[list[Request]]:
            if client.gives_many and group:
                return [group]
            return [[request] for request in group]

        async def work(group: list[Request]) -> tuple[tuple, list[list[Request]]]:
            ask = Ask(
                messages=list(group[0].ids),
                sampling=sampling,
                n=len(group),
                seed=group[0].seed % SEEDS,
            )
            outcome = await client.ask(ask)
            got = len(outcome.choices) if isinstance(outcome, Answer) else len(group)
            return (group, outcome), parted(group[got:])

        try:
            jobs = (part for group in chain([first], groups) for part in parted(group))
            for batch in results(client, work, jobs, self.endpoint.concurrency):
                ledger.sync()
                answered = {}
                for group, outcome in batch:
                    answered |= self._responses(group, outcome)
                if answered:
                    yield answered
                    taken.difference_update(answered)  # they are among the known now
        finally:
            ledger.close()

    def _responses(self, group: list[Request], outcome: Answer | Failure) -> dict[str, Response]:
        if isinstance(outcome, Failure):
            self.failures |= {request.key: outcome.reason for request in group}
            return {}
        return {
            request.key: ServedResponse(
                text=choice.text,
                tokens=choice.tokens,
                prompt_tokens=outcome.prompt_tokens,
                finish_reason=choice.finish_reason,
                reasoning=choice.reasoning,
                served_model=outcome.served_model,
                seed=outcome.seed,
                seconds=outcome.seconds,
                time=outcome.time,
            )
            for request, choice in zip(group, outcome.choices, strict=False)
        }


def _missing(
    requests: Iterable[Request], known: Container[str], taken: set[str]
) -> Iterator[list[Request]]:
    """Requests that are not known, each once; those of one record, which stand together, in one.

    `taken` receives their keys.
    """
    for _, group in groupby(requests, key=lambda request: request.ids):
        missing = []
        for request in group:
            # in this order: a key leaves `taken` when it is known
            if request.key not in taken and request.key not in known:
                taken.add(request.key)
                missing.append(request)
        if missing:
            yield missing
