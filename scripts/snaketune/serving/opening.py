"""A merged model served to whoever asks on this machine: by which program, with which command."""

import importlib.util
import os
import sys
from pathlib import Path

from snaketune.errors import UserError
from snaketune.folders import MANIFEST, read_manifest
from snaketune.serving.server import HOST

KEY = "SNAKETUNE_API_KEY"
"""The variable with the key that vLLM asks callers for."""
NEEDS = {"vllm": ["vllm"], "transformers": ["fastapi", "uvicorn"]}
"""What each program wants installed."""


def program(wanted: str | None = None) -> str:
    """What serves: the one wanted, or the first that is installed.

    Raises:
        UserError: it is not installed, or nothing is.
    """
    for name in [wanted] if wanted else NEEDS:
        if all(map(importlib.util.find_spec, NEEDS[name])):
            return name
    raise UserError(
        f"{wanted or 'Nothing to serve with'} is not installed. A small server: "
        "pip install 'transformers[serving]'. A fast one, for GPUs: pip install vllm"
    )


def check_servable(folder: Path) -> str:
    """The dtype of a merged model, or of any model folder (auto).

    Raises:
        UserError: it is an adapter, half-written, or no model.
    """
    from snaketune.bases import check_model_folder

    if (folder / "adapter_config.json").is_file():
        raise UserError(
            f"{folder} is an adapter; what is served are full weights. Set merge: true for its "
            "model in the study and run it, then serve the folder in merged/; or talk with the "
            f"adapter: make chat MODEL={folder}"
        )
    dtype = read_manifest(folder)["dtype"] if (folder / MANIFEST).is_file() else "auto"
    check_model_folder(folder)
    return dtype


def serve_command(with_program: str, folder: Path, port: int, dtype: str) -> list[str]:
    """Command line of the server, on the loopback; it calls the model by its folder."""
    if with_program == "vllm":
        words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
        # else a repetition penalty or the like of the folder's own would join in
        words += ["--generation-config", "vllm"]
    else:
        words = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    return [*words, "--host", HOST, "--port", str(port), "--dtype", dtype]


def serve_environment() -> dict[str, str]:
    """The server's environment: no hub, and the key by the name that vLLM knows."""
    known = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    key = known.pop(KEY, None)
    return known | ({"VLLM_API_KEY": key} if key else {})
