"""The recipe: the exact settings of one training run, in TRL's and PEFT's key names."""

import hashlib
from pathlib import Path

import yaml
from pydantic import ValidationError, model_validator

from snaketune.config.common import Name
from snaketune.config.data import Prompt
from snaketune.config.tuning import Adapter
from snaketune.errors import UserError
from snaketune.files import write_text

HEADER = """\
# The exact settings of one training run, written before it starts.
#   training:      keys of TRL's SFTConfig (and of transformers' TrainingArguments)
#   lora:          keys of PEFT's LoraConfig
#   quantization:  keys of transformers' BitsAndBytesConfig; null trains on unquantised weights
# Its name in tables (recipe_hash) is the start of this file's SHA-256.
"""


class Recipe(Adapter):
    """An adapter's settings, with its names and its prompt written out."""

    study: Name
    adapter: Name
    prompt: Prompt

    @model_validator(mode="after")
    def _embeddings_stay(self) -> "Recipe":
        names = self.lora.target_modules
        frozen = [] if isinstance(names, str) else {"lm_head", "embed_tokens"} & set(names)
        if frozen:
            raise ValueError(
                f"lora.target_modules: {', '.join(sorted(frozen))} stays as it is (it may be tied "
                "and is not quantised); name linear layers of the blocks, or all-linear"
            )
        return self


def write_recipe(settings: dict, path: Path) -> None:
    """Write recipe.yaml from `{"study", "name", "adapter": Adapter, "prompt": Prompt}`."""
    adapter = Adapter.model_validate(settings["adapter"]).model_dump()
    names = {"study": settings["study"], "adapter": settings["name"]}
    plain = {
        key: adapter[key] for key in adapter if key not in ("training", "lora", "quantization")
    }
    prompt = Prompt.model_validate(settings["prompt"]).model_dump()
    recipe = {**names, **plain, "prompt": prompt}
    recipe |= {key: adapter[key] for key in ("training", "lora", "quantization")}
    text = yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False, width=100)
    write_text(path, HEADER + text)


def read_recipe(path: Path) -> Recipe:
    """Read and check recipe.yaml, also one edited by hand.

    Raises:
        UserError: not YAML, or a key is unknown, missing or out of range; names file and key.
    """
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return Recipe.model_validate(found)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    except ValidationError as error:
        lines = [
            ": ".join(filter(None, [".".join(map(str, e["loc"])), e["msg"]]))
            for e in error.errors()
        ]
        raise UserError(f"{path}: " + "\n  ".join(lines)) from None


def recipe_hash(path: Path) -> str:
    """First 12 hex digits of the SHA-256 of the recipe file's bytes."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
