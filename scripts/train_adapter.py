"""Train one adapter by its recipe; run again after a kill, it goes on from its last checkpoint.

With --gpus of more than one it goes on as torchrun, with a process a GPU. By hand: torchrun
--standalone --nproc-per-node N -- scripts/train_adapter.py … (without the -- torchrun takes --log
for an option of its own).
"""

import argparse
import logging
import os
from pathlib import Path

from snaketune import cli, leasing
from snaketune.tracking import TRACKERS

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Train and write adapter_model.safetensors, adapter_config.json, loss.csv, metrics.json."""
    if "RANK" in os.environ:
        leasing.end_with_starter()
    elif args.gpus and args.gpus > 1:
        leasing.become_torchrun(args.gpus)
    from snaketune import devices
    from snaketune.loading import use_threads
    from snaketune.training import train

    if not devices.is_first():
        logging.getLogger().setLevel(logging.ERROR)
    use_threads(args.threads and max(1, args.threads // devices.count()))
    metrics = train(
        *(args.recipe, args.base, args.train, args.validation, args.out, args.checkpoints),
        init_from=args.init_from,
        report_to=args.report_to,
    )
    log.info(
        "%d steps in %.1f s, %.0f tokens/s; loss %.4f.",
        metrics["steps"],
        metrics["seconds"],
        metrics["tokens_per_second"],
        metrics["train_loss"],
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__, gpus=True)
    parser.add_argument("--recipe", type=Path, required=True, help="recipe.yaml")
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument("--train", type=Path, required=True, help="records to train on")
    parser.add_argument("--validation", type=Path, required=True, help="records; may be empty")
    parser.add_argument("--out", type=Path, required=True, help="folder of the adapter")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument(
        "--init-from", type=Path, help="folder of the adapter that the recipe goes on from"
    )
    parser.add_argument(
        "--report-to",
        default="none",
        choices=["none", *TRACKERS],
        help="where losses are reported besides loss.csv",
    )
    parser.add_argument("--threads", type=int, help="CPU threads, of all processes")
    return parser


if __name__ == "__main__":
    args = arguments().parse_args()
    if os.environ.get("RANK", "0") != "0":  # torchrun: the log file is the first process's
        args.log = None
    cli.run(main, args)
