"""One request and its answer, and which failures may pass."""

import asyncio
import json
from dataclasses import dataclass, replace

import httpx2
import openai

from snaketune.chat.keys import read_key
from snaketune.chat.waits import seconds_asked
from snaketune.chat.wire import Body, read_body, server_message
from snaketune.config.services import Endpoint
from snaketune.errors import UserError

PASSING = {408, 409, 425, 429}
"""Statuses that may pass, with all from 500 on; the others below 500 are refusals."""
UNBILLED = {"timeout", "lost", "torn"}
"""Statuses of tries that the server may bill although no bill came."""
CONNECT_SECONDS = 10.0
LANE = 16
"""Connections of one pool. The library looks at all of a pool with every request, so that one pool
of many connections would spend its time on that."""
UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)
MENDS = {
    400: "Check its model, its extra_body and the sampling.",
    401: "Check the key in {key}.",
    402: "Its account has too little money.",
    403: "Check what the key in {key} may do.",
    404: "Check its base_url and model.",
    422: "Check its model, its extra_body and the sampling.",
    429: "Its account has too little money.",
}


@dataclass(frozen=True)
class Failed:
    """A try that failed, which may pass."""

    status: str
    """The HTTP status, or one word."""
    reason: str
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    redraw: bool = False
    """The server worked, so that only other draws can help."""


class ManyRefused(Exception):
    """The server refused a request for several choices; one choice may be refused too."""


class Exchange:
    """The connections to one endpoint. Use as an async context manager."""

    def __init__(self, name: str, endpoint: Endpoint):
        self.name, self.endpoint = name, endpoint
        self.answered = False
        """Whether the server has ever answered, if only with an error."""

    async def __aenter__(self) -> "Exchange":
        endpoint = self.endpoint
        # The library sends a key in any case, and a server that asks for none does not look.
        key = read_key(self.name, endpoint) or "none"
        timeout = httpx2.Timeout(endpoint.timeout, connect=min(CONNECT_SECONDS, endpoint.timeout))
        # Without these the library would send what the environment has for OpenAI's own address.
        headers = {
            "Authorization": f"Bearer {key}",
            "OpenAI-Organization": openai.Omit(),
            "OpenAI-Project": openai.Omit(),
        }
        pools = -(-endpoint.concurrency // LANE)
        limits = httpx2.Limits(max_connections=LANE, max_keepalive_connections=LANE)
        tls = httpx2.create_ssl_context()
        self._pools = [
            openai.AsyncOpenAI(
                base_url=endpoint.base_url,
                api_key=key,
                default_headers=headers,
                max_retries=0,
                http_client=openai.DefaultAsyncHttpxClient(
                    timeout=timeout, limits=limits, verify=tls
                ),
            )
            for _ in range(pools)
        ]
        self._free = asyncio.LifoQueue()
        for _ in range(LANE):
            for pool in self._pools:
                self._free.put_nowait(pool)
        return self

    async def __aexit__(self, *error) -> None:
        for pool in self._pools:
            await pool.close()

    async def post(self, body: dict) -> Body | Failed:
        """Send a chat request; its answer's body, or why there is none.

        Raises:
            UserError: the server refuses for good: 400, 401, 402, 403, 404, 422 and the like.
            ManyRefused: the server refuses this request, which wants several choices.
        """
        pool = await self._free.get()
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                # The bare response: parsing it into the library's models costs more than asking.
                response = await pool.post("/chat/completions", cast_to=httpx2.Response, body=body)
            self.answered = True
            found = read_body(json.loads(response.content), body)
            return replace(found, error=self._without_key(found.error))
        except openai.APIStatusError as error:
            self.answered = True
            return self._failed(error, body.get("n", 1))
        except TimeoutError:
            return self._timeout()
        except openai.APIConnectionError as error:
            cause = error.__cause__
            if isinstance(cause, UNREACHED):
                return Failed("unreached", f"no connection: {cause or type(cause).__name__}")
            if isinstance(error, openai.APITimeoutError):
                return self._timeout()
            return Failed("lost", f"connection lost: {type(cause).__name__}")
        except ValueError as error:
            return Failed("torn", f"answer is not whole: {type(error).__name__}")
        finally:
            self._free.put_nowait(pool)

    def _timeout(self) -> Failed:
        return Failed("timeout", f"no answer in {self.endpoint.timeout:g} s")

    def _failed(self, error: openai.APIStatusError, n: int) -> Failed:
        status = error.status_code
        said = self._without_key(server_message(error.body or error.response.text))
        if status in (400, 422) and n > 1:
            raise ManyRefused
        broke = status == 429 and error.code == "insufficient_quota"
        if (status in PASSING or status >= 500) and not broke:
            wait = seconds_asked(error.response.headers.get("retry-after"))
            asked = f", wait {wait:.0f} s" if wait else ""
            return Failed(str(status), f"status {status}{asked}: {said}", wait)
        key = self.endpoint.api_key_env or "an environment variable that api_key_env names"
        raise UserError(
            f"endpoint {self.name} ({self.endpoint.base_url}) refused with status {status}: "
            f"{said} {MENDS.get(status, '').format(key=key)} All answers are kept."
        )

    def _without_key(self, said: str) -> str:
        """A server's message; some repeat the key."""
        key = read_key(self.name, self.endpoint)
        return said.replace(key, "[key]") if key else said
