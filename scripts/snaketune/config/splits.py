"""How a dataset is split: by shares or numbers, in folds, with a part held out."""

from typing import Literal

from pydantic import Field, model_validator

from snaketune.config.common import Strict


class Split(Strict):
    """What goes to each split; records of one group stay together.

    A number up to 1 is a share, a larger one so many records (as near as whole groups allow). With
    numbers of records, train takes what is left.
    """

    train: float | None = Field(None, ge=0, le=1)
    """null: what validation and test leave; 0.7 where none of the three is stated."""
    validation: float = Field(0.1, ge=0)
    test: float = Field(0.2, ge=0)
    seed: int = 0
    stratify: Literal["label"] | None = None
    """label: of each label every split has its share, as near to it as whole groups allow. null: a
    bank's questions are stratified by their type, others not."""
    folds: int | None = Field(None, gt=1)
    """Cross-validation: the groups in so many parts, each the test once. Adapters trained on the
    dataset, and the models of them, are there once a fold (NAME.1 …), and their answers are scored
    together; train and test follow from it."""
    fold: int | None = Field(None, gt=0)
    """Only this one of the folds, from 1; null takes each in turn."""

    @model_validator(mode="after")
    def _folded(self) -> "Split":
        if self.folds is None:
            if self.fold:
                raise ValueError("fold: is one of folds, which are not stated")
            return self
        if self.fold and self.fold > self.folds:
            raise ValueError(f"fold: {self.fold} of only {self.folds}")
        if self.validation >= 1 - 1 / self.folds:
            raise ValueError("validation: a share that leaves something to train on is needed")
        follow = {"test": 1 / self.folds, "train": 1 - 1 / self.folds - self.validation}
        for name in self.model_fields_set & follow.keys():
            if getattr(self, name) not in (None, follow[name]):
                raise ValueError("folds: train and test follow from it; state neither")
        self.test, self.train = follow["test"], follow["train"]
        return self

    @model_validator(mode="after")
    def _sum(self) -> "Split":
        counts = [name for name in ("validation", "test") if getattr(self, name) > 1]
        for name in counts:
            if getattr(self, name) != int(getattr(self, name)):
                raise ValueError(f"{name}: {getattr(self, name):g} is no number of records")
        if counts and self.train is not None:
            raise ValueError(f"train: takes what {' and '.join(counts)} leave; state none")
        if counts:
            return self
        if self.train is None:
            self.train = max(0.0, round(1 - self.validation - self.test, 12))
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        return self

    def holds(self, split: str) -> bool:
        """Whether a split is to have records."""
        return getattr(self, split) != 0


class HeldOut(Strict):
    """Validation records drawn from the training split that a source gives."""

    records: int = Field(gt=0)
    """So many, or as near to it as whole groups allow; labels in the shares that all have."""
    seed: int = 0
