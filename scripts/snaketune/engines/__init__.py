"""What answers prompts: one small interface, so that one journal serves every engine."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol

from snaketune.config.tuning import Sampling
from snaketune.prompts import Message


@dataclass(frozen=True)
class Request:
    """One response wanted: the ids asked, and the key that names the response for good."""

    key: str
    ids: tuple[int, ...]

    @property
    def seed(self) -> int:
        """Seed of this response's draws, the same in whatever batch and order it is generated."""
        return int(self.key[:15], 16)


@dataclass(frozen=True)
class Response:
    """One sampled answer; `tokens` counts the end of turn, `finish_reason` is stop or length."""

    text: str
    tokens: int
    prompt_tokens: int
    finish_reason: str

    def as_dict(self) -> dict:
        return asdict(self)


class Engine(Protocol):
    """Conversations and sampling settings in, responses out as they finish."""

    model_id: str
    """For people: base, or base+adapter."""
    model_sha256: str
    """For keys: what the weights are."""
    served: bool
    """For keys: whether the model is behind an address."""
    failures: dict[str, str]
    """By key, requests of the last `answer` that got no response, and why."""

    def encode(self, messages: list[Message]) -> list[int]:
        """The ids asked."""
        ...

    def refusal(self, ids: list[int], sampling: Sampling) -> str | None:
        """Why this prompt cannot be answered, or None."""
        ...

    def load(self) -> None:
        """Get ready to answer, which may take long; called where something is not known yet."""
        ...

    def answer(
        self, requests: Iterable[Request], sampling: Sampling, known: Container[str]
    ) -> Iterator[dict[str, Response]]:
        """Answer what is not known yet.

        Args:
            requests: everything asked, known or not, so that a resumed run batches the rest as
                an uninterrupted one would.
            sampling: how to generate.
            known: keys that need no answer; the caller adds those of each batch that it gets, and
                the engine may look at any time, from another thread too.

        Yields:
            Responses by key, those that finished together.
        """
        ...
