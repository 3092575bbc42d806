"""Serve a merged model, OpenAI-compatible, on this machine's loopback until Ctrl-C.

By vLLM where it is installed, else by `transformers serve` (pip install 'transformers[serving]').
vLLM asks for the key in the variable SNAKETUNE_API_KEY, if that is set; `transformers serve` knows
no keys.
"""

import argparse
import logging
import os
import signal
import tempfile
import time
from pathlib import Path

from snaketune import cli
from snaketune.errors import UserError
from snaketune.serving.opening import (
    KEY,
    NEEDS,
    check_servable,
    program,
    serve_command,
    serve_environment,
)
from snaketune.serving.server import HOST, Server, is_well

log = logging.getLogger("snaketune")

LOOK = 5
"""Seconds between looks whether the server is still there."""


def main(args: argparse.Namespace) -> None:
    """Start the server, say where it is, and wait for its end."""
    signal.signal(signal.SIGTERM, _end)
    dtype = check_servable(args.model)
    chosen = program(args.program)
    if os.environ.get(KEY) and chosen != "vllm":
        log.warning("%s is set, but %s serve knows no keys: anybody here can ask.", KEY, chosen)
    command = serve_command(chosen, args.model, args.port, dtype)
    with tempfile.TemporaryDirectory(prefix="snaketune-") as scratch:
        said = Path(scratch) / "server.log"
        server = Server(f"`{chosen} serve`", command, serve_environment(), said)
        log.info("%s is starting; what it says is in %s", chosen, said)
        try:
            port = server.start(args.startup)
            key = f"in {KEY}" if os.environ.get(KEY) and chosen == "vllm" else "none"
            print(f"address: http://{HOST}:{port}/v1")
            print(f"model:   {args.model}")
            print(f"key:     {key}", flush=True)
            _wait(server, port, said)
        except KeyboardInterrupt:
            log.info("Stopped.")
        finally:
            server.stop()


def _wait(server: Server, port: int, said: Path) -> None:
    """Until the server is gone; a busy one may be slow to say that it is well."""
    while Path(f"/proc/{server.pid}").exists() or is_well(port):
        time.sleep(LOOK)
    last = said.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    raise UserError("\n  ".join(["The server ended. It said last:", *last]))


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of merged weights")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--program", choices=list(NEEDS), help="what serves")
    parser.add_argument("--startup", type=float, default=600, help="seconds it may take to start")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
