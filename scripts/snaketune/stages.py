"""Training in stages: which part of the records a stage has, and whose weights it goes on from."""

import logging
from pathlib import Path

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import torch

with loading.without_compiler():
    from peft import (
        PeftModel,
        get_peft_model_state_dict,
        load_peft_weights,
        set_peft_model_state_dict,
    )

from snaketune.adapters import list_tensors, read_config
from snaketune.errors import UserError
from snaketune.files import read_jsonl
from snaketune.folders import adapter_digest
from snaketune.recipe import Recipe

log = logging.getLogger(__name__)

SHAPE = ("r", "lora_alpha", "use_rslora", "use_dora")
"""Keys of adapter_config.json that decide, beside its tensors, what an adapter does."""


def part_of(recipe: Recipe, path: Path) -> list[dict]:
    """The training records of a recipe's stage: `take` of them behind the first `skip`, in order.

    Raises:
        UserError: the file has fewer.
    """
    records = list(read_jsonl(path))
    if not records:
        raise UserError(f"{path}: no records to train on.")
    left = records[recipe.skip :]
    if len(left) < (recipe.take or 1):
        wanted = f"take {recipe.take} of those" if recipe.take else "train on what is"
        raise UserError(
            f"{path}: adapter '{recipe.adapter}' is to skip {recipe.skip} records and {wanted} "
            f"behind them, but there are {len(records)}. Lower skip or take, or give more records."
        )
    part = left[: recipe.take]
    if len(part) < len(records):
        first = recipe.skip + 1
        log.info("Records %d to %d of %d.", first, recipe.skip + len(part), len(records))
    return part


def check_init(recipe: Recipe, source: dict, folder: Path | None) -> None:
    """Check that the adapter to go on from was trained on this base, with this scale and rank.

    Args:
        recipe: of the stage; its `init_from` says whether there is such an adapter.
        source: source.json of the base.
        folder: of that adapter.

    Raises:
        UserError: one of `init_from` and `folder` is there without the other, or it does not fit.
    """
    if bool(folder) != bool(recipe.init_from):
        named = f"goes on from '{recipe.init_from}'" if recipe.init_from else "names no init_from"
        given = f"--init-from is {folder}" if folder else "there is no --init-from"
        raise UserError(f"The recipe of '{recipe.adapter}' {named}, but {given}.")
    if not folder:
        return
    config, base = read_config(folder), source.get("id") or source["name"]
    if config["base_model_name_or_path"] != base:
        raise UserError(
            f"{folder} was trained on base '{config['base_model_name_or_path']}', not on '{base}': "
            "no training can go on from it here."
        )
    for key in SHAPE:
        if config.get(key, False) != getattr(recipe.lora, key):
            raise UserError(
                f"{folder} has {key} {config.get(key)}, the recipe of '{recipe.adapter}' has "
                f"{getattr(recipe.lora, key)}: give both adapters the same lora settings."
            )


def facts_of_init(recipe: Recipe, folder: Path | None) -> dict:
    """Which adapter a training goes on from, by name and digest; nothing where from none."""
    if not folder:
        return {}
    quantization = recipe.quantization and recipe.quantization.model_dump()
    return {
        "init_from": {
            "adapter": recipe.init_from,
            "sha256": adapter_digest(folder, quantization),
        }
    }


def take_over(model: PeftModel, folder: Path) -> None:
    """Give a model's fresh adapter the weights of another one, in the dtype of its own.

    Raises:
        UserError: the two differ in their tensors.
    """
    own = {name: tuple(weight.shape) for name, weight in get_peft_model_state_dict(model).items()}
    theirs = {tensor.name: tensor.shape for tensor in list_tensors(folder)}
    if own != theirs:
        odd = min(name for name, _ in own.items() ^ theirs.items())
        raise UserError(
            f"{folder} has other tensors than this recipe makes; {odd} is the first that differs "
            f"({theirs.get(odd, 'missing')} there, {own.get(odd, 'missing')} here). Give both "
            "adapters the same lora settings."
        )
    with torch.no_grad():
        set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
    log.info("Goes on from the weights of %s.", folder.name)
