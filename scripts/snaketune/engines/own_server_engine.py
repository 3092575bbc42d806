"""The engine of a server that the job starts for one model, and takes down when it ends."""

import json
import os
import secrets
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from snaketune.chat.client import Answer, Failure
from snaketune.config.engines import Serve, Vllm
from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling
from snaketune.engines import Request, Response
from snaketune.engines.in_process import Weights, check_merged, find_weights
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.engines.vllm_engine import check_vllm, common_arguments, gpus_together
from snaketune.errors import UserError
from snaketune.files import digest
from snaketune.prompts import stop_ids
from snaketune.serving.server import HOST, Server
from snaketune.session import Session

KEY = "SNAKETUNE_SERVER_KEY"
"""The variable that holds the key of the server of this process."""
HIDDEN = (KEY, "VLLM_API_KEY", "VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_CONFIGURE_LOGGING")


class OwnServerEngine(OpenAIEngine):
    """Answers through a server of our own, started when there is something to ask."""

    loading_seconds: float | None = None

    def __init__(
        self,
        server: Server,
        startup: float,
        endpoint: Endpoint,
        weights: dict[str, str],
        scratch: tempfile.TemporaryDirectory,
    ):
        """
        Args:
            server: to be started.
            startup: the most seconds that may take.
            endpoint: how to ask; its address is not known yet.
            weights: model_id and model_sha256.
            scratch: for a ledger that nobody needs, as nothing is paid; gone at the end.
        """
        super().__init__("of our own", endpoint, Path(scratch.name), {"purpose": "predict"})
        self._scratch = scratch
        self.model_id, self.model_sha256 = weights["model_id"], weights["model_sha256"]
        self._server, self._startup = server, startup

    def load(self) -> None:
        """Start the server, where it does not run yet."""
        if self.loading_seconds is None:
            start = time.monotonic()
            port = self._server.start(self._startup)
            address = {"base_url": f"http://{HOST}:{port}/v1"}
            self.endpoint = self.endpoint.model_copy(update=address)
            self.loading_seconds = time.monotonic() - start

    def close(self) -> None:
        """Take the server down."""
        self._server.stop()
        self._scratch.cleanup()

    def _responses(self, group: list[Request], outcome: Answer | Failure) -> dict[str, Response]:
        # some servers call a model by its folder
        found = super()._responses(group, outcome)
        return {key: replace(one, served_model=self.model_id) for key, one in found.items()}


def open_engine(
    source: dict, session: Session, merged: Path | None, output: Path | None, threads: int | None
) -> OwnServerEngine:
    """The engine of a session with `serve`.

    Args:
        source: the base's source.json.
        session: its one model, what serves it and how.
        merged: folder of a merged model, which is asked instead of the base.
        output: file that receives what the server says; None: one that is gone at the end.
        threads: CPU threads of the server; None leaves it to OMP_NUM_THREADS.

    Raises:
        UserError: a folder is half-written, or what is to serve is not installed.
    """
    check_merged(session, merged)
    found, serve, sampling = find_weights(source, merged), session.serve, session.sampling
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    named = found.named(None)
    extra: dict[str, Any]
    if serve.program == "vllm":
        environment |= {"VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
        environment["VLLM_API_KEY"] = os.environ[KEY] = secrets.token_urlsafe(32)
        template = None if merged else source.get("chat_template")
        command = vllm_command(found, serve, session.vllm, sampling, template)
        extra = {"stop_token_ids": sorted(stop_ids(found.tokenizer))}
    else:
        if source.get("chat_template") and not merged:
            raise UserError(
                "serve.program: `transformers serve` takes no chat_template for a bare base; use "
                "vllm."
            )
        command = transformers_command(found, sampling)
        extra = {"generation_config": json.dumps(_generation(found, sampling))}
    scratch = tempfile.TemporaryDirectory(prefix="snaketune-")
    output = output or Path(scratch.name) / "server.log"
    server = Server(f"`{serve.program} serve`", command, environment, output)
    _no_proxy()
    endpoint = Endpoint(
        base_url=f"http://{HOST}/v1",
        model=named["model_id"] if serve.program == "vllm" else str(found.folder),
        api_key_env=KEY if serve.program == "vllm" else None,
        concurrency=serve.concurrency,
        timeout=serve.timeout,
        extra_body=extra,
    )
    told = [f"{serve.program} serve", named["model_sha256"], sampling.dtype]
    named["model_sha256"] = digest(told)
    return OwnServerEngine(server, serve.startup, endpoint, named, scratch)


def vllm_command(
    found: Weights, serve: Serve, settings: Vllm, sampling: Sampling, template: dict | None
) -> list[str]:
    """Command line of `vllm serve`, by the module that every build of vLLM has."""
    options = common_arguments(settings, check_vllm())
    options |= {
        "model": str(found.folder),
        "served_model_name": found.name,
        "host": HOST,
        "port": 0,
        "dtype": sampling.dtype,
        "generation_config": "vllm",
        "max_num_seqs": serve.concurrency,
        "tensor_parallel_size": gpus_together(settings, found),
        "trust_remote_code": found.trusted,
        "disable_uvicorn_access_log": True,
        **({"chat_template": template["file"]} if template else {}),
    }
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words


def transformers_command(found: Weights, sampling: Sampling) -> list[str]:
    """Command line of `transformers serve`."""
    words = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(found.folder)]
    words += ["--host", HOST, "--port", "0", "--dtype", sampling.dtype]
    return [*words, "--trust-remote-code"] if found.trusted else words


def _generation(found: Weights, sampling: Sampling) -> dict[str, Any]:
    """All that decides how `transformers serve` generates, so that the base's own does not."""
    drawn = sampling.temperature > 0
    settings = {
        "do_sample": drawn,
        "max_new_tokens": sampling.max_new_tokens,
        "repetition_penalty": sampling.repetition_penalty,
        "eos_token_id": sorted(stop_ids(found.tokenizer)),
        "pad_token_id": found.tokenizer.pad_token_id,
    }
    if drawn:
        settings |= {"top_p": sampling.top_p, "top_k": sampling.top_k}
    return settings


def _no_proxy() -> None:
    """Ask the loopback directly, whatever proxy the environment names."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
