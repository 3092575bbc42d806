"""lm-evaluation-harness over the models of a session, which share one set of weights."""

import logging
import os
from importlib import metadata
from pathlib import Path

from snaketune.files import write_json
from snaketune.mmlu import Settings, local_tasks, outcome, prompts_cut

log = logging.getLogger(__name__)


def measure(settings: Settings, source: Path, merged: Path | None) -> None:
    """Ask every model of the settings and write what it got right.

    Args:
        settings: the questions, the models, and the files to write.
        source: source.json of the base.
        merged: folder of a merged model, which is asked instead.
    """
    if settings.mmlu.tasks:  # before the libraries read it: questions come from the hub
        os.environ.setdefault("HF_HUB_OFFLINE", "0")
    from snaketune.config.tuning import Sampling
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.folders import read_source
    from snaketune.session import Session

    session = Session(
        sampling=Sampling(dtype=settings.mmlu.dtype), models=settings.models, questions=[]
    )
    engines = open_engines(read_source(source), session, merged)
    for name, engine in engines.items():
        found = _ask(settings, engine)
        facts = {"study": settings.study, "model": name, "model_id": engine.model_id}
        facts["model_sha256"] = engine.model_sha256
        asked = settings.mmlu.model_dump(include={"tasks", "path", "num_fewshot", "limit"})
        versions = {name: metadata.version(name) for name in ("lm_eval", "torch", "transformers")}
        write_json(settings.out[name], {**facts, **asked, **found, "versions": versions})
        shown = (engine.model_id, found["correct"], found["n"])
        log.info("%s: %d of %d questions right.", *shown)


def _ask(settings: Settings, engine) -> dict:
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)  # it warns of how it is used here
    mmlu = settings.mmlu
    tasks = mmlu.tasks or list(local_tasks(Path(mmlu.path), mmlu.num_fewshot))
    with engine.weights.carrying(engine.adapter) as model:
        lm = HFLM(pretrained=model, tokenizer=engine.tokenizer, batch_size=mmlu.batch_size)
        found = simple_evaluate(
            lm,
            tasks=tasks,
            num_fewshot=mmlu.num_fewshot,
            limit=mmlu.limit,
            bootstrap_iters=1,
            # to list the harness's own thousands of tasks takes seconds
            task_manager=TaskManager(include_defaults=bool(mmlu.tasks)),
        )
        longest = lm.max_length
    cut = prompts_cut(
        found["samples"].values(), lambda text: len(engine.tokenizer(text)["input_ids"]), longest
    )
    if cut:
        text = "%d prompts are longer than the %d tokens the model sees; their examples were cut."
        log.warning(text, cut, longest)
    return {**outcome(found), "prompts_cut": cut}
