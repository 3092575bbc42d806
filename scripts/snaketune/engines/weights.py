"""One base in memory, and the adapters that are put on it and taken off again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
from transformers import PreTrainedModel


class SharedWeights:
    """Weights that several models share, loaded when the first of them has something to answer.

    An adapter is loaded when it is first used and stays: beside its base it is small.
    """

    def __init__(self, load: Callable[[], PreTrainedModel]):
        self._load = load
        self._model: PreTrainedModel | None = None
        self._wrapped = None  # PEFT's model around it, once there is an adapter
        self._names: dict[Path, str] = {}
        self.loading_seconds: float | None = None
        """Spent so far on base and adapters; None while nothing is loaded."""

    @property
    def device(self) -> str | None:
        """Where the weights are; None while nothing is loaded."""
        return str(self._model.device) if self._model is not None else None

    def load(self, adapter: Path | None) -> None:
        """Bring the base and an adapter into memory, where they are not there yet."""
        if self._model is not None and (adapter is None or adapter in self._names):
            return
        start = time.monotonic()
        if self._model is None:
            self._model = self._load()
        if adapter is not None:
            # a name of our own: PyTorch allows no dot in it, as 0.25 of a grid has
            name = f"adapter{len(self._names)}"
            self._wrapped = loading.load_adapter(self._wrapped or self._model, adapter, name)
            self._names[adapter] = name
        self.loading_seconds = (self.loading_seconds or 0.0) + time.monotonic() - start

    @contextmanager
    def carrying(self, adapter: Path | None) -> Iterator[PreTrainedModel]:
        """The model with one adapter, or with none, active in the block.

        PEFT puts adapters into the base's own layers, so it is always the base that is run.
        """
        self.load(adapter)
        if adapter is not None:
            self._wrapped.set_adapter(self._names[adapter], inference_mode=True)
            yield self._model
        elif self._wrapped is not None:
            with self._wrapped.disable_adapter():
                yield self._model
        else:
            yield self._model
