"""One more running copy of an image: pulled, started, and well before anybody is sent to it.

Comes in: a Workload, a health check, the place where its output goes. Goes out: a Copy, or Unhealthy or
ControllerError with nothing of it left. Who gets requests, and what happens when a copy falls over, is the business of
the runtime that asked for it.
"""

import asyncio
import re
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx

from sandbox.oci import pull
from sandbox.process import LOOPBACK, free_port
from sandbox.registry import Registry
from sandbox.runtimes.command import CannotRun, command
from sandbox.runtimes.front_door import Target
from sandbox.runtimes.health import Check, Pace, become_well
from sandbox.runtimes.instance import Instance, launch
from sandbox.runtimes.secrets import Secrets
from sandbox.runtimes.telemetry import Telemetry
from sandbox.runtimes.workload import Place, Workload

GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/([^:@]+)(?::([^@]+))?(?:@(.+))?")


@dataclass(frozen=True)
class Surroundings:
    """What every service of this process shares."""

    state: Path
    registry: Registry
    telemetry: Telemetry
    secrets: Secrets
    certificate: Path
    pace: Pace
    client: httpx.AsyncClient


@dataclass(frozen=True)
class Copy:
    """A running instance, and the way to it."""

    instance: Instance
    target: Target


def new_id() -> str:
    """32 hexadecimal characters."""
    return uuid.uuid4().hex


async def prove(workload: Workload, wanted: Check, place: Place, around: Surroundings) -> Copy:
    """A new copy that is well. Raises Unhealthy, ControllerError; then nothing of it is left."""
    fallback = workload.port if workload.port and _free(workload.port) else None
    instance = await start(workload, place, around, new_id())
    try:
        port = await become_well(instance, wanted, around.client, patience=around.pace.start, fallback=fallback)
    except BaseException:
        await end(instance, around)
        raise
    place.say(f"Health check passed on port {port}.")
    return Copy(instance, Target(port))


async def start(workload: Workload, place: Place, around: Surroundings, copy_id: str) -> Instance:
    """Pull, and start with a free port. Raises ControllerError."""
    repository, reference = _located(workload.image)
    place.say(f"Pulling image {workload.image} from ECR repository.")
    image = await asyncio.to_thread(pull, around.registry, repository, reference, around.state / "roots")
    place.say("Successfully pulled your application image from ECR.")
    secrets = await asyncio.to_thread(around.secrets.read, workload.secrets)
    port = free_port()
    planned = command(image, workload, port, secrets=secrets, cache=around.state / "compiled")
    folder = around.state / "instances" / copy_id
    instance = await launch(planned, instance_id=copy_id, port=port, image=image.digest, folder=folder)
    if place.group:
        around.telemetry.follow(place.group, place.stream.format(id=copy_id), copy_id, instance.log)
    place.say(f"Performing health check on instance {copy_id}.")
    return instance


async def end(instance: Instance, around: Surroundings) -> None:
    """End the copy's process with all its children; what it wrote last is still sent."""
    await instance.end(GRACE)
    around.telemetry.unfollow(instance.id)


def _located(image: str) -> tuple[str, str]:
    """Repository and reference: the digest if there is one, else the tag, else `latest`."""
    match = _ECR_IMAGE.fullmatch(image)
    if not match:
        raise CannotRun(f"pulling {image}: the sandbox has private ECR alone", "Push the image to its registry.")
    repository, tag, digest = match.groups()
    return repository, digest or tag or "latest"


def _free(port: int) -> bool:
    """Whether nobody listens there now, so that a listener found later is the new copy."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0
