"""A study written from imported trainings: what the commands say, and a frame for the rest."""

import re
from pathlib import Path
from typing import Any

import yaml

from snaketune.config.resolve import study_of
from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.importing.recipes import Imported

HEAD = """\
# yaml-language-server: $schema=../study.schema.json
# Imported from {source}. The adapters are what it says; look through the rest before you run it:
#   datasets: where your records are, how they are split, how replies are read (labels)
#   sampling: how replies are generated
# What has no counterpart, or another form:
"""
SAYS_NOTHING = {"", "SAVE", "sft", "lora", "output", "out", "checkpoints", "output_qwen"}
"""Names of output folders that name no adapter."""
ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}
"""Columns of a file in Alpaca's form, by LLaMA-Factory's words."""
TEST = 0.2
"""Share of the records that is kept for the test: the commands know none."""
MOST_LABELS = 20
"""Answers of more kinds than this are no labels."""


def as_study(imports: list[Imported], source: str, folder: Path) -> str:
    """The YAML of a study with an adapter and a model for each import.

    Args:
        imports: the trainings.
        source: the file that they come from, for the comment at the top.
        folder: of the data, where there may be a dataset_info.json.
    """
    names = _names(imports)
    bases = {_slug(one.model): _base(one) for one in imports}
    datasets = {_slug(one.data): _dataset(one, folder) for one in imports}
    adapters, remarks = {}, []
    for name, one in zip(names, imports, strict=True):
        told = list(one.remarks)
        adapter = {"base": _slug(one.model), "dataset": _slug(one.data)}
        if one.init_from:
            adapter |= _init(one, names, imports, told)
        adapters[name] = adapter | one.adapter
        remarks += [f"#   {name}: {text}" for text in told]
    study = {
        "title": f"Imported from {source}",
        "prompts": {"asked": {"user": _prompt(next(iter(datasets.values())))}},
        "datasets": datasets,
        "bases": bases,
        "adapters": adapters,
        "models": {
            "base": {"base": next(iter(bases))},
            **{
                _other_than_base(name): {"adapter": name, **_unmerged(one)}
                for name, one in zip(names, imports, strict=True)
            },
        },
        "baseline": "base",
        "evaluations": [{"dataset": name, "split": "test"} for name in datasets],
        "sampling": {"max_new_tokens": 64},
    }
    study_of(study, Path(source))
    text = yaml.safe_dump(study, allow_unicode=True, sort_keys=False, width=100)
    return HEAD.format(source=source) + "\n".join(remarks) + "\n" + text


def _names(imports: list[Imported]) -> list[str]:
    """A name for each adapter: of its output folder, else of its data."""
    names: list[str] = []
    for one in imports:
        folder = Path(one.output).name
        name = _slug(one.data if folder in SAYS_NOTHING else folder)
        number = 2
        while name in names:
            name, number = f"{name.rsplit('_', 1)[0] if number > 2 else name}_{number}", number + 1
        names.append(name)
    return names


def _init(one: Imported, names: list[str], imports: list[Imported], told: list[str]) -> dict:
    for name, other in zip(names, imports, strict=True):
        if other.output and Path(other.output) == Path(str(one.init_from)) and other is not one:
            return {"init_from": name}
    told.append(f"adapter_name_or_path: {one.init_from} · init_from names an adapter of the study")
    return {}


def _base(one: Imported) -> dict[str, Any]:
    hub = re.fullmatch(r"[\w.-]+/[\w.-]+", one.model) and not Path(one.model).is_dir()
    base = {"source": "hub", "id": one.model} if hub else {"source": "local", "path": one.model}
    base |= {"chat_template": one.template} if one.template else {}
    return base | ({"quantized": one.quantized} if one.quantized else {})


def _unmerged(one: Imported) -> dict[str, Any]:
    """Weights that are stored in a few bits take no adapter in."""
    return {"merge": False} if one.quantized else {}


def _dataset(one: Imported, folder: Path) -> dict[str, Any]:
    """A dataset in Alpaca's form; of files that are there, the names and the labels are read."""
    name = one.data
    info = folder / "dataset_info.json"
    known = read_json(info).get(name, {}) if info.is_file() else {}
    file = name if Path(name).suffix else known.get("file_name", f"{name}.json")
    path = folder / file if not Path(name).suffix else Path(file)
    columns = ALPACA | known.get("columns", {})
    labels = _labels(path, columns["response"])
    known_suffix = path.suffix in (".tsv", ".csv", ".json", ".jsonl")
    return {
        "source": {
            "kind": "table",
            "path": str(path),
            **({} if known_suffix else {"format": "json"}),
            "fields": {"instruction": columns["prompt"], "input": columns["query"]},
            "label": columns["response"],
        },
        "prompt": "asked",
        "split": {"validation": one.validation, "test": TEST},
        "extract": {"kind": "label", "labels": labels or ["yes", "no"]},
    }


def _labels(path: Path, column: str) -> list[str]:
    if path.suffix != ".json" or not path.is_file():
        return []
    rows = read_json(path)
    found = {str(row.get(column)) for row in rows if isinstance(row, dict)}
    return sorted(found) if 1 < len(found) <= MOST_LABELS else []


def _prompt(dataset: dict[str, Any]) -> str:
    return "\n".join(f"{{{field}}}" for field in dataset["source"]["fields"])


def _other_than_base(name: str) -> str:
    return "tuned" if name == "base" else name


def _slug(text: str) -> str:
    """A text as a name of the config: its last part, in small letters."""
    last = text.rstrip("/").rsplit("/", 1)[-1]
    last = re.sub(r"\.(?:txt|tsv|csv|jsonl?)$", "", last.lower())
    name = re.sub(r"[^a-z0-9_.-]+", "-", last).strip("-._")
    if not name:
        raise UserError(f"'{text}': no name can be made of it.")
    return name
