"""`python -m sandbox.runtimes`: start the runtimes, say where they are, end them with everything that they started.

Comes in: options, AWS_ENDPOINT_URL for ECR, Logs and CloudWatch. Goes out: one JSON line on stdout when ready,
{"endpoint": "http://127.0.0.1:PORT", "ca": "<path of the authority's certificate>"}; logs on stderr.
Exit codes: 0 after SIGTERM, SIGINT or the end of stdin, 3 when it cannot start.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import shutil
import sys
import time
from pathlib import Path

import httpx

from releasectl.errors import ControllerError
from sandbox import serving
from sandbox.process import LOOPBACK
from sandbox.runtimes.together import Runtimes

_FLUSH = 0.5  # seconds between two batches of log lines


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="runtimes: %(message)s", stream=sys.stderr)
    for noisy in ("httpx", "botocore", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return serving.run(_serve(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.runtimes", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--state", type=Path, required=True, help="folder for services, images and certificates")
    parser.add_argument("--port", type=int, default=0, help="of the API on loopback; a free one when 0")
    parser.add_argument("--registry", help="endpoint of the registry API; AWS_ENDPOINT_URL when left out")
    parser.add_argument("--tempo", type=float, default=0.1, help="how long a second of a health check's interval lasts")
    parser.add_argument("--start-seconds", type=float, default=30, help="what a program may take until it listens")
    parser.add_argument(
        "--minute", type=float, default=1.0, help="how long a minute of a bake time or grace period lasts"
    )
    parser.add_argument("--report-seconds", type=float, default=2, help="period of the metrics; AWS has a minute")
    parser.add_argument("--account", default="000000000000")
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "eu-west-1"))
    parser.add_argument("--die-with-stdin", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise ControllerError(
            "starting the runtimes: AWS_ENDPOINT_URL is not set, so logs and metrics would go to AWS",
            "Set AWS_ENDPOINT_URL to the sandbox's endpoint.",
        )
    ending = serving.ending(die_with_stdin=options.die_with_stdin)
    state = _folder(options.state)
    # A connection of its own for each request: a kept one may be closed by the copy just when it is used.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, timeout=None, limits=limits) as client:  # noqa: S113 - the callers' limits
        runtimes = Runtimes(options, endpoint, state, client)
        api = await runtimes.start(options.port)
        print(json.dumps({"endpoint": f"http://{LOOPBACK}:{api.port}", "ca": str(runtimes.authority)}), flush=True)
        await _until(ending, runtimes, options.report_seconds)
        await api.close()
        await runtimes.close()


def _folder(wanted: Path) -> Path:
    """The state folder, without what an earlier run left half done."""
    state = wanted.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in (state / "instances", *state.glob("roots/unpacking-*")):
        shutil.rmtree(left, ignore_errors=True)
    return state


async def _until(ending: asyncio.Event, runtimes: Runtimes, period: float) -> None:
    """Send logs and events, and metrics once a period, until the end."""
    reported = time.monotonic()
    while not ending.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _FLUSH)
        await runtimes.flush()
        if time.monotonic() - reported >= period:
            reported = time.monotonic()
            await runtimes.telemetry.report()


if __name__ == "__main__":
    sys.exit(main())
