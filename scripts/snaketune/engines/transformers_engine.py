"""The engine of transformers: its `generate`, in batches of prompts of like length."""

import inspect
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.engines.in_process import InProcess, check_merged, find_weights
from snaketune.engines.weights import SharedWeights
from snaketune.errors import UserError
from snaketune.prompts import stop_ids
from snaketune.recipe import read_recipe
from snaketune.session import Session, Tuned


class TransformersEngine(InProcess):
    """Answers with a model in this process, which may share its base with others."""

    def __init__(self, weights: SharedWeights, adapter: Path | None, **answering: Any):
        """`answering`: arguments of `InProcess`."""
        super().__init__(**answering)
        self.weights, self.adapter = weights, adapter

    def load(self) -> None:
        """Load base and adapter, where no other model has done so."""
        self.weights.load(self.adapter)

    def answer(
        self, requests: Iterable[Request], sampling: Sampling, known: Container[str]
    ) -> Iterator[dict[str, Response]]:
        """Answer what is not known yet, one batch at a time; see `Engine.answer`."""
        for batch in plan(requests, sampling.batch_size):
            missing = [request for request in batch if request.key not in known]
            if missing:
                yield self._generate(missing, sampling)

    @torch.inference_mode()
    def _generate(self, batch: list[Request], sampling: Sampling) -> dict[str, Response]:
        width = max(len(request.ids) for request in batch)
        pad = self.tokenizer.pad_token_id
        padding = [width - len(request.ids) for request in batch]
        rows = [
            [pad] * left + list(request.ids) for left, request in zip(padding, batch, strict=True)
        ]
        mask = [[0] * left + [1] * (width - left) for left in padding]
        try:
            with self.weights.carrying(self.adapter) as model:
                ids = torch.tensor(rows, device=model.device)
                attended = torch.tensor(mask, device=model.device)
                output = model.generate(
                    input_ids=ids,
                    attention_mask=attended,
                    max_new_tokens=sampling.max_new_tokens,
                    logits_processor=_processors(batch, padding, sampling, model.device),
                    **_read_once(model, batch, ids, attended),
                )
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"The GPU has too little memory for sampling.batch_size {sampling.batch_size}; "
                f"set a smaller one. What is done is kept. ({error})"
            ) from error
        replies = output[:, width:].tolist()
        return {
            request.key: self.response(request, reply)
            for request, reply in zip(batch, replies, strict=True)
        }


def plan(requests: Iterable[Request], batch_size: int) -> list[list[Request]]:
    """Batches of like length, the same whatever the order of the requests; equal ones are one.

    Those with the same prompt stand together.
    """
    unique = {request.key: request for request in requests}
    ordered = sorted(unique.values(), key=lambda one: (len(one.ids), one.ids, one.key))
    return [ordered[i : i + batch_size] for i in range(0, len(ordered), batch_size)]


def _read_once(
    model: PreTrainedModel, batch: list[Request], ids: torch.Tensor, mask: torch.Tensor
) -> dict[str, Any]:
    """Arguments of `generate` that spare it from reading the prompt of several rows more than once.

    Args:
        model: what reads.
        batch: the requests, one a row.
        ids: [rows, tokens], their prompts, padded on the left.
        mask: [rows, tokens], 0 where there is padding.

    Returns:
        The keys and values of all tokens but the last; nothing where all prompts differ, or where
        the model keeps what it has read in another way.
    """
    places = {request.ids: row for row, request in enumerate(batch)}
    if len(places) == len(batch) or ids.shape[1] == 1:
        return {}
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        return {}
    once = list(places.values())
    read = model.generate(
        input_ids=ids[once, :-1],
        attention_mask=mask[once, :-1],
        max_new_tokens=1,
        return_dict_in_generate=True,
    )
    cache = read.get("past_key_values")
    if type(cache) is not DynamicCache or cache.get_seq_length() != ids.shape[1] - 1:
        return {}
    numbers = {prompt: number for number, prompt in enumerate(places)}
    rows = torch.tensor([numbers[request.ids] for request in batch], device=ids.device)
    cache.reorder_cache(rows)
    return {"past_key_values": cache}


def _processors(
    batch: list[Request], padding: list[int], sampling: Sampling, device: torch.device
) -> LogitsProcessorList:
    """What `generate` applies, in its order; the draw at the end is each row's own."""
    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        processors.append(RepetitionPenalty(sampling.repetition_penalty, padding, device))
    if sampling.temperature == 0:
        return processors
    processors.append(TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(Nucleus(sampling.top_p))
    processors.append(SeededDraw([request.seed for request in batch], device))
    return processors


class Nucleus(TopPLogitsWarper):
    """transformers' top-p (Holtzman et al. 2019), of which only the likeliest tokens are sorted.

    Over a whole vocabulary the sort takes a third of a small model's time.
    """

    sorted_tokens = 64

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave of `scores`, [rows, vocabulary], the fewest tokens that have top_p together."""
        best, places = scores.topk(min(self.sorted_tokens, scores.shape[1]))
        shares = (best - scores.logsumexp(1, keepdim=True)).exp()
        # a token stays while those above it lack something of top_p, and the first always does
        above = shares.cumsum(1) - shares
        stays = best.masked_fill(above >= self.top_p, self.filter_value)
        kept = torch.full_like(scores, self.filter_value).scatter(1, places, stays)
        wide = above[:, -1] < self.top_p
        if wide.any():
            kept[wide] = super().__call__(input_ids[wide], scores[wide])
        return kept


class RepetitionPenalty(RepetitionPenaltyLogitsProcessor):
    """transformers' penalty (Keskar et al. 2019), on prompt and reply but not on the padding.

    That differs from batch to batch, and its token ends a reply where a base has no other.
    """

    def __init__(self, penalty: float, padding: list[int], device: torch.device):
        """`padding`: padding tokens on the left of each row."""
        super().__init__(float(penalty))
        self.padding = torch.tensor(padding, device=device)[:, None]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Penalise in `scores`, [rows, vocabulary], what `input_ids`, [rows, tokens], has."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        first = input_ids.gather(1, self.padding)
        return super().__call__(torch.where(places < self.padding, first, input_ids), scores)


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


def open_engines(
    source: dict, session: Session, merged: Path | None = None
) -> dict[str, TransformersEngine]:
    """Engines by model that share one base; its weights are loaded when one of them answers.

    Args:
        source: the base's source.json.
        session: its models; the sampling's dtype is what the weights are loaded as, while a
            quantised base stays as trained.
        merged: folder of a merged model, which is asked instead of the base.

    Raises:
        UserError: a folder is half-written, or models want the base loaded in different ways.
    """
    how = _one_loading(session, merged)
    found = find_weights(source, merged)
    tokenizer = found.tokenizer

    def load() -> PreTrainedModel:
        model = loading.load_model(found.folder, trust_remote_code=found.trusted, **how)
        # a base's own defaults (Qwen2.5 samples, with a repetition penalty) must not leak in
        model.generation_config = GenerationConfig(
            do_sample=False,
            eos_token_id=sorted(stop_ids(tokenizer)),
            pad_token_id=tokenizer.pad_token_id,
        )
        return model

    shared = SharedWeights(load)
    positions = loading.positions(found.folder, found.trusted)

    def engine(adapter: Path | None) -> TransformersEngine:
        quantization = how["quantization"] and how["quantization"].model_dump()
        named = found.named(adapter, quantization)
        return TransformersEngine(
            shared, adapter, tokenizer=tokenizer, positions=positions, **named
        )

    return {key: engine(tuned.adapter) for key, tuned in session.models.items()}


def _one_loading(session: Session, merged: Path | None) -> dict:
    """How all models of a session have the base loaded, as arguments of `load_model`."""
    ways = {key: _loading(tuned, session.sampling) for key, tuned in session.models.items()}
    (first, way), *others = ways.items()
    for other, its in others:
        if its != way:
            raise UserError(
                f"models {first} and {other} have the base loaded in different ways ({way}; "
                f"{its}): ask them in two sessions."
            )
    check_merged(session, merged)
    return way


def _loading(tuned: Tuned, sampling: Sampling) -> dict:
    recipe = read_recipe(tuned.recipe) if tuned.recipe else None
    if recipe and recipe.quantization:
        return loading.how_to_load(recipe)
    return {"dtype": sampling.dtype, "attn_implementation": "sdpa", "quantization": None}
