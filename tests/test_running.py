"""What a person sees of a run while it goes on and at its end."""

import io
import logging
import os
import time
from types import SimpleNamespace

import pytest

from snaketune import bars
from snaketune.files import write_text
from snaketune.running import (
    at_work,
    failures,
    told_of_failures,
    told_of_results,
    unfinished,
)

PRINTED = """\
Job 9: weather: train adapter lora
Reason: Missing output files: lora
Job 12: weather: train adapter qlora
Job 4: weather: split weather by group
Error in rule train_adapter:
    message: None
    jobid: 9
    input: recipe.yaml
    log: {log} (check log file(s) for error details)
    shell:
        python scripts/train_adapter.py
Error in rule train_adapter:
    jobid: 12
    log: elsewhere.log, slurm/7.log (check log file(s) for error details)
Finished jobid: 4 (Rule: split)
Finished jobid: 12 (Rule: train_adapter)
"""


def test_failed_jobs_are_told_with_the_last_lines_of_their_logs(tmp_path):
    log, printed = tmp_path / "lora.log", tmp_path / "snakemake.log"
    write_text(log, "".join(f"line {i}\n" for i in range(20)) + "12:00:00 ERROR too long\n\n")
    write_text(printed, PRINTED.format(log=log))
    told = told_of_failures(printed).splitlines()
    assert told[:3] == ["1 job failed:", "  weather: train adapter lora", f"    {log}:"]
    assert told[3:-1] == [*(f"    line {i}" for i in range(16, 20)), "    12:00:00 ERROR too long"]


def test_a_job_that_went_through_at_a_later_attempt_is_no_failure():
    assert list(failures(PRINTED)) == ["9"]


@pytest.mark.parametrize("text", ["", "Error in rule x:\n", "Finished jobid: 1 (Rule: x)\n"])
def test_nothing_is_told_where_nothing_failed(tmp_path, text):
    write_text(tmp_path / "log", text)
    assert told_of_failures(tmp_path / "log") == ""


def test_a_failed_job_without_a_log_is_told_too(tmp_path):
    write_text(tmp_path / "log", "Error in rule x:\n    jobid: 3\n    output: y\n")
    assert told_of_failures(tmp_path / "log").splitlines()[:2] == ["1 job failed:", "  x"]


def test_jobs_at_work_are_those_whose_logs_have_no_end(tmp_path):
    logs = {
        "weather/train_adapter/lora": "12:00:00 INFO Step 4 of 132: loss 0.1\n",
        "weather/split/weather": "12:00:00 INFO 10 records\n12:00:01 INFO Done in 1.0 s.\n",
        "nli/predict/base": "12:00:02 INFO base on rte/test: 12 of 440.\n",
        "nli/score": "",
    }
    for name, text in logs.items():
        write_text(tmp_path / f"logs/{name}.log", text)
    os.utime(tmp_path / "logs/weather/train_adapter/lora.log", (time.time() - 90,) * 2)
    assert [job.name for job in unfinished(tmp_path)] == [
        "nli/predict/base",
        "weather/train_adapter/lora",
    ]
    shown = at_work(tmp_path).splitlines()
    assert shown[1].startswith("weather/train_adapter/lora  01:3")
    assert shown[1].endswith("ago  12:00:00 INFO Step 4 of 132: loss 0.1")
    assert "no job is at work" in at_work(tmp_path / "other")


def test_the_end_names_time_and_place(tmp_path):
    began = time.time() - 8000
    assert told_of_results(tmp_path, ["weather"], began).startswith("Done in 2:13:2")
    pages = ["accuracy.html", "answers.html", "overview.html"]
    for study in ("weather", "nli"):
        for page in pages:
            write_text(tmp_path / study / page, "x")
            os.utime(tmp_path / study / page, (began - 60, began - 60))
    assert "\n" not in told_of_results(tmp_path, ["weather", "nli"], began)
    write_text(tmp_path / "nli/answers.html", "new")
    told = told_of_results(tmp_path, ["weather", "nli"], began).splitlines()
    assert told[0].endswith(" What came out:")
    assert told[1:-1] == [f"  {tmp_path / 'nli' / page}" for page in pages]


def test_bars_log_a_line_each_minute(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    now = [0.0]
    monkeypatch.setattr(bars, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with bars.Bar(total=400, desc="base on rte/test", file=io.StringIO()) as bar:
        for _ in range(40):
            now[0] += 5
            bar.update(10)
    assert [record.message for record in caplog.records] == [
        f"base on rte/test: {done} of 400." for done in (120, 240, 360)
    ]
