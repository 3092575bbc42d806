"""The chat client: what passes is tried again, what does not stops, and all of it is on the books.

That nothing is asked or paid too often is read from the server's own counts.
"""

import random
import socket
import time
from email.utils import formatdate

import pytest
from asking import DRAWN, PRICE, ask_all, asks, endpoint, lines, messages, settled
from chat_server import KEY, chat_server
from tuning import SCRIPTS

from snaketune.chat import waits
from snaketune.chat.client import HOPELESS, Answer, Failure
from snaketune.chat.ledger import Spending, Spent
from snaketune.chat.waits import seconds_asked, wait_before
from snaketune.chat.wire import Ask, most_tokens, read_body, request_body, server_message, share_out
from snaketune.config.tuning import Sampling
from snaketune.errors import UserError

pytestmark = pytest.mark.slow

GREEDY = Sampling(max_new_tokens=128)


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch):
    monkeypatch.setattr(waits, "FIRST", 0.01)


# Trying again

BILLED_IN_VAIN = {"empty_choices": "empty", "empty_content": "empty"}
LOST = {
    "drop_before": "lost",
    "drop_after": "lost",
    "torn": "torn",
    "hang": "timeout",
    "drip": "timeout",
}


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", *LOST, *BILLED_IN_VAIN])
def test_what_may_pass_is_tried_again(tmp_path, fault):
    patience = 3 if LOST.get(fault) == "timeout" else 60
    with chat_server(once=fault, retry_after="0", hang=60) as server:
        answers = ask_all(server, tmp_path, asks(5), timeout=patience, price=PRICE)
        stats = server.stats()
    assert all(isinstance(answer, Answer) for answer in answers)
    assert stats["requests"] == 10 and stats["served"] == 5
    status = BILLED_IN_VAIN.get(fault) or LOST.get(fault) or fault
    books = settled(tmp_path)
    assert sorted(line["status"] for line in books) == sorted(["ok"] * 5 + [status] * 5)
    failed = [line for line in books if line["status"] != "ok"]
    if fault in BILLED_IN_VAIN:
        assert all(line["cost"] > 0 and line["completion_tokens"] > 0 for line in failed)
    elif fault in LOST:
        assert all(line["cost"] is None and line["at_most"] > 0 for line in failed)
    else:
        assert all(line["cost"] == 0 for line in failed)


@pytest.mark.parametrize("asked", ["1", "date"])
def test_no_try_comes_before_the_server_wants_it(tmp_path, asked):
    with chat_server(once="429", retry_after=asked) as server:
        start = time.monotonic()
        (answer,) = ask_all(server, tmp_path, asks(1))
        assert time.monotonic() - start >= 1 and isinstance(answer, Answer)


def test_a_server_that_asks_for_an_hour_gets_no_further_try(tmp_path):
    with chat_server(once="429", retry_after="3600") as server:
        (failure,) = ask_all(server, tmp_path, asks(1))
        assert "wait 3600 s" in failure.reason and server.stats()["requests"] == 1


def test_waits_grow_and_are_never_shorter_than_asked():
    draw = random.Random(0)
    for tries in range(1, 12):
        longest = min(waits.LONGEST, waits.FIRST * 2 ** (tries - 1))
        assert longest / 2 <= wait_before(tries, None, draw) <= longest
        assert 7 <= wait_before(1, 7, draw) <= 7.7


def test_forms_of_retry_after():
    assert seconds_asked("2.5") == 2.5 and seconds_asked("-3") == 0
    assert 2 < seconds_asked(formatdate(time.time() + 10, usegmt=True)) <= 10
    assert seconds_asked(None) is seconds_asked("") is seconds_asked("soon") is None


def test_after_all_tries_there_is_a_reason_and_no_crash(tmp_path):
    with chat_server(fault={"503": 1}) as server:
        answers = ask_all(server, tmp_path, asks(3), attempts=4)
        assert server.stats()["requests"] == 12
    assert {answer.reason for answer in answers} == {"status 503: Come again later. (4 tries)"}


def test_other_draws_are_asked_for_where_the_server_had_worked(tmp_path):
    with chat_server(once="empty_content", log_requests=True) as server:
        ask_all(server, tmp_path, asks(1))
        assert [request["body"]["seed"] for request in server.requests()] == [0, 1]


@pytest.mark.parametrize("cut", ["length", "all_thought"])
def test_a_cut_reply_is_a_reply_unless_another_is_wanted(tmp_path, cut):
    with chat_server(once=cut) as server:
        (answer,) = ask_all(server, tmp_path, asks(1))
        assert answer.choices[0].finish_reason == "length"
        assert bool(answer.choices[0].text) == (cut == "length")
        assert server.stats()["requests"] == 1
    with chat_server(once=cut) as server:
        (answer,) = ask_all(server, tmp_path, asks(1), retry_truncated=True)
        assert answer.choices[0].finish_reason == "stop"
        assert server.stats()["requests"] == 2


# Stopping


@pytest.mark.parametrize(
    ("status", "options", "mend"),
    [
        (400, {"refuse": [400, "no such sampling"]}, "Check its model, its extra_body"),
        (401, {"key": "other"}, "Check the key in TEACHER_KEY"),
        (402, {"refuse": [402, "Insufficient Balance"]}, "too little money"),
        (403, {"refuse": [403, "not in your country"]}, "what the key in TEACHER_KEY may do"),
        (422, {"refuse": [422, "max_tokens > 8192"]}, "the sampling"),
        (429, {"refuse": [429, "You exceeded your quota"]}, "too little money"),
    ],
)
def test_a_refusal_stops_everything_at_once_with_the_servers_words(
    tmp_path, monkeypatch, status, options, mend
):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    with chat_server(**options) as server:
        with pytest.raises(UserError) as caught:
            ask_all(server, tmp_path, asks(40), api_key_env="TEACHER_KEY")
        assert server.stats()["requests"] <= 8, "those under way at the first refusal"
    said = str(caught.value)
    assert f"endpoint teacher ({server.address}) refused with status {status}" in said
    assert options.get("refuse", [0, "Not for you: Bearer [key]"])[1] in said
    assert mend in said and KEY not in said
    assert {line["status"] for line in settled(tmp_path)} == {"refused"}


def test_a_refusal_ends_the_waits_of_others_who_then_ask_no_more(tmp_path):
    with chat_server(fault={"429": 1}, retry_after="60", poison="毒", latency=0.2) as server:
        start = time.monotonic()
        with pytest.raises(UserError, match="毒 is not allowed"):
            ask_all(server, tmp_path, [*asks(5), Ask(messages("毒"), DRAWN)])
        assert time.monotonic() - start < 55, "not the minute that the others were told to wait"
        assert server.stats()["requests"] == 6


def test_a_success_between_failures_keeps_it_going(tmp_path):
    """More are given up than HOPELESS, but never so many in a row."""
    with chat_server(fault={"500": 0.6}) as server:
        answers = ask_all(server, tmp_path, asks(80), attempts=1)
    failed = sum(isinstance(answer, Failure) for answer in answers)
    assert HOPELESS < failed < 80


def test_a_wrong_address_is_a_refusal(tmp_path):
    with chat_server() as server, pytest.raises(UserError, match=r"404: .*base_url and model"):
        ask_all(f"http://127.0.0.1:{server.port}/v2", tmp_path, asks(1))


def test_when_nothing_is_answered_any_more_it_stops(tmp_path):
    with chat_server(fault={"500": 1}) as server:
        with pytest.raises(UserError, match=f"{HOPELESS} in a row .* status 500") as caught:
            ask_all(server, tmp_path, asks(100), attempts=2)
        assert server.stats()["requests"] <= 2 * (HOPELESS + 8)
    assert caught.value.exit_code == 75


def test_no_connection_at_all_is_noticed_at_the_first_ask_given_up(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(UserError, match="no connection"):
            ask_all(address, tmp_path, asks(1), attempts=3)
    assert [line["cost"] for line in settled(tmp_path)] == [0.0] * 3
    assert Spending(tmp_path).of("teacher", None) == Spent(0, 0)


# Several choices a request


@pytest.mark.parametrize(
    ("behaviour", "got", "made"),
    [("give", 5, 5), ("fewer", 4, 4), ("refuse", 1, 1), ("ignore", 1, 1), ("more", 5, 6)],
)
def test_an_answer_holds_what_the_server_gives_of_what_was_asked(tmp_path, behaviour, got, made):
    """How the rest is asked for is the engine's affair."""
    with chat_server(n=behaviour) as server:
        answers = ask_all(server, tmp_path, asks(10, n=5))
        stats = server.stats()
    assert {len(answer.choices) for answer in answers} == {got}
    assert stats["billed"] == stats["choices"] == 10 * made


def test_tokens_of_choices_add_up_to_what_the_server_counted(tmp_path):
    with chat_server() as server:
        (answer,) = ask_all(server, tmp_path, asks(1, n=5))
    (line,) = settled(tmp_path)
    assert sum(choice.tokens for choice in answer.choices) == line["completion_tokens"]
    assert all(choice.tokens > 0 for choice in answer.choices)


def test_shares_are_whole_and_add_up():
    assert share_out(10, [1, 1, 1]) == [3, 3, 4]
    assert share_out(7, [0, 0]) == [3, 4] and share_out(5, []) == []
    draw = random.Random(1)
    for _ in range(100):
        weights = [draw.randint(0, 50) for _ in range(draw.randint(1, 6))]
        total = draw.randint(0, 300)
        shares = share_out(total, weights)
        assert sum(shares) == total and min(shares) >= 0


# What is sent and what comes


def test_the_request_has_what_was_set_and_nothing_that_only_some_servers_know(tmp_path):
    body = request_body(endpoint("http://x/v1"), Ask(messages(1), GREEDY, n=1, seed=7))
    assert body == {
        "model": "m",
        "messages": messages(1),
        "max_tokens": 128,
        "temperature": 0.0,
    }
    sampling = Sampling(temperature=0.6, top_k=20, repetition_penalty=1.1)
    more = {"seed": None, "enable_thinking": False, "max_tokens": None, "max_completion_tokens": 9}
    body = request_body(endpoint("http://x/v1", extra_body=more), Ask(messages(1), sampling, n=3))
    assert {key: value for key, value in body.items() if key != "messages"} == {
        **{"model": "m", "n": 3, "temperature": 0.6, "top_p": 1.0, "top_k": 20},
        **{"repetition_penalty": 1.1, "enable_thinking": False, "max_completion_tokens": 9},
    }
    assert most_tokens(body)[1] == 27


def test_reasoning_model_and_schema_pass_through(tmp_path):
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["对", "错"]}, "sure": {"type": "boolean"}},
    }
    held = DRAWN.model_copy(update={"response_schema": schema})
    wanted = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}
    with chat_server(reasoning=True, served_model="m-0528", log_requests=True) as server:
        (answer,) = ask_all(server, tmp_path, [Ask(messages(1), held)])
        (request,) = server.requests()
    assert request["body"]["response_format"] == wanted
    assert answer.choices[0].text in (
        '{"verdict": "对", "sure": true}',
        '{"verdict": "错", "sure": true}',
    )
    assert answer.choices[0].reasoning == "想一想。" and answer.served_model == "m-0528"
    assert lines(tmp_path)[-1]["served_model"] == "m-0528"


def test_what_the_environment_has_for_another_address_is_not_sent(tmp_path, monkeypatch):
    for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", "for-openai-only")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer for-openai-only")
    with chat_server(log_requests=True) as server:
        ask_all(server, tmp_path, asks(1))
        assert "for-openai-only" not in str(server.requests())


def test_a_proxy_of_the_environment_is_used(tmp_path, monkeypatch):
    with chat_server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(
            UserError, match=r"No such address: POST http://nowhere\.invalid/v1/chat"
        ):
            ask_all("http://nowhere.invalid/v1", tmp_path, asks(1))


def test_what_an_answer_may_hold():
    body = {"model": "m", "messages": messages(1), "max_tokens": 9}
    choice = {
        "message": {"content": "半\ud83d对\ud83d\ude00", "reasoning": "想"},
        "finish_reason": None,
    }
    found = read_body({"choices": [choice]}, body)
    assert found.choices[0].text == "半\ufffd对\U0001f600" and found.choices[0].reasoning == "想"
    assert found.choices[0].finish_reason == "stop" and found.model == "m"
    assert found.usage.estimated and found.usage.completion_tokens == 9
    assert read_body({"error": {"message": "overloaded"}}, body).error == "overloaded"
    assert read_body({"choices": None}, body).choices == ()
    for torn in ([], "text", {"choices": [1]}, {"choices": [{}]}, {"choices": [], "usage": 3}):
        with pytest.raises(ValueError, match="no chat completion"):
            read_body(torn, body)


def test_messages_of_servers_are_one_short_line():
    assert server_message({"error": {"message": "a\n  b"}}) == "a b"
    assert server_message({"detail": "c"}) == "c" and server_message("<html>") == "<html>"
    assert len(server_message({"message": "x" * 9999})) == 301


def test_the_bound_on_prompt_tokens_holds_for_a_real_tokenizer():
    from tokenizers import Tokenizer

    base = SCRIPTS.parent / "resources" / "tiny-base"
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    for text in ("借呗怎么还款？<NUMBER>", "𠮷𠮷 \U0001f600", "a" * 50, "\u200b\n\n\t", "Ω≈ç"):
        asked = [{"role": "user", "content": text}]
        body = request_body(endpoint("http://x/v1"), Ask(asked, GREEDY))
        assert len(tokenizer.encode(text).ids) + 20 < most_tokens(body)[0]


# The key


def test_a_missing_key_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(UserError, match=r"endpoint teacher: .* TEACHER_KEY is not set"):
        ask_all("http://127.0.0.1:9/v1", tmp_path, asks(1), api_key_env="TEACHER_KEY")


def test_blanks_around_a_key_are_dropped_and_within_it_refused_unseen(tmp_path, monkeypatch):
    with chat_server(key=KEY) as server:
        monkeypatch.setenv("TEACHER_KEY", f" {KEY}\n")
        ask_all(server, tmp_path, asks(1), api_key_env="TEACHER_KEY")
        monkeypatch.setenv("TEACHER_KEY", "my secret\nkey")
        with pytest.raises(UserError, match="TEACHER_KEY holds no key") as caught:
            ask_all(server, tmp_path, asks(1), api_key_env="TEACHER_KEY")
    assert "secret" not in str(caught.value)


def test_the_key_reaches_no_log_and_no_ledger(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    with chat_server(key=KEY, faults=0.5, retry_after="0") as server, caplog.at_level(1):
        ask_all(server, tmp_path, asks(20), api_key_env="TEACHER_KEY", attempts=12)
    assert caplog.records and KEY not in caplog.text
    assert all(KEY not in file.read_text("utf-8") for file in tmp_path.iterdir())
