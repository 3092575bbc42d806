"""Records in, responses out: what the journal holds is taken from it, the rest is generated."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from snaketune.bars import Bar
from snaketune.config.data import Prompt
from snaketune.config.tuning import Sampling
from snaketune.engines import Engine, Request
from snaketune.files import read_jsonl, write_jsonl
from snaketune.journal import Journal, response_key
from snaketune.prompts import Message, render
from snaketune.session import Question

log = logging.getLogger(__name__)

KEPT = ("text", "tokens", "prompt_tokens", "finish_reason", "reasoning")
"""What of a response stands in the predictions: no times, so that equal runs write equal bytes."""


class Asked(NamedTuple):
    """A record as it is asked: its messages, and its requests or why there are none."""

    id: str
    messages: list[Message]
    requests: list[Request]
    error: str | None


def predict(engine: Engine, question: Question, sampling: Sampling, journal: Path) -> dict:
    """Ask an engine every record and write one line of responses a record, in their order.

    Lines are `{"id", "prompt", "responses", "error"}`. Among the responses null stands for one
    that failed after all tries; `error` says why a record has none at all. The records are read
    and rendered anew for each step, so that any number of them takes little memory.

    Args:
        engine: what answers.
        question: which records, how they are asked, and the file that receives the responses.
        sampling: how many responses a record, and how they are drawn.
        journal: folder of the journals; each model has a folder in it.

    Returns:
        Counts and speed of this process; speed is null when nothing had to be generated.
    """
    title = f"{engine.model_id} on {question.dataset}/{question.split}"
    with Journal(journal_folder(journal, engine.model_sha256)) as done:
        known, wanted = count_known(asked(engine, question, sampling), done)
        made = Counter()
        if known < wanted:
            engine.load()
        start = time.monotonic()
        if known < wanted:
            made = _generate(engine, question, sampling, done, (title, known, wanted))
        seconds = time.monotonic() - start
        counts: Counter[str] = Counter()
        rows = (_row(record, done, engine, counts) for record in asked(engine, question, sampling))
        write_jsonl(question.out, rows)
    log.info("%s: %d from the journal, %d generated.", title, known, made["responses"])
    if counts["refused"]:
        text = "%d records could not be asked; `error` in %s says why."
        log.warning(text, counts["refused"], question.out)
    if counts["failed_responses"]:
        text = "%d responses failed, of %d records all; make %s again to ask for them again."
        log.warning(text, counts["failed_responses"], counts["failed"], question.out)
    return {
        "model": question.model,
        "model_id": engine.model_id,
        "model_sha256": engine.model_sha256,
        "sampling": sampling.model_dump(),
        "records": counts["records"],
        "refused": counts["refused"],
        "failed": counts["failed"],
        "failed_responses": counts["failed_responses"],
        "from_journal": known,
        "generated": made["responses"],
        "generated_tokens": made["tokens"],
        "seconds": round(seconds, 3),
        "records_per_second": _rate(made["responses"] / sampling.responses_per_record, seconds),
        "tokens_per_second": _rate(made["tokens"], seconds),
    }


def journal_folder(journals: Path, model_sha256: str) -> Path:
    """The folder of one model in the folder of the journals."""
    return Path(journals) / model_sha256[:16]


def asked(engine: Engine, question: Question, sampling: Sampling) -> Iterator[Asked]:
    """Every record of a question as it is asked."""
    for record in read_jsonl(question.records):
        yield _ask(engine, question.prompt, sampling, record)


def _ask(engine: Engine, prompt: Prompt, sampling: Sampling, record: dict) -> Asked:
    messages, _ = render(prompt, record)
    ids = engine.encode(messages)
    error = engine.refusal(ids, sampling)
    indices = range(0 if error else sampling.responses_per_record)
    return Asked(record["id"], messages, requests_for(engine, ids, sampling, indices), error)


def requests_for(engine: Engine, ids: list, sampling: Sampling, indices: range) -> list[Request]:
    """The requests for some of the responses to one prompt, as `Engine.encode` gives it."""
    keys = (
        response_key(engine.model_sha256, ids, sampling, index, engine.served) for index in indices
    )
    return [Request(key, tuple(ids)) for key in keys]


def count_known(records: Iterator[Asked], done: Journal) -> tuple[int, int]:
    """How many different responses the journal has, and how many are wanted."""
    keys = {bytes.fromhex(request.key) for record in records for request in record.requests}
    return sum(key.hex() in done for key in keys), len(keys)


def _generate(
    engine: Engine, question: Question, sampling: Sampling, done: Journal, shown: tuple
) -> Counter:
    """Ask for what the journal lacks, and keep it; counts responses and tokens."""
    made: Counter[str] = Counter()
    title, known, wanted = shown
    records = asked(engine, question, sampling)
    requests = (request for record in records for request in record.requests)
    with Bar(total=wanted, initial=known, desc=title, unit="reply") as bar:
        for batch in engine.answer(requests, sampling, done):
            done.add({key: response.as_dict() for key, response in batch.items()})
            made["responses"] += len(batch)
            made["tokens"] += sum(response.tokens for response in batch.values())
            bar.update(len(batch))
    return made


def _row(record: Asked, done: Journal, engine: Engine, counts: Counter) -> dict:
    """The line of a record; what it counts as is added to `counts`."""
    responses, reasons = [], []
    for request in record.requests:
        if request.key in done:
            responses.append(_response(done[request.key], engine))
        else:
            responses.append(None)
            reasons.append(engine.failures[request.key])
    error = record.error
    if reasons and len(reasons) == len(responses):
        error = reasons[0]
    counts["records"] += 1
    counts["refused"] += record.error is not None
    counts["failed"] += error is not record.error
    counts["failed_responses"] += len(reasons)
    return {"id": record.id, "prompt": record.messages, "responses": responses, "error": error}


def _response(entry: dict, engine: Engine) -> dict:
    kept = {key: entry[key] for key in KEPT if key in entry}
    return {**kept, "model_id": entry.get("served_model", engine.model_id)}


def _rate(amount: float, seconds: float) -> float | None:
    return round(amount / seconds, 2) if amount else None
