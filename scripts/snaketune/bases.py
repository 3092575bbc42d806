"""Bases: which files a model folder must have, whether they are whole, and where a base lies."""

import hashlib
import json
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tqdm import tqdm

from snaketune.config.tuning import HubBase, LocalBase, PretrainedBase, TinyBase
from snaketune.errors import UserError
from snaketune.files import digest, read_json
from snaketune.folders import list_files
from snaketune.gptq import check_declared

TINY = Path(__file__).resolve().parents[2] / "resources" / "tiny-base"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
OTHER_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.gguf", "*.h5", "*.msgpack", "*.onnx")
TOKENIZERS = (
    *(("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"), ("vocab.txt",)),
    ("*.tiktoken",),
)
"""Sets of files any of which makes a tokenizer."""
SMALL_FILES = (
    *("config.json", "generation_config.json", "quant*_config.json", "chat_template.*"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt"),
    *("*.model", "*.tiktoken"),
)
"""What a model consists of beside its weights."""


def model_files(names: list[str], trust_remote_code: bool = False) -> list[str]:
    """Those of a folder's file names that transformers loads: weights, config, tokenizer.

    Weights are safetensors in one file or in shards with an index; Python files count only where
    the base's code is trusted. Files in sub-folders never count.
    """
    names = sorted(name for name in names if "/" not in name)
    shards = [name for name in names if fnmatch(name, "model-*-of-*.safetensors")]
    weights = [WEIGHTS] if WEIGHTS in names else [INDEX, *shards] if INDEX in names else []
    patterns = (*SMALL_FILES, "*.py") if trust_remote_code else SMALL_FILES
    others = [name for name in names if any(fnmatch(name, pattern) for pattern in patterns)]
    return sorted({*weights, *others})


def check_weights_and_tokenizer(names: list[str], where: str) -> None:
    """Refuse a list of file names that lacks a config, safetensors weights or a tokenizer.

    Raises:
        UserError: says what `where` lacks and what to do.
    """
    if "config.json" not in names:
        if "adapter_config.json" in names:
            raise UserError(f"{where} is an adapter, not a base: give the base it was trained on.")
        raise UserError(f"{where} has no config.json. A base is what `save_pretrained` writes.")
    if not {WEIGHTS, INDEX} & set(names):
        others = [name for name in names if any(fnmatch(name, p) for p in OTHER_WEIGHTS)]
        if others:
            raise UserError(
                f"{where} has its weights as {others[0]}; only safetensors are read, which cannot "
                "run code. Load it with transformers once and `save_pretrained` it elsewhere."
            )
        raise UserError(f"{where} has no weights: neither {WEIGHTS} nor shards with {INDEX}.")
    if not any(all(_any_like(names, file) for file in files) for files in TOKENIZERS):
        raise UserError(
            f"{where} has no tokenizer (tokenizer.json or the like): save the tokenizer there too."
        )


def _any_like(names: list[str], pattern: str) -> bool:
    return any(fnmatch(name, pattern) for name in names)


def check_model_folder(path: Path | str, trust_remote_code: bool = False) -> list[str]:
    """Check that a model folder is complete and whole, without loading it.

    Returns:
        The names of the files that make up the model.

    Raises:
        UserError: the folder, its config.json, its safetensors weights or its tokenizer is
            missing, not readable, or cut off; names the folder and what to do.
    """
    folder = Path(path)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(
            f"{folder} {what}: give the folder of a model (config, weights, tokenizer)."
        )
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    check_weights_and_tokenizer(names, str(folder))
    config = _json(folder / "config.json")
    if "model_type" not in config and "architectures" not in config:
        raise UserError(f"{folder / 'config.json'} names no model_type: it is no model's config.")
    if "tokenizer.json" in names:
        _json(folder / "tokenizer.json")
    weights = [WEIGHTS] if WEIGHTS in names else _shards(folder, names)
    for name in weights:
        check_safetensors(folder / name)
    rest = [name for name in model_files(names, trust_remote_code) if "safetensors" not in name]
    return sorted([*rest, *weights, *([] if WEIGHTS in names else [INDEX])])


def _shards(folder: Path, names: list[str]) -> list[str]:
    """The weight files that the folder's index lists, all of them there."""
    index = _json(folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not index:
        raise UserError(f"{folder / INDEX} lists no weights. {_AGAIN}")
    shards = sorted(set(index.values()))
    missing = [name for name in shards if name not in names]
    if missing:
        raise UserError(
            f"{folder} lacks {len(missing)} of {len(shards)} weight files, {missing[0]} the first. "
            f"{_AGAIN}"
        )
    return shards


_AGAIN = "Copy or download the folder again."


def _json(path: Path) -> dict[str, Any]:
    try:
        data = read_json(path)
    except UnicodeDecodeError:
        data = None
    if not isinstance(data, dict):
        raise UserError(f"{path} holds no JSON object. {_AGAIN}")
    return data


def check_safetensors(path: Path) -> None:
    """Check that a safetensors file has a readable header and the length that it promises.

    The format: 8 bytes with the header's length (little endian), the header (JSON, for each
    tensor its dtype, shape and `data_offsets`), then the data.

    Raises:
        UserError: the file is cut off, has bytes too many, or is something else.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if start == b"version ":
            raise UserError(f"{path} is a Git LFS pointer, not the weights. Run: git lfs pull")
        if len(start) < 8 or length > size - 8:
            raise UserError(f"{path} is cut off or no safetensors file ({size:,} bytes). {_AGAIN}")
        header = file.read(length)
    try:
        tensors = {k: v for k, v in json.loads(header).items() if k != "__metadata__"}
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
    except (ValueError, AttributeError, KeyError, TypeError, IndexError):
        raise UserError(f"{path} has no readable safetensors header. {_AGAIN}") from None
    promised = 8 + length + max(ends, default=0)
    if not ends:
        raise UserError(f"{path} holds no tensor. {_AGAIN}")
    if size != promised:
        raise UserError(
            f"{path} has {size:,} bytes, its header promises {promised:,}: it is cut off or "
            f"damaged. {_AGAIN}"
        )


def locate(
    name: str, base: TinyBase | LocalBase | PretrainedBase, folder: Path | None = None
) -> dict:
    """Find a base on this machine, check it and describe it as source.json does.

    Args:
        name: the base's name in the config.
        base: its settings.
        folder: where its weights are; only a pretrained base needs one.

    Raises:
        UserError: see `check_model_folder`.
    """
    if folder is None:
        if isinstance(base, PretrainedBase):
            raise UserError(f"bases.{name}: --folder is needed, where its weights were written.")
        folder = Path(base.path) if isinstance(base, LocalBase) else TINY
    trusted = isinstance(base, LocalBase) and base.trust_remote_code
    return describe(name, base, folder, trusted)


def describe(
    name: str,
    base: TinyBase | LocalBase | PretrainedBase | HubBase,
    folder: Path,
    trust_remote_code: bool,
    **more: str,
) -> dict:
    """Content of source.json for a checked folder: path, files with size and hash, their digest.

    The path is relative to the working directory where the folder lies below it, so that a
    results folder can move with its project. `more` stands behind `path`. A chat template of the
    settings is in it, and counts in the digest: other ids, and other ends of a reply, come of it.
    """
    template = read_template(name, base.chat_template) if base.chat_template else None
    names = check_model_folder(folder, trust_remote_code)
    check_declared(name, getattr(base, "quantized", None), folder)
    files = {}
    for file in tqdm(names, desc=f"hash {name}", unit="file"):
        files |= list_files(folder, [file])
    resolved, here = folder.resolve(), Path.cwd()
    hashes = {file: facts["sha256"] for file, facts in files.items()}
    if template:
        hashes["chat_template"] = template["sha256"]
    return {
        "name": name,
        "source": base.source,
        "path": os.path.relpath(resolved, here) if resolved.is_relative_to(here) else str(resolved),
        **more,
        "files": files,
        "sha256": digest(hashes),
        "trust_remote_code": trust_remote_code,
        **({"chat_template": template} if template else {}),
    }


def read_template(name: str, file: str) -> dict:
    """A base's chat template, `{"file", "sha256", "text"}`.

    Raises:
        UserError: it is missing, blank or no UTF-8.
    """
    where = f"bases.{name}.chat_template"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{where}: {file} is not UTF-8. Save it as UTF-8.") from None
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{where}: {file} cannot be read ({reason}). Mend the path.") from None
    if not text.strip():
        raise UserError(f"{where}: {file} is blank; a Jinja template is expected.")
    return {"file": file, "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}
