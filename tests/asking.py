"""What the tests that ask the local chat server share: endpoints, requests, one call for all."""

import json
from pathlib import Path

from snaketune.chat.background import results
from snaketune.chat.client import Answer, Client, Failure
from snaketune.chat.ledger import Ledger
from snaketune.chat.wire import Ask
from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling
from snaketune.engines import Request
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.journal import Journal, response_key

PRICE = {"input": 2.0, "output": 8.0}
DRAWN = Sampling(temperature=0.6, top_p=0.9, max_new_tokens=128)


def endpoint(server, **more) -> Endpoint:
    """The server as an endpoint, patient enough for a busy machine."""
    settings = {"base_url": getattr(server, "address", server), "model": "m", "concurrency": 8}
    return Endpoint.model_validate({**settings, "timeout": 60, **more})


def messages(name: object) -> list[dict]:
    return [
        {"role": "system", "content": "请判断两句话是否相同。"},
        {"role": "user", "content": f"句子1：{name}\n句子2：花呗怎么还款"},
    ]


def asks(count: int, n: int = 1, **more) -> list[Ask]:
    return [Ask(messages(index), DRAWN, n=n, seed=index, **more) for index in range(count)]


def ask_all(
    server, folder: Path, asks: list[Ask], retry_truncated: bool = False, **more
) -> list[Answer | Failure]:
    """Ask with one client, as many at once as the endpoint allows; its ledger in `folder`."""
    ledger = Ledger(folder)
    client = Client("teacher", endpoint(server, **more), ledger, {"purpose": "test"})
    client.retry_truncated = retry_truncated

    async def work(job: tuple[int, Ask]) -> tuple[tuple, list]:
        return (job[0], await client.ask(job[1])), []

    answers = {}
    try:
        for batch in results(client, work, enumerate(asks), client.endpoint.concurrency):
            answers |= dict(batch)
    finally:
        ledger.close()
    return [answers[index] for index in range(len(asks))]


def lines(folder: Path) -> list[dict]:
    """All lines of the files of JSON lines in a folder."""
    files = sorted(Path(folder).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def settled(folder: Path) -> list[dict]:
    """How the requests of a folder of ledgers ended."""
    return [line for line in lines(folder) if "settled" in line]


def engine_of(server, folder: Path, **more) -> OpenAIEngine:
    """An engine with its ledger in a folder."""
    return OpenAIEngine("teacher", endpoint(server, **more), folder / "ledger", {"purpose": "test"})


def requests_of(engine, names, sampling: Sampling = DRAWN) -> list[Request]:
    """The requests of records, as `predict` makes them."""
    made = []
    for name in names:
        ids = engine.encode(messages(name))
        for index in range(sampling.responses_per_record):
            key = response_key(engine.model_sha256, ids, sampling, index, engine.served)
            made.append(Request(key, tuple(ids)))
    return made


def keep_all(engine, names, folder: Path, sampling: Sampling = DRAWN) -> int:
    """Ask what the journal lacks, as `predict` does; how many responses it then has."""
    requests = requests_of(engine, names, sampling)
    with Journal(folder / "journal") as journal:
        for batch in engine.answer(requests, sampling, journal):
            journal.add({key: response.as_dict() for key, response in batch.items()})
        return sum(request.key in journal for request in requests)
