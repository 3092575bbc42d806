"""Weighted sums of adapters, made by PEFT, and how far each is from the exact sum."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from snaketune.adapters import CONFIG, WEIGHTS, not_plain, read_config, read_factors
from snaketune.algebra import Change, compare, exact_sum, nearest, rank_of
from snaketune.config.tuning import Combination
from snaketune.errors import UserError
from snaketune.files import digest, write_json
from snaketune.folders import move, read_source
from snaketune.recipe import Recipe, read_recipe, recipe_hash

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

FACTS = "combination.json"
TOLERANCE = 1e-5
"""Largest relative distance of `cat` from the exact sum that float32 explains."""
BY_FACTOR = ("linear", "ties", "dare_linear")
"""Methods that combine all A and all B apart, so that ranks must be equal."""


def combine(
    model: str,
    combination: Combination,
    source_path: Path,
    adapters: list[Path],
    recipes: list[Path],
    out: Path,
) -> dict:
    """Combine adapters of one base into one adapter, without loading the base.

    Args:
        model: name of the model that the sum makes.
        combination: weights, method and what the method needs.
        source_path: source.json of the base; of its folder only the config is read.
        adapters: folders of adapters.
        recipes: recipe.yaml of each, in the same order; they name the adapters.
        out: folder that receives the adapter in PEFT's format, float32 with scaling 1, and last
            combination.json.

    Returns:
        Content of combination.json.

    Raises:
        UserError: the adapters cannot be summed in this way, or `cat` is not their sum.
    """
    source = read_source(source_path)
    parts = _match(combination, source, adapters, recipes)
    changes = {name: _read(name, folder) for name, (folder, _) in parts.items()}
    _check_method(combination, changes)
    partial = out.parent / f".{out.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _add_with_peft(combination, changes, source, partial)
        facts = _facts(model, combination, changes, read_factors(partial))
        hashes = {name: recipe_hash(recipe) for name, (_, recipe) in parts.items()}
        facts |= {"recipe_hashes": hashes, "recipe_hash": combination_hash(combination, hashes)}
        _refuse_distance(facts)
        out.mkdir(parents=True, exist_ok=True)
        (out / FACTS).unlink(missing_ok=True)
        for name in (WEIGHTS, CONFIG):
            move(partial / name, out / name)
        write_json(out / FACTS, facts)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return facts


def _match(
    combination: Combination, source: dict, adapters: list[Path], recipes: list[Path]
) -> dict[str, tuple[Path, Path]]:
    """(folder, recipe file) of each adapter, in the order of the weights."""
    if len(adapters) != len(recipes):
        raise UserError(
            f"--adapters names {len(adapters)} folders, --recipes {len(recipes)} files; "
            "each adapter has one recipe."
        )
    read = [read_recipe(path) for path in recipes]
    found = {
        recipe.adapter: pair
        for recipe, pair in zip(read, zip(adapters, recipes, strict=True), strict=True)
    }
    if len(found) != len(recipes) or found.keys() != combination.weights.keys():
        raise UserError(
            f"combine.weights names {', '.join(combination.weights)}; the recipes are those of "
            f"{', '.join(recipe.adapter for recipe in read)}."
        )
    _check_recipes(read, source)
    return {name: found[name] for name in combination.weights}


def _check_recipes(recipes: list[Recipe], source: dict) -> None:
    for recipe in recipes:
        if recipe.base != source["name"]:
            raise UserError(
                f"combine: adapter '{recipe.adapter}' was trained on base '{recipe.base}', not on "
                f"'{source['name']}'; only adapters of one base can be summed."
            )
        if recipe.quantization != recipes[0].quantization:
            raise UserError(
                f"combine: '{recipe.adapter}' and '{recipes[0].adapter}' were trained on "
                "differently quantised weights, so no base fits their sum."
            )


def _read(name: str, folder: Path) -> Change:
    why = not_plain(read_config(folder))
    if why:
        raise UserError(f"combine: '{name}' ({folder}) cannot be part of a sum: {why}.")
    return read_factors(folder)


def _check_method(combination: Combination, changes: dict[str, Change]) -> None:
    """Refuse what PEFT would refuse with less words, or do otherwise than asked."""
    method = combination.method
    ranks = {name: rank_of(change) for name, change in changes.items()}
    if method in BY_FACTOR and len(set(ranks.values())) > 1:
        sizes = ", ".join(f"'{name}' {rank}" for name, rank in ranks.items())
        raise UserError(
            f"combine.method: {method} adds A and B apart, which needs equal ranks ({sizes}). "
            "Take cat, the exact sum, or svd."
        )
    most = sum(ranks.values())
    if method == "svd" and (combination.rank or 0) > most:
        raise UserError(
            f"combine.rank: {combination.rank} is more than the ranks of the adapters together, "
            f"{most}. Take cat for the exact sum."
        )


def _add_with_peft(
    combination: Combination, changes: dict[str, Change], source: dict, out: Path
) -> None:
    """Write PEFT's weighted adapter.

    For svd PEFT gets the nearest change of that rank as one adapter: its own svd decomposes whole
    products, which for a base of 3B takes minutes where the factors take a second.
    """
    from snaketune.skeleton import skeleton

    # isort: split
    import torch

    base = skeleton(Path(source["path"]), source.get("trust_remote_code", False))
    for name, change in changes.items():
        _check_fits(name, change, base, source)
    weights, method = list(combination.weights.values()), combination.method
    if method == "svd":
        rank = combination.rank or max(map(rank_of, changes.values()))
        changes = {"sum": nearest(exact_sum(changes, combination.weights), rank)}
        weights, method = [1.0], "cat"
    model = _put_on(base, list(changes.values()))
    torch.manual_seed(combination.seed)
    model.add_weighted_adapter(
        [_part(index) for index in range(len(changes))],
        weights,
        "default",
        combination_type=method,
        density=combination.density,
    )
    config = model.peft_config["default"]
    config.base_model_name_or_path = source.get("id") or source["name"]
    config.target_modules = sorted(config.target_modules)  # a set has another order each run
    model.save_pretrained(out, selected_adapters=["default"], save_embedding_layers=False)


def _put_on(base: "PreTrainedModel", changes: list[Change]) -> "PeftModel":
    """The skeleton with adapters of scaling 1.

    The root of each one's own scaling is in A and in B, where PEFT's linear puts it too. So sums
    are right for every alpha, and for rsLoRA, whose flag PEFT would copy to a result with
    alpha = r, which then would be scaled by √r.
    """
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    from snaketune.skeleton import stand_on_zero

    stand_on_zero(base, {module for change in changes for module in change})
    model = None
    for index, change in enumerate(changes):
        rank = rank_of(change)
        config = LoraConfig(
            task_type="CAUSAL_LM", r=rank, lora_alpha=rank, target_modules=list(change)
        )
        if model is None:
            model = get_peft_model(base, config, adapter_name=_part(index))
        else:
            model.add_adapter(_part(index), config)
        set_peft_model_state_dict(model, _state(change), adapter_name=_part(index))
    return model


def _part(index: int) -> str:
    """Name of an adapter within PEFT, where a study's own could hold a dot or be a layer's."""
    return f"part{index}"


def _check_fits(name: str, change: Change, base: "PreTrainedModel", source: dict) -> None:
    """Refuse an adapter with modules that its base has not, or in other sizes."""
    sizes = {key: getattr(part, "weight", None) for key, part in base.named_modules()}
    for module, factors in change.items():
        weight = sizes.get(module)
        shape = (factors.b.shape[0], factors.a.shape[1])
        if weight is None or tuple(weight.shape) != shape:
            has = "no such module" if weight is None else f"there {tuple(weight.shape)}"
            raise UserError(
                f"combine: '{name}' does not fit base '{source['name']}': it changes {module} "
                f"{shape}, the base has {has}."
            )


def _state(change: Change) -> dict[str, "torch.Tensor"]:
    """Tensors by the names that PEFT gives them."""
    import torch

    state = {}
    for module, (a, b) in change.items():
        prefix = f"base_model.model.{module}"
        state[f"{prefix}.lora_A.weight"] = torch.from_numpy(a)
        state[f"{prefix}.lora_B.weight"] = torch.from_numpy(b)
    return state


def _facts(model: str, combination: Combination, changes: dict[str, Change], found: Change) -> dict:
    return {
        "model": model,
        **_what_counts(combination),
        "rank": rank_of(found),
        "ranks": {name: rank_of(change) for name, change in changes.items()},
        **compare(exact_sum(changes, combination.weights), found),
    }


def _what_counts(combination: Combination) -> dict:
    """Those settings that its method reads."""
    keys = {"ties": {"density"}, "dare_linear": {"density", "seed"}, "svd": {"rank"}}
    return combination.model_dump(include={"method", "weights", *keys.get(combination.method, ())})


def combination_hash(combination: Combination, recipe_hashes: dict[str, str]) -> str:
    """12 hex digits that stand for a sum: its method, its weights and its adapters' recipes."""
    return digest({"combine": _what_counts(combination), "recipes": recipe_hashes})[:12]


def _refuse_distance(facts: dict) -> None:
    distance = facts["relative_distance"]
    if distance is None:  # the sum is nothing, so that cat must be nothing too
        distance = facts["max_difference"]
    if facts["method"] == "cat" and not distance <= TOLERANCE:
        raise UserError(
            f"combine: cat is not the sum of the adapters' changes: it differs by {distance:.2g} "
            f"of it, {TOLERANCE:g} is allowed. Nothing was written; is this the peft of the lock "
            "file?"
        )
