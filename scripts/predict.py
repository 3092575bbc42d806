"""Ask models the records of splits; run again, it asks only what is missing.

Models in this process share a base, which is loaded once; one behind an address is alone in its
session.
"""

import argparse
import resource
import sys
from collections.abc import Callable
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
    engine_of, facts_of = (_served if session.endpoint else _in_process)(session, args)
    for question in session.in_order():
        engine = engine_of(question)
        metrics = predict(engine, question, session.sampling, args.journal)
        write_json(question.metrics, {**metrics, **facts_of(engine)})


Engines = tuple[Callable[[Question], Engine], Callable[[Engine], dict]]
"""The engine of a question, and facts about the process for its metrics."""


def _served(session: Session, args: argparse.Namespace) -> Engines:
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


def _in_process(session: Session, args: argparse.Namespace) -> Engines:
    import torch

    from snaketune.engines.transformers_engine import TransformersEngine, open_engines
    from snaketune.folders import read_source
    from snaketune.loading import use_threads
    from snaketune.measuring import peak_memory_mb, versions

    if args.base is None:
        raise UserError("--base is missing: the models of this session are asked in this process.")
    use_threads(args.threads)
    engines = open_engines(read_source(args.base), session, args.merged)

    def facts(engine: TransformersEngine) -> dict:
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
