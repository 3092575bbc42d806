"""Ledger and budget: every request is on the books, and none leaves that could cost too much."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import PRICE, ask_all, asks, endpoint, lines, settled
from chat_server import chat_server
from pydantic import ValidationError
from tuning import SCRIPTS

from snaketune.chat import ledger as ledgers
from snaketune.chat.budget import BudgetReached
from snaketune.chat.ledger import Ledger, Spending, Spent

pytestmark = pytest.mark.slow


def test_every_request_is_in_the_ledger_before_it_leaves_and_when_it_is_over(tmp_path):
    with chat_server() as server:
        ask_all(server, tmp_path, asks(2), price=PRICE)
    sent, *_, last = lines(tmp_path)
    assert {"sent", "at_most", "request", "purpose", "n", "time", "currency"} <= sent.keys()
    assert last["status"] == "ok" and last["purpose"] == "test" and last["currency"] == "CNY"
    money = (last["prompt_tokens"] * 2 + last["completion_tokens"] * 8) / 1e6
    assert last["cost"] == pytest.approx(money) and money < sent["at_most"]
    assert last["base_url"] == server.address and last["model"] == "m" and last["seconds"] > 0


def test_without_usage_money_is_counted_at_most_and_said_to_be(tmp_path):
    with chat_server(no_usage=True) as server:
        ask_all(server, tmp_path, asks(1), price=PRICE)
    line = settled(tmp_path)[0]
    assert line["estimated"] and line["prompt_tokens"] > 100 and line["cost"] > 0


def test_spending_reads_on_and_counts_what_has_no_bill_at_its_most(tmp_path):
    one, two, spending = Ledger(tmp_path), Ledger(tmp_path), Spending(tmp_path)
    first = one.sent("t", "CNY", 5.0)
    second = two.sent("t", "CNY", 3.0)
    one.sent("other", "CNY", 100.0)
    assert spending.of("t", "CNY") == Spent(0, 8)
    one.settled(first, "t", "CNY", status="ok", cost=1.0)
    assert spending.of("t", "CNY") == Spent(1, 3)
    two.settled(second, "t", "CNY", status="timeout", cost=None, at_most=3.0)
    assert spending.of("t", "CNY") == Spending(tmp_path).of("t", "CNY") == Spent(1, 3)
    assert spending.of("t", "EUR") == Spent() and spending.of("t", "CNY").at_most == 4


def test_a_killed_process_leaves_its_requests_as_unfinished(tmp_path):
    ledger = Ledger(tmp_path)
    done, _ = ledger.sent("t", "CNY", 1.0), ledger.sent("t", "CNY", 2.0)
    ledger.settled(done, "t", "CNY", status="ok", cost=0.5)
    (file,) = tmp_path.glob("*.jsonl")
    with file.open("ab") as torn:
        torn.write(b'{"sent": 9, "endp')
    found = [(line["status"], line.get("at_most")) for line in ledgers.requests(tmp_path)]
    assert found == [("ok", None), (ledgers.UNFINISHED, 2.0)]
    assert Spending(tmp_path).of("t", "CNY") == Spent(0.5, 2.0)


# The budget


def billed(folder) -> float:
    return sum(line["cost"] or line.get("at_most") or 0 for line in settled(folder))


def test_the_call_that_could_exceed_the_budget_is_not_made(tmp_path):
    with chat_server(latency=0.01) as server:
        ask_all(server, tmp_path / "all", asks(60), price=PRICE)
        half = billed(tmp_path / "all") / 2
        with pytest.raises(BudgetReached, match="was not made; all answers are kept"):
            ask_all(server, tmp_path / "half", asks(60), price=PRICE, budget=half)
    worst = lines(tmp_path / "half")[0]["at_most"]
    assert half - worst < billed(tmp_path / "half") <= half
    assert {line["status"] for line in settled(tmp_path / "half")} == {"ok"}


def test_a_budget_counts_earlier_runs_and_other_processes(tmp_path):
    with chat_server() as server:
        ask_all(server, tmp_path, asks(5), price=PRICE, budget=1)
        spent = billed(tmp_path)
        Ledger(tmp_path).sent("teacher", "CNY", 0.9)  # another process's, under way
        with pytest.raises(BudgetReached, match="without a bill"):
            ask_all(server, tmp_path, asks(1), price=PRICE, budget=spent + 0.9)
        assert server.stats()["requests"] == 5


def test_two_processes_together_stay_within_one_budget(tmp_path):
    code = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from asking import PRICE, ask_all, asks
from snaketune.chat.budget import BudgetReached
print("ready", flush=True)
sys.stdin.readline()
try:
    ask_all(sys.argv[1], Path(sys.argv[2]), asks(100), price=PRICE, budget=0.03)
except BudgetReached:
    sys.exit(3)
"""
    with chat_server(latency=0.005) as server:
        command = [sys.executable, "-c", code, server.address, str(tmp_path)]
        command += [str(SCRIPTS), str(SCRIPTS.parent / "tests")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        runs = [subprocess.Popen(command, env=os.environ, **pipes) for _ in range(2)]
        assert [run.stdout.readline() for run in runs] == ["ready\n"] * 2
        for run in runs:
            run.stdin.write("\n")
            run.stdin.flush()
        assert [run.communicate(timeout=300) and run.returncode for run in runs] == [3, 3]
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    worst = lines(tmp_path)[0]["at_most"]
    assert 0.03 - worst < billed(tmp_path) <= 0.03


def test_nothing_is_spent_while_another_process_counts(tmp_path):
    with chat_server() as server, ThreadPoolExecutor() as pool:
        with Ledger(tmp_path).locked():
            asking = pool.submit(ask_all, server, tmp_path, asks(1), price=PRICE, budget=1)
            time.sleep(0.5)
            assert server.stats()["requests"] == 0 and not asking.done()
        assert len(asking.result(timeout=120)) == 1


def test_a_budget_needs_a_price():
    with pytest.raises(ValidationError, match="budget: needs a price"):
        endpoint("http://127.0.0.1:9/v1", budget=1)
