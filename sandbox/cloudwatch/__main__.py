"""`python -m sandbox.cloudwatch`: start the CloudWatch of the sandbox, say where it is, look at alarms once a minute.

Comes in: options, AWS_ENDPOINT_URL for SNS and for all of CloudWatch that is not about alarms. Goes out: one JSON line
on stdout when ready, {"endpoint": "http://127.0.0.1:PORT"}; logs on stderr. A minute here is `--minute` seconds.
Exit codes: 0 after SIGTERM, SIGINT or the end of stdin, 3 when it cannot start.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from releasectl.errors import ControllerError
from sandbox import serving
from sandbox.cloudwatch.api import Api
from sandbox.cloudwatch.control import Control
from sandbox.cloudwatch.delivery import Delivery
from sandbox.cloudwatch.store import Store
from sandbox.cloudwatch.transitions import Transitions
from sandbox.cloudwatch.watching import Pace
from sandbox.process import LOOPBACK
from sandbox.runtimes.server import listen


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="cloudwatch: %(message)s", stream=sys.stderr)
    for noisy in ("httpx", "botocore", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return serving.run(_serve(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.cloudwatch", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--state", type=Path, required=True, help="folder for alarms, their history and metric data")
    parser.add_argument("--port", type=int, default=0, help="of the API on loopback; a free one when 0")
    parser.add_argument(
        "--minute", type=_seconds, default=2, help="seconds that stand for a minute of an alarm's period"
    )
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "eu-west-1"))
    parser.add_argument("--die-with-stdin", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.01 and 3600")
    return seconds


async def _serve(options: argparse.Namespace) -> None:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise ControllerError(
            "starting the CloudWatch: AWS_ENDPOINT_URL is not set, so metrics and messages would go to AWS",
            "Set AWS_ENDPOINT_URL to the sandbox's endpoint.",
        )
    options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    store, pace = Store(options.state / "state.json"), Pace(options.minute)
    transitions = Transitions(store, pace, time.time)
    prefix = f"arn:aws:cloudwatch:{options.region}:{options.account}:alarm:"
    control = Control(store, transitions, prefix, time.time)
    wake = Wake(store.save)
    serving.on_end(wake.end, die_with_stdin=options.die_with_stdin)
    # A connection of its own for each request: a kept one may be closed just when it is used.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=endpoint, trust_env=False, timeout=60, limits=limits) as beyond:
        api = listen(Api(control, beyond, store.metrics, wake.changed), options.port)
        print(json.dumps({"endpoint": f"http://{LOOPBACK}:{api.port}"}), flush=True)
        await _watch(store, transitions, Delivery(store, endpoint, time.time), pace=pace, wake=wake)
        await api.close()
    store.save()


async def _watch(store: Store, transitions: Transitions, delivery: Delivery, *, pace: Pace, wake: "Wake") -> None:
    """Look once a minute, send what there is to send, until the end."""
    due = pace.next_look(time.time())
    while not wake.ending:
        # What was put before this process began may still be there to be sent.
        store.save()
        await delivery.send_all()
        await wake.wait(due - time.time())
        if time.time() >= due:
            transitions.look()
            due = pace.next_look(time.time())


class Wake:
    """What ends the wait for the next look: alarms that changed, once they are saved, or the end."""

    def __init__(self, save: Callable[[], None]) -> None:
        self.ending = False
        self._save = save
        self._event = asyncio.Event()

    def changed(self) -> None:
        self._save()
        self._event.set()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), max(0.0, seconds))
        self._event.clear()

    def end(self) -> None:
        self.ending = True
        self._event.set()


if __name__ == "__main__":
    sys.exit(main())
