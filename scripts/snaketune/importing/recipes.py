"""Flags of LLaMA-Factory's and Qwen's trainings in Snaketune's words; what has none is told."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from snaketune.config.tuning import LARGEST_SANE_LEARNING_RATE, Training
from snaketune.errors import UserError
from snaketune.importing.commands import Command

SAME = {
    "num_train_epochs", "max_steps", "per_device_train_batch_size",
    "gradient_accumulation_steps", "per_device_eval_batch_size", "lr_scheduler_type",
    "warmup_steps", "weight_decay", "adam_beta2", "max_grad_norm", "optim",
    "gradient_checkpointing", "bf16", "fp16", "logging_steps", "eval_steps", "save_steps", "seed",
}  # fmt: skip
"""Flags that mean the same by the same name."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "llamafactory": {
        "learning_rate": 5e-5,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "lr_scheduler_type": "linear",
        "cutoff_len": 2048,
        "lora_rank": 8,
        "lora_target": "all",
    },
    "qwen": {
        "learning_rate": 5e-5,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "lr_scheduler_type": "linear",
        "model_max_length": 8192,
        "lora_r": 64,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "lora_target": "all",
    },
}
"""What a flag is when it is not there, where that is not what it is here."""

NONE = {
    "do_train": "what the rule train_adapter does",
    "use_fast_tokenizer": "there is no other kind",
    "output_dir": "places are the workflow's",
    "dataset_dir": "places are the workflow's",
    "overwrite_cache": "data are prepared anew when they change",
    "overwrite_output_dir": "outputs are replaced when their recipe changes",
    "preprocessing_num_workers": "one process prepares the records",
    "dataloader_num_workers": "records are in memory",
    "plot_loss": "loss.csv and figures/loss.svg are always made",
    "ddp_timeout": "torchrun's default",
    "include_num_input_tokens_seen": "always counted: metrics.json has tokens",
    "save_total_limit": "two checkpoints are kept while training, one after",
    "save_strategy": "steps, always",
    "save_only_model": "checkpoints are whole, so that a killed run goes on",
    "eval_strategy": "steps, where there is a validation split",
    "evaluation_strategy": "steps, where there is a validation split",
    "lazy_preprocess": "records are prepared before training",
    "use_lora": "LoRA is what is trained here",
    "enable_thinking": "a chat template's affair: name one as chat_template of the base",
    "deepspeed": "one GPU needs none; several are started by torchrun",
    "report_to": "report_to of the run config (config/config.yaml)",
    "run_name": "study and adapter name a run",
    "use_swanlab": "report_to: swanlab of the run config",
    "swanlab_api_key": "the environment variable SWANLAB_API_KEY",
    "swanlab_mode": "the environment variable SWANLAB_MODE",
    "swanlab_project": "the environment variable SWANLAB_PROJECT",
    "resume_from_checkpoint": "a training goes on from its last checkpoint by itself",
    "max_samples": (
        "at most so many records: take of the adapter uses exactly so many, set it where there "
        "are more"
    ),
    "trust_remote_code": (
        "not taken over: most models need none; where one does, set it at the base and name the "
        "revision"
    ),
}
"""Flags without a counterpart among the settings of an adapter, and why."""


class Imported(NamedTuple):
    """One training run in Snaketune's words."""

    adapter: dict[str, Any]
    model: str
    """The base as the command names it: an id of a hub, or a folder."""
    template: str | None
    """File of a chat template that stands in for the base's own."""
    quantized: str | None
    """How the base's weights are stored, if not whole."""
    data: str
    """The data as the command names them."""
    init_from: str | None
    """Folder of the adapter that the training goes on from."""
    output: str
    validation: float
    """Share or number of the records that are held out for the validation loss."""
    remarks: list[str]
    """What has no counterpart, or another form, a line each."""


def imported(command: Command) -> Imported:
    """A command's flags as an adapter of a study.

    Raises:
        UserError: it trains something that no adapter can be.
    """
    return _Import(command).made()


class _Import:
    def __init__(self, command: Command):
        self.command = command
        self.flags = {**DEFAULTS[command.kind], **command.flags}
        self.remarks: list[str] = []
        self.training: dict[str, Any] = {}
        self.lora: dict[str, Any] = {}
        self.other: dict[str, Any] = {}
        self.template: str | None = None
        self.quantized: str | None = None
        self.init_from: str | None = None
        self.validation = 0.0

    def made(self) -> Imported:
        self._refuse_other_trainings()
        takers: dict[str, Callable[[Any], None]] = {
            name.removeprefix("_take_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("_take_")
        }
        for key, value in self.flags.items():
            if key in takers:
                takers[key](value)
            elif key in SAME:
                self._same(key, value)
            elif key in NONE:
                self.remarks.append(f"{key}: {_shown(key, value)} · {NONE[key]}")
            elif key not in ("model_name_or_path", "dataset", "data_path", "stage"):
                self.remarks.append(f"{key}: {_shown(key, value)} · not known to this import")
        if self.command.kind == "qwen":
            self.remarks.append(
                f"data_path: {self.flags.get('data_path')} · conversations: make rows of them with "
                "instruction, input, output"
            )
        self.lora.setdefault("lora_alpha", 2 * self.lora["r"])
        self._share_out()
        adapter = {**self.other, "training": self.training, "lora": self.lora}
        data = self.flags.get("dataset") or self.flags.get("data_path") or "data"
        return Imported(
            adapter,
            str(self.flags.get("model_name_or_path", "")),
            self.template,
            self.quantized,
            str(data),
            self.init_from,
            str(self.flags.get("output_dir", "")),
            self.validation,
            self.remarks,
        )

    def _refuse_other_trainings(self) -> None:
        stage, kind = self.flags.get("stage", "sft"), self.flags.get("finetuning_type", "lora")
        if stage != "sft":
            raise UserError(f"stage: {stage} · only supervised fine-tuning (sft) is done here.")
        if kind != "lora" or (self.command.kind == "qwen" and not self.flags.get("use_lora")):
            raise UserError(f"finetuning_type: {kind} · only LoRA adapters are trained here.")
        if not self.flags.get("model_name_or_path"):
            raise UserError("model_name_or_path is missing, so there is no base to tune.")

    def _same(self, key: str, value: Any) -> None:
        wanted = Training.model_fields[key].annotation
        whole = wanted is int and isinstance(value, float)
        self.training[key] = int(value) if whole else value

    def _share_out(self) -> None:
        """Several devices: the records of a step over all of them."""
        if self.command.devices > 1:
            one = self.training["per_device_train_batch_size"]
            steps = self.training.pop("gradient_accumulation_steps", 1)
            self.other["global_batch_size"] = one * steps * self.command.devices
            self.remarks.append(
                f"gradient_accumulation_steps: {steps} · on {self.command.devices} devices, so "
                f"global_batch_size is {self.other['global_batch_size']} on any number of them"
            )

    # --- flags that have another name or form here, in the order of the alphabet

    def _take_adapter_name_or_path(self, value: str) -> None:
        self.init_from = str(value)

    def _take_bf16(self, value: bool) -> None:
        self.training["bf16"] = value
        if value:
            self.other["dtype"] = "bfloat16"

    def _take_cutoff_len(self, value: int) -> None:
        self.training["max_length"] = value

    _take_model_max_length = _take_cutoff_len

    def _take_disable_gradient_checkpointing(self, value: bool) -> None:
        self.training["gradient_checkpointing"] = not value

    def _take_double_quantization(self, value: bool) -> None:
        self._quantised()["bnb_4bit_use_double_quant"] = value

    def _take_finetuning_type(self, value: str) -> None:
        """LoRA, or it was refused."""

    def _take_flash_attn(self, value: str) -> None:
        kernels = {"fa2": "flash_attention_2", "sdpa": "sdpa", "disabled": "eager"}
        if value in kernels:
            self.other["attn_implementation"] = kernels[value]

    def _take_fp16(self, value: bool) -> None:
        self.training["fp16"] = value
        if value:
            self.other["dtype"] = "float16"

    def _take_learning_rate(self, value: float) -> None:
        self.training["learning_rate"] = value
        if value > LARGEST_SANE_LEARNING_RATE:
            self.other["allow_large_learning_rate"] = True
            self.remarks.append(f"learning_rate: {value:g} · will wreck the weights; is it meant?")

    def _take_lora_alpha(self, value: float) -> None:
        self.lora["lora_alpha"] = value

    def _take_lora_dropout(self, value: float) -> None:
        self.lora["lora_dropout"] = value

    def _take_lora_rank(self, value: int) -> None:
        self.lora["r"] = value

    _take_lora_r = _take_lora_rank

    def _take_lora_target(self, value: str) -> None:
        names = [name.strip() for name in str(value).split(",")]
        self.lora["target_modules"] = "all-linear" if names == ["all"] else names

    def _take_neat_packing(self, value: bool) -> None:
        if value:
            self.training["packing"] = True

    def _take_packing(self, value: bool) -> None:
        self.training["packing"] = value
        if value:
            self.remarks.append("packing: true · records of a row do not see each other here")

    def _take_pure_bf16(self, value: bool) -> None:
        self._take_bf16(value)

    def _take_q_lora(self, value: bool) -> None:
        if value:
            self.quantized = "gptq"
            self.remarks.append("q_lora: true · a base in GPTQ, whose adapter stays unmerged")

    def _take_quantization_bit(self, value: int) -> None:
        if value == 4:
            self._quantised()
        else:
            self.remarks.append(f"quantization_bit: {value} · 4 bits or none")

    def _take_quantization_method(self, value: str) -> None:
        if value not in ("bnb", "bitsandbytes"):
            self.remarks.append(f"quantization_method: {value} · bitsandbytes quantises here")

    def _take_quantization_type(self, value: str) -> None:
        self._quantised()["bnb_4bit_quant_type"] = value

    def _take_template(self, value: str) -> None:
        if str(value).lower() == "alpaca":
            self.template = "resources/templates/alpaca.jinja"
        else:
            self.remarks.append(
                f"template: {value} · the base's own chat template; name another as chat_template"
            )

    def _take_use_dora(self, value: bool) -> None:
        self.lora["use_dora"] = value

    def _take_use_rslora(self, value: bool) -> None:
        self.lora["use_rslora"] = value

    def _take_val_size(self, value: float) -> None:
        self.validation = value

    def _take_warmup_ratio(self, value: float) -> None:
        if value:
            self.training["warmup_steps"] = value

    def _quantised(self) -> dict[str, Any]:
        return self.other.setdefault("quantization", {"load_in_4bit": True})


def _shown(key: str, value: Any) -> Any:
    """A flag's value, or not, where it is a secret."""
    return "…" if re.search("key|token|password|secret", key) else value
