"""What a study paid: every request is in the table once, failed and killed ones too."""

import csv
import subprocess
import sys

import pytest
from asking import PRICE, ask_all, asks, settled
from chat_server import chat_server
from tuning import SCRIPTS

from snaketune.chat import waits
from snaketune.chat.ledger import Ledger
from snaketune.spending import COLUMNS, as_html, tabulate

FACTS = {"purpose": "distill", "study": "s", "dataset": "pairs", "model": "m"}


@pytest.fixture
def ledger(tmp_path):
    """Of study s: two that were answered, one refused, one lost, one killed; one of another's."""
    book = Ledger(tmp_path)
    billed = {"prompt_tokens": 100, "completion_tokens": 10, "estimated": False, "cost": 0.25}
    ok = {"status": "ok", "served_model": "m-0528", **billed}
    ends = [
        *(ok, {**ok, "served_model": "m-0601", "estimated": True}),
        *({"status": "429", "cost": 0.0}, {"status": "timeout", "cost": None, "at_most": 1.0}),
    ]
    for end in ends:
        number = book.sent("teacher", "CNY", 1.0, **FACTS)
        book.settled(number, "teacher", "CNY", **FACTS, **end)
    book.sent("teacher", "CNY", 2.0, **FACTS)
    number = book.sent("teacher", "CNY", 1.0, **{**FACTS, "study": "other"})
    book.settled(number, "teacher", "CNY", **{**FACTS, "study": "other"}, **ok)
    number = book.sent("free", None, None, **{**FACTS, "purpose": "predict"})
    book.settled(number, "free", None, **{**FACTS, "purpose": "predict"}, **{**ok, "cost": None})
    book.close()
    return tmp_path


def test_every_request_of_the_study_is_counted_once(ledger):
    teacher, free = tabulate(ledger, "s")
    assert (teacher["requests"], teacher["failed"], teacher["unfinished"]) == (5, 2, 1)
    assert teacher["failures"] == "429: 1, timeout: 1"
    assert teacher["served_models"] == "m-0528, m-0601"
    assert (teacher["prompt_tokens"], teacher["completion_tokens"]) == (200, 20)
    assert (teacher["cost"], teacher["unbilled_at_most"], teacher["estimated"]) == (0.5, 3.0, 1)
    assert free["purpose"] == "predict" and free["cost"] is None and free["requests"] == 1
    assert len(tabulate(ledger, "other")) == 1 and tabulate(ledger, "none") == []


def test_the_page_says_money_and_escapes_what_servers_say(ledger):
    page = as_html("Study <b>", tabulate(ledger, "s"))
    assert "0.5000 CNY billed" in page and "3.0000 CNY" in page and "429: 1" in page
    assert "Study &lt;b&gt;" in page and "but for 1 requests" in page
    assert "No request to a model" in as_html("t", [])
    assert "No price is stated" in as_html("t", tabulate(ledger, "s")[1:])


def test_the_command_agrees_with_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr(waits, "FIRST", 0.01)
    books = tmp_path / "books"
    with chat_server(faults=0.3, retry_after="0") as server:
        ask_all(server, books, asks(40), price=PRICE)
        seen = server.stats()["requests"]
    # the requests of asking.py name no study
    for file in books.glob("*.jsonl"):
        text = file.read_text("utf-8").replace(
            '"purpose": "test"', '"purpose": "test", "study": "s"'
        )
        file.write_text(text, encoding="utf-8")
    command = [sys.executable, str(SCRIPTS / "tabulate_spending.py"), "--ledger", str(books)]
    command += ["--settings", '{"study": "s", "title": "t"}', "--csv", str(tmp_path / "s.csv")]
    subprocess.run([*command, "--html", str(tmp_path / "s.html")], check=True)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert tuple(row) == COLUMNS
    assert int(row["requests"]) == seen and int(row["failed"]) == seen - 40
    billed = sum(line["cost"] or 0 for line in settled(books))
    assert float(row["cost"]) == pytest.approx(billed, abs=1e-6)
    assert "billed" in (tmp_path / "s.html").read_text("utf-8")
