"""Talk with a tuned model in the terminal, through the prompt that it was trained on.

MODEL is the folder of a merged model, of an adapter or of a sum of adapters. A model is asked for
the fields of its prompt, each question by itself; with --plain, or where the prompt is not known,
it is told what you write, and remembers the turns until you write /new. Ctrl-D ends it.
"""

import argparse
import sys
from pathlib import Path

from snaketune import cli
from snaketune.config.tuning import Sampling


def main(args: argparse.Namespace) -> None:
    """Read lines and print replies until the lines end."""
    from snaketune.loading import use_threads
    from snaketune.talking import Talk, find_model, open_model, talk

    use_threads(args.threads)
    found = find_model(args.model, args.base)
    sampling = Sampling(
        max_new_tokens=args.max_new_tokens, temperature=args.temperature, dtype=found.dtype
    )
    turns = Talk(open_model(found, sampling), sampling, None if args.plain else found.prompt)
    if sys.stdin.isatty():
        import readline  # noqa: F401  (lines can be edited and repeated)
    for text in talk(turns, iter(_line, None)):
        print(text, end="", flush=True)


def _line() -> str | None:
    try:
        return input()
    except (EOFError, KeyboardInterrupt):
        return None


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__, gpus=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--base", type=Path, help="source.json of an adapter's base")
    parser.add_argument("--plain", action="store_true", help="without the prompt trained on")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="longest reply")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
