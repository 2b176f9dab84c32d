"""Runs one service: its front door, the instance that serves, and what happens when that one falls over.

Comes in: the configuration to deploy. Goes out: a new instance behind the front door once it has proven to be well,
or DeploymentFailed with the old one serving as before. An instance that crashes or stays unhealthy is replaced by
another of the same configuration, each time a little later. It knows nothing of operations and statuses.
"""

import asyncio
import contextlib
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from releasectl.errors import ControllerError
from sandbox.app_runner.command import CannotRun, command
from sandbox.app_runner.front_door import FrontDoor, Target
from sandbox.app_runner.health import Pace, Unhealthy, become_well, check, stay_well
from sandbox.app_runner.instance import Instance, launch
from sandbox.app_runner.secrets import Secrets
from sandbox.app_runner.server import Listening, listen
from sandbox.app_runner.telemetry import Telemetry
from sandbox.app_runner.values import Configuration, Service, new_id
from sandbox.oci import pull
from sandbox.process import LOOPBACK, free_port
from sandbox.registry import Registry

DRAIN = 10.0  # seconds for requests that are on the way to an instance that goes
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_SLOWEST_RESTART = 30.0
_ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/([^:@]+)(?::([^@]+))?(?:@(.+))?")


class DeploymentFailed(Exception):
    """The new instance did not become well; the message is the reason."""


@dataclass(frozen=True)
class Surroundings:
    """What every service on this App Runner shares."""

    state: Path
    registry: Registry
    telemetry: Telemetry
    secrets: Secrets
    certificate: Path
    pace: Pace
    client: httpx.AsyncClient


@dataclass(frozen=True)
class _Serving:
    instance: Instance
    target: Target


class Hosting:
    """One service's runtime."""

    def __init__(self, service: Service, surroundings: Surroundings) -> None:
        self._name, self._id, self._group = service.name, service.id, service.log_group
        self._around = surroundings
        self.door = FrontDoor(surroundings.client)
        self._listening: Listening | None = None
        self._serving: _Serving | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def open(self, port: int) -> int:
        """Open the front door, a free port when 0. Raises PortInUse."""
        self._listening = listen(self.door, port, self._around.certificate)
        self._around.telemetry.watch(self._name, self._id, self.door)
        return self._listening.port

    async def close(self) -> None:
        """End everything of this service."""
        await self.stop(drain=0.5)
        self._around.telemetry.unwatch(self._name, self._id)
        if self._listening:
            await self._listening.close()

    async def deploy(self, configuration: Configuration) -> None:
        """Put `configuration` behind the front door. Raises DeploymentFailed, and then nothing has changed."""
        try:
            proven = await self._prove(configuration)
        except (Unhealthy, ControllerError) as error:
            raise DeploymentFailed(str(error)) from error
        await self._end_supervisor()
        before = self._serving
        self._switch(proven)
        self._supervisor = asyncio.create_task(self._supervise(configuration))
        if before:
            await self._retire(before)

    def keep(self, configuration: Configuration) -> None:
        """Bring an already proven configuration back, as often as it takes: after a restart of this process."""
        self._supervisor = asyncio.create_task(self._supervise(configuration))

    async def stop(self, drain: float = DRAIN) -> None:
        """End the instance; the front door stays and answers 503."""
        await self._end_supervisor()
        before = self._serving
        self._switch(None)
        if before:
            await self._retire(before, drain)

    def _switch(self, serving: _Serving | None) -> None:
        self._serving = serving
        self.door.target = serving.target if serving else None

    async def _retire(self, serving: _Serving, drain: float = DRAIN) -> None:
        await serving.target.drained(drain)
        await self._end(serving.instance)

    async def _end(self, instance: Instance) -> None:
        await instance.end(GRACE)
        self._around.telemetry.unfollow(instance.id)

    async def _end_supervisor(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    async def _supervise(self, configuration: Configuration) -> None:
        delay, around = 0.1, self._around
        while True:
            began = time.monotonic()
            try:
                if self._serving is None:
                    self._switch(await self._prove(configuration))
                    around.telemetry.event(self._group, "Instance replaced.")
                serving = self._serving
                if serving is not None:
                    wanted = check(configuration.health, around.pace)
                    await stay_well(serving.instance, serving.target.port, wanted, around.client)
            except (Unhealthy, ControllerError) as error:
                around.telemetry.event(self._group, f"Instance is replaced: {error}.")
            fallen = self._serving
            self._switch(None)
            if fallen:
                await asyncio.shield(self._end(fallen.instance))
            delay = 0.1 if time.monotonic() - began > 10 else min(delay * 2, _SLOWEST_RESTART)
            await asyncio.sleep(delay)

    async def _prove(self, configuration: Configuration) -> _Serving:
        """A new instance that is well. Raises Unhealthy, ControllerError; then nothing of it is left."""
        around = self._around
        fallback = configuration.port if _free(configuration.port) else None
        instance = await self._start(configuration)
        wanted = check(configuration.health, around.pace)
        try:
            port = await become_well(instance, wanted, around.client, patience=around.pace.start, fallback=fallback)
        except BaseException:
            await self._end(instance)
            raise
        around.telemetry.event(self._group, f"Health check passed on port {port}.")
        return _Serving(instance, Target(port))

    async def _start(self, configuration: Configuration) -> Instance:
        around, instance_id = self._around, new_id()
        repository, reference = _located(configuration.image)
        around.telemetry.event(self._group, f"Pulling image {configuration.image} from ECR repository.")
        image = await asyncio.to_thread(pull, around.registry, repository, reference, around.state / "roots")
        around.telemetry.event(self._group, "Successfully pulled your application image from ECR.")
        names = configuration.image_settings.get("RuntimeEnvironmentSecrets", {})
        secrets = await asyncio.to_thread(around.secrets.read, names)
        port = free_port()
        planned = command(image, configuration, port, secrets=secrets, cache=around.state / "compiled")
        folder = around.state / "instances" / instance_id
        instance = await launch(planned, instance_id=instance_id, port=port, image=image.digest, folder=folder)
        around.telemetry.follow(self._group, instance_id, instance.log)
        around.telemetry.event(self._group, f"Performing health check on instance {instance_id}.")
        return instance


def _located(image: str) -> tuple[str, str]:
    """Repository and reference: the digest if there is one, else the tag, else `latest`."""
    match = _ECR_IMAGE.fullmatch(image)
    if not match:
        raise CannotRun(f"pulling {image}: the sandbox has private ECR alone", "Push the image to its registry.")
    repository, tag, digest = match.groups()
    return repository, digest or tag or "latest"


def _free(port: int) -> bool:
    """Whether nobody listens there now, so that a listener found later is the new instance."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0
