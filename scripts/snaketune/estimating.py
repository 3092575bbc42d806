"""What a training, or the answers of a model, will take of a GPU: memory, arithmetic, time."""

import math
from dataclasses import dataclass

from snaketune.cards import Card
from snaketune.config.tuning import Adapter, Quantization, Sampling
from snaketune.shapes import Shape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES = 0.5 + 0.127 / 8
"""A weight in 4 bits with its share of the doubly quantised scales (QLoRA, Dettmers et al. 2023,
section 3)."""
GPTQ_BYTES = 0.5 + (2 + 0.5) / 128
"""A weight in 4 bits with its share of a group's scale in 16 bits and zero in 4, a group having the
usual 128 weights (Frantar et al. 2022)."""
ADAPTER_BYTES = 16
"""A trained weight in float32, its gradient, Adam's two moments."""
CONTEXT_GB = 0.8
"""What CUDA and its libraries hold before a model is loaded."""
ARITHMETIC, BANDWIDTH = 0.4, 0.5
"""Shares of a card's arithmetic and bandwidth that large enough steps reach."""
BLOCK_SECONDS, MATRIX_SECONDS = 3.5e-3, 1.0e-3
"""What starting the kernels of a block takes, and of each adapted matrix more, on the way there and
back: short batches are bound by it. Both fit runs of an 8B model on an H200 within a third."""
SHARED_INPUTS = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up",
                 "up_proj": "gate_up"}  # fmt: skip


@dataclass(frozen=True)
class Tokens:
    """Lengths of the records of a split, in tokens."""

    records: int
    mean: float
    """Question and answer together, or the question alone where it is asked."""
    longest: int
    answer: float = 0
    """Of those the answer's, on average."""


def weights_bytes(
    shape: Shape, dtype: str, quantization: Quantization | None, stored: str | None = None
) -> float:
    """Memory of the frozen weights; of a base in 4 bits, embeddings and norms stay in `dtype`.

    `stored` is gptq where the weights are so before they are loaded.
    """
    whole = BYTES[dtype]
    if quantization is None and stored is None:
        return shape.parameters * whole
    each = GPTQ_BYTES if stored else NF4_BYTES
    return shape.blocks * each + (shape.parameters - shape.blocks) * whole


def activation_bytes(shape: Shape, adapter: Adapter) -> float:
    """Memory that a token's way through the blocks leaves for the way back.

    Frozen matrices keep nothing. Per block: the norms' float32 inputs; queries, keys, values and
    their mixture, gate, product and its factor in 16 bits; the input of each adapted matrix once
    (q, k and v share theirs), or with dropout a masked one and the mask for each. With gradient
    checkpointing a block keeps its input alone, and one block at a time all of this.
    """
    width = shape.attention
    kept = 2 * 4 * shape.hidden + 2 * (2 * width + 2 * shape.key_values + 3 * shape.intermediate)
    if shape.norms_of_heads:
        kept += 4 * (width + shape.key_values)
    inputs = {}
    for name in adapted(shape, adapter):
        source = name if adapter.lora.lora_dropout else _shared_input(name)
        inputs[source] = shape.linear[name][0]
    kept += (3 if adapter.lora.lora_dropout else 2) * sum(inputs.values()) / shape.layers
    if adapter.training.gradient_checkpointing:
        return shape.layers * 2 * shape.hidden + kept
    return shape.layers * kept


def adapted(shape: Shape, adapter: Adapter) -> list[str]:
    """Names of the matrices that an adapter sits on."""
    wanted = adapter.lora.target_modules
    return [n for n in shape.linear if wanted == "all-linear" or n.rpartition(".")[2] in wanted]


def _shared_input(name: str) -> str:
    block, _, kind = name.rpartition(".")
    return f"{block}.{SHARED_INPUTS.get(kind, kind)}"


def training_estimate(
    shape: Shape, adapter: Adapter, tokens: Tokens, devices: int = 1, stored: str | None = None
) -> dict:
    """What one training run takes on each of its devices, and in all.

    Memory is that of the longest batch; arithmetic is that of the published sum: forward, and
    backward to the activations alone, since the frozen weights have no gradient.
    """
    training = adapter.training
    batch = training.per_device_train_batch_size
    rows = tokens.records
    in_batch = batch * tokens.longest
    if training.packing:
        rows = math.ceil(tokens.records * tokens.mean / training.max_length)
        in_batch = batch * training.max_length
    scored = min(1.0, tokens.answer / max(tokens.mean, 1))
    a_step = adapter.global_batch_size or batch * training.gradient_accumulation_steps * devices
    steps = math.ceil(math.ceil(rows / a_step) * training.num_train_epochs)
    epochs: float = training.num_train_epochs
    if training.max_steps > 0:
        steps, epochs = training.max_steps, training.max_steps * a_step / rows
    trainable = shape.lora(adapter.lora.r, adapter.lora.target_modules)
    passes = 3 if training.gradient_checkpointing else 2
    matrices = len(adapted(shape, adapter)) / shape.layers
    batches = math.ceil(rows * epochs / batch / devices)
    starts = batches * shape.layers * (BLOCK_SECONDS + MATRIX_SECONDS * matrices)
    logits = in_batch * scored * shape.vocabulary * (2 * BYTES["float32"] + 2 * 2)
    memory = {
        "weights": weights_bytes(shape, adapter.dtype, adapter.quantization, stored),
        "adapter": trainable * ADAPTER_BYTES,
        "activations": in_batch * activation_bytes(shape, adapter),
        "logits": logits,
    }
    trained = tokens.records * tokens.mean * epochs
    return {
        "tokens": round(trained),
        "steps": steps,
        "trainable_parameters": trainable,
        "memory_gb": {name: round(size / 1e9, 2) for name, size in memory.items()},
        "peak_gb": round(sum(memory.values()) / 1e9, 1),
        "flops": trained * training_flops(shape, tokens.mean, scored) * passes / 2,
        "starting_seconds": starts * passes / 2,
    }


def training_flops(shape: Shape, context: float, scored: float) -> float:
    """Operations that training an adapter needs for a token, recomputing apart.

    Forward, and as much again backward: the frozen weights get no gradient, and the adapter's own
    arithmetic is left out. PaLM's utilisation (Chowdhery et al. 2022, appendix B), so counted.
    """
    return 2 * shape.forward_flops(context / 2, scored)


def answering_estimate(
    shape: Shape, dtype: str, quantization: Quantization | None, sampling: Sampling, asked: Tokens,
    each_layer_starts: bool = True, stored: str | None = None,
) -> dict:  # fmt: skip
    """What the answers to a split take, each as long as it may get.

    `each_layer_starts`: the engine starts each block's kernels one by one, as transformers does;
    vLLM replays them from a graph.
    """
    replies = asked.records * sampling.responses_per_record
    at_once = min(sampling.batch_size, replies)
    length = asked.longest + sampling.max_new_tokens
    cache = at_once * length * shape.layers * 2 * shape.key_values * BYTES[dtype]
    weights = weights_bytes(shape, dtype, quantization, stored)
    steps = math.ceil(replies / sampling.batch_size) * sampling.max_new_tokens
    return {
        "tokens": round(replies * (asked.mean + sampling.max_new_tokens)),
        "steps": steps,
        "memory_gb": {"weights": round(weights / 1e9, 2), "cache": round(cache / 1e9, 2)},
        "peak_gb": round((weights + cache) / 1e9, 1),
        "flops": replies * asked.mean * shape.forward_flops(asked.mean / 2, 0),
        "bytes_read": steps * (weights + cache / 2),
        "starting_seconds": steps * shape.layers * BLOCK_SECONDS if each_layer_starts else 0,
    }


def hours(estimate: dict, card: Card, devices: int = 1) -> float:
    """Hours on each of the devices."""
    seconds = estimate["flops"] / (card.bf16_tflops * 1e12 * ARITHMETIC * devices)
    seconds += estimate.get("bytes_read", 0) / (card.bandwidth_gb_s * 1e9 * BANDWIDTH)
    return (seconds + estimate["starting_seconds"]) / 3600


def utilisation(flops_per_token: float, tokens_per_second: float, card: Card, n: int) -> float:
    """Share of the arithmetic of `n` cards that a run used (MFU)."""
    return flops_per_token * tokens_per_second / (n * card.bf16_tflops * 1e12)
