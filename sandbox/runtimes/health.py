"""Ask an instance whether it is well, the way its health check says.

Comes in: a health check in real seconds, a running instance, the pace of time. Goes out: nothing when it became well,
Unhealthy with the reason when it did not. Intervals are scaled by the pace; a timeout never under a second, so
that a busy laptop is not taken for a broken release.
"""

import asyncio
import shutil
import time
import uuid
from dataclasses import dataclass, replace

import httpx

from sandbox.runtimes.instance import Instance, launch

LOOPBACK = "127.0.0.1"
_SHORTEST = {"TCP": 1.0, "HTTP": 1.0, "COMMAND": 5.0}  # seconds; a busy laptop starts a process slowly


class Unhealthy(Exception):
    """The instance is not well; the message is the reason, as the service log tells it."""


@dataclass(frozen=True)
class Pace:
    """`tempo` scales AWS's seconds; `start` is how long, in real seconds, a process may take to listen.

    `minute` is how long, in real seconds, a minute lasts where AWS waits on purpose: bake times and grace periods.
    """

    tempo: float
    start: float
    minute: float = 1.0


@dataclass(frozen=True)
class Check:
    """A health check; nothing counts during `grace` but a good answer.

    The protocol is TCP; or HTTP, where `accepted` are the statuses that mean well; or COMMAND, where `command` runs
    beside the copy and means well by ending with 0.
    """

    protocol: str
    path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    accepted: tuple[range, ...] = (range(200, 300),)
    grace: float = 0.0
    command: tuple[str, ...] = ()


def paced(wanted: Check, pace: Pace) -> Check:
    """`wanted` with AWS's seconds turned into real ones."""
    return replace(
        wanted,
        interval=wanted.interval * pace.tempo,
        timeout=max(_SHORTEST[wanted.protocol], wanted.timeout * pace.tempo),
        grace=wanted.grace / 60 * pace.minute,
    )


async def become_well(
    instance: Instance, wanted: Check, client: httpx.AsyncClient, *, patience: float, fallback: int | None
) -> int:
    """Wait until `instance` is well; answers the port that it listens on. Raises Unhealthy.

    `fallback` is the configured port, for programs that do not read PORT, None when it was taken before.
    """
    port = await _listening(instance, [instance.port, *([fallback] if fallback else [])], patience)
    good, bad, counted = 0, 0, time.monotonic() + wanted.grace
    while good < wanted.healthy:
        reason = await _ask(instance, port, wanted, client)
        good, bad = (good + 1, 0) if not reason else (0, bad + (time.monotonic() >= counted))
        if bad >= wanted.unhealthy:
            raise Unhealthy(f"Health check failed {bad} times: {reason}")
        if good < wanted.healthy:
            await _pause(instance, wanted.interval)
    return port


async def stay_well(instance: Instance, port: int, wanted: Check, client: httpx.AsyncClient) -> None:
    """Never returns while `instance` is well. Raises Unhealthy at its end or after the threshold of failures."""
    bad = 0
    while bad < wanted.unhealthy:
        await _pause(instance, wanted.interval)
        reason = await _ask(instance, port, wanted, client)
        bad = bad + 1 if reason else 0
    raise Unhealthy(f"Health check failed {bad} times: {reason}")


async def _listening(instance: Instance, ports: list[int], patience: float) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for port in ports:
            if not await _connect(port, 1.0):
                return port
        await _pause(instance, 0.05)
    raise Unhealthy(f"Nothing listens on port {' or '.join(str(port) for port in ports)} after {patience:g} s")


async def _pause(instance: Instance, seconds: float) -> None:
    """Sleep, but notice at once when the process ends."""
    await asyncio.wait({instance.exited}, timeout=seconds)
    if instance.exited.done():
        raise Unhealthy(f"The container exited with code {instance.exited.result()}")


async def _ask(instance: Instance, port: int, wanted: Check, client: httpx.AsyncClient) -> str:
    """Nothing when well, else the reason."""
    if wanted.protocol == "TCP":
        return await _connect(port, wanted.timeout)
    if wanted.protocol == "COMMAND":
        return await _run_beside(instance, wanted)
    url = f"http://{LOOPBACK}:{port}{wanted.path}"
    try:
        async with asyncio.timeout(wanted.timeout):
            answer = await client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return f"GET {wanted.path}: {type(error).__name__}"
    well = any(answer.status_code in statuses for statuses in wanted.accepted)
    return "" if well else f"GET {wanted.path}: status {answer.status_code}"


async def _run_beside(instance: Instance, wanted: Check) -> str:
    """A process like the copy's own, with its surroundings, that runs the check's command."""
    name = uuid.uuid4().hex
    folder = instance.log.parent / "checks" / name
    command = replace(instance.command, argv=wanted.command)
    asked = await launch(command, instance_id=name, port=instance.port, image=instance.image, folder=folder)
    try:
        done, _ = await asyncio.wait({asked.exited}, timeout=wanted.timeout)
    finally:
        await asyncio.shield(asked.end(0.0))
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    code = asked.exited.result()
    return (
        "" if done and not code else f"the health check's command {f'exited with {code}' if done else 'took too long'}"
    )


async def _connect(port: int, timeout: float) -> str:  # noqa: ASYNC109 - the caller's word, not a deadline of ours
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except (OSError, TimeoutError) as error:
        return f"connecting to port {port}: {type(error).__name__}"
    writer.close()
    return ""
