"""The address of a service: takes requests over HTTPS and forwards them to the instance of the moment.

Comes in: requests, and the port of the instance that serves now. Goes out: its answers, unchanged, and a tally of
them for the metrics. A switch is one assignment: whoever is on the way to the old instance gets the old one's
answer. Without an instance it answers 503; after 120 seconds in total, 504. It never retries a request.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from sandbox.process import LOOPBACK

REQUEST_LIMIT = 120.0  # seconds in total, reading the body included, as App Runner has it
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
Headers = Iterable[tuple[bytes, bytes]]


@dataclass
class Target:
    """The instance that requests go to, and how many are on the way."""

    port: int
    _in_flight: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Around each request."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def drained(self, limit: float) -> None:
        """Wait until nobody waits for an answer, `limit` seconds at most."""
        if self._in_flight:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), limit)


@dataclass
class Tally:
    """What happened since it was last taken; latencies in milliseconds, health checks not among them."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: Counter[float] = field(default_factory=Counter)

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status // 100] += 1
        self.latencies[round(seconds * 1000, 1)] += 1


class FrontDoor:
    """An ASGI application for one service."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.target: Target | None = None
        self._client = client
        self._tally = Tally()

    def take_tally(self) -> Tally:
        """What happened since the last call."""
        taken, self._tally = self._tally, Tally()
        return taken

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(REQUEST_LIMIT):
                status, headers, body = await self._forward(scope, await _read(receive))
        except TimeoutError:
            status, headers, body = _own_answer(504, "upstream request timeout")
        self._tally.add(status, time.monotonic() - started)
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    async def _forward(self, scope: dict[str, Any], body: bytes) -> tuple[int, Headers, bytes]:
        target = self.target
        if target is None:
            return _own_answer(503, "no instance is running")
        try:
            with target.busy():
                return await self._ask(target.port, scope, body)
        except httpx.HTTPError as error:
            return _own_answer(503, f"upstream connect error or disconnect: {type(error).__name__}")

    async def _ask(self, port: int, scope: dict[str, Any], body: bytes) -> tuple[int, Headers, bytes]:
        path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(scheme="http", host=LOOPBACK, port=port, raw_path=path + query)
        headers = [pair for pair in _end_to_end(scope["headers"]) if pair[0] != b"content-length"]
        headers += [(b"x-forwarded-for", str(scope["client"][0]).encode()), (b"x-forwarded-proto", b"https")]
        async with self._client.stream(scope["method"], url, headers=headers, content=body or None) as answer:
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        return answer.status_code, _end_to_end(answer.headers.raw), content


async def _read(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = bool(message.get("more_body")) and message["type"] == "http.request"
    return b"".join(parts)


def _end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _own_answer(status: int, text: str) -> tuple[int, Headers, bytes]:
    body = f"{text}\n".encode()
    return status, [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())], body
