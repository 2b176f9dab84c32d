"""Runs the application until SIGTERM or SIGINT and ends gracefully.

On the first signal `/readyz` turns to 503 while requests are still served for the drain time, so that a load
balancer can look away; then no more connections are taken, requests in flight finish, and the process ends with
status 0. A second signal skips what is left of the drain time.
"""

import asyncio
import logging
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI

from web.app import Life
from web.settings import Settings

FINISH_SECONDS = 20  # for requests in flight; below the 30 s after which ECS kills a task
_log = logging.getLogger("web")


class _DrainingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, life: Life, drain_seconds: float) -> None:
        super().__init__(config)
        self.life, self.drain_seconds = life, drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.life.stopping or not self.life.started:
            super().handle_exit(sig, frame)
            return
        self.life.stopping = True
        # From a signal, only the thread-safe call may touch the loop.
        asyncio.get_running_loop().call_soon_threadsafe(self._drain, sig, frame)

    def _drain(self, sig: int, frame: FrameType | None) -> None:
        _log.info("shutting down: not ready any more, draining for %g s", self.drain_seconds)
        asyncio.get_running_loop().call_later(self.drain_seconds, super().handle_exit, sig, frame)


def serve(app: FastAPI, settings: Settings, life: Life) -> None:
    """Serves until a signal; returns when the last request is answered."""
    # uvicorn raises the signal again when it is done; the process is to end with status 0 instead.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    _DrainingServer(config, life, settings.drain_seconds).run()
