"""Records in, responses out: what the journal holds is taken from it, the rest is generated."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from snaketune.config.data import Prompt
from snaketune.config.tuning import Sampling
from snaketune.engines import Engine, Request
from snaketune.files import read_jsonl, write_jsonl
from snaketune.journal import Journal, response_key
from snaketune.prompts import Message, render
from snaketune.session import Question

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A record as it is asked: its messages, and its requests or why there are none."""

    id: str
    messages: list[Message]
    requests: list[Request]
    error: str | None


def predict(engine: Engine, question: Question, sampling: Sampling, journal: Path) -> dict:
    """Ask an engine every record and write one line of responses a record, in their order.

    Lines are `{"id", "prompt", "responses", "error"}`; there are no times in them, so that equal
    runs write equal bytes.

    Args:
        engine: what answers.
        question: which records, how they are asked, and the file that receives the responses.
        sampling: how many responses a record, and how they are drawn.
        journal: folder of the journals; each model has a folder in it.

    Returns:
        Counts and speed of this process; speed is null when nothing had to be generated.
    """
    asked = [_ask(engine, question.prompt, sampling, row) for row in read_jsonl(question.records)]
    requests = [request for record in asked for request in record.requests]
    keys = {request.key for request in requests}
    title = f"{engine.model_id} on {question.dataset}/{question.split}"
    with Journal(Path(journal) / engine.model_sha256[:16]) as done:
        known = sum(key in done for key in keys)
        if known < len(keys):
            engine.load()
        tokens, start = 0, time.monotonic()
        with tqdm(total=len(keys), initial=known, desc=title, unit="reply") as bar:
            for batch in engine.answer(requests, sampling, done):
                done.add({key: response.as_dict() for key, response in batch.items()})
                tokens += sum(response.tokens for response in batch.values())
                bar.update(len(batch))
        seconds = time.monotonic() - start
        write_jsonl(question.out, _lines(asked, done, engine.model_id))
    generated = len(keys) - known
    refused = sum(record.error is not None for record in asked)
    log.info("%s: %d from the journal, %d generated.", title, known, generated)
    if refused:
        log.warning("%d records could not be asked; `error` in %s says why.", refused, question.out)
    return {
        "model": question.model,
        "model_id": engine.model_id,
        "model_sha256": engine.model_sha256,
        "sampling": sampling.model_dump(),
        "records": len(asked),
        "refused": refused,
        "from_journal": known,
        "generated": generated,
        "generated_tokens": tokens,
        "seconds": round(seconds, 3),
        "records_per_second": _rate(generated / sampling.responses_per_record, seconds),
        "tokens_per_second": _rate(tokens, seconds),
    }


def _ask(engine: Engine, prompt: Prompt, sampling: Sampling, record: dict) -> Asked:
    messages, _ = render(prompt, record)
    ids = engine.encode(messages)
    error = engine.refusal(ids, sampling)
    indices = range(0 if error else sampling.responses_per_record)
    keys = [response_key(engine.model_sha256, ids, sampling, index) for index in indices]
    return Asked(record["id"], messages, [Request(key, tuple(ids)) for key in keys], error)


def _lines(asked: list[Asked], done: Journal, model_id: str) -> Iterator[dict]:
    for record in asked:
        responses = [{**done[request.key], "model_id": model_id} for request in record.requests]
        yield {
            "id": record.id,
            "prompt": record.messages,
            "responses": responses,
            "error": record.error,
        }


def _rate(amount: float, seconds: float) -> float | None:
    return round(amount / seconds, 2) if amount else None
