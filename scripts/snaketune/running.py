"""What a person sees of a run: which jobs are at work and how far, which failed, where it ended."""

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

DONE = " INFO Done in "
"""What the last line of a finished script's log has (see `cli.run`)."""
LAST_LINES = 5
PAGES = ("accuracy.html", "answers.html", "overview.html")
"""What a study's reader opens first."""


class Job(NamedTuple):
    """A job by its log: what it said last, and how many seconds ago."""

    name: str
    line: str
    age: float


def unfinished(results: Path) -> list[Job]:
    """The jobs whose logs have no end, those that spoke last first: at work, failed or killed."""
    jobs = []
    for path in (results / "logs").glob("**/*.log"):
        line = "".join(last_lines(path, 1))
        if line and DONE not in line:
            name = path.relative_to(results / "logs").with_suffix("")
            jobs.append(Job(str(name), line, max(0.0, time.time() - path.stat().st_mtime)))
    return sorted(jobs, key=lambda job: job.age)


def at_work(results: Path) -> str:
    """A line a job that is not finished."""
    jobs = unfinished(results)
    if not jobs:
        return f"{results}: no job is at work."
    wide = max(len(job.name) for job in jobs)
    return "\n".join(f"{job.name:{wide}}  {span(job.age)} ago  {job.line}" for job in jobs)


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a text that are not blank; none of a file that is not there."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.strip()][-count:]


def failures(printed: str) -> dict[str, tuple[str, Path | None]]:
    """What a failed job was about and its log, by job id, from what Snakemake printed.

    A job that failed and went through at a later attempt is none.
    """
    about = dict(re.findall(r"^Job (\d+): (.*)$", printed, flags=re.MULTILINE))
    failed: dict[str, tuple[str, Path | None]] = {}
    block = r"^Error in rule (\w+):\n((?: {4}.*\n)*)|^Finished jobid: (\d+)"
    for match in re.finditer(block, printed, flags=re.MULTILINE):
        rule, facts, finished = match.groups()
        if finished:
            failed.pop(finished, None)
            continue
        job = re.search(r"^ {4}jobid: (\d+)", facts, flags=re.MULTILINE)
        log = re.search(r"^ {4}log: ([^\s,]+)", facts, flags=re.MULTILINE)
        if job:
            failed[job[1]] = (about.get(job[1], rule), Path(log[1]) if log else None)
    return failed


def told_of_failures(snakemake_log: Path) -> str:
    """Which jobs of a run failed, with the last lines of their logs; blank if none did."""
    parts = []
    for what, log in failures(_read(snakemake_log)).values():
        lines = last_lines(log, LAST_LINES) if log else []
        parts.append("\n    ".join([f"  {what}", *([f"{log}:"] if log else []), *lines]))
    if not parts:
        return ""
    title = "1 job failed:" if len(parts) == 1 else f"{len(parts)} jobs failed:"
    end = "Mend what they say and run the same command: finished work stays."
    return "\n".join([title, *parts, end])


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def told_of_results(results: Path, studies: list[str], began: float) -> str:
    """How long a run took, and where the pages are of the studies that it made.

    Args:
        results: the run's folder.
        studies: those that it could make.
        began: when it began, in seconds since the epoch; what is older is of another run.
    """
    done = f"Done in {span(time.time() - began)}."
    found = []
    for study in studies:
        pages = [path for page in PAGES if (path := results / study / page).is_file()]
        if any(path.stat().st_mtime >= began for path in pages):
            found += [f"  {path}" for path in pages]
    if not found:
        return done
    short = f"In short: python scripts/show_results.py --results {results}"
    return "\n".join([f"{done} What came out:", *found, short])


def span(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds))).removeprefix("0:")
