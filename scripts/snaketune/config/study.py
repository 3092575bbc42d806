"""A study: one YAML of config/studies, resolved for one scale, its references checked."""

from typing import Literal

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict, nearest
from snaketune.config.data import PLACEHOLDER, Dataset, Prompt
from snaketune.config.tuning import Adapter, Base, Model, Sampling, TinyBase


class Evaluation(Strict):
    """One split of one dataset, asked of some models."""

    dataset: Name
    split: Literal["train", "validation", "test"] = "test"
    models: list[Name] | None = None
    """null: all models of the study."""


class Published(Strict):
    """A number that the study's text reports, shown beside ours."""

    model: Name
    dataset: Name
    metric: str = "exact_match"
    value: float = Field(ge=0, le=1)


class Study(Strict):
    """One fine-tuning study: data, prompts, adapters, models, evaluations."""

    title: str
    prompts: dict[Name, Prompt] = Field(min_length=1)
    datasets: dict[Name, Dataset] = Field(min_length=1)
    bases: dict[Name, Base] = {}
    """Bases that the study adds to `tiny`, which is always there."""
    adapters: dict[Name, Adapter] = {}
    models: dict[Name, Model] = Field(min_length=1)
    baseline: Name
    """The model that every other one is compared with, record by record."""
    evaluations: list[Evaluation] = Field(min_length=1)
    sampling: Sampling = Sampling()
    published: list[Published] = []

    @model_validator(mode="after")
    def _fill_in(self) -> "Study":
        self.bases = {"tiny": TinyBase(source="tiny"), **self.bases}
        for evaluation in self.evaluations:
            if evaluation.models is None:
                evaluation.models = list(self.models)
        for model in self.models.values():
            if model.base is None and model.adapter in self.adapters:
                model.base = self.adapters[model.adapter].base
        return self

    @model_validator(mode="after")
    def _references(self) -> "Study":
        known = {
            "prompt": self.prompts,
            "dataset": self.datasets,
            "base": self.bases,
            "adapter": self.adapters,
            "model": self.models,
        }
        for where, kind, name in self._named():
            if name not in known[kind]:
                raise ValueError(f"{where}: no {kind} '{name}'. {nearest(name, known[kind])}")
        self._check_prompts()
        self._check_models()
        self._check_splits()
        self._check_published()
        return self

    def _named(self):
        """Every reference by name: (key, kind of thing, name)."""
        for key, dataset in self.datasets.items():
            yield f"datasets.{key}.prompt", "prompt", dataset.prompt
        for key, adapter in self.adapters.items():
            yield f"adapters.{key}.base", "base", adapter.base
            yield f"adapters.{key}.dataset", "dataset", adapter.dataset
        for key, model in self.models.items():
            if model.adapter:
                yield f"models.{key}.adapter", "adapter", model.adapter
            if model.base:
                yield f"models.{key}.base", "base", model.base
        yield "baseline", "model", self.baseline
        for index, evaluation in enumerate(self.evaluations):
            yield f"evaluations.{index}.dataset", "dataset", evaluation.dataset
            for name in evaluation.models or []:
                yield f"evaluations.{index}.models", "model", name
        for index, number in enumerate(self.published):
            yield f"published.{index}.model", "model", number.model
            yield f"published.{index}.dataset", "dataset", number.dataset

    def _check_prompts(self) -> None:
        for key, dataset in self.datasets.items():
            prompt, fields = self.prompts[dataset.prompt], dataset.source.field_names()
            answers = fields | dataset.source.label_names() | {"label"}
            for part, known in (("system", fields), ("user", fields), ("answer", answers)):
                for field in PLACEHOLDER.findall(getattr(prompt, part) or ""):
                    if field not in known:
                        raise ValueError(
                            f"prompts.{dataset.prompt}.{part}: dataset '{key}' has no {{{field}}}. "
                            f"{nearest(field, known)}"
                        )

    def _check_models(self) -> None:
        for key, model in self.models.items():
            adapter = self.adapters.get(model.adapter) if model.adapter else None
            if adapter and adapter.base != model.base:
                raise ValueError(
                    f"models.{key}: adapter '{model.adapter}' was trained on base "
                    f"'{adapter.base}', not on '{model.base}'"
                )
        pairs = [(m, e.dataset, e.split) for e in self.evaluations for m in e.models or []]
        for model, dataset, split in pairs:
            if pairs.count((model, dataset, split)) > 1:
                raise ValueError(f"evaluations: {model} on {dataset}/{split} is asked for twice")
            if (self.baseline, dataset, split) not in pairs:
                raise ValueError(
                    f"evaluations: {dataset}/{split} lacks the baseline model '{self.baseline}', "
                    "so nothing could be compared on it"
                )

    def _check_splits(self) -> None:
        """A split that is trained on or asked must have a share of the records."""
        wanted = [(f"adapters.{k}", a.dataset, "train") for k, a in self.adapters.items()]
        wanted += [(f"evaluations.{i}", e.dataset, e.split) for i, e in enumerate(self.evaluations)]
        for where, dataset, split in wanted:
            if getattr(self.datasets[dataset].split, split) == 0:
                raise ValueError(
                    f"{where}: datasets.{dataset}.split.{split} is 0, so there are no records"
                )

    def _check_published(self) -> None:
        for index, number in enumerate(self.published):
            known = self.datasets[number.dataset].extract.metric_names()
            if number.metric not in known:
                raise ValueError(
                    f"published.{index}.metric: no metric '{number.metric}'. "
                    f"{nearest(number.metric, known)}"
                )
