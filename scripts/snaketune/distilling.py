"""Reasoning that a teacher writes for labelled records, checked before anything learns from it."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path

from snaketune.conclusions import conclusion_reader
from snaketune.errors import UserError
from snaketune.files import json_line, read_jsonl, whole, write_json
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

    def row(self) -> dict:
        """The record with the text that was kept, or the row of a rejected record."""
        if not self.kept:
            return self._rejected()
        fields = {**self.record["fields"], REASONING: self.replies[-1].text}
        return {**self.record, "fields": fields}

    @property
    def reason(self) -> str:
        """Why the record is rejected: by its last text, or because there is none."""
        return next((reason for reason in reversed(self.reasons) if reason != ERROR), ERROR)

    def _rejected(self) -> dict:
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
    check = _check_of(settings, _labelled(records))
    counts, texts, reasons, attempts = (Counter() for _ in range(4))
    with teacher_of(settings, journal, ledger) as teacher:
        _ask(teacher, records, check)
        with (
            whole(out) as kept,
            whole(rejected) as left,
            kept.open("wb") as good,
            left.open("wb") as bad,
        ):
            for record in read_jsonl(records):
                counts["records"] += 1
                if record["label"] is None:
                    continue
                one = _outcome(teacher, record, check)
                (good if one.kept else bad).write(json_line(one.row()) + b"\n")
                counts["kept" if one.kept else "rejected"] += 1
                reasons.update([] if one.kept else [one.reason])
                texts.update(why for why in one.reasons if why)
                attempts[len(one.replies)] += 1
        found = {
            "teacher": teacher.name,
            "verify": settings.distill.verify,
            "records": counts["records"],
            "without_label": counts["records"] - attempts.total(),
            "kept": counts["kept"],
            "rejected": dict(sorted(reasons.items())),
            "refused_texts": dict(sorted(texts.items())),
            "attempts": {str(count): times for count, times in sorted(attempts.items())},
            **teacher.facts(),
        }
    write_json(metrics, found)
    _say(found)
    return found


def _labelled(records: Path) -> Iterator[dict]:
    """The records that have a label; they are read anew each time, so that many take no memory."""
    return (record for record in read_jsonl(records) if record["label"] is not None)


def _ask(teacher: Teacher, records: Path, check: Check) -> None:
    """Let the teacher write, round by round, for the records whose texts were refused so far."""
    waits = bytearray(b"\1" * sum(1 for _ in _labelled(records)))
    for index in range(teacher.attempts):
        if index:
            for place, record in enumerate(_labelled(records)):
                waits[place] = waits[place] and _outcome(teacher, record, check, index).goes_on
        if not any(waits):
            break
        teacher.ask(lambda: compress(_labelled(records), waits), index)


def _outcome(teacher: Teacher, record: dict, check: Check, attempts: int | None = None) -> Outcome:
    """What the first texts of a teacher for a record come to; None: all that there are."""
    one = Outcome(record)
    for index in range(teacher.attempts if attempts is None else attempts):
        if not one.goes_on:
            break
        reply = teacher.reply(record, index)
        one.replies.append(reply)
        one.reasons.append(ERROR if reply.text is None else check(reply, record))
    return one


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


def _say(found: dict) -> None:
    text = "%s: %d of %d records kept."
    log.info(text, found["teacher"], found["kept"], found["records"])
    for reason, count in found["rejected"].items():
        log.warning("%d records rejected: %s.", count, reason)
    if found["without_label"]:
        log.warning("%d records have no label and were passed over.", found["without_label"])
