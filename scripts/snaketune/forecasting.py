"""What the trainings and answers of a run will take of GPUs and disk, before a model is loaded."""

import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
from pydantic import Field

from snaketune import shapes
from snaketune.bases import TINY
from snaketune.cards import CARDS, card_named
from snaketune.config.common import Name, Strict
from snaketune.config.data import Prompt
from snaketune.config.tuning import Adapter, Base, Quantization, Sampling
from snaketune.estimating import (
    CONTEXT_GB,
    Tokens,
    answering_estimate,
    hours,
    training_estimate,
    weights_bytes,
)
from snaketune.files import read_json, read_jsonl
from snaketune.planning import estimated_tokens
from snaketune.prompts import REASONING, encode, render
from snaketune.shapes import Shape
from snaketune.showing import aligned

log = logging.getLogger(__name__)

SAMPLE = 1000
"""Records whose lengths stand for those of a split."""
SPARE = 1.1
"""A card must have so many times the memory that is expected."""
CHECKPOINTS = 2
TOKENS_A_CHARACTER = 0.6

HOW = """\
Memory and arithmetic by the model's matrices, the recipe and the lengths of real records (1,000 of
each split). Hours: 40 % of a card's arithmetic, and for each block of a model and each adapted
matrix the time that starting their kernels takes; answers count at their full length. Both were
fitted to an 8B model on an H200, where memory was met within 5 % and time within 21 %."""


class OfBase(Strict):
    """A base, and where it lies if it is on this machine."""

    name: Name
    base: Base = Field(discriminator="source")
    found: Path
    """source.json of it, whether there or not."""

    @property
    def stored(self) -> str | None:
        """How its weights are stored, if not whole."""
        return getattr(self.base, "quantized", None)


class Trained(Strict):
    """An adapter to train."""

    study: Name
    name: Name
    base: OfBase
    adapter: Adapter
    prompt: Prompt
    records: Path
    reasoning: int = 0
    """Characters of reasoning that records without any will have."""
    metrics: Path
    """Of the run, where it was made."""


class Asked(Strict):
    """A split to be answered by models that share a load of weights."""

    study: Name
    name: str
    base: OfBase
    dtype: str
    quantization: Quantization | None = None
    sampling: Sampling
    prompt: Prompt
    records: Path
    metrics: list[Path]
    """Of each of the models, where they answered."""
    starts: bool = True
    """Whether the engine starts each block's kernels one by one."""


class Settings(Strict):
    """What estimate.py gets of the config."""

    card: str = ""
    """Model of GPU, as the config's machine names it."""
    devices: int = 0
    trained: list[Trained]
    asked: list[Asked]
    merged: dict[Name, int] = {}
    """Base → how many full copies of it are written."""


class Known(NamedTuple):
    """What is known of a base before it is downloaded, or after."""

    shape: Shape | None
    tokenizer: object | None


def forecast(settings: Settings) -> dict:
    """Estimates of all jobs, what does not fit, and the disk that they take.

    Returns:
        `{"card", "jobs": [...], "disk_gb": {...}, "warnings": [...], "how"}`; a job whose base is
        not known has nulls.
    """
    known: dict[str, Known] = {}
    for job in [*settings.trained, *settings.asked]:
        if job.base.name not in known:
            known[job.base.name] = _know(job.base)
    card = card_named(settings.card)
    jobs = [
        _training(job, known[job.base.name], card, settings.devices) for job in settings.trained
    ]
    jobs += [
        _answering(job, known[job.base.name], card, settings.devices) for job in settings.asked
    ]
    return {
        "card": card,
        "devices": settings.devices,
        "jobs": jobs,
        "disk_gb": _disk(settings, known),
        "warnings": [text for job in jobs if (text := _too_large(job, card))],
        "how": " ".join(HOW.split()),
    }


def _know(base: OfBase) -> Known:
    folder = None
    if base.found.is_file():
        source = read_json(base.found)
        return Known(shapes.shape_in(Path(source["path"])), loading.load_tokenizer_of(source))
    if base.base.source == "tiny":
        folder = TINY
    elif base.base.source == "local":
        folder = Path(base.base.path)
    if folder:
        return Known(shapes.shape_in(folder), loading.load_tokenizer(folder))
    return Known(shapes.shape_on_hub(getattr(base.base, "id", "")), None)


def lengths(known: Known, prompt: Prompt, path: Path, reasoning: int = 0, answered=True) -> Tokens:
    """Lengths of the records of a file, by the base's tokenizer, or by characters without it."""
    total, whole, answers = 0, [], []
    for record in islice(read_jsonl(path), SAMPLE):
        record = {**record, "fields": {REASONING: "字" * reasoning} | record["fields"]}
        messages, answer = render(prompt, record)
        answer = answer or ""
        if known.tokenizer is None:
            asked = sum(estimated_tokens(m["content"]) for m in messages)
            both = asked + estimated_tokens(answer)
        else:
            asked = len(encode(known.tokenizer, messages))
            both = len(encode(known.tokenizer, messages, answer)) if answer else asked
        whole.append(both if answered else asked)
        answers.append(both - asked)
    with path.open("rb") as file:
        total = sum(1 for _ in file)
    if not whole:
        return Tokens(0, 0, 0)
    mean = sum(whole) / len(whole)
    return Tokens(total, mean, round(max(whole)), sum(answers) / len(answers))


def _training(job: Trained, known: Known, card: str | None, devices: int) -> dict:
    row = {"study": job.study, "job": f"train {job.name}", "base": job.base.name}
    measured = _measured([job.metrics])
    if known.shape is None:
        return row | measured
    tokens = lengths(known, job.prompt, job.records, job.reasoning)
    left = max(0, tokens.records - job.adapter.skip)
    tokens = replace(tokens, records=min(left, job.adapter.take or left))
    found = training_estimate(known.shape, job.adapter, tokens, max(devices, 1), job.base.stored)
    return row | found | _time(found, card, devices) | measured


def _answering(job: Asked, known: Known, card: str | None, devices: int) -> dict:
    row = {"study": job.study, "job": f"ask {job.name}", "base": job.base.name}
    measured = _measured(job.metrics)
    if known.shape is None:
        return row | measured
    tokens = lengths(known, job.prompt, job.records, answered=False)
    found = answering_estimate(
        *(known.shape, job.dtype, job.quantization, job.sampling, tokens),
        each_layer_starts=job.starts,
        stored=job.base.stored,
    )
    found |= {key: found[key] * len(job.metrics) for key in ("tokens", "steps", "flops")}
    found |= {key: found[key] * len(job.metrics) for key in ("bytes_read", "starting_seconds")}
    return row | found | _time(found, card, 1 if devices else 0) | measured


def _time(found: dict, card: str | None, devices: int) -> dict:
    if not card or not devices:
        return {}
    return {"gpu_hours": round(hours(found, CARDS[card], devices) * devices, 6)}


def _measured(paths: list[Path]) -> dict:
    """What was measured where the job has been run: peak memory of the GPU, speed, utilisation."""
    there = [read_json(path) for path in paths if path.is_file()]
    peaks = [m["peak_memory_mb"]["gpu"] for m in there if "gpu" in m.get("peak_memory_mb", {})]
    speeds = [m["tokens_per_second"] for m in there if m.get("tokens_per_second")]
    return {
        "measured": {
            "peak_gb": round(max(peaks) * 1024**2 / 1e9, 1) if peaks else None,
            "tokens_per_second": round(sum(speeds) / len(speeds)) if speeds else None,
            "mfu": there[0].get("mfu") if there else None,
        }
    }


def _too_large(job: dict, card: str | None) -> str | None:
    if not card or "peak_gb" not in job:
        return None
    needed = job["peak_gb"] * SPARE + CONTEXT_GB
    if needed <= CARDS[card].memory_gb:
        return None
    mend = "lower sampling.batch_size"
    if job["job"].startswith("train"):
        mend = (
            "lower training.per_device_train_batch_size (and raise gradient_accumulation_steps by "
            "as much), or set gradient_checkpointing: true"
        )
    return (
        f"{job['study']}: {job['job']} needs about {needed:.0f} GB, and a {card} has "
        f"{CARDS[card].memory_gb:g}: {mend}."
    )


def _disk(settings: Settings, known: dict[str, Known]) -> dict[str, float]:
    """What is written, in GB: bases that are not here yet, adapters with checkpoints, merged."""
    sizes = {name: known[name].shape for name in known if known[name].shape}
    bases = {job.base.name: job.base for job in [*settings.trained, *settings.asked]}
    absent = [n for n, b in bases.items() if b.base.source == "hub" and not b.found.is_file()]
    adapters = sum(
        sizes[job.base.name].lora(job.adapter.lora.r, job.adapter.lora.target_modules)
        for job in settings.trained
        if job.base.name in sizes
    )
    bytes_of = {
        "bases": sum(
            weights_bytes(sizes[n], "bfloat16", None, bases[n].stored) for n in absent if n in sizes
        ),
        "adapters": 4 * adapters * (1 + 3 * CHECKPOINTS),
        "merged": sum(
            weights_bytes(sizes[name], "bfloat16", None) * count
            for name, count in settings.merged.items()
            if name in sizes
        ),
    }
    return {name: round(size / 1e9, 2) for name, size in bytes_of.items()}


def as_text(found: dict) -> str:
    """The forecast for the terminal."""
    if not found["jobs"]:
        return "No model is trained or asked on this machine."
    head = ["job", "tokens", "steps", "weights GB", "peak GB", "GPU-hours",
            "measured: GB", "tokens/s", "MFU"]  # fmt: skip
    lines = [head]
    for job in found["jobs"]:
        memory, was = job.get("memory_gb", {}), job["measured"]
        lines.append([
            f"{job['study']}: {job['job']} ({job['base']})",
            _number(job.get("tokens"), ",d"), _number(job.get("steps"), ",d"),
            _number(memory.get("weights"), ".1f"), _number(job.get("peak_gb"), ".1f"),
            _number(job.get("gpu_hours"), ".2f"), _number(was["peak_gb"], ".1f"),
            _number(was["tokens_per_second"], ",d"), _number(was["mfu"], ".1%"),
        ])  # fmt: skip
    total = sum(job.get("gpu_hours", 0) for job in found["jobs"])
    disk = ", ".join(f"{name} {size:g} GB" for name, size in found["disk_gb"].items())
    card = f"{total:.1f} GPU-hours in all on {found['card']}; " if found["card"] else ""
    return "\n".join([*aligned(lines), "", f"{card}disk: {disk}.", *found["warnings"], "", HOW])


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
