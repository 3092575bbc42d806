"""Ask models that share a base the records of splits; run again, it asks only what is missing."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.files import write_json
from snaketune.folders import read_source
from snaketune.session import Session


def main(args: argparse.Namespace) -> None:
    """Write the responses and the metrics of every question of the session."""
    session = Session.model_validate(args.settings)
    source = read_source(args.base)

    import torch

    from snaketune.engines.transformers_engine import open_engines
    from snaketune.loading import use_threads
    from snaketune.measuring import peak_memory_mb, versions
    from snaketune.predicting import predict

    use_threads(args.threads)
    engines = open_engines(source, session, args.merged)
    for question in session.in_order():
        engine = engines[question.model]
        metrics = predict(engine, question, session.sampling, args.journal)
        facts = {
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
        write_json(question.metrics, {**metrics, **facts})


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(
        f"""{__doc__}

Settings: {{"sampling": Sampling, "models": {{name: {{"adapter": FOLDER, "recipe": FILE}}}},
"questions": [{{"model", "dataset", "split", "records", "prompt", "out", "metrics"}}]}}.
adapter and recipe are null for the bare base and for a merged model; a combined adapter has its
first part's recipe. All models of a session have their base loaded in the same way.
"""
    )
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument("--merged", type=Path, help="folder of a merged model, asked instead")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
