"""The processes that train one adapter together, one a device, as torchrun starts them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

Value = TypeVar("Value")

PATIENCE = timedelta(days=30)
"""How long processes wait for each other: the first may have to wait for another run's lock.
torchrun ends all of them where one dies."""


def count() -> int:
    """How many processes train together; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes; the only one is."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def joined() -> Iterator[None]:
    """Let the processes speak with each other in the block; they leave it together."""
    if count() == 1:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)
    yield
    wait_for_all()
    distributed.destroy_process_group()


def from_first(make: Callable[[], Value]) -> Value:
    """What the first process makes, in every process."""
    if count() == 1:
        return make()
    values = [make() if is_first() else None]
    distributed.broadcast_object_list(values)
    return values[0]


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if count() > 1:
        distributed.barrier()
