"""Serve ASGI applications on loopback from the one event loop: the API and every front door.

Comes in: an application, a port or 0, a certificate or none. Goes out: a Listening that knows its port and closes.
It never touches signals (the process has one place for them) and never listens beyond loopback.
"""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.process import LOOPBACK, PortInUse


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Several servers share this process; its signals belong to `__main__`."""
        yield


@dataclass(frozen=True)
class Listening:
    port: int
    server: uvicorn.Server
    task: asyncio.Task[None]

    async def close(self) -> None:
        self.server.should_exit = True
        await self.task


def listen(application: Any, port: int, certificate: Path | None = None) -> Listening:
    """Serve `application` on 127.0.0.1, a free port when `port` is 0. Raises PortInUse."""
    listener = _bound(port)
    secure: dict[str, Any] = {} if certificate is None else {"ssl_certfile": certificate, "ssl_keyfile": certificate}
    server = _Server(
        uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            **secure,
        )
    )
    server.config.load()  # so that a bad certificate is an error here
    # Whoever connects before the task runs waits in the listener's queue.
    bound = int(listener.getsockname()[1])
    return Listening(bound, server, asyncio.create_task(server.serve(sockets=[listener])))


def _bound(port: int) -> socket.socket:
    # Named TCP, or asyncio leaves Nagle's algorithm on and every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)  # now, so that a second listener on this port fails at once
    except OSError as error:
        listener.close()
        raise PortInUse(
            f"listening on {LOOPBACK}:{port}: {error.strerror}",
            "Choose another port, or leave it out and a free one is taken.",
        ) from error
    return listener
