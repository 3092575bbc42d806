"""A small web site on the loopback that shows made questions as one of the two sites would.

It says no more than the shapes need, and does to those who ask what its `Faults` tell.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from snaketune.config.sites import Faults
from snaketune.crawling import jkbd, jxedt
from snaketune.crawling.local_shapes import (
    jkbd_answer,
    jkbd_entry,
    jkbd_id,
    jxedt_answer,
    jxedt_id,
    jxedt_list,
)
from snaketune.files import json_line
from snaketune.questions import Question

ELSEWHERE = "http://login.invalid/"


class Reply(NamedTuple):
    """What goes back."""

    status: int = 200
    kind: str = "application/json"
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def _html(body: str, status: int = 200) -> Reply:
    return Reply(status, "text/html", f"<html><body><p>{body}</p></body></html>")


class LocalSite:
    """The site's answers, and a log of what was asked.

    Args:
        spider: whose shapes it has, jkbd or jxedt.
        questions: what it shows, in this order.
        faults: what it does besides.
        log: JSON-lines file that receives each request; its rows are in `requests` too.
    """

    def __init__(
        self, spider: str, questions: list[Question], faults: Faults, log: Path | None = None
    ):
        self.spider, self.questions, self.faults = spider, questions, faults
        self.requests: list[dict] = []
        self._log = log
        self._lock = threading.Lock()
        self._served = 0
        self._busy = faults.busy
        self._last = float("-inf")
        number = jkbd_id if spider == "jkbd" else jxedt_id
        self._place = {number(place): place for place in range(len(questions))}
        beyond = [number(len(questions) + extra) for extra in range(4)]
        self.missing, self.torn, self.circle, self.forbidden = beyond

    def ids(self) -> list[int]:
        """The ids that it lists: some of them twice, some of no question."""
        ids = list(self._place)
        extra = [self.missing] * self.faults.missing + [self.torn] * self.faults.torn
        if self.spider == "jxedt":
            extra += [self.circle] * self.faults.loop
            extra += [self.forbidden] * (self.faults.robots == "some")
        return ids[:1] + ids + extra + ids[-1:]

    def answer(self, path: str, agent: str) -> Reply:
        """What a path gets; it is logged."""
        with self._lock:
            now = time.monotonic()
            reply = self._answer(path, now)
            row = {"time": now, "path": path, "status": reply.status, "agent": agent}
            self.requests.append(row)
            if self._log:
                with self._log.open("ab") as file:
                    file.write(json_line(row) + b"\n")
            self._last = now
            return reply

    def _answer(self, path: str, now: float) -> Reply:
        parts = urlsplit(path)
        if parts.path == "/robots.txt":
            return self._robots()
        if now - self._last < self.faults.fastest:
            return _html("您的操作太快了，请稍后再试")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if self.spider == "jkbd" and parts.path == jkbd.LIST:
            return Reply(body=jkbd_answer(self.ids()))
        if self.spider == "jxedt" and parts.path.endswith("/sxlx/"):
            return Reply(kind="text/html", body=jxedt_list(self.ids()))
        if parts.path not in (jkbd.QUESTIONS, jxedt.QUESTION, "/circle"):
            return _html("404", 404)
        return self._fault() or self._question_page(parts.path, query)

    def _robots(self) -> Reply:
        forbidden = [jkbd.LIST.rsplit("/", 1)[0] + "/private/"]
        forbidden.append(f"{jxedt.QUESTION}?index={self.forbidden}$")
        if self.faults.robots == "none":
            return _html("404", 404)
        if self.faults.robots == "broken":
            return _html("500", 500)
        if self.faults.robots == "all":
            forbidden = ["/"]
        lines = ["User-agent: *", *(f"Disallow: {path}" for path in forbidden)]
        if self.faults.crawl_delay is not None:
            lines.append(f"Crawl-delay: {self.faults.crawl_delay:g}")
        return Reply(kind="text/plain", body="\n".join(lines) + "\n")

    def _fault(self) -> Reply | None:
        self._served += 1
        if self._busy and self._served >= 3:
            self._busy -= 1
            return Reply(429, "text/html", "busy", (("Retry-After", "0"),))
        if not self.faults.refuse or self._served <= self.faults.refuse_after:
            return None
        return {
            "403": _html("403", 403),
            "captcha": _html("<form action='/captcha'>请输入验证码</form>"),
            "html": _html("您的操作太快了，请稍后再试"),
            "redirect": Reply(302, headers=(("Location", ELSEWHERE),)),
            "error": _html("500", 500),
        }[self.faults.refuse]

    def _question_page(self, path: str, query: dict[str, str]) -> Reply:
        if self.spider == "jkbd":
            ids = [int(part) for part in query.get("questionIds", "").split(",") if part]
            return Reply(body=jkbd_answer([self._entry(n) for n in ids if n != self.missing]))
        number = int(query.get("index", 0))
        if number == self.circle:
            other = "/circle" if path == jxedt.QUESTION else jxedt.QUESTION
            return Reply(302, headers=(("Location", f"{other}?index={number}"),))
        if number == self.torn:
            return Reply(body='{"id": 1, "question": "一')
        if number not in self._place:
            return Reply(body="{}")
        place = self._place[number]
        return Reply(body=jxedt_answer(self.questions[place], place))

    def _entry(self, number: int) -> dict:
        if number == self.torn:
            return {"questionId": number, "question": "？", "optionType": 1, "answer": 7}
        place = self._place[number]
        return jkbd_entry(self.questions[place], place)


@contextmanager
def served(site: LocalSite, port: int = 0) -> Iterator[str]:
    """Serve a site on the loopback; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            reply = site.answer(self.path, self.headers.get("User-Agent", ""))
            body = reply.body.encode("utf-8")
            self.send_response(reply.status)
            self.send_header("Content-Type", f"{reply.kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
