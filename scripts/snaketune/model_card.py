"""The card of a merged model, its README.md: what it is, made of what, how good, how to use it."""

import json
from pathlib import Path
from typing import Any

import yaml

from snaketune.config.common import Name, Strict
from snaketune.files import read_json
from snaketune.folders import MANIFEST
from snaketune.recipe import Recipe, read_recipe, recipe_hash
from snaketune.tables import headline, percent, read_table, with_interval

CARD = "README.md"
SHOWN = (
    *("learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size"),
    *("gradient_accumulation_steps", "lr_scheduler_type", "max_length", "seed"),
)
"""Settings of a training that a card lists; the recipe has all."""


class CardSettings(Strict):
    """What write_cards.py is told of one merged model."""

    model: Name
    base: Path
    """source.json of the base."""
    recipes: list[Path]
    """Of the adapter, or of each that was added up."""
    quality: list[Path]
    """quality.json of the datasets that these were trained on."""
    folder: Path
    """Of the merged model; the card goes there."""


class StudyCards(Strict):
    """The cards of a study's merged models."""

    study: Name
    title: str
    note: str = ""
    baseline: Name
    table: Path
    """accuracy.csv."""
    cards: list[CardSettings]


def card(study: StudyCards, one: CardSettings) -> str:
    """The text of a model's card, with the header that the hub reads."""
    source, manifest = read_json(one.base), read_json(one.folder / MANIFEST)
    recipes = [read_recipe(path) for path in one.recipes]
    licence, where = licence_of(source)
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        *([f"license: {json.dumps(licence)}"] if licence else []),
        *([f"base_model: {json.dumps(source['id'])}"] if "id" in source else []),
        "tags: [lora, merged, snaketune]",
        "---",
        f"# {study.title}: {one.model}",
        "",
        f"Base {_base(source)} with {_adapters(recipes)}, merged into full weights "
        f"({manifest['dtype']}) by Snaketune.",
        *(["", f"> {study.note}"] if study.note else []),
        *_use(one, recipes[0]),
        *_data(one.quality),
        *_scores(study, one.model),
        *_training(one.recipes, recipes),
        *["## Licence", "", f"The base's: {where}. That of the data is not known here.", ""],
    ]
    return "\n".join(lines)


def _base(source: dict) -> str:
    if "id" in source:
        commit = f" (commit `{source['revision']}`)" if source.get("revision") else ""
        return f"[{source['id']}](https://huggingface.co/{source['id']}){commit}"
    return f"`{source['name']}`"


def _adapters(recipes: list[Recipe]) -> str:
    names = ", ".join(f"`{recipe.adapter}`" for recipe in recipes)
    return f"adapter {names}" if len(recipes) == 1 else f"the sum of adapters {names}"


def licence_of(source: dict) -> tuple[str | None, str]:
    """A base's licence as the hub abbreviates it, None where that is not known, and a phrase."""
    readme = Path(source["path"]) / CARD
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    parts = text.split("---\n", 2)
    try:
        head = yaml.safe_load(parts[1]) if text.startswith("---\n") and len(parts) == 3 else None
    except yaml.YAMLError:
        head = None
    known = head.get("license") if isinstance(head, dict) else None
    if isinstance(known, str):
        return known, f"{known}, by its own card"
    if "id" in source:
        return None, f"see https://huggingface.co/{source['id']}"
    return None, "its folder does not say"


def _use(one: CardSettings, recipe: Recipe) -> list[str]:
    return [
        "",
        "## Use",
        "",
        "```",
        f"make chat MODEL={one.folder}",
        f"make serve MODEL={one.folder}",
        "```",
        "",
        "The first talks with it in a terminal, the second serves it OpenAI-compatible. Elsewhere "
        "it is a transformers model with a chat template. It was trained on this one prompt:",
        "",
        "```json",
        json.dumps(recipe.prompt.model_dump(exclude_none=True), ensure_ascii=False, indent=1),
        "```",
        "",
        f"To publish it, look at what it was trained on first, then: "
        f"`hf upload OWNER/NAME {one.folder}`",
        "",
    ]


def _data(paths: list[Path]) -> list[str]:
    lines = ["## Data", ""]
    for path in paths:
        found = read_json(path)
        splits = ", ".join(f"{name} {s['records']:,}" for name, s in found["splits"].items())
        leaks = found["leakage"]
        lines.append(
            f"- `{path.parent.name}`, from {_origin(found['source'])}: {splits}; "
            f"{leaks['groups']} groups and {leaks['prompts']} prompts in more than one split."
        )
    return [*lines, ""]


def _origin(source: dict[str, Any]) -> str:
    if source.get("id"):
        commit = f" at {source['revision']}" if source.get("revision") else ""
        return f"the hub's {source['id']}{commit}"
    if source.get("files"):
        return ", ".join(f"`{Path(name).name}`" for name in source["files"])
    seed = f", seed {source['seed']}" if "seed" in source else ""
    return f"source {source['kind']}{seed}"


def _scores(study: StudyCards, model: str) -> list[str]:
    """The headline metrics of the model beside the baseline's."""
    rows = read_table(study.table)
    found = {(r["model"], r["dataset"], r["split"], r["metric"]): r for r in rows}
    places = dict.fromkeys((r["dataset"], r["split"]) for r in rows if r["model"] == model)
    lines = [
        "## Scores",
        "",
        f"In percent, with 95 % Wilson intervals; `{study.baseline}` is the model before tuning.",
        "",
        f"| dataset | split | metric | n | {model} | {study.baseline} | majority class |",
        "|---|---|---|---|---|---|---|",
    ]
    for dataset, split in places:
        known = [r["metric"] for r in rows if (r["model"], r["dataset"]) == (model, dataset)]
        for metric in headline(dict.fromkeys(known)):
            own = found[model, dataset, split, metric]
            before = found.get((study.baseline, dataset, split, metric))
            cells = [with_interval(own), with_interval(before) if before else "–"]
            named = [dataset, split, metric, f"{own['n']:,}"]
            lines.append(f"| {' | '.join([*named, *cells, percent(own['majority_class'])])} |")
    if not places:
        return ["## Scores", "", "It was asked nothing.", ""]
    return [*lines, ""]


def _training(paths: list[Path], recipes: list[Recipe]) -> list[str]:
    lines = ["## Training", "", "LoRA by PEFT, trained by TRL on the answers alone.", ""]
    for path, recipe in zip(paths, recipes, strict=True):
        training = recipe.training.model_dump()
        said = {name: training[name] for name in SHOWN if training.get(name) not in (None, -1)}
        said |= {"r": recipe.lora.r, "lora_alpha": recipe.lora.lora_alpha, "dtype": recipe.dtype}
        settings = ", ".join(f"{name} {value}" for name, value in said.items())
        quantised = "; base in 4 bits" if recipe.quantization else ""
        lines.append(
            f"- `{recipe.adapter}` (recipe {recipe_hash(path)}) on `{recipe.dataset}`: "
            f"{settings}{quantised}."
        )
    return [*lines, ""]
