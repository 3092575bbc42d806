"""What answers prompts, and how it is set up."""

from typing import Literal

from pydantic import Field

from snaketune.config.common import Strict

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
