"""Snakemake that asks SLURM every second how its jobs do.

The executor lets ten seconds more pass with each question after which no job has ended. On a
cluster that spares SLURM; of a test with short jobs it would be most of the time.
"""

from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)

if __name__ == "__main__":
    main()
