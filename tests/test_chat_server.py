"""The local chat server keeps its word; the other tests lean on what it counts."""

import json
import re
import urllib.error
import urllib.request

import pytest
from chat_server import chat_server

ASKED = {"model": "m", "messages": [{"role": "user", "content": "句子1：一\n句子2：二"}]}


def post(server, **more) -> dict:
    request = urllib.request.Request(
        f"{server.address}/chat/completions",
        json.dumps({**ASKED, **more}).encode(),
        {"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)


def texts(answer: dict) -> list[str]:
    return [choice["message"]["content"] for choice in answer["choices"]]


def test_replies_follow_from_messages_seed_and_index():
    with chat_server() as one, chat_server() as two:
        first = texts(post(one, n=12, seed=1))
        assert first == texts(post(two, n=12, seed=1)) and len(set(first)) == 2
        assert first != texts(post(one, n=12, seed=2))
        assert len(set(texts(post(one, n=12, temperature=0)))) == 1


def test_a_teacher_is_told_the_label_and_rarely_concludes_otherwise():
    with chat_server() as server:
        told = [{"role": "user", "content": "正确标签是：“不相同”。"}]
        said = [text.split("结论：")[1] for text in texts(post(server, messages=told, n=200))]
    assert 160 < said.count("不相同") < 200


def test_it_counts_by_what_was_asked():
    with chat_server() as server:
        post(server, n=3, seed=1)
        post(server, n=2, seed=2)
        post(server, temperature=0)
        stats = server.stats()
    assert [stats[key] for key in ("requests", "served", "choices", "billed")] == [3, 3, 6, 6]
    assert sorted(count["choices"] for count in stats["digests"].values()) == [1, 5]


def test_faults_have_their_share_and_do_not_depend_on_order():
    def failing(server, seeds) -> set[int]:
        failed = set()
        for seed in seeds:
            try:
                post(server, seed=seed, messages=[{"role": "user", "content": str(seed)}])
            except urllib.error.HTTPError as error:
                assert error.code == 500
                failed.add(seed)
        return failed

    with (
        chat_server(fault={"500": 0.3}, seed=5) as one,
        chat_server(fault={"500": 0.3}, seed=5) as two,
    ):
        failed = failing(one, range(100))
        assert failed == failing(two, reversed(range(100))) and 15 < len(failed) < 45
        assert one.stats()["faults"] == {"500": len(failed)}


def test_the_command_line_says_its_port_first():
    with chat_server(latency=0.01, faults=0.2) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", server.address)


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 200), ("/v2/models", 404)])
def test_addresses(path, status):
    with chat_server() as server:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            found = opener.open(f"http://127.0.0.1:{server.port}{path}", timeout=60).status
        except urllib.error.HTTPError as error:
            found = error.code
    assert found == status
