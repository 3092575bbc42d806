"""A model behind an address judges answers; its verdicts, and how far they agree with the key."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from snaketune.answers import by_id
from snaketune.config.common import Name, Strict
from snaketune.config.data import Judge, Prompt
from snaketune.config.services import Endpoint
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.files import read_jsonl, write_json, write_jsonl
from snaketune.predicting import predict
from snaketune.prompts import Message, render_for_judge
from snaketune.session import Question
from snaketune.thinking import answer_part

log = logging.getLogger(__name__)

RIGHT, WRONG = "right", "wrong"
WORDS = {
    **dict.fromkeys(("正确", "right", "correct"), RIGHT),
    **dict.fromkeys(("错误", "不正确", "wrong", "incorrect"), WRONG),
}
VERDICT = re.compile(
    r"(?:(?:最终)?(?:判断|判定|评判|结论|结果|答案|verdict|judge?ment)\s*(?:是|为|is)?\s*[:：]?\s*)?"
    rf"[\s*_`\"'“”「」【】\[\]()（）]*({'|'.join(sorted(WORDS, key=len, reverse=True))})"
    r"[\s*_`\"'“”「」【】\[\]()（）。.!！]*",
    re.IGNORECASE,
)
"""A last line that is a verdict: 正确, **错误**。, 判断：正确, Verdict: right."""


class Settings(Strict):
    """What judge.py gets of the config."""

    study: Name
    model: Name
    """Whose answers are judged."""
    dataset: Name
    split: str
    judge: Judge
    endpoint: Endpoint


def verdict(text: str) -> str | None:
    """What a judge's reply says: `right`, `wrong`, or None where its last line is no verdict.

    A line that says more than the verdict (部分正确, 正确或错误) is none; neither is the last line
    of reasoning that breaks off.
    """
    lines = [line.strip() for line in answer_part(text).splitlines() if line.strip()]
    found = VERDICT.fullmatch(lines[-1]) if lines else None
    return WORDS[found.group(1).lower()] if found else None


def replies_judged(records: Path, predictions: Path) -> Iterator[tuple[dict, str]]:
    """Yield each record with a gold answer and the first response to it, without its reasoning.

    Records without a response, or with one that says nothing, are passed over.
    """
    given = by_id(predictions)
    for record in read_jsonl(records):
        responses = given.get(record["id"], {}).get("responses") or [None]
        reply = answer_part(responses[0]["text"]).strip() if responses[0] else ""
        if reply and record["label"] is not None:
            yield record, reply


def judge(
    settings: Settings, records: Path, predictions: Path, out: Path, metrics: Path,
    journal: Path, ledger: Path,
) -> dict:  # fmt: skip
    """Have the answers to one split judged; what was judged once is not asked again.

    Args:
        settings: judge, prompt, endpoint.
        records: records of the split.
        predictions: a model's responses to them.
        out: receives `{"id", "verdict", "text", "error"}` of each answer that was judged; verdict
            is null where the judge's reply is unparsed, and text where there is none.
        metrics: receives the counts.
        journal: folder of the journals.
        ledger: folder of the ledgers.

    Returns:
        The metrics.
    """
    about = {"purpose": "judge", "study": settings.study, "dataset": settings.dataset}
    about |= {"split": settings.split, "judged_model": settings.model}
    engine = OpenAIEngine(settings.judge.endpoint, settings.endpoint, ledger, about)
    cases = (
        _case(record["id"], render_for_judge(settings.judge.prompt, record, reply))
        for record, reply in replies_judged(records, predictions)
    )
    with TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "asked.jsonl", Path(folder) / "answered.jsonl"
        write_jsonl(asked, cases)
        question = Question(
            model=settings.model,
            dataset=settings.dataset,
            split=settings.split,
            records=asked,
            prompt=_as_rendered(settings.judge.prompt.system is not None),
            out=answered,
            metrics=metrics,
        )
        found = predict(engine, question, settings.judge.sampling, journal)
        counts: Counter[str] = Counter()
        write_jsonl(out, (_judged(row, counts) for row in read_jsonl(answered)))
    found = {"judge": settings.judge.endpoint, **found}
    found |= {key: counts[key] for key in (RIGHT, WRONG, "unparsed", "error")}
    found |= {key: counts[key] for key in ("prompt_tokens", "completion_tokens")}
    write_json(metrics, found)
    text = "%s judged %d answers of %s: %d right, %d wrong, %d unparsed, %d failed."
    shown = [found[key] for key in (RIGHT, WRONG, "unparsed", "error")]
    log.info(text, settings.judge.endpoint, found["records"], settings.model, *shown)
    return found


def _case(name: str, messages: list[Message]) -> dict:
    """Messages as a record that `_as_rendered` renders to them."""
    fields = {message["role"]: message["content"] for message in messages}
    return {"id": name, "fields": fields, "label": None, "group": name}


def _as_rendered(system: bool) -> Prompt:
    return Prompt(system="{system}" if system else None, user="{user}")


def _judged(row: dict, counts: Counter) -> dict:
    response = row["responses"][0] if row["responses"] else None
    said = None
    if response and response["finish_reason"] != "length":
        said = verdict(response["text"])
    counts[(said or "unparsed") if response else "error"] += 1
    if response:
        counts["prompt_tokens"] += response["prompt_tokens"]
        counts["completion_tokens"] += response["tokens"]
    text = response["text"] if response else None
    return {"id": row["id"], "verdict": said, "text": text, "error": row["error"]}
