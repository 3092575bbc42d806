"""What every command-line script of the workflow shares: its log, its settings, its way to fail."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from pydantic import ValidationError

from snaketune import leasing
from snaketune.errors import UserError

log = logging.getLogger("snaketune")


def parser(description: str, gpus: bool = False) -> argparse.ArgumentParser:
    """Argument parser with the two options that every script has: --settings and --log.

    Args:
        description: what --help says first.
        gpus: add --gpus too, as every script has that may use one: `run` leases them.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--settings",
        type=read_settings,
        default={},
        help="the script's slice of the config: JSON, or @FILE with JSON or YAML",
    )
    made.add_argument("--log", type=Path, help="file that receives the log lines")
    if gpus:
        made.add_argument(
            "--gpus",
            type=int,
            help="GPUs to lease; 0 hides all; without it those are used that are seen",
        )
    return made


def read_settings(text: str) -> dict:
    """Settings from a JSON string or, behind an @, from a JSON or YAML file."""
    if text.startswith("@"):
        return yaml.safe_load(Path(text[1:]).read_text(encoding="utf-8"))
    return json.loads(text)


def run(main: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run a script's `main`; a UserError becomes one line and its exit code, never a traceback.

    Log lines go to --log; without it, and for errors and a wait for GPUs always, to standard error.
    Leases of GPUs come before `main`, in which torch is imported.
    """
    console = logging.StreamHandler(sys.stderr)
    handlers: list[logging.Handler] = [console]
    if args.log:
        args.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(args.log, mode="w", encoding="utf-8"))
        console.addFilter(_is_urgent)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=handlers,
        force=True,
    )
    for noisy in ("httpx", "httpx2", "urllib3", "datasets", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    start = time.monotonic()
    try:
        if getattr(args, "gpus", None) is not None:
            leasing.lease(args.gpus)
            leasing.check_torch(args.gpus)
        main(args)
    except UserError as error:
        log.error("%s", error)
        sys.exit(error.exit_code)
    except ValidationError as error:
        log.error("--settings or a file of settings is not right: %s", error)
        sys.exit(1)
    except OSError as error:
        log.error("%s", _explain(error), exc_info=True)
        sys.exit(1)
    except Exception:
        log.exception("This is a bug in %s; the lines below say where.", Path(sys.argv[0]).name)
        sys.exit(1)
    log.info("Done in %.1f s.", time.monotonic() - start)


def _is_urgent(record: logging.LogRecord) -> bool:
    least = logging.WARNING if record.name == leasing.__name__ else logging.ERROR
    return record.levelno >= least


def _explain(error: OSError) -> str:
    if error.errno == 28:
        return f"No space left on the disk while writing {error.filename}: free some and run again."
    return f"The system refused a file: {error}"
