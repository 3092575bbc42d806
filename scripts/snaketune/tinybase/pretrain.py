"""The training loop, its checkpoints, and the folder that it leaves."""

import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import Qwen2ForCausalLM

from snaketune import files
from snaketune.tinybase import tokenizer as tokens
from snaketune.tinybase.corpus import Corpus, Document, Encoder, batches, count_tokens
from snaketune.tinybase.model import batch_loss, new_model
from snaketune.tinybase.muon import MuonAdam
from snaketune.tinybase.settings import PretrainSettings

log = logging.getLogger("snaketune")

TOKENIZER_TEXTS = 6_000
CORPUS_VERSION = 4  # a change of the corpus must not resume an older checkpoint


@dataclass
class Progress:
    """Where a run stands; all of it goes into the checkpoint."""

    step: int = 0
    chunk: int = 0
    position: int = 0
    seconds: float = 0.0
    tokens: Counter = field(default_factory=Counter)
    rows: list[dict] = field(default_factory=list)


def rate(step: int, settings: PretrainSettings) -> float:
    """Share of the learning rate at a step: warm-up, plateau, linear fall."""
    warm = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    left = (settings.steps - step) / max(1, min(settings.decay_steps, settings.steps))
    return min(warm, left, 1.0)


def checkpoint_path(settings: PretrainSettings, excluded: frozenset[str]) -> Path:
    """Checkpoint of a run; its name leaves out `steps`, which matters only once the rate falls."""
    known = settings.model_dump(exclude={"steps", "checkpoint_steps", "log_steps"})
    key = files.digest([known, sorted(excluded), CORPUS_VERSION])[:16]
    return Path(".snaketune") / "pretrain" / key / "checkpoint.pt"


def pretrain(
    settings: PretrainSettings, excluded: frozenset[str]
) -> tuple[Qwen2ForCausalLM, Tokenizer, Progress]:
    """Train from random weights, or go on from the checkpoint of an interrupted run."""
    torch.set_num_threads(settings.threads)
    corpus = Corpus(settings, excluded)
    tokenizer = tokens.build(corpus.texts(TOKENIZER_TEXTS), settings.english_merges)
    encode = Encoder(tokenizer)
    pad, end = tokenizer.token_to_id(tokens.PAD), tokenizer.token_to_id(tokens.END)
    model = new_model(settings, tokenizer.get_vocab_size(), pad, end)
    optimiser = MuonAdam(model, settings.muon_lr, settings.adam_lr, settings.weight_decay)
    path = checkpoint_path(settings, excluded)
    progress = _resume(path, settings, optimiser)
    log.info(
        "%d parameters, vocabulary of %d, from step %d to %d.",
        sum(p.numel() for p in model.parameters()),
        tokenizer.get_vocab_size(),
        progress.step,
        settings.steps,
    )
    bar = tqdm(
        total=settings.steps,
        initial=progress.step,
        unit="step",
        mininterval=1 if sys.stderr.isatty() else 30,
        maxinterval=60,
    )
    model.train()
    mean, since = 0.0, 0
    before = time.monotonic() - progress.seconds
    while progress.step < settings.steps:
        for batch in _rest_of_chunk(corpus, encode, progress, settings):
            loss = batch_loss(model, batch, pad)
            loss.backward()
            optimiser.step(rate(progress.step, settings))
            mean, since = mean + loss.item(), since + 1
            progress.step += 1
            progress.position += 1
            progress.tokens += count_tokens(batch)
            progress.seconds = time.monotonic() - before
            bar.update()
            last = progress.step == settings.steps
            if progress.step % settings.log_steps == 0 or last:
                _note(progress, mean / since)
                bar.set_postfix(loss=f"{mean / since:.3f}", refresh=False)
                mean, since = 0.0, 0
            if progress.step % settings.checkpoint_steps == 0 or last:
                _save(path, settings, optimiser, progress)
            if last:
                break
        else:
            progress.chunk += 1
            progress.position = 0
    bar.close()
    return model, tokenizer, progress


def _rest_of_chunk(
    corpus: Corpus, encode: Encoder, progress: Progress, settings: PretrainSettings
) -> list[list[Document]]:
    began = progress.step - progress.position
    documents = corpus.chunk(progress.chunk, began, encode)
    order = Random(f"{settings.seed}/{progress.chunk}/order")
    return batches(documents, settings.batch_tokens, order)[progress.position :]


def _note(progress: Progress, loss: float) -> None:
    row = {
        "step": progress.step,
        "tokens": progress.tokens.total(),
        "loss": round(loss, 4),
        "seconds": round(progress.seconds, 1),
    }
    progress.rows.append(row)
    if progress.step % 500 == 0:
        log.info("step %(step)d, %(tokens)d tokens, loss %(loss).4f, %(seconds).0f s", row)


def _save(path: Path, settings: PretrainSettings, optimiser: MuonAdam, progress: Progress) -> None:
    state = {"steps": settings.steps, "optimiser": optimiser.state(), "progress": vars(progress)}
    with files.whole(path) as partial:
        torch.save(state, partial)


def _resume(path: Path, settings: PretrainSettings, optimiser: MuonAdam) -> Progress:
    if not path.exists():
        return Progress()
    state = torch.load(path, weights_only=False)
    step = state["progress"]["step"]
    plateau = min(state["steps"], settings.steps) - settings.decay_steps
    if state["steps"] != settings.steps and step > plateau:
        log.info("The checkpoint at step %d belongs to a run of another length: begun anew.", step)
        return Progress()
    optimiser.load(state["optimiser"])
    log.info("Going on from the checkpoint at step %d.", step)
    return Progress(**state["progress"])
