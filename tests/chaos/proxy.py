"""A reverse proxy on loopback that spoils answers of AWS on order, and remembers what was changed through it.

Comes in: requests of the controller and of the provider, an order (story.Http) or none. Goes out: the upstream's
answers, or what bad weather makes of them, shaped as AWS shapes it. One request a connection. The order counts
requests, never seconds, so the same order strikes the same requests. It never changes a request.
"""

import asyncio
import contextlib
import json
import threading
import urllib.parse
from dataclasses import dataclass, field

from sandbox.process import LOOPBACK, free_port
from tests.chaos.story import Http

_CHANGES = ("Create", "Update", "Put", "Set", "Delete", "Tag", "Untag", "Attach", "Publish", "Start")
_HEAD = 64 << 10  # bytes
_Answer = tuple[int, str, str]  # status, code, message
_THROTTLED: _Answer = (400, "ThrottlingException", "Rate exceeded")
_BROKEN: _Answer = (503, "ServiceUnavailable", "Service Unavailable")


@dataclass(frozen=True)
class Request:
    """One request: what it asks for, by AWS's name of the operation, "" where it is none."""

    operation: str
    raw: bytes
    body: bytes
    wants_json: bool

    @property
    def is_change(self) -> bool:
        """Would it change something?"""
        return self.operation.startswith(_CHANGES)


@dataclass(frozen=True)
class Change:
    """A change that the upstream took."""

    operation: str
    body: bytes


@dataclass
class Sky:
    """The weather over one sandbox, shared by its proxies."""

    order: Http | None = None
    struck: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def brings(self, order: Http | None) -> None:
        """From now on this, or fair weather."""
        with self._lock:
            self.order, self._seen = order, 0

    def meets(self, request: Request, service: str) -> Http | None:
        """What this request meets; it is counted."""
        with self._lock:
            order = self.order
            if not order or order.service not in ("any", service) or not request.operation:
                return None
            if order.changes_only and not request.is_change:
                return None
            self._seen += 1
            if not order.skip < self._seen <= order.skip + order.hits:
                return None
            self.struck.append(f"{order.kind} {request.operation}")
            return order


class Proxy:
    """One upstream's proxy, in a thread of its own."""

    def __init__(self, service: str, upstream: int, sky: Sky) -> None:
        self.port = free_port()
        self._service, self._upstream, self._sky = service, upstream, sky
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {service}", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, LOOPBACK, self.port), self._loop
        ).result(10)

    def close(self) -> None:
        """End it, with what is still under way."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        going_on = asyncio.all_tasks() - {asyncio.current_task()}
        for task in going_on:
            task.cancel()
        await asyncio.gather(*going_on, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The other side may be killed at any time: that is the campaign's purpose and no error of ours.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await _read(reader)
            order = self._sky.meets(request, self._service)
            answer = await self._answer(request, order)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def _answer(self, request: Request, order: Http | None) -> bytes:
        """b"" is an answer that never came."""
        if order and order.kind == "cut":
            return b""
        if order and order.kind in ("throttled", "broken"):
            return _said(request, _THROTTLED if order.kind == "throttled" else _BROKEN)
        if order and order.kind == "slow":
            await asyncio.sleep(order.seconds)
        answer = await self._forward(request)
        return b"" if order and order.kind == "lost" else answer

    async def _forward(self, request: Request) -> bytes:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._upstream)
        try:
            writer.write(request.raw)
            await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        if request.is_change and answer.split(b" ", 2)[1:2] == [b"200"]:
            self._sky.changes.append(Change(request.operation, request.body))
        return answer


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:_HEAD].split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    # One request a connection: the upstream closes after its answer, and so do we.
    kept = [line for line in lines if line and not line.lower().startswith(("connection:", "expect:"))]
    raw = "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1") + body
    target = headers.get("x-amz-target", "")
    return Request(target.rpartition(".")[2] or _action(headers, body), raw, body, bool(target))


def _action(headers: dict[str, str], body: bytes) -> str:
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    return urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]


def _said(request: Request, answer: _Answer) -> bytes:
    """An error in the protocol of the request: AWS JSON or query XML."""
    status, code, message = answer
    if request.wants_json:
        kind, text = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        kind = "text/xml"
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        text += "<RequestId>chaos</RequestId></ErrorResponse>"
    body = text.encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
