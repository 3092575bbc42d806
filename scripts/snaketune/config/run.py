"""A run: which studies, at which scale, on what machine (config/config.yaml and its like)."""

from typing import Literal

from pydantic import Field

from snaketune.config.common import Name, Strict
from snaketune.tracking import TRACKERS


class Machine(Strict):
    """What one job that loads a model asks of the machine."""

    gpu: int = Field(0, ge=0)
    """GPUs a job; 0 runs on the CPU."""
    gpu_model: str = ""
    """Model of GPU that a cluster should give, as in a100; empty: any."""
    threads: int = Field(1, gt=0)
    """CPU threads a job."""
    mem_mb: int = Field(4000, gt=0)
    """Main memory a job, in MB."""
    runtime: int = Field(60, gt=0)
    """Longest time a job may take on a cluster, in minutes."""


class Run(Strict):
    """The top of the config."""

    run: Name
    """Folder below results/ that this run writes to."""
    scale: Name
    """Which entry of each study's `scales` applies."""
    note: str = ""
    """A sentence that stands beside every number of this run."""
    studies: list[str] = Field(min_length=1)
    """Names of config/studies/NAME.yaml, or paths of study files of your own."""
    machine: Machine = Machine()
    report_to: Literal["none", *TRACKERS] = "none"
    """Where trainings report their losses besides loss.csv, by transformers' names; the tracker's
    package must be in the train environment, its key in the environment variables."""
