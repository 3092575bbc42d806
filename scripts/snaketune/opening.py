"""A merged model served by somebody else's server: which one, its command, when it is up."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snaketune.errors import UserError
from snaketune.folders import MANIFEST, read_manifest

HOST = "127.0.0.1"
KEY = "SNAKETUNE_API_KEY"
"""The variable with the key that vLLM asks callers for."""
PATIENCE = 20
"""Seconds between asking a server to end and ending it."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy to the loopback


def program() -> str:
    """What is installed to serve with: vllm, else transformers."""
    return "vllm" if importlib.util.find_spec("vllm") else "transformers"


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


def free_port() -> int:
    """A port of the loopback that nobody has at the moment."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


@contextmanager
def running(command: list[str], port: int, seconds: float) -> Iterator[subprocess.Popen]:
    """A server, once it answers; it ends with the block.

    Raises:
        UserError: it ended before it answered, or did not answer in so many seconds.
    """
    known = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    key = known.get(KEY)
    process = subprocess.Popen(command, env=known | ({"VLLM_API_KEY": key} if key else {}))
    try:
        deadline = time.monotonic() + seconds
        while not _is_well(port):
            if process.poll() is not None:
                raise UserError(f"The server ended (status {process.returncode}); see above why.")
            if time.monotonic() > deadline:
                raise UserError(f"The server does not answer after {seconds:g} s; see above why.")
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_well(port: int) -> bool:
    try:
        with _direct.open(f"http://{HOST}:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False
