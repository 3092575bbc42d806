"""Ask models the records of splits; run again, it asks only what is missing.

Models in this process share a base, which is loaded once; one behind an address, or behind a
server that is started here, is alone in its session.
"""

import argparse
import resource
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import metadata
from pathlib import Path

from snaketune import cli
from snaketune.engines import Engine
from snaketune.errors import UserError
from snaketune.files import write_json
from snaketune.session import Question, Session


def main(args: argparse.Namespace) -> None:
    """Write the responses and the metrics of every question of the session."""
    from snaketune.predicting import predict

    session = Session.model_validate(args.settings)
    opened = _served if session.endpoint else _by_own_server if session.serve else _in_process
    with ExitStack() as at_the_end:
        engine_of, facts_of = opened(session, args, at_the_end)
        for question in session.in_order():
            engine = engine_of(question)
            metrics = predict(engine, question, session.sampling, args.journal)
            write_json(question.metrics, {**metrics, **facts_of(engine)})


Engines = tuple[Callable[[Question], Engine], Callable[[Engine], dict]]
"""The engine of a question, and facts about the process for its metrics."""


def _served(session: Session, args: argparse.Namespace, _: ExitStack) -> Engines:
    from snaketune.engines.openai_engine import OpenAIEngine

    if args.ledger is None:
        raise UserError("--ledger is missing: a model behind an address is paid for.")
    served = session.endpoint

    def engine_of(question: Question) -> OpenAIEngine:
        about = {"purpose": "predict", "study": served.study, "dataset": question.dataset}
        more = {"split": question.split, "asked_as": question.model}
        return OpenAIEngine(served.name, served.endpoint, args.ledger, about | more)

    def facts(engine: OpenAIEngine) -> dict:
        unit = 1024**2 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        return {
            "endpoint": {"name": served.name, "base_url": served.endpoint.base_url},
            "peak_memory_mb": {"ram": round(peak, 1)},
            "versions": {"openai": metadata.version("openai")},
        }

    return engine_of, facts


def _by_own_server(session: Session, args: argparse.Namespace, at_the_end: ExitStack) -> Engines:
    from snaketune.engines.own_server_engine import OwnServerEngine, open_engine
    from snaketune.engines.vllm_engine import versions
    from snaketune.folders import read_source
    from snaketune.measuring import versions as versions_of

    if args.base is None:
        raise UserError("--base is missing: its weights are what is served.")
    output = args.log and args.log.with_suffix(".server.log")
    source = read_source(args.base)
    engine = open_engine(source, session, args.merged, output, args.threads)
    at_the_end.callback(engine.close)

    def facts(engine: OwnServerEngine) -> dict:
        by_vllm = session.serve.program == "vllm"
        return {
            "server": {
                "program": session.serve.program,
                "startup_seconds": engine.loading_seconds,
            },
            "versions": versions() if by_vllm else versions_of(("torch", "transformers")),
        }

    return (lambda _: engine), facts


def _in_process(session: Session, args: argparse.Namespace, at_the_end: ExitStack) -> Engines:
    import torch

    from snaketune.folders import read_source
    from snaketune.loading import use_threads
    from snaketune.measuring import peak_memory_mb

    if args.base is None:
        raise UserError("--base is missing: the models of this session are asked in this process.")
    source = read_source(args.base)
    if session.engine == "vllm":
        from snaketune.engines.vllm_engine import open_engines, versions
    else:
        from snaketune.engines.transformers_engine import open_engines
        from snaketune.measuring import versions as versions_of

        versions = partial(versions_of, base=args.merged or source["path"])
    use_threads(args.threads)
    engines = open_engines(source, session, args.merged)
    if session.engine == "vllm":
        at_the_end.callback(next(iter(engines.values())).weights.close)

    def facts(engine: Engine) -> dict:
        return {
            "session": {
                "models": len(session.models),
                "questions": len(session.questions),
                "loading_seconds": engine.weights.loading_seconds,
            },
            "device": engine.weights.device,
            "threads": torch.get_num_threads(),
            "peak_memory_mb": peak_memory_mb(),
            "versions": versions(),
        }

    return (lambda question: engines[question.model]), facts


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(
        f"""{__doc__}
Settings: {{"sampling": Sampling, "models": {{name: {{"adapter": FOLDER, "recipe": FILE}}}},
"questions": [{{"model", "dataset", "split", "records", "prompt", "out", "metrics"}}]}}.
adapter and recipe are null for the bare base and for a merged model; a combined adapter has its
first part's recipe. All models of a session have their base loaded in the same way.
"engine" is transformers or vllm, with "vllm": Vllm; a server to start is "serve": Serve.
A model behind an address has besides "endpoint": {{"study", "name", "endpoint": Endpoint}}.
""",
        gpus=True,
    )
    parser.add_argument("--base", type=Path, help="source.json of the base")
    parser.add_argument("--merged", type=Path, help="folder of a merged model, asked instead")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--ledger", type=Path, help="folder of the ledgers, for an endpoint")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
