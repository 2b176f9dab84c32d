"""An address of a service: takes requests and forwards each to the copy that its router names.

Comes in: requests, a Router, the terms of the runtime. Goes out: the copy's answers, unchanged, and word of each to the
router. A switch is one assignment in the router: whoever is on the way to an old copy gets the old one's answer. It
never retries a request.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from sandbox.asgi import Receive, Send, respond, whole_body
from sandbox.process import LOOPBACK

_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
Headers = Iterable[tuple[bytes, bytes]]
Scope = Mapping[str, Any]


@dataclass(eq=False)
class Target:
    """A copy that requests go to, and how many are on the way."""

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


@dataclass(frozen=True)
class Reply:
    """What the door answers by itself."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class Terms:
    """How a runtime's door behaves: seconds for a request in total, and its answer when a copy breaks off."""

    limit: float
    broken: int
    scheme: bytes = b"https"


class Router(Protocol):
    """Decides for each request, and hears how it ended."""

    def route(self, scope: Scope) -> Target | Reply:
        """Who answers this request."""

    def answered(self, target: Target | None, status: int, seconds: float, *, own: bool) -> None:
        """One request is done; `own` says that the door answered and not the target."""


class FrontDoor:
    """An ASGI application for one address."""

    def __init__(self, client: httpx.AsyncClient, router: Router, terms: Terms) -> None:
        self._client = client
        self._router = router
        self._terms = terms

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        started, target, own = time.monotonic(), None, True
        try:
            async with asyncio.timeout(self._terms.limit):
                content = await whole_body(receive) or b""
                routed = self._router.route(scope)
                if isinstance(routed, Reply):
                    status, headers, body = _own_answer(routed)
                else:
                    target = routed
                    with target.busy():
                        status, headers, body = await self._ask(target.port, scope, content)
                    own = False
        except TimeoutError:
            status, headers, body = _own_answer(Reply(504, "upstream request timeout"))
        except httpx.HTTPError as error:
            said = f"upstream connect error or disconnect: {type(error).__name__}"
            status, headers, body = _own_answer(Reply(self._terms.broken, said))
        self._router.answered(target, status, time.monotonic() - started, own=own)
        await respond(send, status, headers, body)

    async def _ask(self, port: int, scope: Scope, body: bytes) -> tuple[int, Headers, bytes]:
        path = scope.get("raw_path") or scope["path"].encode()
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(scheme="http", host=LOOPBACK, port=port, raw_path=path + query)
        headers = [pair for pair in _end_to_end(scope["headers"]) if pair[0] != b"content-length"]
        headers += [(b"x-forwarded-for", _caller(scope)), (b"x-forwarded-proto", self._terms.scheme)]
        async with self._client.stream(scope["method"], url, headers=headers, content=body or None) as answer:
            content = b"".join([chunk async for chunk in answer.aiter_raw()])
        return answer.status_code, _end_to_end(answer.headers.raw), content


def _caller(scope: Scope) -> bytes:
    return str(scope["client"][0] if scope.get("client") else LOOPBACK).encode()


def _end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _own_answer(reply: Reply) -> tuple[int, Headers, bytes]:
    body = f"{reply.text}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *reply.headers]
    return reply.status, headers, body
