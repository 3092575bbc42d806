"""Serve a merged model, OpenAI-compatible, on this machine's loopback until Ctrl-C.

By vLLM where it is installed, else by `transformers serve`, which comes with the environment.
vLLM asks for the key in the variable SNAKETUNE_API_KEY, if that is set; `transformers serve` knows
no keys.
"""

import argparse
import logging
import os
import signal
from pathlib import Path

from snaketune import cli
from snaketune.errors import UserError
from snaketune.opening import (
    HOST,
    KEY,
    check_servable,
    free_port,
    program,
    running,
    serve_command,
)

log = logging.getLogger("snaketune")


def main(args: argparse.Namespace) -> None:
    """Start the server, say where it is, and wait for its end."""
    signal.signal(signal.SIGTERM, _end)
    dtype = check_servable(args.model)
    chosen = args.program or program()
    port = args.port or free_port()
    if os.environ.get(KEY) and chosen != "vllm":
        log.warning("%s is set, but %s serve knows no keys: anybody here can ask.", KEY, chosen)
    command = serve_command(chosen, args.model, port, dtype)
    log.info("%s is starting …", chosen)
    try:
        with running(command, port, args.startup) as server:
            key = f"in {KEY}" if os.environ.get(KEY) and chosen == "vllm" else "none"
            print(f"address: http://{HOST}:{port}/v1")
            print(f"model:   {args.model}")
            print(f"key:     {key}", flush=True)
            if server.wait():
                raise UserError(f"The server ended (status {server.returncode}); see above why.")
    except KeyboardInterrupt:
        log.info("Stopped.")


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of merged weights")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--program", choices=["vllm", "transformers"], help="what serves")
    parser.add_argument("--startup", type=float, default=600, help="seconds it may take to start")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
