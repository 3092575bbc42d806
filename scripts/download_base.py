"""Download a base from the Hugging Face hub or ModelScope and write down what was downloaded.

HF_ENDPOINT chooses a mirror, HF_TOKEN opens gated and private models; for ModelScope these are
MODELSCOPE_DOMAIN and MODELSCOPE_API_TOKEN. After an interruption the same command keeps the files
that were complete.
"""

import argparse
from pathlib import Path

from pydantic import BaseModel, Field

from snaketune import cli, hub, modelscope
from snaketune.bases import read_template
from snaketune.config.resolve import validated
from snaketune.config.tuning import HubBase, ModelScopeBase
from snaketune.files import write_json


class Settings(BaseModel):
    """The script's slice of the config."""

    name: str
    base: HubBase | ModelScopeBase = Field(discriminator="source")


def main(args: argparse.Namespace) -> None:
    """Fill the folder and write source.json from the settings `{"name", "base"}`."""
    settings = validated(Settings, args.settings, "settings")
    if settings.base.chat_template:
        read_template(settings.name, settings.base.chat_template)  # now, not after the download
    source = modelscope if isinstance(settings.base, ModelScopeBase) else hub
    write_json(args.out, source.download(settings.name, settings.base, args.folder))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the model to fill")
    parser.add_argument("--out", type=Path, required=True, help="source.json to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
