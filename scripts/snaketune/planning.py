"""What models behind addresses are going to be asked and paid, before anything is."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from snaketune.chat.budget import cost
from snaketune.chat.keys import faults_of_keys
from snaketune.chat.ledger import Spending
from snaketune.chat.wire import Ask, Usage, most_tokens, request_body
from snaketune.config.common import Name, Strict
from snaketune.config.data import Prompt, TeacherPrompt
from snaketune.config.services import Endpoint
from snaketune.config.tuning import Sampling
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.files import read_jsonl
from snaketune.journal import Journal
from snaketune.judging import replies_judged
from snaketune.predicting import journal_folder, requests_for
from snaketune.prompts import Message, render, render_for_judge, render_for_teacher
from snaketune.showing import aligned

WIDE_TOKENS, NARROW_TOKENS, FRAME_TOKENS = 0.6, 0.3, 4
"""Tokens a Chinese character, any other one (DeepSeek's API documentation, "Token & Token Usage"),
and about what a chat template adds a message."""

HOW = """\
Tokens in: 0.6 a Chinese character and 0.3 any other of the real prompts, or, where the journal has
answers of the same job, in proportion to what the server counted for those. Tokens out: the mean of
those answers, or, before the first one, max_new_tokens for each response. At most: a token a byte
and max_new_tokens in full, each response in a request of its own, all attempts of a teacher; so the
budget counts. Answers that are
still to be made, and then judged, count as max_new_tokens long. Tries that fail and are billed come
on top of what is expected."""


class Address(Strict):
    """An endpoint and its name."""

    name: Name
    endpoint: Endpoint


class Job(Strict):
    """One split of one dataset that is asked of one endpoint."""

    study: Name
    purpose: Literal["distill", "predict", "judge"]
    dataset: Name
    split: str
    model: Name | None = None
    """The study's model, where one is asked or judged."""
    endpoint: Address
    sampling: Sampling
    prompt: TeacherPrompt
    records: Path
    label: bool = False
    """The prompt gives the label, and records without one are passed over: a teacher is asked."""
    attempts: int = 1
    """Texts that a teacher writes at most for one record."""
    predictions: Path | None = None
    """The responses that are judged; while they are not there, each counts as long as it can be."""
    reply_tokens: int = 0
    """Tokens of a response at most, where it is judged."""

    def messages(self) -> Iterator[list[Message]]:
        """The conversations, as distill, predict and judge render them."""
        if self.purpose == "judge":
            yield from (render_for_judge(self.prompt, *case) for case in self._judged())
            return
        for record in read_jsonl(self.records):
            if not self.label:
                yield render(Prompt(system=self.prompt.system, user=self.prompt.user), record)[0]
            elif record["label"] is not None:
                yield render_for_teacher(self.prompt, record)

    def _judged(self) -> Iterator[tuple[dict, str]]:
        if self.predictions and self.predictions.is_file():
            yield from replies_judged(self.records, self.predictions)
            return
        for number, record in enumerate(read_jsonl(self.records)):
            if record["label"] is not None:
                # numbered, so that no two count as one request
                length = math.ceil(self.reply_tokens / NARROW_TOKENS)
                yield record, f"{number} ".ljust(length, "?")

    def numbers(self) -> tuple[int, int]:
        """How many responses a record gets, as expected and at most."""
        if self.purpose == "predict":
            return (self.sampling.responses_per_record,) * 2
        if self.purpose == "judge":
            return 1, 1
        return 1, self.attempts if self.sampling.temperature else 1


class Settings(Strict):
    """What plan.py gets of the config."""

    jobs: list[Job]


def plan(settings: Settings, journals: Path, ledger: Path) -> dict:
    """What all jobs ask and cost; see `HOW`.

    Returns:
        `{"jobs": [...], "endpoints": [...], "how": text}`; money is null without a price,
        `key_fault` of an endpoint where its key is there or none is asked for.
    """
    rows = [plan_job(job, journals) for job in settings.jobs]
    addresses = {job.endpoint.name: job.endpoint for job in settings.jobs}
    spending = Spending(ledger)
    faults = faults_of_keys({name: one.endpoint for name, one in addresses.items()})
    totals = [
        {**_account(one, rows, spending), "key_fault": faults.get(name)}
        for name, one in addresses.items()
    ]
    return {"jobs": rows, "endpoints": totals, "how": " ".join(HOW.split())}


def plan_job(job: Job, journals: Path) -> dict:
    """Counts, tokens and money of one job, apart from what its journal has."""
    engine = OpenAIEngine(job.endpoint.name, job.endpoint.endpoint, Path(), {})
    sums: Counter[str] = Counter()
    taken: set[bytes] = set()
    with Journal(journal_folder(journals, engine.model_sha256)) as done:
        for messages in job.messages():
            sums["records"] += 1
            _add(sums, job, engine, messages, done, taken)
    return _row(job, sums)


def _add(
    sums: Counter, job: Job, engine: OpenAIEngine, messages: list[Message], done: Journal,
    taken: set[bytes],
) -> None:  # fmt: skip
    """Count one conversation; `taken` are the keys counted before."""
    first, most = job.numbers()
    prompt = sum(estimated_tokens(message["content"]) for message in messages)
    missing = possible = 0
    requests = requests_for(engine, messages, job.sampling, range(most))
    for index, key in enumerate(request.key for request in requests):
        if bytes.fromhex(key) in taken:
            continue
        taken.add(bytes.fromhex(key))
        if key in done:
            answer = done[key]
            sums["known"] += index < first
            sums["answers"] += 1
            sums["answers_in"] += answer["prompt_tokens"]
            sums["answers_out"] += answer["tokens"]
            sums["answers_estimate"] += prompt
        else:
            missing += index < first
            possible += 1
    sums["requests"] += missing > 0
    sums["responses"] += missing
    sums["prompt"] += prompt if missing else 0
    tokens_in, tokens_out = most_tokens(request_body(engine.endpoint, Ask(messages, job.sampling)))
    sums["most_in"] += possible * tokens_in
    sums["most_out"] += possible * tokens_out
    sums["longest"] = tokens_out


def estimated_tokens(text: str) -> float:
    """Tokens of a message, by its characters; see `HOW`."""
    wide = sum(character >= "\u2e80" for character in text)
    return WIDE_TOKENS * wide + NARROW_TOKENS * (len(text) - wide) + FRAME_TOKENS


def _row(job: Job, sums: Counter) -> dict:
    scale, reply = 1.0, sums["longest"]
    if sums["answers"]:
        scale = sums["answers_in"] / sums["answers_estimate"]
        reply = sums["answers_out"] / sums["answers"]
    expected = Usage(math.ceil(sums["prompt"] * scale), math.ceil(sums["responses"] * reply), True)
    at_most = Usage(sums["most_in"], sums["most_out"], True)
    price = job.endpoint.endpoint.price
    return {
        **job.model_dump(include={"study", "purpose", "dataset", "split", "model"}),
        "endpoint": job.endpoint.name,
        "records": sums["records"],
        "in_journal": sums["known"],
        "responses": sums["responses"],
        "requests": sums["requests"],
        "prompt_tokens": expected.prompt_tokens,
        "prompt_tokens_at_most": at_most.prompt_tokens,
        "completion_tokens": expected.completion_tokens,
        "completion_tokens_at_most": at_most.completion_tokens,
        "cost": cost(price, expected),
        "cost_at_most": cost(price, at_most),
        "currency": price.currency if price else None,
    }


def _account(address: Address, rows: list[dict], spending: Spending) -> dict:
    """Money of one endpoint: spent, planned, left."""
    endpoint, currency = (
        address.endpoint,
        address.endpoint.price and address.endpoint.price.currency,
    )
    ours = [row for row in rows if row["endpoint"] == address.name]
    spent = spending.of(address.name, currency)
    left = None if endpoint.budget is None else endpoint.budget - spent.at_most
    at_most = sum(row["cost_at_most"] or 0 for row in ours)
    return {
        "endpoint": address.name,
        "base_url": endpoint.base_url,
        "model": endpoint.model,
        "currency": currency,
        "requests": sum(row["requests"] for row in ours),
        "cost": sum(row["cost"] or 0 for row in ours) if endpoint.price else None,
        "cost_at_most": at_most if endpoint.price else None,
        "spent": spent.billed if endpoint.price else None,
        "spent_at_most": spent.at_most if endpoint.price else None,
        "budget": endpoint.budget,
        "left": left,
        "stops_at_budget": None if left is None else at_most > left,
    }


def as_text(found: dict) -> str:
    """The plan for the terminal."""
    if not found["jobs"]:
        return "No study of this run asks a model behind an address."
    jobs = [["job", "records", "in journal", "responses", "requests",
             "tokens in", "tokens out", "expected", "at most"]]  # fmt: skip
    for row in found["jobs"]:
        of = f"{row['model']} = " if row["model"] else ""
        name = f"{row['study']}: {row['purpose']} {row['dataset']}/{row['split']}"
        counts = ("records", "in_journal", "responses", "requests")
        tokens = ("prompt_tokens", "completion_tokens")
        cells = [f"{row[key]:,}" for key in counts + tokens]
        money = [_money(row[key], row["currency"]) for key in ("cost", "cost_at_most")]
        jobs.append([f"{name}, {of}{row['endpoint']}", *cells, *money])
    accounts = [["endpoint", "spent", "expected", "at most", "budget", "left"]]
    for row in found["endpoints"]:
        keys = ("spent_at_most", "cost", "cost_at_most", "budget", "left")
        accounts.append([row["endpoint"], *(_money(row[key], row["currency"]) for key in keys)])
    warnings = [
        f"{row['endpoint']}: may reach its budget; what was answered until then is kept."
        for row in found["endpoints"]
        if row["stops_at_budget"]
    ]
    warnings += [row["key_fault"] for row in found["endpoints"] if row["key_fault"]]
    return "\n".join([*aligned(jobs), "", *aligned(accounts), "", *warnings, HOW])


def _money(amount: float | None, currency: str | None) -> str:
    return "–" if amount is None else f"{amount:,.2f} {currency}"
