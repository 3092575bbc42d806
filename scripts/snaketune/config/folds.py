"""Cross-validation: a study with folds, spelled out for the rules.

Each fold of a dataset is a dataset of its own, NAME.1 … NAME.k, whose test split the others have
not; an adapter trained on the dataset becomes one a fold, and so does a model of such an adapter.
What the folds' models answer is pooled under the declared names: each record of the dataset is
answered once, by a model that has not met its group.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snaketune.config.study import Study


def unfolded(study: dict[str, Any]) -> dict[str, Any]:
    """A study, dumped as JSON values, in which everything that has folds is there once a fold.

    Returns:
        The study with `pooled`: what is put together from folds, each `{"model", "dataset",
        "split", "parts": [[model, dataset], …]}`; and `declared_models`, the names of the models
        before, which tables show. Datasets get `fold_of`, the dataset that a fold is made from, or
        None.
    """
    made = copy.deepcopy(study)
    made["declared_models"] = list(study["models"])
    made["pooled"] = []
    made["datasets"] = {name: {**item, "fold_of": None} for name, item in study["datasets"].items()}
    folds = {name: folds_of(item["split"]) for name, item in study["datasets"].items()}
    for name in (name for name, count in folds.items() if count):
        _unfold(made, study, name, folds[name])
    return made


def folds_of(split: Any) -> int:
    """How many folds a dataset is taken through, 0 for none."""
    return split["folds"] or 0 if isinstance(split, dict) and not split["fold"] else 0


def check_folds(study: Study) -> None:
    """Raise a ValueError for what cannot be done once a fold."""
    folded = {
        key: folds_of(dataset.split.model_dump())
        for key, dataset in study.datasets.items()
        if dataset.split != "given" and folds_of(dataset.split.model_dump())
    }
    homes = {
        key: adapter.dataset for key, adapter in study.adapters.items() if adapter.dataset in folded
    }
    for key in folded:
        if study.datasets[key].distill:
            raise ValueError(
                f"datasets.{key}.distill: a teacher would be asked anew in each fold; distil a "
                "dataset without folds"
            )
        if study.datasets[key].judge:
            raise ValueError(
                f"datasets.{key}.judge: what is judged has no folds; judge a dataset without them"
            )
        for kind, named in (("datasets", study.datasets), ("adapters", study.adapters)):
            folds = range(1, folded[key] + 1)
            clash = {f"{name}.{fold}" for name in (key, *homes) for fold in folds} & set(named)
            if clash:
                raise ValueError(f"{kind}.{min(clash)}: a fold would have this name; rename one")
    for key, adapter in study.adapters.items():
        first = adapter.init_from
        if first and homes.get(key) != homes.get(first):
            raise ValueError(
                f"adapters.{key}.init_from: '{first}' is trained on other folds, or on none, so it "
                "could have met this adapter's test records"
            )
    for key, grid in study.grids.items():
        if {grid.start, grid.end} & set(homes):
            raise ValueError(f"grids.{key}: adapters that are there once a fold have no grid")
    for key, model in study.models.items():
        if len({homes.get(name) for name in model.adapters()}) > 1:
            raise ValueError(f"models.{key}.combine: its adapters are not all of the same folds")
    _check_asked(study, folded, homes)


def _check_asked(study: Study, folded: dict[str, int], homes: dict[str, str]) -> None:
    """Who is asked what: a fold's model answers the test of its fold, and nothing else."""
    home = {key: homes.get((model.adapters() or [""])[0]) for key, model in study.models.items()}
    for index, evaluation in enumerate(study.evaluations):
        where, dataset = f"evaluations.{index}", evaluation.dataset
        if dataset in folded and evaluation.split != "test":
            raise ValueError(f"{where}.split: of folds the test is what is asked")
        for model in evaluation.models or []:
            if home[model] and home[model] != dataset:
                raise ValueError(
                    f"{where}: '{model}' is there once a fold of '{home[model]}', so it can be "
                    "asked nothing else; train an adapter on all records for that"
                )
    asked = study.mmlu.models if study.mmlu else []
    for model in (model for model in asked if home[model]):
        raise ValueError(f"mmlu.models: '{model}' is there once a fold; name one that is not")
    for key, wanted in study.submission.items():
        if wanted.dataset in folded or home[wanted.model]:
            raise ValueError(
                f"submission.{key}: folds are for measuring; send what a model trained on all "
                "records answers to a dataset without folds"
            )


def _unfold(made: dict, study: dict, dataset: str, count: int) -> None:
    adapters = [name for name, item in study["adapters"].items() if item["dataset"] == dataset]
    models = [name for name, item in study["models"].items() if _parts(item) & set(adapters)]
    for name in adapters:
        del made["adapters"][name]
    for name in models:
        del made["models"][name]
    for fold in range(1, count + 1):
        item = copy.deepcopy(study["datasets"][dataset])
        item["split"]["fold"] = fold
        made["datasets"][f"{dataset}.{fold}"] = {**item, "fold_of": dataset}
        for name in adapters:
            made["adapters"][f"{name}.{fold}"] = _adapter(study["adapters"][name], dataset, fold)
        for name in models:
            made["models"][f"{name}.{fold}"] = _model(study["models"][name], fold)
    asked = [item for item in made["evaluations"] if item["dataset"] == dataset]
    made["evaluations"] = [item for item in made["evaluations"] if item["dataset"] != dataset]
    for item in asked:
        parts = {
            model: [
                [f"{model}.{fold}" if model in models else model, f"{dataset}.{fold}"]
                for fold in range(1, count + 1)
            ]
            for model in item["models"]
        }
        made["pooled"] += [
            {"model": model, "dataset": dataset, "split": item["split"], "parts": folds}
            for model, folds in parts.items()
        ]
        made["evaluations"] += [
            {
                "dataset": f"{dataset}.{fold}",
                "split": item["split"],
                "models": [folds[fold - 1][0] for folds in parts.values()],
            }
            for fold in range(1, count + 1)
        ]


def _parts(model: dict) -> set[str]:
    """Names of the adapters in a model."""
    weights = (model["combine"] or {}).get("weights", {})
    return {*weights, *([model["adapter"]] if model["adapter"] else [])}


def _adapter(adapter: dict, dataset: str, fold: int) -> dict:
    first = adapter["init_from"]
    return {
        **copy.deepcopy(adapter),
        "dataset": f"{dataset}.{fold}",
        "init_from": f"{first}.{fold}" if first else None,
    }


def _model(model: dict, fold: int) -> dict:
    made = copy.deepcopy(model)
    if made["adapter"]:
        made["adapter"] += f".{fold}"
    if made["combine"]:
        weights = made["combine"]["weights"]
        made["combine"]["weights"] = {f"{name}.{fold}": weight for name, weight in weights.items()}
    return made
