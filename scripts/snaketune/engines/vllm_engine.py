"""The engine of vLLM in this process: many requests at once, several adapters on one base."""

import importlib.util
import logging
import os
import time
from collections.abc import Container, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import torch
from transformers import AutoConfig

from snaketune import measuring
from snaketune.config.engines import Vllm
from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.engines.in_process import InProcess, Weights, check_merged, find_weights
from snaketune.errors import UserError
from snaketune.files import digest, read_json
from snaketune.session import Session

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Of adapters, as vLLM rounds them up."""
GIB = 1024**3
ON_A_CPU_GB = 1
ON_A_CPU = {
    # the smallest: prompts share whole blocks, and vLLM's own 128 are most of a question (five
    # responses to each of 400 questions of 250 tokens take half the time with it)
    "block_size": 32,
    # a prompt cut in two would move a seeded draw back, which generators on a CPU cannot
    "enable_chunked_prefill": False,
}
SECONDS_TOGETHER = 0.5
"""Responses that finish in so many seconds are kept together."""
TEMPORARY = 75


class VllmEngine(InProcess):
    """Answers with a model in this process, which may share its base with others."""

    def __init__(self, weights: "VllmWeights", adapter: Path | None, **answering: Any):
        """`answering`: arguments of `InProcess`."""
        super().__init__(**answering)
        self.weights, self.adapter = weights, adapter

    def load(self) -> None:
        """Load the base, where no other model has done so."""
        self.weights.load()

    def answer(
        self, requests: Iterable[Request], sampling: Sampling, known: Container[str]
    ) -> Iterator[dict[str, Response]]:
        """Answer what is not known yet, as many at once as the sampling says; see `Engine.answer`.

        Each of a record's responses is a request with a seed of its own, so that it is the same
        whatever was known before. vLLM itself would take a request for k apart in this way.
        """
        missing = [request for request in in_order(requests) if request.key not in known]
        missing.reverse()
        under_way: dict[str, Request] = {}
        finished: dict[str, Response] = {}
        kept = time.monotonic()
        try:
            while missing or under_way:
                while missing and len(under_way) < 2 * sampling.batch_size:
                    request = missing.pop()
                    under_way[request.key] = request
                    self.weights.ask(request, self._parameters(request, sampling), self.adapter)
                for key, reply in self.weights.step():
                    finished[key] = self.response(under_way.pop(key), reply)
                if finished and time.monotonic() - kept > SECONDS_TOGETHER:
                    yield finished
                    finished, kept = {}, time.monotonic()
            if finished:
                yield finished
        finally:
            self.weights.forget(list(under_way))

    def _parameters(self, request: Request, sampling: Sampling) -> dict[str, Any]:
        """Arguments of vLLM's SamplingParams; only our own stop ids end a reply."""
        drawn = {}
        if sampling.temperature > 0:
            drawn = {"top_p": sampling.top_p, "top_k": sampling.top_k, "seed": request.seed}
        return {
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "repetition_penalty": sampling.repetition_penalty,
            "stop_token_ids": sorted(self.stops),
            "ignore_eos": True,
            "detokenize": False,
            **drawn,
            **({"schema": sampling.response_schema} if sampling.response_schema else {}),
        }


def in_order(requests: Iterable[Request]) -> list[Request]:
    """Each request once, those whose prompts begin alike together, so that vLLM can share that."""
    unique = {request.key: request for request in requests}
    return sorted(unique.values(), key=lambda request: (request.ids, request.key))


class VllmWeights:
    """One vLLM with a base, loaded when the first of its models has something to answer."""

    device: str | None = None
    """What vLLM computes on; None while nothing is loaded."""
    loading_seconds: float | None = None

    def __init__(self, weights: Weights, session: Session):
        self._weights, self._settings, self._sampling = weights, session.vllm, session.sampling
        adapters = sorted({tuned.adapter for tuned in session.models.values() if tuned.adapter})
        self._numbers = {adapter: number for number, adapter in enumerate(adapters, start=1)}
        self._engine = None

    def load(self) -> None:
        """Bring the base into memory, where it is not there yet."""
        if self._engine is not None:
            return
        start = time.monotonic()
        self.device = check_vllm()
        import vllm

        try:
            self._engine = vllm.LLM(**self._arguments()).llm_engine
        except (RuntimeError, ValueError, OSError, torch.OutOfMemoryError) as error:
            raise UserError(
                f"vLLM cannot load {self._weights.folder}: {error} What it may take is in the "
                "study's `vllm`: max_model_len, gpu_memory_utilization and so on."
            ) from error
        self.loading_seconds = time.monotonic() - start

    def _arguments(self) -> dict[str, Any]:
        """Arguments of vLLM's LLM."""
        adapters = {}
        if self._numbers:
            rank = largest_rank(self._numbers)
            adapters = {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
            adapters["max_cpu_loras"] = len(self._numbers)
        return {
            **common_arguments(self._settings, self.device),
            "model": str(self._weights.folder),
            "trust_remote_code": self._weights.trusted,
            "dtype": self._sampling.dtype,
            "max_num_seqs": self._sampling.batch_size,
            "tensor_parallel_size": gpus_together(self._settings, self._weights),
            "generation_config": "vllm",  # not the base's own, which may sample
            **adapters,
        }

    def ask(self, request: Request, parameters: dict[str, Any], adapter: Path | None) -> None:
        """Take a request; its reply comes from some later `step`."""
        from vllm import SamplingParams
        from vllm.lora.request import LoRARequest
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        schema = parameters.pop("schema", None)
        held = StructuredOutputsParams(json=schema) if schema else None
        number = self._numbers.get(adapter)
        self._engine.add_request(
            request.key,
            {"prompt_token_ids": list(request.ids)},
            SamplingParams(
                **parameters,
                structured_outputs=held,
                output_kind=RequestOutputKind.FINAL_ONLY,
            ),
            lora_request=number and LoRARequest(adapter.name, number, str(adapter)),
        )

    def step(self) -> list[tuple[str, list[int]]]:
        """Generate a little further; keys and ids of the replies that ended with it."""
        return [
            (output.request_id, list(output.outputs[0].token_ids))
            for output in self._engine.step()
            if output.finished
        ]

    def forget(self, keys: list[str]) -> None:
        """Give up requests, as when the caller wants no more."""
        if keys:
            self._engine.abort_request(keys)

    def close(self) -> None:
        """Free what vLLM holds; a process has one at a time."""
        if self._engine is not None:
            from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

            self._engine.engine_core.shutdown()
            self._engine = None
            cleanup_dist_env_and_memory()


def check_vllm() -> str:
    """The kind of device that vLLM will compute on.

    Raises:
        UserError: vLLM is not installed, or finds none.
    """
    if importlib.util.find_spec("vllm") is None:
        raise UserError(
            "vLLM is not installed here. Install requirements-gpu.lock, which has it, run "
            "Snakemake with --sdm conda, or set engine: transformers."
        )
    # in this process, so that nothing outlives it; and no word to its makers
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")  # which would close the job's log
    logging.getLogger("vllm").setLevel(logging.WARNING)
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # the job's threads, on any core
    from vllm.platforms import current_platform

    if not current_platform.device_type:
        raise UserError(
            "vLLM finds no device to compute on. Give the job a GPU "
            "(machine.gpu in the config, --resources gpu=1), or set engine: transformers.",
            exit_code=TEMPORARY,
        )
    return current_platform.device_type


def versions() -> dict[str, str]:
    """Versions of what generates; vLLM's builds have names of their own."""
    (name, *_) = metadata.packages_distributions().get("vllm", ["vllm"])
    return {"vllm": metadata.version(name), **measuring.versions(("torch", "transformers"))}


def common_arguments(settings: Vllm, device: str) -> dict[str, Any]:
    """Arguments that vLLM takes in process and as a server."""
    room = settings.kv_cache_gb or (ON_A_CPU_GB if device == "cpu" else None)
    return {
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "enforce_eager": settings.enforce_eager or device == "cpu",
        "enable_prefix_caching": settings.enable_prefix_caching,
        **({"max_model_len": settings.max_model_len} if settings.max_model_len else {}),
        **({"kv_cache_memory_bytes": int(room * GIB)} if room else {}),
        **(ON_A_CPU if device == "cpu" else {}),
    }


def gpus_together(settings: Vllm, weights: Weights) -> int:
    """How many of the GPUs that this process sees hold the model together."""
    config = AutoConfig.from_pretrained(
        weights.folder, local_files_only=True, trust_remote_code=weights.trusted
    )
    given = torch.cuda.device_count()
    return parallel(settings.tensor_parallel_size, given, config.num_attention_heads)


def parallel(wanted: int | None, given: int, heads: int) -> int:
    """How many GPUs hold the model together: all that there are, as far as its heads part evenly.

    Raises:
        UserError: more are wanted than the job was given, or the heads cannot be parted so.
    """
    if wanted is None:
        return max(count for count in range(1, max(given, 1) + 1) if heads % count == 0)
    if wanted > max(given, 1):
        raise UserError(
            f"vllm.tensor_parallel_size: {wanted} GPUs are wanted, and the job was given {given}. "
            "Raise machine.gpu, or leave tensor_parallel_size out to take what there is.",
            exit_code=TEMPORARY,
        )
    if heads % wanted:
        raise UserError(
            f"vllm.tensor_parallel_size: {wanted} does not divide the model's {heads} heads of "
            "attention."
        )
    return wanted


def largest_rank(adapters: Iterable[Path]) -> int:
    """The rank that vLLM makes room for, for adapters by their folders."""
    rank, folder = max((read_json(path / "adapter_config.json")["r"], path) for path in adapters)
    fitting = [most for most in RANKS if most >= rank]
    if not fitting:
        raise UserError(
            f"{folder}: vLLM takes adapters up to rank {RANKS[-1]}, and this has {rank}. Set "
            "merge: true, or engine: transformers."
        )
    return fitting[0]


def open_engines(
    source: dict, session: Session, merged: Path | None = None
) -> dict[str, VllmEngine]:
    """Engines by model that share one base; it is loaded when one of them has to answer.

    Args:
        source: the base's source.json.
        session: its models, and how vLLM is set up.
        merged: folder of a merged model, which is asked instead of the base.

    Raises:
        UserError: a folder is half-written, or a merged model and adapters are asked together.
    """
    check_merged(session, merged)
    found = find_weights(source, merged)
    positions = session.vllm.max_model_len or loading.positions(found.folder, found.trusted)
    shared = VllmWeights(found, session)

    def engine(adapter: Path | None) -> VllmEngine:
        named = found.named(adapter)
        # its arithmetic rounds in other places than that of transformers
        named["model_sha256"] = digest(["vllm", named["model_sha256"]])
        return VllmEngine(shared, adapter, tokenizer=found.tokenizer, positions=positions, **named)

    return {key: engine(tuned.adapter) for key, tuned in session.models.items()}
