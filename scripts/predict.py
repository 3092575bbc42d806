"""Ask a model the records of a split; run again after a kill, it asks only what is missing."""

import argparse
from pathlib import Path

from snaketune import cli
from snaketune.config.data import Prompt
from snaketune.config.tuning import Sampling
from snaketune.errors import UserError
from snaketune.files import write_json
from snaketune.folders import read_source
from snaketune.recipe import read_recipe


def main(args: argparse.Namespace) -> None:
    """Write the responses and their metrics; settings are `{"model", "sampling", "prompt"}`."""
    if bool(args.adapter) != bool(args.recipe):
        raise UserError(
            "--adapter and --recipe go together: the recipe says how the base is loaded."
        )
    if args.adapter and args.merged:
        raise UserError("--adapter and --merged exclude each other: name the model to ask.")
    sampling = Sampling.model_validate(args.settings["sampling"])
    prompt = Prompt.model_validate(args.settings["prompt"])
    source = read_source(args.base)
    recipe = read_recipe(args.recipe) if args.recipe else None

    import torch

    from snaketune.engines.transformers_engine import open_engine
    from snaketune.loading import use_threads
    from snaketune.measuring import peak_memory_mb, versions
    from snaketune.predicting import predict

    use_threads(args.threads)
    engine = open_engine(source, sampling, args.adapter, recipe, args.merged)
    metrics = predict(engine, prompt, sampling, args.records, args.out, args.journal)
    facts = {
        "model": args.settings["model"],
        "device": str(engine.model.device),
        "threads": torch.get_num_threads(),
        "peak_memory_mb": peak_memory_mb(),
        "versions": versions(),
    }
    write_json(args.metrics, {**metrics, **facts})


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--base", type=Path, required=True, help="source.json of the base")
    parser.add_argument("--adapter", type=Path, help="folder of an adapter to put on the base")
    parser.add_argument("--recipe", type=Path, help="recipe.yaml of that adapter")
    parser.add_argument("--merged", type=Path, help="folder of a merged model, asked instead")
    parser.add_argument("--records", type=Path, required=True, help="records to ask")
    parser.add_argument("--out", type=Path, required=True, help="one line of responses a record")
    parser.add_argument("--metrics", type=Path, required=True, help="speed and versions, as JSON")
    parser.add_argument("--journal", type=Path, required=True, help="folder of the journals")
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
