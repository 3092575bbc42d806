"""Models behind an address as models of a study: asked without torch, from file to table."""

import csv
import json
import subprocess
import sys

import pytest
import yaml
from asking import endpoint, settled
from chat_server import KEY, chat_server
from tuning import SCRIPTS
from workflow import DEMO, Project

from snaketune.config.data import LabelExtract
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.extracting import answer_records
from snaketune.files import read_json, read_jsonl, write_jsonl
from snaketune.predicting import predict
from snaketune.session import Session

pytestmark = pytest.mark.slow

PROMPT = {"system": "请判断两句话是否相同。", "user": "句子1：{one}\n句子2：{two}"}
SAMPLING = {"temperature": 0.6, "max_new_tokens": 128, "responses_per_record": 2}
LABELS = LabelExtract(
    kind="label",
    labels=["不相同", "相同"],
    readings={"accuracy": {"rule": "conclusion"}},
)


def records(path, count: int):
    """A file of labelled pairs; two of them are the same but for their ids."""
    rows = (
        {
            "id": str(number),
            "fields": {"one": f"花呗{max(number, 1)}怎么还款", "two": "怎么还花呗"},
            "label": ["相同", "不相同"][max(number, 1) % 2],
            "group": str(max(number, 1)),
        }
        for number in range(count)
    )
    write_jsonl(path, rows)
    return path


def session(server, folder, rows, sampling=SAMPLING, model="served", **more) -> Session:
    return Session.model_validate(
        {
            "sampling": sampling,
            "models": {model: {"adapter": None, "recipe": None}},
            "questions": [
                {
                    **{"model": model, "dataset": "d", "split": "test", "records": str(rows)},
                    **{"prompt": PROMPT, "out": str(folder / "out.jsonl")},
                    "metrics": str(folder / "out.json"),
                }
            ],
            "endpoint": {
                "study": "s",
                "name": "address",
                "endpoint": endpoint(server, **more).model_dump(mode="json"),
            },
        }
    )


def ask(server, folder, rows, **more) -> tuple[dict, list[dict]]:
    """Ask in this process; the metrics and the rows written."""
    asked = session(server, folder, rows, **more)
    about = {"purpose": "predict"}
    engine = OpenAIEngine("address", asked.endpoint.endpoint, folder / "ledger", about)
    facts = predict(engine, asked.questions[0], asked.sampling, folder / "journal")
    return facts, list(read_jsonl(folder / "out.jsonl"))


def test_every_record_is_answered_in_its_order_and_equal_ones_once(tmp_path):
    with chat_server(reasoning=True, served_model="m-0528") as server:
        facts, rows = ask(server, tmp_path, records(tmp_path / "r.jsonl", 12))
        first = (tmp_path / "out.jsonl").read_bytes()
        again, _ = ask(server, tmp_path, tmp_path / "r.jsonl")
        assert server.stats()["requests"] == 11
    assert [row["id"] for row in rows] == [str(n) for n in range(12)]
    assert rows[0]["responses"] == rows[1]["responses"]
    for response in (response for row in rows for response in row["responses"]):
        assert response["model_id"] == "m-0528" and response["reasoning"] == "想一想。"
        assert response.keys() == {
            *("text", "tokens", "prompt_tokens", "finish_reason", "reasoning", "model_id")
        }
    assert (facts["from_journal"], facts["generated"]) == (0, 22)
    assert (again["from_journal"], again["generated"], again["failed"]) == (22, 0, 0)
    assert first == (tmp_path / "out.jsonl").read_bytes()


def test_a_failed_response_is_null_and_a_record_without_any_is_an_error(tmp_path, monkeypatch):
    from snaketune.chat import waits

    monkeypatch.setattr(waits, "FIRST", 0.01)
    rows = records(tmp_path / "r.jsonl", 30)
    with chat_server(n="ignore", fault={"503": 0.5}, seed=4) as server:
        facts, found = ask(server, tmp_path, rows, attempts=1)
        read = list(answer_records(rows, tmp_path / "out.jsonl", LABELS))
        again, then = ask(server, tmp_path, rows, attempts=30)
        made = facts["generated"] + again["generated"]
        assert server.stats()["choices"] == made, "the failed ones, and no others"
    failed = [[response is None for response in row["responses"]] for row in found]
    assert {sum(nulls) for nulls in failed} == {0, 1, 2}
    reason = "status 503: Come again later. (1 tries)"
    assert [row["error"] for row in found] == [reason if all(f) else None for f in failed]
    assert facts["failed"] == sum(all(nulls) for nulls in failed) and facts["refused"] == 0
    assert facts["failed_responses"] == sum(sum(nulls) for nulls in failed)
    assert [row["error"] for row in read] == [row["error"] for row in found]
    assert again["generated"] + facts["generated"] == 58 and again["failed_responses"] == 0
    assert all(row["error"] is None for row in then)


WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = None
del sys.argv[0]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_the_command_asks_without_torch_and_says_what_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SERVED_KEY", KEY)
    rows = records(tmp_path / "r.jsonl", 6)
    with chat_server(key=KEY) as server:
        asked = session(server, tmp_path, rows, api_key_env="SERVED_KEY")
        script = [sys.executable, "-c", WITHOUT_TORCH, str(SCRIPTS / "predict.py")]
        options = ["--journal", str(tmp_path / "j"), "--ledger", str(tmp_path / "ledger")]
        settings = asked.model_dump_json()
        subprocess.run([*script, "--settings", settings, *options], check=True)
    metrics = read_json(tmp_path / "out.json")
    assert metrics["endpoint"] == {"name": "address", "base_url": server.address}
    assert metrics["model_id"] == "m" and metrics["versions"]["openai"]
    (line, *_) = settled(tmp_path / "ledger")
    about = {key: line[key] for key in ("purpose", "study", "dataset", "split", "asked_as")}
    assert list(about.values()) == ["predict", "s", "d", "test", "served"]
    assert all(KEY not in file.read_text("utf-8") for file in tmp_path.rglob("*.json*"))


def test_a_served_model_is_alone_and_needs_a_ledger(tmp_path):
    asked = session("http://127.0.0.1:9/v1", tmp_path, tmp_path / "none")
    settings = json.loads(asked.model_dump_json())
    script = [sys.executable, str(SCRIPTS / "predict.py"), "--journal", str(tmp_path)]
    done = subprocess.run(
        [*script, "--settings", json.dumps(settings)], capture_output=True, text=True
    )
    assert done.returncode == 1 and "--ledger is missing" in done.stderr
    settings["models"]["other"] = {"adapter": None, "recipe": None}
    with pytest.raises(ValueError, match="such a session has one model"):
        Session.model_validate(settings)


MEMORY = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
import test_served_models
from pathlib import Path
from snaketune.chat.exchange import Exchange
from snaketune.chat.wire import Body, Choice, Usage
from test_served_models import ask, records

async def post(self, body):
    text = "推理过程：句子1问花呗怎么还款，句子2问怎么还花呗，意图相同。\\n结论：相同"
    return Body("m", (Choice(text, None, "stop", 40),) * body.get("n", 1), Usage(50, 40, False), "")

Exchange.post = post
folder, count = Path(sys.argv[2]), int(sys.argv[3])
rows = records(folder / "r.jsonl", count)
test_served_models.read_jsonl = lambda path: ()  # the rows written are not for this process
sampling = {"temperature": 0.6, "max_new_tokens": 128}
made, _ = ask("http://127.0.0.1:9/v1", folder, rows, sampling=sampling, concurrency=64)
again, _ = ask("http://127.0.0.1:9/v1", folder, rows, sampling=sampling, concurrency=64)
assert made["generated"] == again["from_journal"] == count - 1
# not getrusage's: that one begins with what the parent held when it forked
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def test_memory_does_not_grow_much_with_the_number_of_records(tmp_path):
    """At most 1 KB a record, of asking and of taking all from the journal; without the server."""
    paths = json.dumps([str(SCRIPTS), str(SCRIPTS.parent / "tests")])
    peaks = []
    for count in (1_000, 20_000):
        (tmp_path / str(count)).mkdir()
        command = [sys.executable, "-c", MEMORY, paths, str(tmp_path / str(count)), str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        peaks.append(float(done.stdout))
    assert peaks[1] - peaks[0] < 19


STUDY = {
    "title": "Two served models",
    "prompts": {"asked": PROMPT},
    "datasets": {
        "pairs": {
            "source": {"kind": "file", "path": "pairs.jsonl", "fields": ["one", "two"]},
            "prompt": "asked",
            "split": {"train": 0, "validation": 0, "test": 1},
            "extract": {
                "kind": "label",
                "labels": ["不相同", "相同"],
                "positive": "相同",
                "readings": {"accuracy": {"rule": "conclusion"}},
            },
        }
    },
    "models": {"first": {"endpoint": "one"}, "second": {"endpoint": "two"}},
    "baseline": "first",
    "evaluations": [{"dataset": "pairs"}],
    "sampling": {"max_new_tokens": 128},
}


@pytest.mark.slow
def test_a_study_of_served_models_runs_from_a_file_to_its_table(tmp_path, monkeypatch):
    monkeypatch.setenv("SERVED_KEY", KEY)
    project = Project.copied(tmp_path / "project")
    records(project.folder / "pairs.jsonl", 60)
    with chat_server(key=KEY) as one, chat_server(key=KEY, served_model="b") as two:
        addresses = {"one": one, "two": two}
        study = STUDY | {
            "endpoints": {
                name: {"base_url": server.address, "model": name, "api_key_env": "SERVED_KEY"}
                | {"price": {"input": 2, "output": 8}, "budget": 1}
                for name, server in addresses.items()
            }
        }
        text = yaml.safe_dump(study, allow_unicode=True)
        (project.folder / "config/studies/served.yaml").write_text(text, encoding="utf-8")
        project.change("config/config.yaml", "studies", value=["served"])
        assert project.plan()["predict_served_second"] == 1
        printed = project.snakemake("plan", "--cores", "2")
        assert "served: predict pairs/test, first = one" in printed
        plans = [read_json(project.folder / DEMO / "plan.json")]
        assert one.stats()["requests"] == 0
        project.snakemake("--cores", "2")
        project.snakemake("plan", "--cores", "2")
        plans.append(read_json(project.folder / DEMO / "plan.json"))
        # another price asks nobody again
        project.change("config/studies/served.yaml", "endpoints", "one", "price", "input", value=3)
        project.snakemake("--cores", "2")
        stats = [server.stats() for server in (one, two)]
    assert [part["requests"] for part in stats] == [59, 59]
    assert [[job["requests"] for job in plan["jobs"]] for plan in plans] == [[59, 59], [0, 0]]
    with (project.folder / DEMO / "served/accuracy.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["model"], row["n"]) for row in table] == [("first", "59"), ("second", "59")]
    written = [
        path.read_text("utf-8", "replace")
        for folder in ("results", ".snakemake", ".snaketune")
        for path in (project.folder / folder).rglob("*")
        if path.is_file()
    ]
    assert len(written) > 20 and all(KEY not in text for text in written)
