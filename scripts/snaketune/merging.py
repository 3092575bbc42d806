"""An adapter merged into its base's weights, with the proof that both answer alike."""

import logging
import shutil
from pathlib import Path

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from snaketune.config.data import PLACEHOLDER
from snaketune.errors import UserError
from snaketune.files import read_jsonl, write_json
from snaketune.folders import adapter_digest, publish, read_source
from snaketune.gptq import is_gptq
from snaketune.prompts import encode, render
from snaketune.recipe import Recipe, read_recipe, recipe_hash
from snaketune.rounding import ROUNDINGS, other_sums

log = logging.getLogger(__name__)

TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest mean difference of logits, in standard deviations, that rounding of the merged weights
explains; a wrong base or a wrong scale differs by about as much as the adapter does."""

PARITY_PROMPTS = 32


def merge(
    recipe_path: Path, source_path: Path, adapter: Path, records_path: Path, out: Path
) -> dict:
    """Merge a LoRA adapter (Hu et al. 2021) and write a model folder.

    A QLoRA adapter was trained on rounded weights: its base is loaded in 4 bits and dequantised,
    so that the adapter is merged into the very weights that it was trained on.

    Args:
        recipe_path: recipe.yaml of the adapter, or of a combination's first part; its dtype is
            the merged weights'.
        source_path: source.json of the base.
        adapter: folder with the adapter, trained or combined; the model is called by its name.
        records_path: records whose prompts (and answers, where known) the parity check runs on;
            of an empty file, the prompt with nothing filled in.
        out: folder that receives model.safetensors, config, tokenizer, parity.json and, last,
            manifest.json.

    Returns:
        The parity figures.

    Raises:
        UserError: merged and unmerged logits differ by more than rounding, and no manifest is
            written; or the base is in GPTQ.
    """
    recipe, source = read_recipe(recipe_path), read_source(source_path)
    if is_gptq(Path(source["path"])):
        raise UserError(
            f"{source['path']}: its weights are in GPTQ, and no adapter can be merged into them. "
            "Set merge: false on the model, or merge into the unquantised base that it was made of."
        )
    tokenizer = loading.load_tokenizer_of(source)
    texts = _parity_texts(tokenizer, recipe, records_path)
    unmerged = loading.load_adapter(loading.load_base(source, recipe), adapter)
    expected = [_logits(unmerged, ids) for ids in texts]
    coarsest = _coarsest_dtype(recipe)
    with other_sums(unmerged.get_base_model()):
        rounding = compare_logits(expected, [_logits(unmerged, ids) for ids in texts], coarsest)
    merged = _merge_weights(unmerged, source, recipe, adapter)
    parity = compare_logits(expected, [_logits(merged, ids) for ids in texts], coarsest)
    parity["rounding"] = in_deviations(rounding)
    parity["tolerance"] = max(parity["tolerance"], ROUNDINGS * parity["rounding"])
    _refuse_disparity(parity, adapter)

    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _save(merged, tokenizer, partial)
    write_json(partial / "parity.json", parity)
    publish(
        partial,
        out,
        {
            "base": source["name"],
            "base_sha256": source["sha256"],
            "adapter": adapter.name,
            "adapter_sha256": adapter_digest(
                adapter, recipe.quantization and recipe.quantization.model_dump()
            ),
            "recipe_hash": recipe_hash(recipe_path),
            "dtype": recipe.dtype,
        },
    )
    return parity


def _merge_weights(
    unmerged: torch.nn.Module, source: dict, recipe: Recipe, adapter: Path
) -> PreTrainedModel:
    """Full weights in the recipe's dtype; takes `unmerged` apart."""
    if recipe.quantization:
        base = loading.load_base(source, recipe).dequantize()
        unmerged = loading.load_adapter(base, adapter)
    merged = unmerged.merge_and_unload(safe_merge=True)
    return merged.to(getattr(torch, recipe.dtype)).eval()


def _parity_texts(
    tokenizer: PreTrainedTokenizerBase, recipe: Recipe, path: Path
) -> list[list[int]]:
    records = [record for record, _ in zip(read_jsonl(path), range(PARITY_PROMPTS), strict=False)]
    if not records:
        names = PLACEHOLDER.findall(recipe.prompt.user + (recipe.prompt.system or ""))
        fields = {name: f"{{{name}}}" for name in names}
        records = [{"id": "prompt", "fields": fields, "label": None}]
    return [encode(tokenizer, *render(recipe.prompt, record)) for record in records]


@torch.inference_mode()
def _logits(model: torch.nn.Module, ids: list[int]) -> torch.Tensor:
    """Logits of one text, [tokens, vocabulary], float32 on the CPU."""
    row = torch.tensor([ids], device=model.device)
    return model(input_ids=row, use_cache=False).logits[0].float().cpu()


def in_deviations(differences: dict) -> float:
    """The mean difference of `compare_logits` in standard deviations of the logits."""
    return differences["mean_difference"] / differences["standard_deviation"]


def _coarsest_dtype(recipe: Recipe) -> str:
    """What the unmerged model computes in: 4-bit layers may do so in another type than its own."""
    used = [recipe.dtype]
    if recipe.quantization:
        used.append(recipe.quantization.bnb_4bit_compute_dtype)
    return max(used, key=TOLERANCE.__getitem__)


def compare_logits(
    expected: list[torch.Tensor], found: list[torch.Tensor], dtype: str
) -> dict[str, float | int | str]:
    """Differences of two models' logits on the same texts, each [tokens, vocabulary]."""
    pairs = list(zip(expected, found, strict=True))
    differences = [(a - b).abs() for a, b in pairs]
    tokens = sum(len(a) for a in expected)
    count = sum(d.numel() for d in differences)
    equal = sum((a.argmax(-1) == b.argmax(-1)).sum().item() for a, b in pairs)
    return {
        "prompts": len(expected),
        "tokens": tokens,
        "max_difference": max(d.max().item() for d in differences),
        "mean_difference": sum(d.sum().item() for d in differences) / count,
        "standard_deviation": sum(a.std().item() * len(a) for a in expected) / tokens,
        "equal_argmax": equal / tokens,
        "dtype": dtype,
        "tolerance": TOLERANCE[dtype],
    }


def _refuse_disparity(parity: dict, adapter: Path) -> None:
    difference = in_deviations(parity)
    if not difference <= parity["tolerance"]:
        raise UserError(
            f"{adapter}: merged and unmerged weights answer differently: the logits differ by "
            f"{difference:.3g} standard deviations on average, {parity['tolerance']:g} is allowed "
            f"in {parity['dtype']}. Check that the adapter belongs to this base and recipe, or "
            "set merge: false to evaluate it unmerged."
        )


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """One safetensors file, and a generation config that samples nothing by itself."""
    own = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id,
    )
    model.save_pretrained(folder, max_shard_size="1TB")
    tokenizer.save_pretrained(folder)
