"""What the engines that answer in this process share: which weights, which ids, what a reply is."""

from pathlib import Path
from typing import NamedTuple

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
from transformers import PreTrainedTokenizerBase

from snaketune.adapters import check_adapter
from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.errors import UserError
from snaketune.files import digest
from snaketune.folders import adapter_digest, read_manifest
from snaketune.prompts import Message, encode, stop_ids
from snaketune.session import Session


class InProcess:
    """The half of an engine that needs only a tokenizer."""

    failures: dict[str, str] = {}

    served = False

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        positions: int | None,
        model_id: str,
        model_sha256: str,
    ):
        """`positions`: how many tokens the model can see; None is unknown."""
        self.tokenizer, self.positions = tokenizer, positions
        self.model_id, self.model_sha256 = model_id, model_sha256
        self.stops = stop_ids(tokenizer)

    def encode(self, messages: list[Message]) -> list[int]:
        """The ids asked."""
        return encode(self.tokenizer, messages)

    def refusal(self, ids: list[int], sampling: Sampling) -> str | None:
        """Say so when prompt and reply do not fit into the model's positions."""
        if self.positions is None or len(ids) + sampling.max_new_tokens <= self.positions:
            return None
        return (
            f"prompt of {len(ids)} tokens and max_new_tokens {sampling.max_new_tokens} exceed "
            f"the model's {self.positions} positions"
        )

    def response(self, request: Request, reply: list[int]) -> Response:
        """What a request got: the ids generated, cut at the first that ends a reply."""
        end = next((i for i, token in enumerate(reply) if token in self.stops), None)
        text = self.tokenizer.decode(
            reply[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Response(
            text=text,
            tokens=len(reply) if end is None else end + 1,
            prompt_tokens=len(request.ids),
            finish_reason="length" if end is None else "stop",
        )


class Weights(NamedTuple):
    """The full weights that models answer with, adapters apart."""

    folder: Path
    trusted: bool
    """Whether code in the folder may run."""
    tokenizer: PreTrainedTokenizerBase
    name: str
    sha256: str

    def named(self, adapter: Path | None, quantization: dict | None = None) -> dict[str, str]:
        """model_id and model_sha256 of these weights with an adapter on them, or with none."""
        if not adapter:
            return {"model_id": self.name, "model_sha256": self.sha256}
        check_adapter(adapter)
        sha256 = digest([self.sha256, adapter_digest(adapter, quantization)])
        return {"model_id": f"{self.name}+{adapter.name}", "model_sha256": sha256}


def find_weights(source: dict, merged: Path | None = None) -> Weights:
    """The weights of a base, by its source.json, or of a merged model's folder instead.

    Raises:
        UserError: a folder is half-written, or its tokenizer has no chat template.
    """
    folder, trusted = Path(merged or source["path"]), source.get("trust_remote_code", False)
    if not merged:
        tokenizer = loading.load_tokenizer_of(source)
        return Weights(folder, trusted, tokenizer, source["name"], source["sha256"])
    manifest = read_manifest(merged)
    # a merged model was saved with the chat template that it was trained in
    tokenizer = loading.load_tokenizer(folder, trusted)
    name = f"{source['name']}+{manifest['adapter']}"
    return Weights(folder, trusted, tokenizer, name, manifest["sha256"])


def check_merged(session: Session, merged: Path | None) -> None:
    """Refuse a merged model together with adapters."""
    if merged and any(tuned.adapter for tuned in session.models.values()):
        raise UserError("--merged names the weights to ask; its models have no adapter.")
