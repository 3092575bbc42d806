"""The in-process engine: transformers' `generate`, in batches of prompts of like length."""

from collections.abc import Container, Iterator
from pathlib import Path

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.errors import UserError
from snaketune.files import digest
from snaketune.folders import adapter_digest, read_manifest
from snaketune.prompts import Message, encode, stop_ids
from snaketune.recipe import Recipe


class TransformersEngine:
    """Answers with a model in this process."""

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        model_id: str,
        model_sha256: str,
    ):
        self.model, self.tokenizer = model, tokenizer
        self.model_id, self.model_sha256 = model_id, model_sha256
        self.stops = stop_ids(tokenizer)
        # a base's own defaults (Qwen2.5 samples, with a repetition penalty) must not leak in
        model.generation_config = GenerationConfig(
            do_sample=False,
            eos_token_id=sorted(self.stops),
            pad_token_id=tokenizer.pad_token_id,
        )

    def encode(self, messages: list[Message]) -> list[int]:
        """The ids asked."""
        return encode(self.tokenizer, messages)

    def refusal(self, ids: list[int], sampling: Sampling) -> str | None:
        """Say so when prompt and reply do not fit into the model's positions."""
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if limit is None or len(ids) + sampling.max_new_tokens <= limit:
            return None
        return (
            f"prompt of {len(ids)} tokens and max_new_tokens {sampling.max_new_tokens} exceed "
            f"the model's {limit} positions"
        )

    def answer(
        self, requests: list[Request], sampling: Sampling, known: Container[str]
    ) -> Iterator[dict[str, Response]]:
        """Answer what is not known yet, one batch at a time; see `Engine.answer`."""
        for batch in plan(requests, sampling.batch_size):
            missing = [request for request in batch if request.key not in known]
            if missing:
                yield self._generate(missing, sampling)

    @torch.inference_mode()
    def _generate(self, batch: list[Request], sampling: Sampling) -> dict[str, Response]:
        width = max(len(request.ids) for request in batch)
        pad, device = self.tokenizer.pad_token_id, self.model.device
        rows = [[pad] * (width - len(request.ids)) + list(request.ids) for request in batch]
        mask = [[0] * (width - len(request.ids)) + [1] * len(request.ids) for request in batch]
        try:
            output = self.model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=sampling.max_new_tokens,
                logits_processor=_processors(batch, sampling, device),
            )
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"The GPU has too little memory for sampling.batch_size {sampling.batch_size}; "
                f"set a smaller one. What is done is kept. ({error})"
            ) from error
        replies = output[:, width:].tolist()
        return {
            request.key: self._response(request, reply)
            for request, reply in zip(batch, replies, strict=True)
        }

    def _response(self, request: Request, reply: list[int]) -> Response:
        """Cut a row of the output at its first stop."""
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


def plan(requests: list[Request], batch_size: int) -> list[list[Request]]:
    """Batches of like length, the same whatever the order of the requests; equal ones are one."""
    unique = {request.key: request for request in requests}
    ordered = sorted(unique.values(), key=lambda request: (len(request.ids), request.key))
    return [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]


def _processors(
    batch: list[Request], sampling: Sampling, device: torch.device
) -> LogitsProcessorList:
    """Greedy decoding's none, or the usual warpers and a draw of each row's own."""
    processors = LogitsProcessorList()
    if sampling.temperature == 0:
        return processors
    processors.append(TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(SeededDraw([request.seed for request in batch], device))
    return processors


class SeededDraw(LogitsProcessor):
    """Adds Gumbel noise, so that the largest logit is a sample (the Gumbel-max trick).

    Each row draws from a generator of its own, so a response does not depend on what else is in
    its batch, as it would with one generator for all.
    """

    def __init__(self, seeds: list[int], device: torch.device):
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Add the noise to `scores`, [rows, vocabulary], in float32."""
        noise = torch.empty(scores.shape, dtype=torch.float32, device=scores.device)
        for row, generator in zip(noise, self.generators, strict=True):
            row.exponential_(generator=generator)
        return scores.float() - noise.clamp_min_(1e-30).log_()


def open_engine(
    source: dict,
    sampling: Sampling,
    adapter: Path | None = None,
    recipe: Recipe | None = None,
    merged: Path | None = None,
) -> TransformersEngine:
    """The engine for a base, a base with an unmerged adapter, or a merged model.

    Args:
        source: the base's source.json.
        sampling: its dtype is what the weights are loaded as; a quantised base stays as trained.
        adapter: folder of an adapter, with its `recipe`.
        merged: folder of a merged model.

    Raises:
        UserError: a folder is half-written or is not what it should be.
    """
    folder, trust = Path(merged or source["path"]), source.get("trust_remote_code", False)
    model_id, sha256 = source["name"], source["sha256"]
    if merged:
        manifest = read_manifest(merged)
        model_id, sha256 = f"{model_id}+{manifest['adapter']}", manifest["sha256"]
    tokenizer = loading.load_tokenizer(folder, trust)
    if recipe and recipe.quantization:
        model = loading.load_base(source, recipe)
    else:
        model = loading.load_model(folder, sampling.dtype, trust_remote_code=trust)
    if adapter and recipe:
        model = loading.load_adapter(model, adapter)
        quantization = recipe.quantization and recipe.quantization.model_dump()
        model_id = f"{model_id}+{recipe.adapter}"
        sha256 = digest([sha256, adapter_digest(adapter, quantization)])
    return TransformersEngine(model, tokenizer, model_id, sha256)
