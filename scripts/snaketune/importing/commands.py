"""Reading of training commands: LLaMA-Factory's YAML and command lines, Qwen's finetune scripts."""

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from snaketune.config.resolve import read_yaml
from snaketune.errors import UserError

LLAMA_FACTORY = re.compile(
    r"(?:.*/)?(?:llamafactory-cli|llamafactory|lmf|train\.py|train_bash\.py)"
)
QWEN = re.compile(r"(?:.*/)?finetune\.py")
QWEN_SCRIPT = re.compile(r"(?:.*/)?finetune_(q?lora)_single_gpu\.sh")

QWEN_LORA: dict[str, Any] = {
    "num_train_epochs": 5,
    "per_device_train_batch_size": 2,
    "per_device_eval_batch_size": 1,
    "gradient_accumulation_steps": 8,
    "evaluation_strategy": "no",
    "save_strategy": "steps",
    "save_steps": 1000,
    "save_total_limit": 10,
    "learning_rate": 3e-4,
    "weight_decay": 0.1,
    "adam_beta2": 0.95,
    "warmup_ratio": 0.01,
    "lr_scheduler_type": "cosine",
    "logging_steps": 1,
    "report_to": "none",
    "model_max_length": 512,
    "lazy_preprocess": True,
    "gradient_checkpointing": True,
    "use_lora": True,
}
"""What Qwen's finetune scripts for one GPU pass to finetune.py."""
QWEN_SCRIPTS: dict[str, dict[str, Any]] = {
    "lora": {**QWEN_LORA, "bf16": True},
    "qlora": {
        **QWEN_LORA,
        "fp16": True,
        "q_lora": True,
        "deepspeed": "finetune/ds_config_zero2.json",
    },
}


class Command(NamedTuple):
    """One training run as another program is told of it."""

    kind: str
    """llamafactory or qwen, whose names and defaults its flags have."""
    flags: dict[str, Any]
    devices: int = 1
    """GPUs that it is started on, where the command says so."""


def read_commands(path: Path) -> list[Command]:
    """All training commands in a file: one YAML, or a shell script with one or several.

    Raises:
        UserError: the file cannot be read, or has none.
    """
    if path.suffix in (".yaml", ".yml"):
        return [Command("llamafactory", _known(read_yaml(path), path))]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}).") from None
    commands = []
    for line in re.sub(r"[ \t]*\\[ \t]*\r?\n", " ", text).splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # text with a lone quote, as an explanation between commands may have
        command = _command(words, path)
        if command:
            commands.append(command)
    if not commands:
        raise UserError(
            f"{path}: no training command in it. Known are llamafactory-cli train, LLaMA-Factory's "
            "src/train.py, Qwen's finetune.py and its finetune_lora_single_gpu.sh and "
            "finetune_qlora_single_gpu.sh; a YAML file must end in .yaml or .yml."
        )
    return commands


def _known(data: dict, path: Path) -> dict:
    if not {"model_name_or_path", "stage", "dataset"} & data.keys():
        raise UserError(
            f"{path}: no LLaMA-Factory settings: model_name_or_path, stage and dataset are missing."
        )
    return _scalars(data)


def _command(words: list[str], path: Path) -> Command | None:
    for index, word in enumerate(words):
        devices, rest = _devices(words[:index]), words[index + 1 :]
        script = QWEN_SCRIPT.fullmatch(word)
        if script:
            short = {"-m": "--model_name_or_path", "-d": "--data_path"}
            flags = _flags([short.get(part, part) for part in rest])
            return Command("qwen", {**QWEN_SCRIPTS[script[1]], **flags}, devices)
        if QWEN.fullmatch(word):
            return Command("qwen", _flags(rest), devices)
        if LLAMA_FACTORY.fullmatch(word):
            return _llama_factory(rest, devices, path)
    return None


def _llama_factory(rest: list[str], devices: int, path: Path) -> Command | None:
    if rest[:1] == ["train"]:
        rest = rest[1:]
    if rest and rest[0].endswith((".yaml", ".yml", ".json")):
        over = dict(part.split("=", 1) for part in rest[1:] if "=" in part)
        flags = _known(read_yaml(path.parent / rest[0]), path.parent / rest[0])
        return Command("llamafactory", {**flags, **_scalars(over)}, devices)
    if rest and not rest[0].startswith("-"):
        return None  # llamafactory-cli chat, api, export …
    return Command("llamafactory", _flags(rest), devices)


def _devices(before: list[str]) -> int:
    """GPUs that a launcher or CUDA_VISIBLE_DEVICES in front of a command names."""
    text = " ".join(before)
    asked = re.search(r"--(?:nproc[-_]per[-_]node|num_processes|num_gpus)[= ](\d+)", text)
    if asked:
        return int(asked[1])
    visible = re.search(r"CUDA_VISIBLE_DEVICES=([\d,]+)", text)
    return len(visible[1].strip(",").split(",")) if visible else 1


def _flags(words: list[str]) -> dict[str, Any]:
    """`--key value`, `--key=value`, and `--key` alone for true."""
    found: dict[str, str] = {}
    key = None
    for word in words:
        if word.startswith("--"):
            key, _, value = word[2:].partition("=")
            found[key] = value or "true"
        elif word in ("&", "&&", "|", ";", ">", "2>&1"):
            break
        elif key:
            found[key] = word if found[key] == "true" else f"{found[key]},{word}"
    return _scalars(found)


def _scalars(found: dict[str, Any]) -> dict[str, Any]:
    """Texts as YAML reads them, numbers like 5e-6 among them; a list as a text with commas."""
    made = {}
    for key, value in found.items():
        value = ",".join(map(str, value)) if isinstance(value, list) else value
        made[key] = _scalar(value) if isinstance(value, str) else value
    return made


def _scalar(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value if isinstance(value, bool | int | float | None) else text
