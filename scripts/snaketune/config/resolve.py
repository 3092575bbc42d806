"""From YAML files to the checked, complete config that the rules see."""

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from snaketune.code import SCRIPTS
from snaketune.config.common import NAME, nearest
from snaketune.config.folds import unfolded
from snaketune.config.problems import ProblemsSource
from snaketune.config.question_source import QuestionsSource
from snaketune.config.run import Run
from snaketune.config.sources import FileSource, TableSource, WeatherSource
from snaketune.config.study import Study, grid_points
from snaketune.config.sweeps import expanded
from snaketune.config.tuning import LocalBase
from snaketune.errors import UserError

KINDS = (
    "weather",
    "nli",
    "pairs",
    "puzzles",
    "problems",
    "questions",
    "file",
    "table",
    "hub",
    "json",
    "label",
    "options",
    "Split",
)
SOURCES = ("tiny", "local", "hub", "modelscope", "pretrain")
RESERVED = {"all", "bases", "logs", "benchmarks"}
"""Names of the workflow's own targets and folders; so are those of its rules."""


class StudyLoader(yaml.SafeLoader):
    """A YAML loader that refuses a key written twice, and takes only true and false as booleans.

    Of a key written twice YAML 1.1 would keep the last in silence, and it reads the labels yes and
    no as booleans; YAML 1.2 does neither.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node, deep=False):
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            line = key_node.start_mark.line + 1
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise UserError(
                    f"{node.start_mark.name}, line {line}: braces open a mapping here; text that "
                    "holds braces must stand in quotes."
                )
            if key in seen:
                raise UserError(
                    f"{node.start_mark.name}, line {line}: key '{key}' stands here a second time "
                    f"(first on line {seen[key]}). Keep one."
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


StudyLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_yaml(path: Path) -> dict:
    """Read a YAML mapping; a broken file is a UserError with its line."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            data = yaml.load(file, Loader=StudyLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}, line {line}: not valid YAML ({error.problem}).") from None
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise UserError(f"{path}: not plain UTF-8 text ({error}).") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: keys and values are expected, as in the shipped studies.")
    return data


def merged(base: Any, over: Any) -> Any:
    """`over` laid on `base`: mappings key by key, everything else replaced whole.

    So is a mapping of another `kind`, or a base from another `source`: their keys differ.
    """
    if isinstance(base, dict) and isinstance(over, dict):
        for tag in ("kind", "source"):
            if isinstance(over.get(tag), str) and over[tag] != base.get(tag, over[tag]):
                return over
        keys = dict.fromkeys([*base, *over])
        return {k: merged(base.get(k), over[k]) if k in over else base[k] for k in keys}
    return over


def validated(model: type[BaseModel], data: dict, where: str) -> Any:
    """`data` as `model`; all that is wrong with it is one UserError, a line each."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [f"{where}: {_place(item['loc'], data)}{_say(item)}" for item in error.errors()]
        raise UserError("\n".join(lines)) from None


def _place(loc: tuple, data: Any) -> str:
    """The keys that lead to a fault, without pydantic's names for the kinds of a source or base."""
    keys = []
    for part in loc:
        if isinstance(data, dict) and part not in data and part in (*KINDS, *SOURCES):
            continue
        keys.append("(name)" if part == "[key]" else str(part))
        inside = isinstance(data, dict) and part in data
        inside |= isinstance(data, list) and isinstance(part, int) and part < len(data)
        data = data[part] if inside else None
    return ".".join(keys) + ": " if keys else ""


def _say(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ")
    value = item["input"]
    if item["type"] not in ("value_error", "missing") and isinstance(value, str | int | float):
        message += f" (here: {value!r})"
    return message


def study_path(entry: str) -> Path:
    """The file of a study named in `studies:`, either shipped by name or a path."""
    path = (
        Path(entry) if entry.endswith((".yaml", ".yml")) else Path(f"config/studies/{entry}.yaml")
    )
    if not path.is_file():
        known = sorted(p.stem for p in Path("config/studies").glob("*.yaml"))
        raise UserError(
            f"studies: no file {path}. {nearest(entry, known)} If it is gone, take it out of "
            "`studies` in config/config.yaml."
        )
    return path


def new_study_path(name: str) -> Path:
    """The file of a study that is begun.

    Raises:
        UserError: it cannot be called so, or is there already.
    """
    if not re.fullmatch(NAME, name) or name.endswith((".yaml", ".yml")):
        raise UserError(
            f"NAME: '{name}' is no name of a study, which has only lower-case letters, digits, "
            "dot, hyphen and underscore, a letter or digit first, and no .yaml at its end. Take "
            "another NAME; the study's title may be anything."
        )
    if _is_taken(name):
        raise UserError(f"NAME: '{name}' is a name of the workflow's own. Take another NAME.")
    path = Path(f"config/studies/{name}.yaml")
    if path.exists():
        raise UserError(f"{path} is there already. Take another NAME, or move it away.")
    return path


def _is_taken(name: str) -> bool:
    return name in RESERVED or (SCRIPTS / f"{name}.py").is_file()


def check_study_name(path: Path) -> None:
    """A study bears its file's name, in targets, paths and tables."""
    if _is_taken(path.stem):
        raise UserError(f"{path}: '{path.stem}' is a name of the workflow's own; rename the file.")
    if not re.fullmatch(NAME, path.stem):
        raise UserError(
            f"{path}: a study is called by its file's name, which may have only lower-case "
            "letters, digits, dot, hyphen and underscore. Rename the file; its title may be "
            "anything."
        )


def load_study(path: Path, scale: str) -> Study:
    """Read a study's YAML, lay its entry of `scales` over it, and write out its sweeps."""
    study = study_of(read_study(path, scale), path)
    _check_files(study, path)
    return study


def read_study(path: Path, scale: str) -> dict:
    """A study's YAML with its entry of `scales` laid over it, unchecked."""
    data = read_yaml(path)
    scales = data.pop("scales", None) or {}
    if scales and scale not in scales:
        raise UserError(f"{path}: scales: no scale '{scale}'. {nearest(scale, scales)}")
    return merged(data, scales.get(scale) or {})


def study_of(data: dict, path: Path) -> Study:
    """The checked study of a file's data; `path` is for messages."""
    try:
        data = expanded(data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return validated(Study, data, str(path))


def _check_files(study: Study, path: Path) -> None:
    """Find what is missing or unreadable now, not after an hour of other jobs."""
    from snaketune.bases import TINY, check_model_folder
    from snaketune.cities import read_cities
    from snaketune.gptq import check_declared

    for key, dataset in study.datasets.items():
        source = dataset.source
        if isinstance(source, WeatherSource):
            _explained(f"{path}: datasets.{key}.source.cities", read_cities, Path(source.cities))
        paths = [source.path] if isinstance(source, FileSource) else []
        if isinstance(source, TableSource) or (
            isinstance(source, ProblemsSource) and not source.obtain
        ):
            paths = list(source.paths().values())
        if isinstance(source, QuestionsSource):
            paths = source.paths()
        for missing in (p for p in paths if not Path(p).is_file()):
            raise UserError(f"{path}: datasets.{key}.source.path: no file {missing}")
    for key, site in study.sites.items():
        if site.own_file() and not Path(site.own_file()).is_file():
            raise UserError(f"{path}: sites.{key}.spider: no file {site.own_file()}")
    used = {adapter.base for adapter in study.adapters.values()}
    used |= {model.base for model in study.models.values()}
    if "tiny" in used:
        _explained(str(path), check_model_folder, TINY)
    for key, base in study.bases.items():
        if isinstance(base, LocalBase):
            _explained(f"{path}: bases.{key}.path", check_model_folder, Path(base.path))
            _explained(str(path), check_declared, key, base.quantized, Path(base.path))
        if base.chat_template and not Path(base.chat_template).is_file():
            raise UserError(f"{path}: bases.{key}.chat_template: no file {base.chat_template}")


def _explained(where: str, check: Callable, *arguments: Any) -> None:
    try:
        check(*arguments)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def resolve(config: dict) -> dict:
    """The whole config: `config.yaml`'s keys checked, each study resolved, every default filled in.

    Returns {"run", "scale", "note", "machine", "studies": {name: study}, "bases": {name: base}};
    raises UserError with all that is wrong in the first file that has a fault.
    """
    run = validated(Run, config, "config")
    studies: dict[str, Study] = {}
    for entry in run.studies:
        path = study_path(entry)
        check_study_name(path)
        if path.stem in studies:
            raise UserError(f"studies: '{path.stem}' stands there twice")
        studies[path.stem] = load_study(path, run.scale)
    _check_endpoints(studies)
    return {
        **run.model_dump(mode="json", exclude={"studies"}),
        "studies": {name: _dumped(study) for name, study in studies.items()},
        "bases": _shared_bases(studies),
    }


def _dumped(study: Study) -> dict:
    """A study as the rules see it: JSON values, with each grid its `points`, folds spelled out, and
    in `unscored` each (model, dataset, split) that is asked for a submission alone."""
    dumped = study.model_dump(mode="json")
    for name, grid in study.grids.items():
        dumped["grids"][name]["points"] = [
            {"method": point.method, "weight": point.weight, "model": point.model}
            for point in grid_points(name, grid, study.models)
        ]
    evaluated = [(m, e.dataset, e.split) for e in study.evaluations for m in e.models or []]
    sent = [(wanted.model, wanted.dataset, wanted.split) for wanted in study.submission.values()]
    dumped["unscored"] = [place for place in dict.fromkeys(sent) if place not in evaluated]
    return unfolded(dumped)


def _check_endpoints(studies: dict[str, Study]) -> None:
    """A name must mean one endpoint: budgets and the ledger go by it."""
    known: dict[str, tuple[str, dict]] = {}
    for study, settings in studies.items():
        for name, endpoint in settings.endpoints.items():
            dumped = endpoint.model_dump(mode="json")
            first, other = known.setdefault(name, (study, dumped))
            if other != dumped:
                raise UserError(
                    f"endpoints.{name}: studies '{first}' and '{study}' mean different addresses, "
                    "prices or budgets by it; rename one"
                )


def _shared_bases(studies: dict[str, Study]) -> dict[str, dict]:
    """Bases of all studies by name: they are downloaded once, so a name must mean one base."""
    bases: dict[str, tuple[str, dict]] = {}
    for study, settings in studies.items():
        for name, base in settings.bases.items():
            dumped = base.model_dump(mode="json")
            first, known = bases.setdefault(name, (study, dumped))
            if known != dumped:
                raise UserError(
                    f"bases.{name}: studies '{first}' and '{study}' mean different models by it; "
                    "rename one"
                )
    return {name: base for name, (_, base) in bases.items()}
