"""A study: one YAML of config/studies, resolved for one scale, its references checked."""

from collections import Counter
from typing import Literal, NamedTuple

from pydantic import Field, model_validator

from snaketune.config.ability import Mmlu
from snaketune.config.common import Name, Strict, nearest
from snaketune.config.data import PLACEHOLDER, REPLY, Dataset, Prompt
from snaketune.config.engines import EngineName, Vllm, check_engines
from snaketune.config.folds import check_folds
from snaketune.config.quantized import check_quantized
from snaketune.config.services import Endpoint
from snaketune.config.sites import Site
from snaketune.config.sources import Columns
from snaketune.config.submission import Submission, check_submissions
from snaketune.config.tuning import (
    Adapter,
    Base,
    Combination,
    Grid,
    Model,
    Sampling,
    TinyBase,
)

RULES = "rules"
"""The teacher that needs no address."""


class Evaluation(Strict):
    """One split of one dataset, asked of some models."""

    dataset: Name
    split: Literal["train", "validation", "test"] = "test"
    models: list[Name] | None = None
    """null: all models of the study. A grid's name stands for all its models."""


SAME_RANK = ("linear", "ties", "dare_linear")
"""Methods of summing adapters that need them to have one rank."""


class Published(Strict):
    """A number that the study's text reports, shown beside ours."""

    model: Name
    dataset: Name
    metric: str = "exact_match"
    value: float = Field(ge=0, le=1)
    n: int | None = Field(None, gt=0)
    """Records that it was measured on; with it the table says what lies inside the noise."""


class Study(Strict):
    """One fine-tuning study: data, prompts, adapters, models, evaluations."""

    title: str
    note: str | None = None
    """A sentence that stands beside its numbers in place of the run's; null: the run's."""
    prompts: dict[Name, Prompt] = Field(min_length=1)
    datasets: dict[Name, Dataset] = Field(min_length=1)
    bases: dict[Name, Base] = {}
    """Bases that the study adds to `tiny`, which is always there."""
    endpoints: dict[Name, Endpoint] = {}
    """Models behind an address, as teachers or to be asked."""
    sites: dict[Name, Site] = {}
    """Sites whose questions are crawled."""
    adapters: dict[Name, Adapter] = {}
    models: dict[Name, Model] = Field(min_length=1)
    grids: dict[Name, Grid] = {}
    """Each adds the models that lie between two adapters."""
    baseline: Name
    """The model that every other one is compared with, record by record."""
    evaluations: list[Evaluation] = Field(min_length=1)
    sampling: Sampling = Sampling()
    engine: EngineName = "transformers"
    """What answers for the models that say nothing else."""
    vllm: Vllm = Vllm()
    mmlu: Mmlu | None = None
    """General ability before and after tuning."""
    published: list[Published] = []
    submission: dict[Name, Submission] = {}
    """Files of answers for a competition, by their names."""

    @model_validator(mode="after")
    def _fill_in(self) -> "Study":
        self.bases = {"tiny": TinyBase(source="tiny"), **self.bases}
        for name, grid in self.grids.items():
            if name in self.models:
                raise ValueError(f"grids.{name}: a model has this name; rename one")
            for point in grid_points(name, grid, self.models):
                self.models.setdefault(point.model, point.made_of)
        for evaluation in self.evaluations:
            evaluation.models = self._models_named(evaluation)
        for model in self.models.values():
            if model.base is None and model.adapters() and model.adapters()[0] in self.adapters:
                model.base = self.adapters[model.adapters()[0]].base
            if not model.endpoint and not model.serve:
                model.engine = model.engine or self.engine
        if self.mmlu:
            self.mmlu.models = self.mmlu.with_baseline(self.baseline)
        return self

    def _models_named(self, evaluation: Evaluation) -> list[str]:
        if evaluation.models is None:
            return list(self.models)
        named: dict[str, None] = {}
        times = Counter(evaluation.models)
        for name in evaluation.models:
            if name in self.grids:
                points = grid_points(name, self.grids[name], self.models)
                named |= dict.fromkeys(point.model for point in points)
            elif times[name] > 1:
                raise ValueError(
                    f"evaluations: {name} on {evaluation.dataset}/{evaluation.split} is asked for "
                    "twice"
                )
            else:
                named[name] = None
        return list(named)

    @model_validator(mode="after")
    def _references(self) -> "Study":
        known = {
            "prompt": self.prompts,
            "dataset": self.datasets,
            "base": self.bases,
            "adapter": self.adapters,
            "model": self.models,
            "endpoint": {RULES: None, **self.endpoints},
            "site": self.sites,
            "served": self.endpoints,
            "model or sweep": {
                *self.models,
                *(model.variant.of for model in self.models.values() if model.variant),
            },
        }
        for where, kind, name in self._named():
            if name not in known[kind]:
                kind = kind.replace("served", "endpoint")
                raise ValueError(f"{where}: no {kind} '{name}'. {nearest(name, known[kind])}")
        self._check_prompts()
        self._check_stages()
        self._check_models()
        self._check_splits()
        self._check_published()
        self._check_votes()
        self._check_grids()
        if self.mmlu:
            self.mmlu.check(self.models, self.evaluations)
        check_engines(self)
        check_quantized(self)
        check_folds(self)
        check_submissions(self)
        return self

    def _named(self):
        """Every reference by name: (key, kind of thing, name)."""
        for key, dataset in self.datasets.items():
            yield f"datasets.{key}.prompt", "prompt", dataset.prompt
            for name in getattr(dataset.source, "sites", ()):
                yield f"datasets.{key}.source.sites", "site", name
            if dataset.distill:
                yield f"datasets.{key}.distill.teacher", "endpoint", dataset.distill.teacher
            if dataset.judge:
                yield f"datasets.{key}.judge.endpoint", "served", dataset.judge.endpoint
        for key, adapter in self.adapters.items():
            yield f"adapters.{key}.base", "base", adapter.base
            yield f"adapters.{key}.dataset", "dataset", adapter.dataset
            if adapter.prompt:
                yield f"adapters.{key}.prompt", "prompt", adapter.prompt
            if adapter.init_from:
                yield f"adapters.{key}.init_from", "adapter", adapter.init_from
        for key, model in self.models.items():
            for name in model.adapters():
                part = f"combine.weights.{name}" if model.combine else "adapter"
                yield f"models.{key}.{part}", "adapter", name
            if model.base:
                yield f"models.{key}.base", "base", model.base
            if model.endpoint:
                yield f"models.{key}.endpoint", "endpoint", model.endpoint
        for key, grid in self.grids.items():
            yield f"grids.{key}.start", "adapter", grid.start
            yield f"grids.{key}.end", "adapter", grid.end
        yield "baseline", "model", self.baseline
        for index, evaluation in enumerate(self.evaluations):
            yield f"evaluations.{index}.dataset", "dataset", evaluation.dataset
            for name in evaluation.models or []:
                yield f"evaluations.{index}.models", "model", name
        for key, wanted in self.submission.items():
            yield f"submission.{key}.dataset", "dataset", wanted.dataset
            yield f"submission.{key}.model", "model", wanted.model
        for name in self.mmlu.models if self.mmlu else []:
            yield "mmlu.models", "model", name
        for index, number in enumerate(self.published):
            yield f"published.{index}.model", "model or sweep", number.model
            yield f"published.{index}.dataset", "dataset", number.dataset

    def _check_prompts(self) -> None:
        """Every placeholder names something that the records it is filled from have."""
        for key, dataset in self.datasets.items():
            self._check_placeholders(key, dataset.prompt, dataset)
            if dataset.distill:
                fields = dataset.source.field_names() | {"label"}
                for part in ("system", "user"):
                    text = getattr(dataset.distill.prompt, part) or ""
                    _check_known(f"datasets.{key}.distill.prompt.{part}", text, key, fields)
            if dataset.judge:
                fields = dataset.source.field_names() | dataset.source.label_names()
                for part in ("system", "user"):
                    text = getattr(dataset.judge.prompt, part) or ""
                    known = fields | {"label", REPLY}
                    _check_known(f"datasets.{key}.judge.prompt.{part}", text, key, known)
        for adapter in self.adapters.values():
            if adapter.prompt:
                self._check_placeholders(
                    adapter.dataset, adapter.prompt, self.datasets[adapter.dataset]
                )

    def _check_placeholders(self, key: str, name: str, dataset: Dataset) -> None:
        prompt, fields = self.prompts[name], dataset.source.field_names()
        answers = fields | dataset.source.label_names() | {"label"}
        answers |= dataset.source.answer_names()
        answers |= {"reasoning"} if dataset.distill else set()
        for part, known in (("system", fields), ("user", fields), ("answer", answers)):
            text = getattr(prompt, part) or ""
            for field in dataset.source.answer_names() & {*PLACEHOLDER.findall(text)}:
                if part != "answer":
                    raise ValueError(
                        f"prompts.{name}.{part}: {{{field}}} gives the answer away; take it out"
                    )
            _check_known(f"prompts.{name}.{part}", text, key, known)

    def _check_stages(self) -> None:
        """An adapter goes on from one of the same base and shape, and not from itself."""
        for key, adapter in self.adapters.items():
            before, seen = adapter, {key}
            while before.init_from:
                if before.init_from in seen:
                    raise ValueError(f"adapters.{key}.init_from: goes round in a circle")
                seen.add(before.init_from)
                before = self.adapters[before.init_from]
            if not adapter.init_from:
                continue
            first = self.adapters[adapter.init_from]
            for part in ("base", "lora", "quantization"):
                if getattr(first, part) != getattr(adapter, part):
                    raise ValueError(
                        f"adapters.{key}.{part}: differs from that of '{adapter.init_from}', "
                        "which it goes on from"
                    )

    def _check_models(self) -> None:
        for key, model in self.models.items():
            self._check_parts(key, model)
        pairs = Counter(
            (model, e.dataset, e.split) for e in self.evaluations for model in e.models or []
        )
        for (model, dataset, split), times in pairs.items():
            if times > 1:
                raise ValueError(f"evaluations: {model} on {dataset}/{split} is asked for twice")
            if (self.baseline, dataset, split) not in pairs:
                raise ValueError(
                    f"evaluations: {dataset}/{split} lacks the baseline model '{self.baseline}', "
                    "so nothing could be compared on it"
                )

    def _check_parts(self, key: str, model: Model) -> None:
        """The adapters of a model were trained on its base, and a sum's parts in one way."""
        first = None
        for name in model.adapters():
            adapter = self.adapters[name]
            first = first or adapter
            if adapter.base != model.base:
                raise ValueError(
                    f"models.{key}: adapter '{name}' was trained on base '{adapter.base}', not on "
                    f"'{model.base}'"
                )
            if adapter.quantization != first.quantization:
                raise ValueError(
                    f"models.{key}.combine: its adapters were trained on differently quantised "
                    "weights, so no base fits both"
                )
            same_rank = adapter.lora.r == first.lora.r
            if model.combine and model.combine.method in SAME_RANK and not same_rank:
                raise ValueError(
                    f"models.{key}.combine.method: {model.combine.method} adds matrices of one "
                    f"rank, but '{name}' has r {adapter.lora.r} and another {first.lora.r}; use "
                    "cat or svd"
                )
            if model.combine and adapter.lora.use_dora:
                raise ValueError(
                    f"models.{key}.combine: '{name}' is a DoRA adapter, whose magnitudes cannot be "
                    "summed"
                )
        ranks = sum(self.adapters[name].lora.r for name in model.adapters())
        if model.combine and (model.combine.rank or 0) > ranks:
            raise ValueError(
                f"models.{key}.combine.rank: {model.combine.rank} is over {ranks}, the ranks of "
                "its adapters together"
            )

    def _check_splits(self) -> None:
        """A split that is trained on or asked must have a share of the records."""
        wanted = [(f"adapters.{k}", a.dataset, "train") for k, a in self.adapters.items()]
        wanted += [(f"evaluations.{i}", e.dataset, e.split) for i, e in enumerate(self.evaluations)]
        for where, dataset, split in wanted:
            if not self.datasets[dataset].has_split(split):
                given = self.datasets[dataset].split == "given"
                why = "is none that its source names" if given else "is 0"
                raise ValueError(
                    f"{where}: datasets.{dataset}.split.{split} {why}, so there are no records"
                )

        for key, adapter in self.adapters.items():
            source = self.datasets[adapter.dataset].source
            if isinstance(source, Columns) and source.label is None:
                raise ValueError(
                    f"adapters.{key}: datasets.{adapter.dataset}.source names no label, so there "
                    "is nothing to train on"
                )

    def _check_votes(self) -> None:
        """A vote that needs more responses than there are would make every record an abstention."""
        there = self.sampling.responses_per_record
        for key, dataset in self.datasets.items():
            for name, reading in getattr(dataset.extract, "readings", {}).items():
                if reading.vote.min_valid > there:
                    raise ValueError(
                        f"datasets.{key}.extract.readings.{name}.vote.min_valid: "
                        f"{reading.vote.min_valid} of only {there} responses a record; "
                        "raise sampling.responses_per_record"
                    )

    def _check_grids(self) -> None:
        """A picture needs its models asked."""
        asked = {model for evaluation in self.evaluations for model in evaluation.models or []}
        for name, grid in self.grids.items():
            missing = {p.model for p in grid_points(name, grid, self.models)} - asked
            if missing:
                raise ValueError(
                    f"grids.{name}: no evaluation asks {', '.join(sorted(missing))}; name the grid "
                    "among the models of one"
                )

    def _check_published(self) -> None:
        places = [(p.model, p.dataset, p.metric) for p in self.published]
        for place in places:
            if places.count(place) > 1:
                raise ValueError(f"published: two numbers for {' on '.join(place[:2])}, {place[2]}")
        for index, number in enumerate(self.published):
            known = self.datasets[number.dataset].metric_names()
            if number.metric not in known:
                raise ValueError(
                    f"published.{index}.metric: no metric '{number.metric}'. "
                    f"{nearest(number.metric, known)}"
                )


def _check_known(where: str, text: str, dataset: str, known: set[str]) -> None:
    for field in PLACEHOLDER.findall(text):
        if field not in known:
            raise ValueError(
                f"{where}: dataset '{dataset}' has no {{{field}}}. {nearest(field, known)}"
            )


class GridPoint(NamedTuple):
    """A model of a grid: its place, its name, and what it is made of."""

    method: str
    weight: float
    model: str
    made_of: Model


def grid_points(name: str, grid: Grid, models: dict[str, Model]) -> list[GridPoint]:
    """The models of a grid; at its ends those are `models` of the bare adapters, if there are."""
    bare = {m.adapter: key for key, m in reversed(models.items()) if m.adapter and not m.merge}
    points = []
    for method in grid.methods:
        for weight in grid.weights:
            end = grid.end if weight == 1 else grid.start
            if weight in (0, 1):
                made = Model(adapter=end, merge=False)
                model = bare.get(end, f"{name}.{weight:g}")
            else:
                weights = {grid.start: 1 - weight, grid.end: weight}
                made = Model(combine=Combination(weights=weights, method=method), merge=False)
                same = [
                    key for key, m in models.items() if m.combine == made.combine and not m.merge
                ]
                model = same[0] if same else f"{name}.{method}.{weight:g}"
            points.append(GridPoint(method, weight, model, made))
    return points
