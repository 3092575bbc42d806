"""A session: questions to models that share one base, or to one behind an address or server.

So predict.py's settings give them.
"""

from pathlib import Path

from pydantic import model_validator

from snaketune.config.common import Name, Strict
from snaketune.config.data import Prompt
from snaketune.config.engines import EngineName, Serve, Vllm
from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling


class Tuned(Strict):
    """What a model adds to the base: an unmerged adapter, trained or combined, or nothing."""

    adapter: Path | None = None
    """Folder of the adapter; its name is the adapter's."""
    recipe: Path | None = None
    """recipe.yaml of the adapter, or of a combination's first part: how the base is loaded."""

    @model_validator(mode="after")
    def _together(self) -> "Tuned":
        if bool(self.adapter) != bool(self.recipe):
            raise ValueError("adapter and recipe go together: the recipe says how the base loads")
        return self


class Served(Strict):
    """Where a session's model is behind an address, and what the ledger says of its requests."""

    study: Name
    name: Name
    """Of the endpoint."""
    endpoint: Endpoint


class Question(Strict):
    """One model asked one split of one dataset."""

    model: Name
    dataset: Name
    split: str
    records: Path
    prompt: Prompt
    out: Path
    """Receives one line of responses a record."""
    metrics: Path
    """Receives speed and versions, as JSON."""


class Session(Strict):
    """All that one process asks."""

    sampling: Sampling
    models: dict[Name, Tuned]
    questions: list[Question]
    endpoint: Served | None = None
    """null: the weights are here."""
    engine: EngineName = "transformers"
    """What answers in this process."""
    serve: Serve | None = None
    """A server to start, which answers instead."""
    vllm: Vllm = Vllm()

    @model_validator(mode="after")
    def _served_alone(self) -> "Session":
        alone = len(self.models) == 1 and not any(t.adapter for t in self.models.values())
        for key in ("endpoint", "serve"):
            if getattr(self, key) and not alone:
                raise ValueError(f"{key}: such a session has one model, and no adapter here")
        return self

    @model_validator(mode="after")
    def _known_models(self) -> "Session":
        for index, question in enumerate(self.questions):
            if question.model not in self.models:
                raise ValueError(f"questions.{index}.model: no model '{question.model}'")
        return self

    def in_order(self) -> list[Question]:
        """The questions by model, dataset and split.

        Prompts that two questions share are generated in the first one's batches, whose rounding
        must not depend on the order in which the questions were given.
        """
        return sorted(self.questions, key=lambda q: (q.model, q.dataset, q.split))
