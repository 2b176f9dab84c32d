"""The runtimes put together: one engine room, App Runner, ECS and load balancers in front of it, one address.

Comes in: the options of the command line, ministack's endpoint, the state folder. Goes out: everything started, and
everything ended. CloudWatch may have an endpoint of its own, which its usual variable names.
"""

import argparse
import os
from pathlib import Path

import httpx

from sandbox.registry import Registry
from sandbox.runtimes.api import Api
from sandbox.runtimes.app_runner.api import app_runner
from sandbox.runtimes.app_runner.control import ControlPlane as AppRunner
from sandbox.runtimes.app_runner.store import Store as AppRunnerStore
from sandbox.runtimes.certificates import certificates
from sandbox.runtimes.copies import Surroundings
from sandbox.runtimes.ecs.alarms import Alarms
from sandbox.runtimes.ecs.api import ecs
from sandbox.runtimes.ecs.control import ControlPlane as Ecs
from sandbox.runtimes.ecs.store import Store as EcsStore
from sandbox.runtimes.events import Events
from sandbox.runtimes.health import Pace
from sandbox.runtimes.load_balancer.book import Book
from sandbox.runtimes.load_balancer.door import Door
from sandbox.runtimes.secrets import Secrets
from sandbox.runtimes.server import Listening, listen
from sandbox.runtimes.telemetry import Telemetry


class Runtimes:
    """`start` once, `flush` now and then, `close` at the end."""

    def __init__(self, options: argparse.Namespace, endpoint: str, state: Path, client: httpx.AsyncClient) -> None:
        known = certificates(state)
        self.authority = known.authority
        region, account = options.region, options.account
        cloudwatch = os.environ.get("AWS_ENDPOINT_URL_CLOUDWATCH", endpoint)
        self.telemetry = Telemetry(endpoint, region, cloudwatch)
        self._events = Events(endpoint, region, account)
        around = Surroundings(
            state=state,
            registry=Registry(options.registry or endpoint),
            telemetry=self.telemetry,
            secrets=Secrets(endpoint, region),
            certificate=known.front_door,
            pace=Pace(options.tempo, options.start_seconds, options.minute),
            client=client,
        )
        self._door = Door(Book(state / "load-balancers.json"), endpoint, around, region)
        self._app_runner = AppRunner(
            AppRunnerStore(state / "state.json"), around, f"arn:aws:apprunner:{region}:{account}", self._events
        )
        self._ecs = Ecs(
            EcsStore(state / "ecs.json"), around, f"arn:aws:ecs:{region}:{account}",
            door=self._door, alarms=Alarms(cloudwatch, region), events=self._events,
        )  # fmt: skip

    async def start(self, port: int) -> Listening:
        """Listen, then bring back what was. Raises PortInUse."""
        api = listen(Api([app_runner(self._app_runner), ecs(self._ecs)], self._door.answer), port)
        await self._door.recover()
        await self._app_runner.recover()
        await self._ecs.recover()
        return api

    async def flush(self) -> None:
        """Send log lines and events."""
        await self.telemetry.flush()
        await self._events.flush()

    async def close(self) -> None:
        """End everything that was started."""
        await self._ecs.close()
        await self._app_runner.close()
        await self._door.close()
        await self.flush()
