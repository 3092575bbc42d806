"""What goes over the wire: the request's body, and what an answer's body holds."""

from dataclasses import dataclass
from typing import Any

from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling
from snaketune.prompts import Message

TOKENS_A_MESSAGE, TOKENS_A_PROMPT = 16, 64
"""More than chat templates add; the second covers a system message that some add by themselves."""
SHOWN = 300
"""Characters of a server's message that are passed on."""


@dataclass(frozen=True)
class Ask:
    """One conversation, and how many replies to it are wanted."""

    messages: list[Message]
    sampling: Sampling
    n: int = 1
    seed: int = 0
    """Sent where something is drawn."""


@dataclass(frozen=True)
class Choice:
    """One reply; `finish_reason` is the server's, `reasoning` what it says it thought."""

    text: str
    reasoning: str | None
    finish_reason: str
    tokens: int
    """Where a request had several choices: the server's sum, shared out by length of text."""


@dataclass(frozen=True)
class Usage:
    """Tokens of one request, as the server counts them or, where it does not, at most."""

    prompt_tokens: int
    completion_tokens: int
    estimated: bool


@dataclass(frozen=True)
class Body:
    """What an answer holds; `choices` are all it has, the empty ones too."""

    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    error: str
    """What the server says went wrong, which some say with status 200."""


def request_body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    """Body of POST /chat/completions.

    What only some servers know (top_k, repetition_penalty, a schema) is sent only where it is set.
    Keys of the endpoint's extra_body win, and null there takes a key out.
    """
    sampling = ask.sampling
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": ask.messages,
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
    }
    if sampling.temperature > 0:
        body |= {"top_p": sampling.top_p, "seed": ask.seed}
        if sampling.top_k:
            body["top_k"] = sampling.top_k
    if sampling.repetition_penalty != 1:
        body["repetition_penalty"] = sampling.repetition_penalty
    if ask.n > 1:
        body["n"] = ask.n
    if sampling.response_schema is not None:
        form = {"name": "reply", "schema": sampling.response_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    body |= endpoint.extra_body
    return {key: value for key, value in body.items() if value is not None}


def most_tokens(body: dict[str, Any]) -> tuple[int, int]:
    """The most prompt tokens and generated tokens that a request can have.

    A byte-level vocabulary never needs more tokens than the text has bytes of UTF-8, nor do the
    others in use, so bytes are a bound without a tokenizer (and, for Chinese, a wide one).
    """
    texts = [str(message["content"]) for message in body["messages"]]
    if "response_format" in body:
        texts.append(str(body["response_format"]))
    prompt = sum(len(text.encode("utf-8")) for text in texts)
    prompt += TOKENS_A_PROMPT + TOKENS_A_MESSAGE * len(texts)
    longest = body.get("max_completion_tokens") or body["max_tokens"]
    return prompt, longest * body.get("n", 1)


def read_body(answer: Any, body: dict[str, Any]) -> Body:
    """What is in an answer to the request `body`.

    Raises:
        ValueError: it has not the form of a chat completion.
    """
    try:
        raw = [(choice, choice["message"]) for choice in answer.get("choices") or ()]
        texts = [_writable(message.get("content") or "") for _, message in raw]
        thoughts = [_reasoning(message) for _, message in raw]
        sizes = [
            len((text + (thought or "")).encode("utf-8"))
            for text, thought in zip(texts, thoughts, strict=True)
        ]
        usage = _usage(answer.get("usage"), body, sizes)
        tokens = share_out(usage.completion_tokens, sizes)
        choices = tuple(
            Choice(text, thought, choice.get("finish_reason") or "stop", count)
            for (choice, _), text, thought, count in zip(raw, texts, thoughts, tokens, strict=True)
        )
        error = answer.get("error")
        return Body(
            model=str(answer.get("model") or body["model"]),
            choices=choices,
            usage=usage,
            error=server_message(answer) if error else "",
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no chat completion: {error!r}") from None


def _reasoning(message: dict) -> str | None:
    """Under the name that DeepSeek and older vLLM use, or the newer one."""
    thought = message.get("reasoning_content") or message.get("reasoning")
    return _writable(thought) if thought else None


def _writable(text: str) -> str:
    """The text with � for halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _usage(usage: dict | None, body: dict[str, Any], sizes: list[int]) -> Usage:
    if usage and usage.get("prompt_tokens") is not None:
        return Usage(int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0), False)
    prompt, longest = most_tokens(body)
    return Usage(prompt, min(sum(sizes), longest), True)


def share_out(total: int, weights: list[int]) -> list[int]:
    """Whole numbers that add up to `total`, in proportion to the weights."""
    whole, given, shares = sum(weights), 0, []
    for index in range(len(weights)):
        part = sum(weights[: index + 1])
        upto = total * part // whole if whole else total * (index + 1) // len(weights)
        shares.append(upto - given)
        given = upto
    return shares


def server_message(answer: Any) -> str:
    """What a server says of an error, in one short line."""
    found = answer
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    line = " ".join(str(found).split())
    return line if len(line) <= SHOWN else line[:SHOWN] + "…"
