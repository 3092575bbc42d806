"""What a competition is sent: answers to questions whose gold answers nobody has told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from snaketune.config.common import Name, Strict, nearest
from snaketune.config.problems import ListedOptions

if TYPE_CHECKING:
    from snaketune.config.study import Study


class Submission(Strict):
    """One file of answers, in the order and form of the competition."""

    dataset: Name
    split: Literal["train", "validation", "test"] = "test"
    model: Name
    reading: Name
    """What of the dataset's extract makes an answer of the replies."""
    fallback: str = "A"
    """The answer where the reading gives none; how often is counted. A stands for it where the
    question has no such option."""


def check_submissions(study: Study) -> None:
    """Raise a ValueError for a submission that could not be written."""
    for key, wanted in study.submission.items():
        where, dataset = f"submission.{key}", study.datasets[wanted.dataset]
        if not isinstance(dataset.source, ListedOptions):
            raise ValueError(
                f"{where}.dataset: '{wanted.dataset}' has no problems with numbered questions, as "
                "sources of kind problems and puzzles have"
            )
        known = dataset.extract.metric_names()
        if wanted.reading not in known:
            raise ValueError(
                f"{where}.reading: no reading '{wanted.reading}'. {nearest(wanted.reading, known)}"
            )
        labels = getattr(dataset.extract, "labels", [])
        if wanted.fallback not in labels:
            raise ValueError(
                f"{where}.fallback: no label '{wanted.fallback}'. "
                f"{nearest(wanted.fallback, labels)}"
            )
        if not dataset.has_split(wanted.split):
            raise ValueError(
                f"{where}: datasets.{wanted.dataset} has no records in its split {wanted.split}"
            )
        shares = {name: getattr(dataset.split, name) for name in ("train", "validation", "test")}
        others = [name for name, share in shares.items() if share and name != wanted.split]
        if others or dataset.duplicates != "keep":
            alone = ", ".join(f"{name}: {int(name == wanted.split)}" for name in shares)
            raise ValueError(
                f"{where}: a submission answers all questions, so datasets.{wanted.dataset} needs "
                f"duplicates: keep and split: {{{alone}}}"
            )
