"""Models behind an address: teachers, judges, served models; and what they cost."""

import re
from typing import Any

from pydantic import Field, field_validator, model_validator

from snaketune.config.common import Strict


class Price(Strict):
    """Money for tokens, as the provider's list states it."""

    input: float = Field(ge=0)
    """For a million prompt tokens."""
    output: float = Field(ge=0)
    """For a million generated tokens, reasoning among them."""
    currency: str = "CNY"


class Endpoint(Strict):
    """A model behind an OpenAI-compatible address."""

    base_url: str
    """Address up to and with /v1."""
    model: str
    """The model's id at that address; what it says of itself is recorded with each response."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; null for a server that asks for none."""
    concurrency: int = Field(16, gt=0)
    """Requests under way at once."""
    timeout: float = Field(120, gt=0)
    """Seconds until a request counts as lost."""
    attempts: int = Field(6, gt=0)
    """Tries a request, the first among them, where failing may pass."""
    extra_body: dict[str, Any] = {}
    """Further keys of the request that this server knows, such as {enable_thinking: false}.

    They win over what Snaketune sends itself (max_tokens, temperature, top_p, seed, top_k,
    repetition_penalty), and null takes such a key out, as {seed: null} for a server that refuses
    seeds; model, messages, n and stream stay ours."""
    price: Price | None = None
    budget: float | None = Field(None, ge=0)
    """Most money that may be spent here, over all runs, in the price's currency; no call is made
    that could exceed it."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("an address begins with http:// or https://")
        if "@" in url.split("//", 1)[1].split("/", 1)[0]:
            raise ValueError("a password in an address would reach every log; use api_key_env")
        if "?" in url or "#" in url:
            raise ValueError("what stands behind ? or # could be a key; use api_key_env")
        return url.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _name_not_key(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            raise ValueError(
                "the name of an environment variable is expected, in capitals, never the key"
            )
        return name

    @field_validator("extra_body")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for key in ("model", "messages", "n", "stream"):
            if key in extra:
                raise ValueError(f"{key}: is Snaketune's to say")
        limits = [extra.get(key, ...) for key in ("max_tokens", "max_completion_tokens")]
        if limits[0] is None and limits[1] in (None, ...):
            raise ValueError("max_tokens: taken out, so max_completion_tokens must be stated")
        return extra

    @model_validator(mode="after")
    def _budget_has_a_price(self) -> "Endpoint":
        if self.budget is not None and self.price is None:
            raise ValueError("budget: needs a price (price.input and price.output) to count with")
        return self
