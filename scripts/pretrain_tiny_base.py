"""Pretrain the tiny base of the demos from random weights on the synthetic corpus.

An interrupted run goes on from its last checkpoint when the same command is given again.
"""

import argparse
import json
from pathlib import Path

from pydantic import ValidationError

from snaketune import cli
from snaketune.errors import UserError
from snaketune.tinybase.settings import PretrainSettings
from snaketune.tinybase.words import read_excluded


def main(args: argparse.Namespace) -> None:
    """Train, then write the model's folder."""
    try:
        settings = PretrainSettings(**args.settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"--settings, {where}: {first['msg']}.") from None
    excluded = read_excluded(args.exclude)
    # Heavy imports come after the settings are known to be good.
    from snaketune.tinybase import folder
    from snaketune.tinybase.pretrain import pretrain

    model, tokenizer, progress = pretrain(settings, excluded)
    changed = settings.model_dump(exclude_defaults=True)
    command = "python scripts/pretrain_tiny_base.py"
    if changed:
        command += f" --settings '{json.dumps(changed)}'"
    if args.exclude:
        command += f" --exclude {args.exclude}"
    command += f" --out {args.out}"
    folder.write(args.out, settings, len(excluded), command, model, tokenizer, progress)


if __name__ == "__main__":
    parser = cli.parser(__doc__, gpus=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument(
        "--exclude", type=Path, help="CSV whose column `name` holds places the corpus must not name"
    )
    cli.run(main, parser.parse_args())
