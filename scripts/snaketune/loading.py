"""Bases, tokenizers and adapters brought into memory, from this machine only.

Importing this module sets what the libraries read when they are imported: no hub, no banners.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

# bitsandbytes warns of optional kernels when it is imported
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=FutureWarning)

import torch  # noqa: E402  (after the environment that it and transformers read)
from jinja2 import TemplateError  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging  # noqa: E402

from snaketune import gptq, leasing  # noqa: E402
from snaketune.adapters import check_adapter  # noqa: E402
from snaketune.config.tuning import Quantization  # noqa: E402
from snaketune.errors import TEMPORARY, UserError  # noqa: E402

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from snaketune.recipe import Recipe

transformers_logging.disable_progress_bar()


@contextmanager
def without_compiler() -> Iterator[None]:
    """Let bitsandbytes, which peft imports too, be imported without torch's compiler.

    It hands the compiler some spare kernels at its import. They are for devices without kernels of
    their own, work uncompiled too, and cost every process the second that the compiler's import
    takes.
    """
    compiler, torch.compile = torch.compile, lambda function=None, **_: function or (lambda f: f)
    try:
        yield
    finally:
        torch.compile = compiler


def use_threads(threads: int | None) -> None:
    """Let torch use that many CPU threads; None leaves it to OMP_NUM_THREADS."""
    if threads:
        torch.set_num_threads(threads)


def device() -> str:
    """The GPU of this process where it sees one, else `cpu`.

    Raises:
        UserError: a GPU was leased, and cannot be used.
    """
    if not torch.cuda.is_available():
        if leasing.leased():
            raise UserError(
                f"torch {torch.__version__} cannot use the GPU that was leased: the driver is too "
                "old for it, or broken.",
                TEMPORARY,
            )
        return "cpu"
    place = os.environ.get("LOCAL_RANK")  # torchrun: one process a GPU
    return f"cuda:{place}" if place else "cuda"


def load_tokenizer(
    folder: Path, trust_remote_code: bool = False, chat_template: dict | None = None
) -> "PreTrainedTokenizerBase":
    """Tokenizer of a model folder.

    Args:
        folder: as `save_pretrained` writes it.
        trust_remote_code: run the code that the folder brings.
        chat_template: what stands in for the folder's own, `{"file", "text", …}` as in source.json.

    Raises:
        UserError: there is no tokenizer, no chat template, or one that renders no message.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{folder} has no tokenizer that can be loaded: {error}") from error
    if chat_template:
        tokenizer.chat_template = chat_template["text"]
        _check_template(tokenizer, chat_template["file"])
    if not tokenizer.chat_template:
        raise UserError(
            f"{folder}: the tokenizer has no chat template, so no prompt can be asked. "
            "Use a base that was made for chat, or name a file as the base's chat_template."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _check_template(tokenizer: "PreTrainedTokenizerBase", file: str) -> None:
    try:
        tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    except TemplateError as error:
        raise UserError(f"chat_template {file}: it cannot be rendered ({error}).") from None


def load_tokenizer_of(source: dict) -> "PreTrainedTokenizerBase":
    """Tokenizer of a base, by its source.json."""
    return load_tokenizer(
        Path(source["path"]), source.get("trust_remote_code", False), source.get("chat_template")
    )


def positions(folder: Path, trust_remote_code: bool = False) -> int | None:
    """How many tokens a model sees at most, by its config; None where that does not say."""
    config = AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=trust_remote_code
    )
    return getattr(config, "max_position_embeddings", None)


def load_model(
    folder: Path,
    dtype: str,
    attn_implementation: str = "sdpa",
    quantization: Quantization | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Weights of a model folder on this process's device, in evaluation mode.

    Args:
        folder: as `save_pretrained` writes it, weights in safetensors.
        dtype: of the weights, and of what a quantised base keeps unquantised.
        attn_implementation: as transformers names it.
        quantization: 4-bit settings (QLoRA, Dettmers et al. 2023), or None.
        trust_remote_code: run the model code that the folder brings.

    Raises:
        UserError: no safetensors, an attention kernel that is not installed, or 4 bits without
            a backend for this device.
    """
    how = _quantized_loading(folder, quantization)
    try:
        if quantization:
            with without_compiler():
                import bitsandbytes  # noqa: F401  (transformers would, with the compiler)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            attn_implementation=attn_implementation,
            device_map={"": device()},
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            use_safetensors=True,
            **how,
        )
    except (ImportError, OSError, ValueError) as error:
        raise UserError(
            f"{folder} cannot be loaded with attn_implementation {attn_implementation} "
            f"in {'4 bits' if quantization else dtype}: {error}"
        ) from error
    _keep_trainable(model)
    return model.eval()


def _quantized_loading(folder: Path, quantization: Quantization | None) -> dict[str, Any]:
    """Arguments of `from_pretrained` for weights in 4 bits.

    None of whole weights: transformers would take a null for the folder's own word on how its
    weights are stored, and make up those that it then does not find.
    """
    if gptq.is_gptq(folder):
        if quantization:
            raise UserError(f"{folder}: its weights are in GPTQ already; set quantization: null.")
        gptq.check_packages(folder)
        return gptq.loading_arguments()
    if not quantization:
        return {}
    from transformers import BitsAndBytesConfig

    return {"quantization_config": BitsAndBytesConfig(**quantization.model_dump())}


def _keep_trainable(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights at the first evaluation on a CPU.

    Where the CPU has AVX512-BF16 its layers swap their weights for a layout whose kernel knows no
    gradient and rounds to bfloat16: training after an evaluation would lose what flows through
    the frozen layers, and would differ from a run that was resumed after it.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def how_to_load(recipe: "Recipe") -> dict:
    """How a recipe trains on its base, as arguments of `load_model`."""
    return {
        "dtype": recipe.dtype,
        "attn_implementation": recipe.attn_implementation,
        "quantization": recipe.quantization,
    }


def load_base(source: dict, recipe: "Recipe") -> PreTrainedModel:
    """The base as the recipe trains on it: its dtype, attention kernel and quantisation."""
    return load_model(
        Path(source["path"]),
        **how_to_load(recipe),
        trust_remote_code=source.get("trust_remote_code", False),
    )


def load_adapter(model: torch.nn.Module, folder: Path, name: str = "default") -> torch.nn.Module:
    """The model with an adapter on it, active and in evaluation mode.

    Args:
        model: a base, or what this function returned for it: then the adapter is put beside those
            that are there.
        folder: of the adapter.
        name: to choose it by among several.

    Raises:
        UserError: see `check_adapter`.
    """
    with without_compiler():
        from peft import PeftModel

    check_adapter(folder)
    if isinstance(model, PeftModel):
        model.load_adapter(folder, name)
        model.set_adapter(name, inference_mode=True)
        return model.eval()
    return PeftModel.from_pretrained(model, folder, adapter_name=name).eval()
