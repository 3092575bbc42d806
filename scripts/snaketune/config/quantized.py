"""Bases whose weights are stored in a few bits: what cannot be done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snaketune.config.study import Study


def check_quantized(study: Study) -> None:
    """Raise a ValueError for what no base in GPTQ can do."""
    stored = {name for name, base in study.bases.items() if getattr(base, "quantized", None)}
    for key, adapter in study.adapters.items():
        if adapter.base in stored and adapter.quantization:
            raise ValueError(
                f"adapters.{key}.quantization: the weights of base '{adapter.base}' are quantised "
                "already (GPTQ); set quantization: null"
            )
        if adapter.base in stored and adapter.lora.use_dora:
            raise ValueError(
                f"adapters.{key}.lora.use_dora: PEFT puts no DoRA adapter on weights in GPTQ, as "
                f"those of base '{adapter.base}' are"
            )
    for key, model in study.models.items():
        if model.base not in stored:
            continue
        if model.adapters() and model.merge:
            raise ValueError(
                f"models.{key}.merge: no adapter can be merged into the weights of base "
                f"'{model.base}', which are in GPTQ; set merge: false"
            )
        if model.adapters() and model.engine == "vllm":
            raise ValueError(
                f"models.{key}.engine: vLLM puts no adapter on a base in 4 bits; set engine: "
                "transformers"
            )
        if model.serve and model.serve.program == "transformers":
            raise ValueError(
                f"models.{key}.serve.program: base '{model.base}' is in GPTQ, which `transformers "
                "serve` does not get to see here; set program: vllm"
            )
