"""Measure the general ability of models by lm-evaluation-harness: multiple-choice questions."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import validated


def main(args: argparse.Namespace) -> None:
    """Write one JSON file a model."""
    from snaketune.harness import measure
    from snaketune.mmlu import Settings

    settings = validated(Settings, args.settings, "settings")
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    measure(settings, args.base, args.merged)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(
        f"""{__doc__}

Settings: {{"study", "mmlu": Mmlu, "models": {{name: {{"adapter": FOLDER, "recipe": FILE}}}},
"out": {{name: FILE}}}}; adapter and recipe are null for the bare base and for a merged model.
""",
        gpus=True,
    )
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument("--merged", type=Path, help="folder of a merged model, asked instead")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
