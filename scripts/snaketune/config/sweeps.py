"""Sweeps: an adapter with lists for values, or with `seeds`, becomes one adapter a combination.

What names a swept adapter follows it: stages that go on from it, models, grids, evaluations. The
rules see only what comes out, in which nothing is a sweep any more.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from snaketune.config.common import NAME
from snaketune.errors import UserError

SEEDS = "seeds"
"""Key of an adapter that lists values of training.seed; results are averaged over them."""
SEED = ("training", "seed")
PARTS = ("training", "lora", "quantization")
LISTS = {("lora", "target_modules")}
"""Settings that are lists by themselves: a sweep over them is a list of lists."""


@dataclass(frozen=True)
class Axis:
    """One setting and the values that it takes, with the texts that stand for them in names."""

    path: tuple[str, ...]
    texts: tuple[str, ...]
    owner: str = field(compare=False)
    """The adapter whose setting it is. Adapters with the same values at the same path share the
    axis: in sums and in stages, equal values go together."""
    values: tuple[Any, ...] = field(compare=False)


Choice = dict[Axis, int]
"""Which value of each axis is meant."""


def expanded(study: dict) -> dict:
    """A study's data with each sweep written out.

    Raises:
        UserError: a list without values or with one twice, seeds stated in two ways, a name that
            is taken already, or a swept model where only one can stand.
    """
    adapters = study.get("adapters")
    if not isinstance(adapters, dict) or not all(isinstance(a, dict) for a in adapters.values()):
        return study  # for the checks of the config to refuse
    sweeps = _Sweeps(adapters)
    return sweeps.written_out(study) if sweeps.swept else study


class _Sweeps:
    """The sweeps of one study."""

    def __init__(self, adapters: dict[str, dict]):
        self.adapters = adapters
        self.own = {name: list(_own_axes(name, adapter)) for name, adapter in adapters.items()}

    @cached_property
    def axes(self) -> dict[str, list[Axis]]:
        """Axes of each adapter, those of the stages before it first."""
        return {name: self._with_earlier(name) for name in self.adapters}

    @cached_property
    def swept(self) -> set[str]:
        """Names of the adapters that become several."""
        return {name for name, axes in self.axes.items() if axes}

    def _with_earlier(self, name: str) -> list[Axis]:
        found, seen = list(self.own[name]), {name}
        earlier = self.adapters[name].get("init_from")
        while isinstance(earlier, str) and earlier in self.own and earlier not in seen:
            seen.add(earlier)
            found = self.own[earlier] + found
            earlier = self.adapters[earlier].get("init_from")
        return _ordered(found)

    def written_out(self, study: dict) -> dict:
        adapters = self._all(self.adapters, self._adapter)
        models = self._all(_part(study, "models"), self._model)
        grids = self._all(_part(study, "grids"), self._grid)
        made = {**study, "adapters": adapters}
        for key, names in (("models", models), ("grids", grids)):
            if key in study:
                made[key] = names
        self._refuse_ambiguous(study, "baseline", study.get("baseline"))
        for name, wanted in _part(study, "submission").items():
            model = wanted.get("model") if isinstance(wanted, dict) else None
            self._refuse_ambiguous(study, f"submission.{name}.model", model)
        if isinstance(study.get("evaluations"), list):
            made["evaluations"] = [self._asked(study, e) for e in study["evaluations"]]
        if "mmlu" in study:
            made["mmlu"] = self._asked(study, study["mmlu"])
        return made

    def _all(self, things: dict, variants: Any) -> dict:
        made: dict[str, Any] = {}
        for name, thing in things.items():
            for variant, content in variants(name, thing):
                if variant in made or (variant in things and variant != name):
                    raise UserError(f"'{variant}' is the name of two; rename one of them")
                made[variant] = content
        return made

    def _adapter(self, name: str, adapter: dict) -> Iterator[tuple[str, dict]]:
        for choice in choices(self.axes[name]):
            made = {key: value for key, value in adapter.items() if key != SEEDS}
            for axis in self.own[name]:
                made = _set(made, axis.path, axis.values[choice[axis]])
            if made.get("init_from") in self.swept:
                made["init_from"] = self._named(made["init_from"], choice)
            yield self._named(name, choice), made

    def _named(self, adapter: str, choice: Choice) -> str:
        return named(adapter, self.axes.get(adapter, []), choice)

    def _axes_of(self, adapters: Iterable[Any]) -> list[Axis]:
        """Axes of something that is made of adapters."""
        found = [self.axes.get(name, []) for name in adapters if isinstance(name, str)]
        return _ordered(axis for axes in found for axis in axes)

    def _model(self, name: str, model: Any) -> Iterator[tuple[str, Any]]:
        axes = self._axes_of(_adapters_of(model))
        if not axes:
            yield name, model
            return
        kept = [axis for axis in axes if axis.path != SEED]
        for choice in choices(axes):
            variant: dict[str, Any] = {"of": name}
            if len(kept) < len(axes):
                variant["average_as"] = named(name, kept, choice)
            made = {**model, "variant": variant}
            if "adapter" in made:
                made["adapter"] = self._named(made["adapter"], choice)
            if "combine" in made:
                weights = made["combine"]["weights"]
                weights = {self._named(part, choice): w for part, w in weights.items()}
                made["combine"] = {**made["combine"], "weights": weights}
            yield named(name, axes, choice), made

    def _grid(self, name: str, grid: Any) -> Iterator[tuple[str, Any]]:
        ends = [grid.get(end) for end in ("start", "end")] if isinstance(grid, dict) else []
        axes = self._axes_of(ends)
        for choice in choices(axes):
            over = {end: self._named(grid[end], choice) for end in ("start", "end") if axes}
            yield named(name, axes, choice), {**grid, **over} if over else grid

    def _asked(self, study: dict, asking: Any) -> Any:
        """Something that has a list of models, with those that they became."""
        if not isinstance(asking, dict) or not isinstance(asking.get("models"), list):
            return asking
        models = [name for asked in asking["models"] for name in self._variants(study, asked)]
        return {**asking, "models": models}

    def _variants(self, study: dict, name: Any) -> list[Any]:
        """Names of the models or grids that a model or grid became."""
        for key, variants in (("models", self._model), ("grids", self._grid)):
            things = _part(study, key)
            if isinstance(name, str) and name in things:
                return [variant for variant, _ in variants(name, things[name])]
        return [name]

    def _refuse_ambiguous(self, study: dict, where: str, name: Any) -> None:
        variants = self._variants(study, name)
        if len(variants) > 1:
            raise UserError(f"{where}: '{name}' is swept; name one of {', '.join(variants)}")


def _ordered(axes: Iterable[Axis]) -> list[Axis]:
    """Each axis once, by its setting, seeds last: names do not hang on the order of keys."""
    order = {axis: (axis.path == SEED, axis.path, axis.owner) for axis in axes}
    return sorted(order, key=order.__getitem__)


def choices(axes: list[Axis]) -> Iterator[Choice]:
    """Every combination of the axes' values; a single empty one of no axes."""
    for places in product(*(range(len(axis.texts)) for axis in axes)):
        yield dict(zip(axes, places, strict=True))


def named(name: str, axes: list[Axis], choice: Choice) -> str:
    """`name` with the values that were chosen for it, as in `one.r-8.learning_rate-5e-5.seed-1`.

    Where two axes are of the same setting, the adapter that each belongs to stands before it.
    """
    paths = [axis.path for axis in axes]
    labels = [
        f"{f'{axis.owner}-' if paths.count(axis.path) > 1 else ''}{axis.path[-1]}-"
        f"{axis.texts[choice[axis]]}"
        for axis in axes
    ]
    return ".".join([name, *labels])


def _own_axes(name: str, adapter: dict) -> Iterator[Axis]:
    """The lists among an adapter's own settings."""
    for key, value in adapter.items():
        if key in PARTS and isinstance(value, dict):
            for leaf, inner in value.items():
                yield from _axis(name, (key, leaf), inner)
        elif key != SEEDS:
            yield from _axis(name, (key,), value)
    if SEEDS in adapter:
        if isinstance((adapter.get("training") or {}).get("seed"), list):
            raise UserError(f"adapters.{name}.{SEEDS}: training.seed is a list, too; state one")
        if not isinstance(adapter[SEEDS], list):
            raise UserError(f"adapters.{name}.{SEEDS}: a list is expected, as in [0, 1, 2]")
        yield from _axis(name, SEED, adapter[SEEDS], f"adapters.{name}.{SEEDS}")


def _axis(name: str, path: tuple[str, ...], value: Any, where: str = "") -> Iterator[Axis]:
    where = where or f"adapters.{name}.{'.'.join(path)}"
    if not isinstance(value, list) or (
        path in LISTS and not any(isinstance(one, list) for one in value)
    ):
        return
    if not value:
        raise UserError(f"{where}: the list is empty, so there is nothing to train")
    texts = tuple(map(text_of, value))
    for text in texts:
        if texts.count(text) > 1:
            raise UserError(f"{where}: {text} stands there twice")
        if not re.fullmatch(NAME, f"a{text}"):
            raise UserError(f"{where}: '{text}' cannot be part of a name")
    yield Axis(path, texts, name, tuple(value))


def text_of(value: Any) -> str:
    """A value as it stands in names: `5e-5`, `true`, `q_proj-v_proj`."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return "-".join(map(text_of, inner))
    try:
        number = float(value)  # a text, too: YAML takes 5e-5 for one
    except ValueError:
        return re.sub(r"[^a-z0-9_.-]+", "-", str(value).lower())
    if math.isfinite(number) and number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return re.sub(r"e([+-])0*", lambda sign: f"e{sign[1].strip('+')}", repr(number))


def _set(adapter: dict, path: tuple[str, ...], value: Any) -> dict:
    """A copy of an adapter with one setting changed."""
    if len(path) == 1:
        return {**adapter, path[0]: value}
    inner = adapter.get(path[0])
    return {**adapter, path[0]: {**(inner if isinstance(inner, dict) else {}), path[1]: value}}


def _adapters_of(model: Any) -> list[Any]:
    if not isinstance(model, dict):
        return []
    combine = model.get("combine")
    weights = combine.get("weights") if isinstance(combine, dict) else None
    return [model.get("adapter"), *(weights if isinstance(weights, dict) else [])]


def _part(study: dict, key: str) -> dict:
    return study[key] if isinstance(study.get(key), dict) else {}
