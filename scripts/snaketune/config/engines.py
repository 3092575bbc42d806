"""What answers prompts, and how it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from snaketune.config.common import Strict, check_json_schema

if TYPE_CHECKING:
    from snaketune.config.study import Study
    from snaketune.config.tuning import Model

EngineName = Literal["transformers", "vllm"]
"""Engines that answer in the job's own process."""


class Vllm(Strict):
    """Keys of vLLM's own, for models that it answers for, in process or as a server."""

    max_model_len: int | None = Field(None, gt=0)
    """Longest prompt with its reply, in tokens; null: all that the model has positions for."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of each GPU's memory that it takes."""
    kv_cache_gb: float | None = Field(None, gt=0)
    """Memory for keys and values in GiB; null: what is left of the share, and 1 on a CPU."""
    enforce_eager: bool = False
    """No CUDA graphs: slower, up sooner, and with less memory."""
    enable_prefix_caching: bool = True
    """What prompts begin with in common is computed once."""
    tensor_parallel_size: int | None = Field(None, gt=0)
    """GPUs that hold one model together; null: all that the job was given."""


class Serve(Strict):
    """A server of our own that answers for one model: the job's child, on the loopback."""

    program: Literal["vllm", "transformers"] = "vllm"
    """`vllm serve`, or `transformers serve`, which knows no key and draws by no seed of ours."""
    concurrency: int = Field(64, gt=0)
    """Requests under way at once."""
    timeout: float = Field(600, gt=0)
    """Seconds until a request counts as lost."""
    startup: float = Field(900, gt=0)
    """Seconds until a server that does not answer counts as broken."""


def check_engines(study: Study) -> None:
    """Raise a ValueError for what the engine of some model cannot do."""
    for key, model in study.models.items():
        for name in model.adapters() if model.engine == "vllm" and not model.merge else ():
            if study.adapters[name].quantization or study.adapters[name].lora.use_dora:
                raise ValueError(
                    f"models.{key}: vLLM puts no adapter on a base in 4 bits, and no DoRA adapter; "
                    f"set merge: true or engine: transformers ('{name}')"
                )
    _check_schemas(study)


def _check_schemas(study: Study) -> None:
    """A schema is one, and stands where replies can be held to it."""
    samplings = {"sampling": study.sampling}
    for key, dataset in study.datasets.items():
        if dataset.distill:
            samplings[f"datasets.{key}.distill.sampling"] = dataset.distill.sampling
    for where, sampling in samplings.items():
        check_json_schema(f"{where}.response_schema", sampling.response_schema)
    asked = {model for evaluation in study.evaluations for model in evaluation.models or []}
    free = [key for key, model in study.models.items() if key in asked and not _can_hold(model)]
    if study.sampling.response_schema is not None and free:
        raise ValueError(
            f"sampling.response_schema: {', '.join(free)} cannot be held to a schema; what can are "
            "the engine vllm and models behind an address"
        )


def _can_hold(model: Model) -> bool:
    """Whether a model's replies can be held to a JSON schema."""
    program = model.serve.program if model.serve else model.engine
    return bool(model.endpoint) or program == "vllm"
