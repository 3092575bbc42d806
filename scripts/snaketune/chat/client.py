"""The client of one endpoint: asks, tries again where failing may pass, keeps the books."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass

from snaketune.chat.budget import Budget, cost
from snaketune.chat.exchange import UNBILLED, Exchange, Failed, ManyRefused
from snaketune.chat.keys import read_key
from snaketune.chat.ledger import Ledger
from snaketune.chat.waits import PATIENCE, wait_before
from snaketune.chat.wire import Ask, Body, Choice, Usage, most_tokens, request_body
from snaketune.config.services import Endpoint
from snaketune.errors import TEMPORARY, UserError
from snaketune.files import digest

log = logging.getLogger(__name__)

HOPELESS = 20
"""So many asks given up in a row end the run."""
IGNORED = 3
"""So many answers in a row with one choice, where more were asked for, say that the server gives
one a request; fewer may have other reasons."""


@dataclass(frozen=True)
class Answer:
    """Usable replies to an ask: at least one, and fewer than asked where the server gave fewer."""

    choices: tuple[Choice, ...]
    prompt_tokens: int
    served_model: str
    """What the server says answered."""
    seed: int | None
    """The seed sent; None where nothing is drawn."""
    seconds: float
    """From sending the request that was answered until its answer was whole."""
    time: float
    """When that was, in seconds since 1970."""


@dataclass(frozen=True)
class Failure:
    """No usable reply after all tries."""

    reason: str


class Client:
    """One endpoint. Use as an async context manager, in the event loop that asks."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        ledger: Ledger,
        about: dict[str, str],
        retry_truncated: bool = False,
    ):
        """
        Args:
            name: of the endpoint, for messages and the ledger.
            endpoint: where and how to ask.
            ledger: receives every request.
            about: what the requests are for (purpose, study, dataset), for the ledger.
            retry_truncated: a reply cut at the token limit is a failed try, not a reply.

        Raises:
            UserError: the key is missing.
        """
        read_key(name, endpoint)
        self.name, self.endpoint, self.about = name, endpoint, about
        self.retry_truncated = retry_truncated
        self.gives_many = True
        """Whether the server gives several choices a request, as far as known."""
        self._exchange = Exchange(name, endpoint)
        self._budget = Budget(name, endpoint, ledger)
        self._draw = random.Random()
        self._given_up = self._ignored = 0
        self._end: UserError | None = None
        self._ended = asyncio.Event()

    async def __aenter__(self) -> "Client":
        await self._exchange.__aenter__()
        return self

    async def __aexit__(self, *error) -> None:
        await self._exchange.__aexit__(*error)

    async def ask(self, ask: Ask) -> Answer | Failure:
        """Ask until there is an answer, as often as the endpoint's attempts allow.

        Raises:
            UserError: the server refuses for good, the budget is reached, or nothing gets an
                answer any more. From then on every ask raises it before its next request.
        """
        redraws = 0
        for tries in range(1, self.endpoint.attempts + 1):
            outcome = await self._try(ask, redraws)
            if isinstance(outcome, Answer):
                self._given_up = 0
                return outcome
            redraws += outcome.redraw
            if (outcome.retry_after or 0) > PATIENCE:
                break
            if tries < self.endpoint.attempts:
                await self._pause(wait_before(tries, outcome.retry_after, self._draw))
        return self._give_up(outcome, tries)

    async def _try(self, ask: Ask, redraws: int) -> Answer | Failed:
        body = request_body(self.endpoint, ask)
        if not self.gives_many:
            body.pop("n", None)
        if "seed" in body:
            body["seed"] += redraws
        try:
            return await self._send(body)
        except ManyRefused:
            self._gives_one()
            return await self._try(ask, redraws)

    def _gives_one(self) -> None:
        if self.gives_many:
            log.info("endpoint %s gives one choice a request: asked one by one.", self.name)
        self.gives_many = False

    async def _send(self, body: dict) -> Answer | Failed:
        """Send one request, with a line in the ledger before it leaves and one when it is over."""
        if self._end:
            raise self._end
        prompt, longest = most_tokens(body)
        at_most = cost(self.endpoint.price, Usage(prompt, longest, estimated=True))
        facts = {
            "base_url": self.endpoint.base_url,
            "model": self.endpoint.model,
            **self.about,
            "n": body.get("n", 1),
            "request": digest({k: v for k, v in body.items() if k not in ("n", "seed")})[:16],
        }
        try:
            number = await self._budget.send(at_most, **facts)
        except UserError as error:
            raise self._stop(error) from None
        bill = {"status": "cancelled", "cost": None, "at_most": at_most}
        start = time.monotonic()
        try:
            found = await self._exchange.post(body)
            if isinstance(found, Failed):
                bill = {"status": found.status, "cost": 0.0}
                if found.status in UNBILLED:
                    bill |= {"cost": None, "at_most": at_most}
                return found
            outcome = self._judge(found, body, time.monotonic() - start)
            bill = self._bill(found, outcome)
            return outcome
        except ManyRefused:
            bill = {"status": "n refused", "cost": 0.0}
            raise
        except UserError as error:
            bill = {"status": "refused", "cost": 0.0}
            raise self._stop(error) from None
        finally:
            seconds = round(time.monotonic() - start, 3)
            self._budget.settle(number, **facts, seconds=seconds, **bill)

    def _judge(self, found: Body, body: dict, seconds: float) -> Answer | Failed:
        """What of an answer is usable: replies with text, and as a rule those that were cut."""
        wanted = body.get("n", 1)
        if wanted > 1:
            self._ignored = self._ignored + 1 if len(found.choices) == 1 else 0
            if self._ignored == IGNORED:
                self._gives_one()
        cut = [choice for choice in found.choices if choice.finish_reason == "length"]
        usable = [choice for choice in found.choices if choice.text.strip() or choice in cut]
        if self.retry_truncated:
            usable = [choice for choice in usable if choice not in cut]
        if usable:
            return Answer(
                choices=tuple(usable[:wanted]),
                prompt_tokens=found.usage.prompt_tokens,
                served_model=found.model,
                seed=body.get("seed"),
                seconds=round(seconds, 3),
                time=round(time.time(), 3),
            )
        if cut:
            return Failed("truncated", "reply cut at the token limit", redraw=True)
        reasons = ", ".join(sorted({choice.finish_reason for choice in found.choices}))
        said = f"empty reply ({reasons})" if reasons else "answer without choices"
        return Failed("empty", f"{said} {found.error}".strip(), redraw=True)

    def _bill(self, found: Body, outcome: Answer | Failed) -> dict:
        usage = found.usage
        return {
            "status": "ok" if isinstance(outcome, Answer) else outcome.status,
            "served_model": found.model,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "estimated": usage.estimated,
            "cost": cost(self.endpoint.price, usage),
        }

    def _give_up(self, last: Failed, tries: int) -> Failure:
        self._given_up += 1
        reason = f"{last.reason} ({tries} tries)"
        unreachable = last.status == "unreached" and not self._exchange.answered
        if self._given_up < HOPELESS and not unreachable:
            return Failure(reason)
        raise self._stop(
            UserError(
                f"endpoint {self.name} ({self.endpoint.base_url}): {self._given_up} in a row got "
                f"no answer; the last: {reason}. All answers are kept; run again when the server "
                "is well.",
                TEMPORARY,
            )
        )

    def _stop(self, error: UserError) -> UserError:
        """End every ask with the first error that ends one."""
        if self._end is None:
            self._end = error
            self._ended.set()
        return self._end

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return
