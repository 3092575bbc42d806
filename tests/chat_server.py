"""An OpenAI-compatible server on the loopback: answers from rules, fails when told, counts all.

It is a process of its own, so that what it counted outlives a killed client:

    python tests/chat_server.py --port 0 --latency 0.2 --faults 0.2

prints `{"port": …}` on its first line. POST /v1/chat/completions, GET /v1/models, GET /stats,
GET /requests.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

from chat_rules import RULES, digest, reply_text

KEY = "sk-open-sesame-0123456789"
MODEL = "rules-2026-11-20"
STATUSES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
FAULTS = (
    *("429", "500", "502", "503", "drop_before", "drop_after", "hang", "torn"),
    *("drip", "empty_choices", "empty_content", "length", "all_thought", "slow", "wrong_n"),
)
"""drop_before closes at once; drop_after, torn and empty_* have worked, and bill, in vain; drip
sends the answer in twenty pieces over the time that hang waits; length cuts the reply, and
all_thought so early that there is none."""
QUICK = [kind for kind in FAULTS if kind not in ("hang", "drip")]
UNSENT = {"429", "500", "502", "503", "drop_before", "hang"}


def asked(body: dict) -> str:
    """Digest of messages and sampling: the same for all samples of one record."""
    return digest({key: value for key, value in body.items() if key not in ("n", "seed")})


# The server


class Server:
    """Options, counters, and what a request gets."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.faults = dict(options.fault)
        if options.faults:
            self.faults |= dict.fromkeys(options.kinds, options.faults / len(options.kinds))
        self.counts: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.of_digest: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.under_way = self.most_under_way = 0
        self.first = self.last = 0.0
        self.logged: list[dict] = []

    def stats(self, with_digests: bool) -> dict:
        """requests seen; served: whole answers sent; choices in them; billed: choices made."""
        seconds = self.last - self.first
        return {
            **{key: self.counts[key] for key in ("requests", "served", "choices", "billed")},
            "faults": dict(self.given),
            "max_concurrency": self.most_under_way,
            "seconds": round(seconds, 3),
            "requests_per_second": round(self.counts["served"] / seconds, 1) if seconds else None,
            "digests": self.of_digest if with_digests else None,
        }

    def count(self, name: str, **amounts: int) -> None:
        self.counts.update(amounts)
        self.of_digest[name].update(amounts)

    def fault(self, body: dict, name: str) -> str | None:
        """What goes wrong: drawn from the request and how often it has come, not from its time."""
        if self.options.once and self.of_digest[name]["requests"] == 0:
            return self.options.once
        key = digest([self.options.seed, name, body.get("seed"), self.of_digest[name]["requests"]])
        draw, limit = int(key[:13], 16) / 16**13, 0.0
        for kind, share in self.faults.items():
            limit += share
            if draw < limit:
                return None if kind == "wrong_n" and body.get("n", 1) == 1 else kind
        return None

    def refusal(self, headers: dict[str, str]) -> tuple[int, dict] | None:
        """Status and body for those who get nothing."""
        if self.options.refuse:
            status, message = self.options.refuse
            return int(status), error(message, "insufficient_quota")
        shown = headers.get("authorization", "no key")
        if self.options.key and shown != f"Bearer {self.options.key}":
            return 401, error(f"Not for you: {shown}", "invalid_api_key")
        return None

    def choices_wanted(self, body: dict, fault: str | None) -> int:
        n = body.get("n", 1)
        if self.options.n == "ignore":
            return 1
        if fault == "wrong_n" or (self.options.n == "fewer" and n > 1):
            return n - 1
        return n + 1 if self.options.n == "more" else n

    def completion(self, body: dict, fault: str | None) -> dict:
        """The body of an answer, spoilt as `fault` says."""
        n = self.choices_wanted(body, fault)
        texts = [reply_text(self.options.rule, body, index) for index in range(n)]
        finish = "stop"
        if fault == "length":
            texts, finish = [text[: len(text) // 2] for text in texts], "length"
        elif fault in ("empty_content", "all_thought"):
            texts, finish = ["" for _ in texts], "length" if fault == "all_thought" else "stop"
        thought = {"reasoning_content": "想一想。"} if self.options.reasoning else {}
        choices = [
            {
                "index": index,
                "message": {"role": "assistant", "content": text, **thought},
                "finish_reason": finish,
            }
            for index, text in enumerate(texts)
        ]
        prompt = sum(len(message["content"]) for message in body["messages"]) + 8
        made = sum(max(1, len(text)) for text in texts)
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.options.served_model,
            "choices": [] if fault == "empty_choices" else choices,
        }
        if not self.options.no_usage:
            tokens = {"prompt_tokens": prompt, "completion_tokens": made}
            answer["usage"] = {**tokens, "total_tokens": prompt + made}
        return answer


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as one client needs."""

    def __init__(self, server: Server):
        self.server, self.buffer = server, b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        method, target, _ = first.split(" ")
        self.route(method, target, headers, rest[:length])

    def route(self, method: str, target: str, headers: dict[str, str], data: bytes) -> None:
        server = self.server
        path, _, query = target.partition("?")
        if (method, path) == ("GET", "/stats"):
            return self.send(200, server.stats("digests=0" not in query))
        if (method, path) == ("GET", "/requests"):
            return self.send(200, server.logged)
        if refusal := server.refusal(headers):
            server.counts["requests"] += 1
            return self.send(*refusal)
        if (method, path) == ("GET", "/v1/models"):
            return self.send(200, {"object": "list", "data": [{"id": server.options.served_model}]})
        if (method, path) == ("POST", "/v1/chat/completions"):
            body = json.loads(data)
            if server.options.log_requests:
                server.logged.append({"headers": headers, "body": body})
            return self.complete(body)
        return self.send(404, error(f"No such address: {method} {path}", "not_found"))

    def complete(self, body: dict) -> None:
        server, name = self.server, asked(body)
        server.first = server.first or time.monotonic()
        server.under_way += 1
        server.most_under_way = max(server.most_under_way, server.under_way)
        fault = server.fault(body, name)
        server.count(name, requests=1)
        if fault:
            server.given[fault] += 1
        latency = server.options.latency * (5 if fault == "slow" else 1)
        if fault == "hang":
            latency = server.options.hang
        asyncio.get_running_loop().call_later(latency, self.finish, body, name, fault)

    def finish(self, body: dict, name: str, fault: str | None) -> None:
        server = self.server
        server.under_way -= 1
        server.last = time.monotonic()
        poison = server.options.poison
        if poison and poison in body["messages"][-1]["content"]:
            return self.send(400, error(f"{poison} is not allowed", "bad_request"))
        if server.options.n == "refuse" and body.get("n", 1) > 1:
            return self.send(400, error("n must be 1", "invalid_n"))
        if fault in UNSENT:
            return self.fail(fault)
        answer = server.completion(body, fault)
        made = server.choices_wanted(body, fault)
        server.count(name, billed=made)
        data = json.dumps(answer, ensure_ascii=False).encode("utf-8")
        if fault == "drop_after":
            self.write(200, data, cut=len(data) // 2)
            return self.transport.close()
        if fault == "torn":
            return self.write(200, data[: len(data) // 2])
        if fault == "drip":
            self.write(200, data, cut=0)
            return self.drip(data, len(data) // 20 + 1)
        if fault not in ("empty_choices", "empty_content"):
            server.count(name, served=1, choices=made)
        return self.write(200, data)

    def drip(self, data: bytes, size: int) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data[:size])
        if data[size:]:
            pause = self.server.options.hang / 20
            asyncio.get_running_loop().call_later(pause, self.drip, data[size:], size)

    def fail(self, fault: str) -> None:
        if fault in ("drop_before", "hang"):
            return self.transport.abort()
        headers = {}
        retry_after = self.server.options.retry_after
        if fault == "429" and retry_after == "date":
            headers["Retry-After"] = formatdate(time.time() + 2, usegmt=True)
        elif fault == "429" and retry_after != "none":
            headers["Retry-After"] = retry_after
        return self.send(int(fault), error("Come again later.", "busy"), headers)

    def send(self, status: int, value: dict, headers: dict[str, str] | None = None) -> None:
        self.write(status, json.dumps(value, ensure_ascii=False).encode("utf-8"), headers)

    def write(
        self,
        status: int,
        data: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        if self.transport.is_closing():
            return
        lines = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }
        head = f"HTTP/1.1 {status} {STATUSES[status]}\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        self.transport.write(head.encode("latin-1") + b"\r\n" + data[:cut])


def error(message: str, code: str) -> dict:
    return {"error": {"message": message, "type": "error", "code": code}}


def share(text: str) -> tuple[str, float]:
    kind, _, value = text.partition("=")
    if kind not in FAULTS:
        raise argparse.ArgumentTypeError(f"{kind}: known faults are {', '.join(FAULTS)}")
    return kind, float(value)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--latency", type=float, default=0.0, help="seconds until an answer")
    add("--rule", choices=RULES, default="reasons")
    add("--faults", type=float, default=0.0, help="share of requests that fail, over all --kinds")
    add(
        "--kinds",
        nargs="+",
        choices=FAULTS,
        default=[kind for kind in FAULTS if kind not in ("hang", "drip")],
    )
    add("--fault", type=share, action="append", default=[], help="share of one kind: 429=0.5")
    add("--once", choices=FAULTS, help="what happens to the first request of each record")
    add("--seed", type=int, default=0, help="which requests fail")
    add("--retry-after", default="1", help="what a 429 has: seconds, `date` or `none`")
    add("--hang", type=float, default=60.0, help="seconds until a hanging request is dropped")
    add("--n", choices=["give", "refuse", "ignore", "fewer", "more"], default="give")
    add("--key", help="asked for as Bearer; others get 401")
    add("--refuse", nargs=2, metavar=("STATUS", "MESSAGE"), help="what everything gets")
    add("--poison", help="400 for requests whose last message has this")
    add("--reasoning", action="store_true", help="replies have reasoning_content")
    add("--served-model", default=MODEL)
    add("--no-usage", action="store_true")
    add("--log-requests", action="store_true", help="keep headers and body of each")
    return parser


async def serve(options: argparse.Namespace) -> None:
    server = Server(options)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        lambda: Connection(server), "127.0.0.1", options.port, backlog=1024
    )
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    await listener.serve_forever()


# For tests


class Running:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen, port: int):
        self.process, self.address = process, f"http://127.0.0.1:{port}/v1"
        self.port = port

    def stats(self, digests: bool = True) -> dict:
        return self._get(f"stats?digests={int(digests)}")

    def requests(self) -> list[dict]:
        """Headers and body of each request it got (with log_requests)."""
        return self._get("requests")

    def _get(self, path: str) -> Any:
        address = f"http://127.0.0.1:{self.port}/{path}"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as answer:
            return json.load(answer)


@contextmanager
def chat_server(**options: object) -> Iterator[Running]:
    """A server with the command line's options, as keywords; it ends with the block."""
    command = [sys.executable, str(Path(__file__).resolve())]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, dict):
            for key, part in value.items():
                command += [flag, f"{key}={part}"]
        elif isinstance(value, list):
            command += [flag, *map(str, value)]
        elif value is not False:
            command += [flag] if value is True else [flag, str(value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Running(process, json.loads(process.stdout.readline())["port"])
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(arguments().parse_args()))
