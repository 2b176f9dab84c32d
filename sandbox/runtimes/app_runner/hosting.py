"""Runs one service: its front door, the copy that serves, and what happens when that one falls over.

Comes in: the configuration to deploy. Goes out: a new copy behind the front door once it has proven to be well,
or DeploymentFailed with the old one serving as before. A copy that crashes or stays unhealthy is replaced by
another of the same configuration, each time a little later. It knows nothing of operations and statuses.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from releasectl.errors import ControllerError
from sandbox.runtimes.app_runner.metrics import Gauge
from sandbox.runtimes.app_runner.values import Configuration, Service
from sandbox.runtimes.copies import Copy, Surroundings, end, prove
from sandbox.runtimes.front_door import FrontDoor, Reply, Scope, Target, Terms
from sandbox.runtimes.health import Unhealthy, paced, stay_well
from sandbox.runtimes.server import Listening, listen
from sandbox.runtimes.telemetry import Telemetry
from sandbox.runtimes.workload import Place

DRAIN = 10.0  # seconds for requests that are on the way to a copy that goes
_TERMS = Terms(limit=120.0, broken=503)  # seconds in total, reading the body included, as App Runner has it
_SLOWEST_RESTART = 30.0


class DeploymentFailed(Exception):
    """The new copy did not become well; the message is the reason."""


def lifecycle(group: str, telemetry: Telemetry) -> Callable[[str], None]:
    """Takes lines of a service's lifecycle, for its `/service` log group."""
    return lambda text: telemetry.line(f"{group}/service", "events", f"[AppRunner] {text}")


class Hosting:
    """One service's runtime, and the router of its front door."""

    def __init__(self, service: Service, surroundings: Surroundings) -> None:
        self._group = service.log_group
        self._around = surroundings
        self.say = lifecycle(self._group, surroundings.telemetry)
        self._place = Place(f"{self._group}/application", "instance/{id}", self.say)
        self._gauge = Gauge(service.name, service.id)
        self._door = FrontDoor(surroundings.client, self, _TERMS)
        self._listening: Listening | None = None
        self._serving: Copy | None = None
        self._supervisor: asyncio.Task[None] | None = None

    def route(self, scope: Scope) -> Target | Reply:  # noqa: ARG002 - there is one copy, whatever is asked for
        return self._serving.target if self._serving else Reply(503, "no instance is running")

    def answered(self, target: Target | None, status: int, seconds: float, *, own: bool) -> None:  # noqa: ARG002
        self._gauge.tally.add(status, seconds)  # App Runner counts its own answers like the service's

    def open(self, port: int) -> int:
        """Open the front door, a free port when 0. Raises PortInUse."""
        self._listening = listen(self._door, port, self._around.certificate)
        self._around.telemetry.watch(self._group, self._gauge.read)
        return self._listening.port

    async def close(self) -> None:
        """End everything of this service."""
        await self.stop(drain=0.5)
        self._around.telemetry.unwatch(self._group)
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
        """End the copy; the front door stays and answers 503."""
        await self._end_supervisor()
        before = self._serving
        self._switch(None)
        if before:
            await self._retire(before, drain)

    def _switch(self, serving: Copy | None) -> None:
        self._serving = serving
        self._gauge.serving = serving.instance if serving else None

    async def _retire(self, serving: Copy, drain: float = DRAIN) -> None:
        await serving.target.drained(drain)
        await end(serving.instance, self._around)

    async def _end_supervisor(self) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor

    async def _prove(self, configuration: Configuration) -> Copy:
        self._gauge.sizes(configuration.instance)
        wanted = paced(configuration.check, self._around.pace)
        return await prove(configuration.workload, wanted, self._place, self._around)

    async def _supervise(self, configuration: Configuration) -> None:
        delay, around = 0.1, self._around
        while True:
            began = time.monotonic()
            try:
                if self._serving is None:
                    self._switch(await self._prove(configuration))
                    self.say("Instance replaced.")
                serving = self._serving
                if serving is not None:
                    wanted = paced(configuration.check, around.pace)
                    await stay_well(serving.instance, serving.target.port, wanted, around.client)
            except (Unhealthy, ControllerError) as error:
                self.say(f"Instance is replaced: {error}.")
            fallen = self._serving
            self._switch(None)
            if fallen:
                await asyncio.shield(end(fallen.instance, around))
            delay = 0.1 if time.monotonic() - began > 10 else min(delay * 2, _SLOWEST_RESTART)
            await asyncio.sleep(delay)
