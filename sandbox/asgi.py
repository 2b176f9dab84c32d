"""The two ends of an HTTP request, as ASGI has them: its body comes in whole, an answer goes out whole.

Comes in: what the server hands to an application. Goes out: bytes, or an answer on the wire. What is asked and what is
answered is the application's business.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def whole_body(receive: Receive, most: float = float("inf")) -> bytes | None:
    """The body of a request, None when it has more than `most` bytes; what a caller that left has sent until then."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        more = bool(message.get("more_body")) and message["type"] == "http.request"
    return b"".join(parts)


async def respond(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
