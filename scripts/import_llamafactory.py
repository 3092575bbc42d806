"""Turn LLaMA-Factory's YAML or training commands into a study: adapters as they are told there.

Reads one YAML, or a shell script with one or several commands (llamafactory-cli train …,
src/train.py …, or Qwen's finetune scripts). What has no counterpart is listed, at the top of the
study and here.
"""

import argparse
import logging
from pathlib import Path

from snaketune import cli
from snaketune.config.resolve import new_study_path
from snaketune.files import write_text
from snaketune.importing.commands import read_commands
from snaketune.importing.recipes import imported
from snaketune.importing.study import as_study

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Write the study and say what was not taken over."""
    path = new_study_path(args.name)
    commands = read_commands(args.source)
    if args.devices:
        commands = [command._replace(devices=args.devices) for command in commands]
    imports = [imported(command) for command in commands]
    write_text(path, as_study(imports, args.source.name, args.data))
    for one in imports:
        for remark in one.remarks:
            log.info("%s", remark)
    log.info("%s: %d adapters. Look through its datasets, then run it.", path, len(imports))


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="YAML or shell script"
    )
    parser.add_argument("--name", required=True, help="what the study is called")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the data")
    parser.add_argument("--devices", type=int, help="GPUs that the commands were started on")
    cli.run(main, parser.parse_args())
