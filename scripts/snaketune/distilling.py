"""Reasoning that a teacher writes for labelled records, checked before anything learns from it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from snaketune.conclusions import conclusion_reader
from snaketune.errors import UserError
from snaketune.files import read_jsonl, write_json, write_jsonl
from snaketune.prompts import REASONING
from snaketune.teachers import Reply, Settings, Teacher, teacher_of, two_labels
from snaketune.teaching import reject_reason

log = logging.getLogger(__name__)

TRUNCATED, ERROR = "truncated", "error"
"""Reasons beside those of `teaching.REASONS`: cut at the token limit, no text after all tries."""


@dataclass
class Outcome:
    """A record, what was written for it, and why each text was refused (None: it was not)."""

    record: dict
    replies: list[Reply] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return bool(self.reasons) and self.reasons[-1] is None

    @property
    def goes_on(self) -> bool:
        """Whether a further text may help: the last one is there and was refused."""
        return not self.kept and ERROR not in self.reasons

    def taught(self) -> dict:
        """The record with the text that was kept."""
        fields = {**self.record["fields"], REASONING: self.replies[-1].text}
        return {**self.record, "fields": fields}

    @property
    def reason(self) -> str:
        """Why the record is rejected: by its last text, or because there is none."""
        return next((reason for reason in reversed(self.reasons) if reason != ERROR), ERROR)

    def rejected(self) -> dict:
        """The row of a rejected record."""
        pairs = zip(self.replies, self.reasons, strict=True)
        texts = [{"text": r.text, "reason": why} for r, why in pairs if why != ERROR]
        errors = [reply.error for reply in self.replies if reply.error]
        row = {"id": self.record["id"], "reason": self.reason, "texts": texts}
        return {**row, "error": errors[-1]} if errors else row


Check = Callable[[Reply, dict], str | None]
"""Why a text may not be learnt from by a record, or None."""


def distill(
    settings: Settings, records: Path, out: Path, rejected: Path, metrics: Path,
    journal: Path, ledger: Path,
) -> dict:  # fmt: skip
    """Let the teacher write for each labelled record until a text passes, and part the records.

    Records without a label are passed over. A record whose request failed for good is not asked
    again in this run; the next run does so.

    Args:
        settings: teacher, prompt, checks.
        records: records of one split.
        out: receives the records with a text, in their order, it in `fields.reasoning`.
        rejected: receives `{"id", "reason", "texts": [{"text", "reason"}]}` of the others, and
            `error` where a request failed.
        metrics: receives the counts.
        journal: folder of the journals; each teacher has a folder in it.
        ledger: folder of the ledgers.

    Returns:
        The metrics.

    Raises:
        UserError: labels that the checks do not know, or the endpoint's; all that was answered is
            in the journal then.
    """
    rows = list(read_jsonl(records))
    labelled = [row for row in rows if row["label"] is not None]
    check = _check_of(settings, labelled)
    teacher = teacher_of(settings, journal, ledger)
    outcomes = _write_and_check(teacher, labelled, check)
    kept = write_jsonl(out, (one.taught() for one in outcomes if one.kept))
    write_jsonl(rejected, (one.rejected() for one in outcomes if not one.kept))
    reasons = Counter(one.reason for one in outcomes if not one.kept)
    texts = Counter(why for one in outcomes for why in one.reasons if why)
    found = {
        "teacher": teacher.name,
        "verify": settings.distill.verify,
        "records": len(rows),
        "without_label": len(rows) - len(labelled),
        "kept": kept,
        "rejected": dict(sorted(reasons.items())),
        "refused_texts": dict(sorted(texts.items())),
        "attempts": _histogram(len(one.replies) for one in outcomes),
        **teacher.facts(),
    }
    write_json(metrics, found)
    _say(found)
    return found


def _write_and_check(teacher: Teacher, records: list[dict], check: Check) -> list[Outcome]:
    outcomes = [Outcome(record) for record in records]
    for index in range(teacher.attempts):
        waiting = [one for one in outcomes if one.goes_on]
        if not waiting:
            break
        replies = teacher.write([one.record for one in waiting], index)
        for one, reply in zip(waiting, replies, strict=True):
            one.replies.append(reply)
            one.reasons.append(ERROR if reply.text is None else check(reply, one.record))
    return outcomes


def _check_of(settings: Settings, records: Iterable[dict]) -> Check:
    """The checks of the settings; labels that they could not compare with are refused first."""
    if not settings.distill.verify:
        return lambda reply, _: None if reply.text else "empty"
    negative, positive = two_labels(settings.labels)
    for record in records:
        if record["label"] not in (negative, positive):
            raise UserError(
                f"record {record['id']}: its label is {record['label']!r}, but a conclusion is "
                f"read as {negative} or {positive}. Map the labels with source.labels."
            )
    read, longest = conclusion_reader(negative, positive), settings.distill.max_chars

    def check(reply: Reply, record: dict) -> str | None:
        return TRUNCATED if reply.truncated else reject_reason(reply.text, record, read, longest)

    return check


def _histogram(values: Iterable[int]) -> dict[str, int]:
    """{number: how often}, for JSON."""
    return {str(value): count for value, count in sorted(Counter(values).items())}


def _say(found: dict) -> None:
    text = "%s: %d of %d records kept."
    log.info(text, found["teacher"], found["kept"], found["records"])
    for reason, count in found["rejected"].items():
        log.warning("%d records rejected: %s.", count, reason)
    if found["without_label"]:
        log.warning("%d records have no label and were passed over.", found["without_label"])
