"""A test of general ability before and after tuning, by lm-evaluation-harness."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict


class Mmlu(Strict):
    """Multiple-choice questions that tuning did not teach, asked of models before and after it.

    Log-likelihoods of the letters behind a few examples, the same for every model; no chat
    template, no reasoning.
    """

    tasks: list[str] = []
    """Tasks or groups of lm-evaluation-harness, as `mmlu`, whose data come from the hub."""
    path: str | None = None
    """A folder in place of tasks: `dev/{subject}_dev.csv` and `test/{subject}_test.csv` in MMLU's
    own form (question, four options, letter; no header)."""
    models: list[Name] = Field(min_length=1)
    """Models of the study; the baseline, which they are compared with, is always among them."""
    num_fewshot: int = Field(5, ge=0)
    """Examples before each question, from the subject's dev part, the first ones."""
    limit: int | None = Field(None, gt=0)
    """Questions of each subject, the first ones; null: all."""
    batch_size: int = Field(8, gt=0)
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """What weights are loaded as that no recipe quantises."""

    @model_validator(mode="after")
    def _one_source(self) -> "Mmlu":
        if bool(self.tasks) == bool(self.path):
            raise ValueError("tasks, path: state one of them, where the questions come from")
        for name in self.models:
            if self.models.count(name) > 1:
                raise ValueError(f"models: {name} is asked twice")
        return self

    def with_baseline(self, baseline: str) -> list[str]:
        """The models asked, the baseline first."""
        return [baseline, *(name for name in self.models if name != baseline)]

    def check(self, models: Mapping[str, Any], evaluations: Iterable[Any]) -> None:
        """Likelihoods of letters need weights here, and weights are made of models asked.

        Args:
            models: of the study, by name.
            evaluations: of the study.
        """
        asked = {name for evaluation in evaluations for name in evaluation.models}
        for name in self.models:
            if models[name].endpoint:
                raise ValueError(
                    f"mmlu.models: '{name}' is behind an address, which gives no likelihoods of "
                    "letters; name models with weights here"
                )
            if name not in asked:
                raise ValueError(f"mmlu.models: no evaluation asks '{name}'; add it to one")
