"""Distilling: what is kept, what is rejected and why, and that no text is bought twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from asking import PRICE
from chat_server import KEY, MODEL, chat_server
from tuning import SCRIPTS, kill_when, run

from snaketune.chat import waits
from snaketune.chat.budget import BudgetReached
from snaketune.conclusions import conclusion_reader
from snaketune.config.sources import PairsSource
from snaketune.distilling import Settings, distill
from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl, write_jsonl
from snaketune.pairs import pairs_records
from snaketune.prompts import missing, render_for_teacher
from snaketune.teachers import RULE_BASED
from snaketune.teaching import reject_reason

pytestmark = pytest.mark.slow

SAME, DIFFERENT = "相同", "不相同"
LABELS = [DIFFERENT, SAME]
READ = conclusion_reader(*LABELS)
PROMPT = {
    "system": "你是一个花呗客服。",
    "user": '句子1：{sentence1}\n句子2：{sentence2}\n已知这两句话的正确标签是："{label}"。',
}
AFQMC = Path(__file__).resolve().parents[2] / "shared" / "data" / "afqmc" / "train.csv"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(waits, "FIRST", 0.01)


def record(number: int | str, label: str | None = SAME, **fields: str) -> dict:
    texts = {"sentence1": f"花呗第{number}期怎么还", "sentence2": f"如何还花呗第{number}期"}
    return {"id": f"r{number}", "fields": texts | fields, "label": label, "group": f"g{number}"}


def records(count: int) -> list[dict]:
    return [record(number, LABELS[number % 2]) for number in range(count)]


class Place:
    """A folder in which records are distilled."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.journal, self.ledger = folder / "journal", folder / "ledger"

    def paths(self) -> dict[str, Path]:
        names = {
            "out": "cot.jsonl",
            "rejected": "cot.rejected.jsonl",
            "metrics": "cot.metrics.json",
        }
        paths = {"records": self.folder / "train.jsonl", "journal": self.journal}
        return {**paths, "ledger": self.ledger} | {n: self.folder / f for n, f in names.items()}

    def distill(self, settings: dict, rows: list[dict]) -> dict:
        write_jsonl(self.paths()["records"], rows)
        return distill(Settings.model_validate(settings), **self.paths())

    def kept(self) -> list[dict]:
        return list(read_jsonl(self.paths()["out"]))

    def rejected(self) -> list[dict]:
        return list(read_jsonl(self.paths()["rejected"]))

    def written(self) -> list[bytes]:
        return [self.paths()[name].read_bytes() for name in ("out", "rejected")]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def served(server, endpoint: dict | None = None, **changes) -> dict:
    """Settings with the test server as teacher."""
    changes = {"teacher": "deepseek", "prompt": PROMPT, **changes}
    address = {"base_url": server.address, "model": "m", "concurrency": 8, "timeout": 60}
    return {
        "study": "yesorno",
        "dataset": "pairs",
        "distill": changes,
        "labels": LABELS,
        "endpoint": {**address, **(endpoint or {})},
    }


def by_rules(**changes) -> dict:
    teacher = {"teacher": "rules", "prompt": PROMPT, **changes}
    return {"study": "yesorno", "dataset": "pairs", "distill": teacher, "labels": LABELS}


# ------------------------------------------------------------------------------ a served teacher


def test_kept_rows_are_the_records_with_reasoning_in_their_order(place):
    rows = records(60)
    with chat_server() as server:
        found = place.distill(served(server), rows)
    kept, rejected = place.kept(), place.rejected()
    assert len(kept) == found["kept"] > 50 and len(kept) + len(rejected) == 60
    names = {row["id"] for row in kept}
    assert [row["id"] for row in kept] == [row["id"] for row in rows if row["id"] in names]
    of = {row["id"]: row for row in rows}
    for row in kept:
        text = row["fields"].pop("reasoning")
        assert row == of[row["id"]]
        assert reject_reason(text, row, READ) is None and text == text.strip()
    assert found["teacher"] == "deepseek" and found["model"] == "m"
    assert found["served_models"] == {MODEL: found["bought"]}
    assert read_json(place.paths()["metrics"]) == found


def test_only_what_failed_the_checks_is_asked_again(place):
    with chat_server() as server:
        found = place.distill(served(server, attempts=3), records(200))
        stats = server.stats()
        once = Place(place.folder / "once")
        once.folder.mkdir()
        single = once.distill(served(server, attempts=1), records(200))
        assert server.stats()["served"] == stats["served"] + 200
    attempts = {int(count): times for count, times in found["attempts"].items()}
    assert sum(attempts.values()) == 200 and attempts[1] > 160 and attempts[2] > 2
    # the server errs one time in ten, whatever it is asked
    wrong = found["refused_texts"]["wrong_conclusion"]
    assert (
        stats["served"]
        == sum(count * times for count, times in attempts.items())
        == 200 + wrong - len(place.rejected())
    )
    for row in place.rejected():
        assert row["reason"] == "wrong_conclusion" and len(row["texts"]) == 3
        assert [text["reason"] for text in row["texts"]] == ["wrong_conclusion"] * 3
        assert all("结论：" in text["text"] for text in row["texts"])
    assert single["kept"] == attempts[1], "a further text changes nothing for those that passed"
    assert single["rejected"] == {"wrong_conclusion": 200 - attempts[1]}


def test_a_text_paid_once_is_never_bought_again(place):
    """Also after records were edited, added and reordered, or the outputs were lost."""
    with chat_server() as server:
        settings = served(server)
        first = place.distill(settings, records(40))
        before = place.written()
        bought = server.stats()["billed"]
        assert first["bought"] == bought and first["from_journal"] == 0
        for path in (place.paths()[name] for name in ("out", "rejected", "metrics")):
            path.unlink()
        again = place.distill(settings, records(40))
        assert place.written() == before and server.stats()["billed"] == bought
        assert (again["bought"], again["from_journal"]) == (0, bought)
        other = {"bought": 0, "from_journal": bought}
        assert again == first | other

        changed = [*reversed(records(40)), record("new"), {**record(7, LABELS[1]), "id": "renamed"}]
        place.distill(settings, changed)
        stats = server.stats()
        attempts = sum(entry["requests"] for entry in stats["digests"].values())
    assert len(stats["digests"]) == 41 and attempts == stats["billed"] <= bought + 3
    kept = {row["id"]: row["fields"]["reasoning"] for row in place.kept()}
    assert kept.get("renamed") == kept.get("r7")


def test_without_verifying_every_text_is_kept_as_published(place):
    with chat_server() as server:
        found = place.distill(served(server, verify=False), records(60))
    kept = place.kept()
    assert found["kept"] == len(kept) == 60 and place.rejected() == []
    assert found["attempts"] == {"1": 60} and found["verify"] is False
    wrong = [row for row in kept if READ(row["fields"]["reasoning"]) != row["label"]]
    assert 0 < len(wrong) < 20, "one in ten of the server's texts concludes the other label"


def test_a_label_0_is_a_label_and_null_is_none(place):
    """The published script drops whatever Python holds for false."""
    rows = [record(1, "0"), record(2, None), record(3, ""), record(4, "1")]
    with chat_server(log_requests=True) as server:
        found = place.distill(served(server, verify=False), rows)
        asked = [request["body"]["messages"][-1]["content"] for request in server.requests()]
    assert [row["id"] for row in place.kept()] == ["r1", "r3", "r4"]
    assert found["without_label"] == 1 and found["records"] == 4
    assert sorted(text.split("标签是：")[1] for text in asked) == ['""。', '"0"。', '"1"。']


def test_the_label_of_a_teacher_s_prompt_is_the_word():
    from snaketune.config.data import TeacherPrompt

    messages = render_for_teacher(TeacherPrompt(**PROMPT), record(1, DIFFERENT))
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"].endswith('正确标签是："不相同"。')
    assert "句子1：花呗第1期怎么还" in messages[1]["content"]


def test_a_request_that_never_succeeds_rejects_its_record_with_the_reason(place):
    with chat_server(fault={"503": 0.7}, seed=4) as server:
        found = place.distill(served(server, {"attempts": 2}), records(40))
    errors = [row for row in place.rejected() if row["reason"] == "error"]
    assert 5 < len(errors) == found["rejected"]["error"] < 35
    assert all(row["texts"] == [] and "status 503" in row["error"] for row in errors)


def test_records_that_got_no_answer_are_asked_again_by_the_next_run(place):
    with chat_server(fault={"503": 0.6}, seed=4) as server:
        first = place.distill(served(server, {"attempts": 2}), records(30))
        billed = server.stats()["billed"]
        assert first["rejected"]["error"] > 0
        second = place.distill(served(server, {"attempts": 30}), records(30))
        assert "error" not in second["rejected"] and second["kept"] >= 28
        assert second["from_journal"] == billed == first["bought"]


def test_a_text_cut_at_the_token_limit_is_not_learnt(place):
    with chat_server(fault={"length": 1.0}) as server:
        found = place.distill(served(server, attempts=2), records(4))
        assert server.stats()["billed"] == 8
    assert found["rejected"] == {"truncated": 4} and found["refused_texts"] == {"truncated": 8}


def test_at_temperature_0_a_second_text_is_not_bought(place):
    with chat_server() as server:
        sampling = {"temperature": 0, "max_new_tokens": 200}
        found = place.distill(served(server, sampling=sampling), records(60))
        assert server.stats()["billed"] == 60
    assert found["attempts"] == {"1": 60} and 0 < found["rejected"]["wrong_conclusion"] < 20


def test_money_and_tokens_are_those_of_the_texts(place):
    with chat_server() as server:
        settings = served(server, {"price": PRICE})
        found = place.distill(settings, records(20))
    lines = [json.loads(line) for f in place.ledger.glob("*.jsonl") for line in f.open()]
    bills = [line for line in lines if "settled" in line]
    assert found["prompt_tokens"] == sum(line["prompt_tokens"] for line in bills) > 20 * 40
    assert found["completion_tokens"] == sum(line["completion_tokens"] for line in bills)
    assert found["cost"] == pytest.approx(sum(line["cost"] for line in bills)) and found["cost"] > 0
    assert found["currency"] == "CNY"
    assert {line["purpose"] for line in bills} == {"distill"}
    assert {(line["study"], line["dataset"]) for line in bills} == {("yesorno", "pairs")}


def test_what_the_budget_allowed_is_kept_in_the_journal(place):
    with chat_server() as server:
        with pytest.raises(BudgetReached):
            place.distill(served(server, {"price": PRICE, "budget": 0.03}), records(50))
        bought = server.stats()["billed"]
        assert 0 < bought < 50 and not place.paths()["out"].exists()
        found = place.distill(served(server, {"price": PRICE}), records(50))
        assert found["from_journal"] == bought == server.stats()["billed"] - found["bought"]


def test_the_script_leaves_no_key_in_any_file_or_message(place):
    write_jsonl(place.paths()["records"], records(10))
    options = [word for name, path in place.paths().items() for word in (f"--{name}", str(path))]
    for key, code in ((KEY, 0), (KEY + "-wrong", 1)):
        with chat_server(key=KEY) as server:
            settings = json.dumps(served(server, {"api_key_env": "TEACHER_KEY"}))
            words = [sys.executable, str(SCRIPTS / "distill.py"), *options, "--settings", settings]
            done = subprocess.run(
                [*words, "--log", str(place.folder / "distill.log")],
                env=os.environ | {"TEACHER_KEY": key}, capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert KEY not in done.stderr + done.stdout + settings
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert len(files) >= 6 and all(KEY not in path.read_text("utf-8") for path in files)
    assert "of 10 records kept" not in (place.folder / "distill.log").read_text("utf-8")
    assert len(place.kept()) >= 8, "what the first run wrote is still there"


def test_a_kill_costs_no_more_than_what_was_under_way(place):
    write_jsonl(place.paths()["records"], records(120))
    options = [word for name, path in place.paths().items() for word in (f"--{name}", str(path))]
    with chat_server(latency=0.03) as server:
        settings = json.dumps(served(server, attempts=1))
        words = [sys.executable, str(SCRIPTS / "distill.py"), *options, "--settings", settings]
        kill_when(words, lambda: server.stats(False)["served"] >= 30)
        assert not place.paths()["out"].exists()
        run(words)
        assert 120 <= server.stats()["served"] <= 120 + 8
    assert len(place.kept()) + len(place.rejected()) == 120
    assert read_json(place.paths()["metrics"])["from_journal"] >= 30 - 8


def test_a_faulty_server_loses_no_record_and_bills_none_twice(place):
    with chat_server(faults=0.2, retry_after="0") as server:
        found = place.distill(served(server, {"attempts": 12, "concurrency": 32}), records(300))
        stats = server.stats()
    assert found["kept"] + len(place.rejected()) == 300
    assert stats["served"] == found["bought"], "nothing whole was thrown away, or asked twice"


# ------------------------------------------------------------------------------ the rule-based one


def drawn(count: int) -> list[dict]:
    source = PairsSource(
        kind="pairs", records=count, labels={"same": SAME, "different": DIFFERENT}, masked=0.2
    )
    return list(pairs_records(source))


def test_the_rules_need_no_address_and_are_called_what_they_are(place):
    rows = drawn(300)
    found = place.distill(by_rules(), rows)
    assert found["teacher"] == RULE_BASED == "rule-based teacher" and found["model"] is None
    assert [row["id"] for row in place.kept()] == [row["id"] for row in rows]
    assert found["attempts"] == {"1": 300} and found["rejected"] == {}
    assert not place.journal.exists() and not place.ledger.exists()
    before = place.written()
    assert place.distill(by_rules(), rows) == found and place.written() == before


def test_a_kept_record_answers_a_prompt_with_reasoning(place):
    from snaketune.config.data import Prompt
    from snaketune.prompts import render

    prompt = Prompt(user="句子1：{sentence1}\n句子2：{sentence2}", answer="{reasoning}")
    (row,) = drawn(1)
    assert missing(prompt, row) == "reasoning"
    place.distill(by_rules(), [row])
    (kept,) = place.kept()
    assert missing(prompt, kept) is None and READ(render(prompt, kept)[1]) == row["label"]


def test_texts_of_the_rules_pass_the_checks_too(place):
    found = place.distill(by_rules(max_chars=5), drawn(3))
    assert found["rejected"] == {"too_long": 3} and place.kept() == []
    (text,) = place.rejected()[0]["texts"]
    assert text["reason"] == "too_long" and len(text["text"]) > 5


@pytest.mark.parametrize("teacher", [by_rules(), by_rules(teacher="deepseek")])
def test_labels_that_nothing_can_be_compared_with_are_refused_before_any_request(place, teacher):
    with pytest.raises(UserError, match=r"record r1: its label is '0'.*不相同 or 相同"):
        place.distill(teacher, [record(0), record(1, "0")])
    for labels in ([], ["a", "b", "c"]):
        with pytest.raises(UserError, match=f"know two labels.*has {len(labels)}"):
            place.distill({**teacher, "labels": labels}, [record(0)])


def test_a_teacher_without_an_endpoint_is_named(place):
    with pytest.raises(UserError, match="no endpoint for the teacher deepseek"):
        place.distill(by_rules(teacher="deepseek"), [record(0)])


def test_an_empty_split_gives_empty_files(place):
    found = place.distill(by_rules(), [])
    assert found["kept"] == 0 and place.written() == [b"", b""]


def test_the_rules_load_neither_torch_nor_the_client():
    code = (
        "import sys, distill; from snaketune.teachers import ByRules;"
        "assert not {'torch', 'openai', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)
