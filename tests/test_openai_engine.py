"""The engine of served models: bought once, kept, found again; kills and faults cost no record.

What was served and billed is read from the server's own counts.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from asking import DRAWN, PRICE, endpoint, engine_of, keep_all, lines, requests_of
from chat_server import KEY, chat_server
from tuning import SCRIPTS

from snaketune.chat import waits
from snaketune.chat.budget import BudgetReached
from snaketune.chat.ledger import UNFINISHED, requests
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.journal import Journal

pytestmark = pytest.mark.slow

FIVE = DRAWN.model_copy(update={"responses_per_record": 5})


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(waits, "FIRST", 0.01)


def test_a_response_bought_once_is_never_bought_again(tmp_path):
    with chat_server() as server:
        engine = engine_of(server, tmp_path)
        assert keep_all(engine, range(20), tmp_path, FIVE) == 100
        assert server.stats()["requests"] == 20
        assert keep_all(engine, range(20), tmp_path, FIVE) == 100
        shuffled = [7, "edited", *range(5), "new", *range(10, 20)]
        assert keep_all(engine, shuffled, tmp_path, FIVE) == 5 * len(shuffled)
        stats = server.stats()
    assert stats["requests"] == 22 and stats["billed"] == 110
    assert {count["choices"] for count in stats["digests"].values()} == {5}


def test_only_the_missing_responses_of_a_record_are_asked_for(tmp_path):
    three = DRAWN.model_copy(update={"responses_per_record": 3})
    with chat_server(log_requests=True) as server:
        engine = engine_of(server, tmp_path)
        keep_all(engine, range(4), tmp_path, three)
        assert keep_all(engine, range(4), tmp_path, FIVE) == 20
        bodies = [request["body"] for request in server.requests()]
    assert [body["n"] for body in bodies] == [3] * 4 + [2] * 4
    assert len({body["seed"] for body in bodies}) == 8


def test_equal_records_are_asked_once(tmp_path):
    with chat_server() as server:
        assert keep_all(engine_of(server, tmp_path), [1, 2, 1, 1], tmp_path) == 4
        assert server.stats()["requests"] == 2


@pytest.mark.parametrize("behaviour", ["give", "fewer", "refuse", "ignore"])
def test_every_response_comes_and_none_twice_whatever_the_server_makes_of_n(tmp_path, behaviour):
    with chat_server(n=behaviour) as server:
        assert keep_all(engine_of(server, tmp_path), range(30), tmp_path, FIVE) == 150
        stats = server.stats()
    assert stats["billed"] == stats["choices"] == 150
    # a server without n is found out by the requests that are first under way, at most
    assert stats["requests"] <= {"give": 30, "fewer": 60, "refuse": 158, "ignore": 150}[behaviour]
    assert stats["max_concurrency"] <= 8


@pytest.mark.parametrize("behaviour", ["refuse", "ignore"])
def test_a_server_without_n_is_asked_for_many_once(tmp_path, behaviour):
    with chat_server(n=behaviour, log_requests=True) as server:
        keep_all(engine_of(server, tmp_path, concurrency=1), range(4), tmp_path, FIVE)
        asked = [request["body"].get("n", 1) for request in server.requests()]
    assert asked == ([5] + [1] * 20 if behaviour == "refuse" else [5, 4, 3] + [1] * 17)


def test_a_short_answer_now_and_then_is_no_reason_to_ask_one_by_one(tmp_path):
    two = DRAWN.model_copy(update={"responses_per_record": 2})
    with chat_server(fault={"wrong_n": 0.1}) as server:
        keep_all(engine_of(server, tmp_path, concurrency=1), range(60), tmp_path, two)
        stats = server.stats()
    assert stats["requests"] == 60 + stats["faults"]["wrong_n"] > 62


def test_single_requests_for_one_record_are_under_way_together(tmp_path):
    with chat_server(n="refuse", latency=1) as server:
        assert keep_all(engine_of(server, tmp_path), [1], tmp_path, FIVE) == 5
        assert server.stats()["max_concurrency"] == 4


def test_a_response_says_what_was_bought(tmp_path):
    before = time.time()
    with chat_server(reasoning=True, served_model="m-0528") as server:
        keep_all(engine_of(server, tmp_path), [1], tmp_path)
    (response,) = lines(tmp_path / "journal")[0]["responses"].values()
    assert response.keys() == {
        *("text", "tokens", "prompt_tokens", "finish_reason"),
        *("reasoning", "served_model", "seed", "seconds", "time"),
    }
    assert response["text"].startswith("推理过程：") and response["reasoning"] == "想一想。"
    assert response["served_model"] == "m-0528" and response["finish_reason"] == "stop"
    assert response["tokens"] == len(response["text"])
    assert before - 1 < response["time"] < time.time() + 1 and 0 < response["seconds"] < 60
    assert 0 <= response["seed"] < 2**31


def test_the_key_is_what_decides_the_response(tmp_path):
    plain = {"base_url": "http://a/v1", "model": "m"}
    engines = [
        OpenAIEngine("t", endpoint(plain["base_url"], **more), tmp_path, {})
        for more in ({}, {"model": "n"}, {"extra_body": {"enable_thinking": False}})
    ]
    engines.append(OpenAIEngine("t", endpoint("http://b/v1"), tmp_path, {}))
    assert len({engine.model_sha256 for engine in engines}) == 4
    others = {"concurrency": 3, "timeout": 9, "attempts": 2, "price": PRICE, "budget": 4}
    same = OpenAIEngine("other", endpoint("http://a/v1", **others), tmp_path, {"purpose": "x"})
    assert same.model_sha256 == engines[0].model_sha256


def test_a_record_without_an_answer_is_a_failure_with_a_reason_and_asked_again(tmp_path):
    with chat_server(fault={"503": 0.6}, seed=4) as server:
        engine = engine_of(server, tmp_path, attempts=2)
        kept = keep_all(engine, range(40), tmp_path)
        keys = {request.key for request in requests_of(engine, range(40))}
        assert 0 < kept < 40 and len(engine.failures) == 40 - kept and engine.failures.keys() < keys
        assert set(engine.failures.values()) == {"status 503: Come again later. (2 tries)"}
        while keep_all(engine, range(40), tmp_path) < 40:
            assert engine.failures
        assert engine.failures == {}
        assert server.stats()["billed"] == 40


def test_a_full_journal_needs_neither_server_nor_key(tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    with chat_server(key=KEY) as server:
        keep_all(engine_of(server, tmp_path, api_key_env="TEACHER_KEY"), range(3), tmp_path)
    monkeypatch.delenv("TEACHER_KEY")
    engine = engine_of(server, tmp_path, api_key_env="TEACHER_KEY")
    assert keep_all(engine, range(3), tmp_path) == 3
    assert len(list((tmp_path / "ledger").glob("*.jsonl"))) == 1


def test_the_key_is_in_no_file_and_no_form_of_the_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    with chat_server(key=KEY) as server:
        engine = engine_of(server, tmp_path, api_key_env="TEACHER_KEY")
        keep_all(engine, range(3), tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2 and all(KEY not in path.read_text("utf-8") for path in files)
    assert KEY not in repr(engine) + repr(vars(engine))


def test_a_caller_who_leaves_loses_what_was_under_way_at_most(tmp_path):
    with chat_server(latency=0.02) as server:
        engine = engine_of(server, tmp_path)
        with Journal(tmp_path / "journal") as journal:
            for batch in engine.answer(requests_of(engine, range(60)), DRAWN, journal):
                journal.add({key: response.as_dict() for key, response in batch.items()})
                if len(journal) > 20:
                    break
            kept = len(journal)
        assert keep_all(engine, range(60), tmp_path) == 60
        assert 60 <= server.stats()["served"] <= 60 + 8
    statuses = [line["status"] for line in requests(tmp_path / "ledger")]
    assert kept < 60 and set(statuses) <= {"ok", "cancelled"} and statuses.count("ok") >= 60


def test_what_is_reached_before_the_budget_is_kept_and_not_paid_again(tmp_path):
    with chat_server() as server:
        with pytest.raises(BudgetReached):
            keep_all(engine_of(server, tmp_path, price=PRICE, budget=0.01), range(50), tmp_path)
        kept = len(Journal(tmp_path / "journal"))
        assert 0 < kept < 50 and server.stats()["served"] == kept
        assert keep_all(engine_of(server, tmp_path, price=PRICE), range(50), tmp_path) == 50
        assert server.stats()["billed"] == 50


def test_a_schema_reaches_the_server_and_makes_another_response(tmp_path):
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}
    held = DRAWN.model_copy(update={"response_schema": schema})
    with chat_server() as server:
        engine = engine_of(server, tmp_path)
        keep_all(engine, [1], tmp_path)
        keep_all(engine, [1], tmp_path, held)
    journal = Journal(tmp_path / "journal")
    (request,) = requests_of(engine, [1], held)
    assert len(journal) == 2 and json.loads(journal[request.key]["text"]) == {"score": 1}


# The driver that the tests below start and kill

DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job behind &
import json, sys, time
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from asking import DRAWN, engine_of, keep_all
address, folder, records, k, concurrency = sys.argv[2:]
sampling = DRAWN.model_copy(update={"responses_per_record": int(k)})
engine = engine_of(address, Path(folder), concurrency=int(concurrency), attempts=8)
start = time.process_time()
kept = keep_all(engine, range(int(records)), Path(folder), sampling)
seconds = time.process_time() - start
print(json.dumps({"kept": kept, "failures": engine.failures, "cpu_seconds": seconds}))
"""


def drive(server, folder, records, k=1, concurrency=64) -> subprocess.Popen:
    paths = json.dumps([str(SCRIPTS), str(SCRIPTS.parent / "tests")])
    settings = [server.address, str(folder), str(records), str(k), str(concurrency)]
    command = [sys.executable, "-c", DRIVER, paths, *settings]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)


def outcome(process: subprocess.Popen) -> dict:
    out, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    return json.loads(out)


def wait_until_served(server, more: int) -> None:
    goal, deadline = server.stats(False)["served"] + more, time.monotonic() + 240
    while server.stats(False)["served"] < goal:
        assert time.monotonic() < deadline, "it is never served"
        time.sleep(0.01)


def test_an_interrupt_ends_it_and_keeps_what_was_answered(tmp_path):
    with chat_server(latency=0.02) as server:
        process = drive(server, tmp_path, 2000, concurrency=8)
        wait_until_served(server, 30)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=240)
        assert process.returncode != 0
        time.sleep(0.1)
        served = server.stats(False)["served"]
        assert served - 8 <= len(Journal(tmp_path / "journal")) <= served


def test_kills_cost_no_more_than_what_was_under_way(tmp_path):
    draw, concurrency, records, k = random.Random(0), 16, 600, 5
    with chat_server(latency=0.05) as server:
        for _ in range(3):
            process = drive(server, tmp_path, records, k, concurrency)
            wait_until_served(server, draw.randint(40, 150))
            process.kill()
            process.wait()
            process.stdout.close()
        assert outcome(drive(server, tmp_path, records, k, concurrency))["kept"] == records * k
        time.sleep(0.2)
        stats = server.stats()
    lost = [line for line in requests(tmp_path / "ledger") if line["status"] == UNFINISHED]
    assert records <= stats["served"] <= records + 3 * concurrency
    assert stats["served"] <= records + len(lost) + 3 * concurrency
    assert 3 <= len(lost) <= 3 * concurrency


def test_thousands_of_records_with_a_fault_in_five(tmp_path):
    """Each is answered or accounted for; what is served beyond them is what was lost on the way."""
    with chat_server(faults=0.2, retry_after="0") as server:
        found = outcome(drive(server, tmp_path, 2_000))
        stats = server.stats()
        again = outcome(drive(server, tmp_path, 2_000))
        second = server.stats(False)["requests"] - stats["requests"]
    assert found["kept"] + len(found["failures"]) == 2_000 and found["kept"] > 1_995
    assert stats["served"] == found["kept"], "nothing whole was thrown away, or asked twice"
    in_vain = ("drop_after", "torn", "empty_choices", "empty_content")
    assert stats["billed"] == stats["choices"] + sum(stats["faults"][kind] for kind in in_vain)
    assert len(list(requests(tmp_path / "ledger"))) >= stats["requests"]
    if not found["failures"]:
        assert second == 0 and again["kept"] == 2_000


def test_as_many_are_under_way_as_allowed_and_cost_little_of_a_core(tmp_path):
    """64 at 200 ms are 320 a second, 3 ms of a core for each; the bound is for busy machines."""
    with chat_server(latency=1) as server:
        made = outcome(drive(server, tmp_path, 320))
        assert server.stats(False)["max_concurrency"] == 64
    assert made["kept"] == 320 and made["cpu_seconds"] / 320 < 0.02


MEMORY = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from asking import DRAWN, engine_of, requests_of
engine = engine_of(sys.argv[2], Path(sys.argv[3]), concurrency=64)
peaks = []
for count in map(int, sys.argv[4:]):
    asked = (request for i in range(count) for request in requests_of(engine, [f"{count} {i}"]))
    assert sum(len(batch) for batch in engine.answer(asked, DRAWN, ())) == count
    # not getrusage's: that one begins with what the parent held when it forked
    status = Path("/proc/self/status").read_text()
    peaks.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)
print(json.dumps(peaks))
"""


def test_memory_does_not_grow_with_the_number_of_records(tmp_path):
    """Of the client alone, in MB: the requests and the journal are the caller's."""
    paths = json.dumps([str(SCRIPTS), str(SCRIPTS.parent / "tests")])
    with chat_server() as server:
        command = [sys.executable, "-c", MEMORY, paths, server.address, str(tmp_path)]
        out = subprocess.run([*command, "500", "4000"], stdout=subprocess.PIPE, check=True).stdout
    few, many = json.loads(out)
    assert many - few < 6
