"""Logs as JSON, one object a line on standard output, also for access and for the server's own messages.

Every line has time (UTC), level, message; an access line also method, path, status and ms. Probes that go well
are logged at DEBUG, so that they do not drown the rest. Query strings and headers are never logged.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

QUIET = {"/healthz", "/readyz"}
_access = logging.getLogger("web.access")


class JsonLines(logging.Formatter):
    """One JSON object for each record; line breaks in data are escaped, so a request cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
        }
        line |= record.__dict__.get("fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str) -> None:
    """Sends every logger of the process to standard output as JSON lines."""
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[lines], force=True)


class AccessLog:
    """ASGI middleware: one line for each answered request, also when the application raised."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # what the client gets if the application raises before it answers

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting_status)
        finally:
            _log(scope, status, time.perf_counter() - began)


def _log(scope: Scope, status: int, seconds: float) -> None:
    well = status < 500
    level = logging.WARNING if not well else logging.DEBUG if scope["path"] in QUIET else logging.INFO
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    _access.log(level, "request", extra={"fields": fields})
