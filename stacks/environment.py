"""One environment: environment = f(release, settings).

Comes in: the release and the settings. Goes out: the resources, and the stack outputs by which the controller
finds everything again. A service that has no digest yet gets its repository and no runtime, so that there is a
place for its first image. It never decides what runs: the digests are the release's.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import pulumi
import pulumi_aws as aws

from releasectl.errors import ControllerError
from releasectl.release import Pin, Release
from stacks import drift, fence
from stacks.alarms import alarms, instances_alarm
from stacks.dashboard import dashboard
from stacks.metrics import Metrics
from stacks.names import Place
from stacks.notifications import failed_deployments, topic
from stacks.own import own_resources
from stacks.registry import Repository, borrowed_repository, own_repository
from stacks.runtimes.running import Cluster, Ground, Running
from stacks.service_settings import ServiceSettings
from stacks.settings import Settings
from stacks.shape import SHAPES

Outputs = Mapping[str, pulumi.Input[object]]
# Modules are imported when a service needs them: each brings parts of the SDK that take a third of a second to load.
RUNTIMES = {
    "app-runner": ("stacks.runtimes.app_runner", "AppRunner"),
    "ecs-express": ("stacks.runtimes.ecs_express", "EcsExpress"),
    "fargate": ("stacks.runtimes.fargate", "Fargate"),
}


class Runtime(Protocol):
    """What each of them is: a component that knows what runs."""

    running: Running

    def __init__(self, place: Place, *, pin: Pin, settings: ServiceSettings, ground: Ground) -> None:
        """Declares the service."""


def runtime(name: str) -> type[Runtime]:
    """The component of one runtime."""
    module, component = RUNTIMES[name]
    found: type[Runtime] = getattr(importlib.import_module(module), component)
    return found


class Environment(pulumi.ComponentResource):
    """Everything of one environment; `outputs` is what the stack exports: plain JSON, nothing secret.

    `policies` are IAM policies: what each service's application may do, "" or left out for nothing.
    """

    outputs: Outputs

    def __init__(self, name: str, *, release: Release, settings: Settings, policies: Mapping[str, str]) -> None:
        check_services(name, release, settings)
        drift.leave_alone(settings.drift.ignore)
        fence.keep_inside(settings.boundary)
        # Explicit, so that the validated region is the only one, whoever runs the program with whatever config.
        provider = aws.Provider("aws", region=settings.region)
        super().__init__("release-controller:stacks:Environment", name, opts=pulumi.ResourceOptions(provider=provider))
        self._settings, self._policies = settings, policies
        self.topic = topic(name, settings.alerts, self)
        self._cluster, self._connector = self._ecs(name, release), self._way_in(name, release)
        self._running: dict[str, Running] = {}
        services = {
            service: self._service(Place(name, service), release.services[service], settings.services[service])
            for service in sorted(release.services)
        }
        self._watch(name)
        own_resources(name, parent=self, topic=self.topic)
        runtimes = self._runtimes(release)
        self.outputs = {
            "environment": name,
            "region": settings.region,
            "topic": self.topic,
            "services": services,
            "shape": [change._asdict() for change in dict.fromkeys(one for each in runtimes for one in SHAPES[each])],
            "drift": drift.output(settings.drift.ignore, runtimes),
        }
        self.register_outputs({})

    def _runtimes(self, release: Release, *, pinned: bool = False) -> list[str]:
        """Those that the environment's services are on, or move away from; with `pinned` only those that run."""
        known = [
            (self._settings.services[service].runtime, self._settings.services[service].leaving)
            for service, pin in release.services.items()
            if pin.digest or not pinned
        ]
        return sorted({runtime for pair in known for runtime in pair if runtime})

    def _ecs(self, name: str, release: Release) -> Cluster | None:
        needed = set(self._runtimes(release, pinned=True)) - {"app-runner"}
        if not needed:
            return None
        from stacks.runtimes import ecs  # noqa: PLC0415 - as the runtimes

        return ecs.cluster(name, self)

    def _way_in(self, name: str, release: Release) -> pulumi.Output[str] | None:
        if not self._settings.network.subnets or "app-runner" not in self._runtimes(release, pinned=True):
            return None
        from stacks.runtimes import app_runner  # noqa: PLC0415 - as the runtimes

        return app_runner.connector(name, self._settings.network, self)

    def _service(self, place: Place, pin: Pin, settings: ServiceSettings) -> Outputs:
        repository = self._repository(place, settings)
        return {
            "runtime": settings.runtime,
            "repository": repository.url,
            "digest": pin.digest,
            "health_path": settings.health_path,
            "version_path": settings.version_path,
            "private": settings.private,
            **(self._runtime(place, pin, settings, repository) if pin.digest else NOT_RUNNING),
        }

    def _repository(self, place: Place, settings: ServiceSettings) -> Repository:
        if settings.registry:
            return borrowed_repository(Place(settings.registry, place.service), self.topic)
        return own_repository(place, self)

    def _runtime(self, place: Place, pin: Pin, settings: ServiceSettings, repository: Repository) -> Outputs:
        ground = Ground(
            environment=self,
            repository=repository,
            network=self._settings.network,
            cluster=self._cluster,
            connector=self._connector,
            watch=self._alarms(place, settings),
            policy=self._policies.get(place.service, ""),
        )
        running = runtime(settings.runtime)(place, pin=pin, settings=settings, ground=ground).running
        failed_deployments(place, running.metrics.failures, topic=self.topic, parent=self)
        running = replace(running, alarms={**running.alarms, **self._instances(place, settings, running)})
        self._running[place.service] = running
        return {
            "image": running.image,
            "service": running.service,
            "url": running.url,
            "alarms": list(running.alarms.values()),
            "log_group": running.log_group,
            "domain": running.domain,
            "leaving": self._leaving(place, pin, settings, replace(ground, watch=_unwatched, leaving=True)),
        }

    def _leaving(self, place: Place, pin: Pin, settings: ServiceSettings, ground: Ground) -> Outputs | None:
        """The runtime that the service moves away from runs on beside, so that its address still answers."""
        if not settings.leaving:
            return None
        old = replace(settings, runtime=settings.leaving, leaving="")
        running = runtime(settings.leaving)(place, pin=pin, settings=old, ground=ground).running
        return {"runtime": settings.leaving, "service": running.service, "url": running.url}

    def _alarms(
        self, place: Place, settings: ServiceSettings
    ) -> Callable[[Metrics, pulumi.Resource], Mapping[str, pulumi.Output[str]]]:
        def watch(measured: Metrics, formerly: pulumi.Resource) -> Mapping[str, pulumi.Output[str]]:
            return alarms(place, measured, settings.alarms, topic=self.topic, parent=self, formerly=formerly)

        return watch

    def _instances(
        self, place: Place, settings: ServiceSettings, running: Running
    ) -> Mapping[str, pulumi.Output[str]]:  # fmt: skip
        return instances_alarm(
            place, running.metrics, settings.alarms, topic=self.topic, parent=self, after=[running.resource]
        )

    def _watch(self, name: str) -> None:
        if self._settings.alerts.dashboard and self._running:
            measured = {service: running.metrics for service, running in self._running.items()}
            every = [alarm for running in self._running.values() for alarm in running.alarms.values()]
            dashboard(name, measured, alarms=every, topic=self.topic, parent=self)


def _unwatched(_measured: Metrics, _formerly: pulumi.Resource) -> Mapping[str, pulumi.Output[str]]:
    """One set of alarms a service: that of the runtime to which it moves."""
    return {}


NOT_RUNNING: Outputs = {
    "image": "",
    "service": "",
    "url": "",
    "alarms": [],
    "log_group": "",
    "domain": None,
    "leaving": None,
}


def check_services(environment: str, release: Release, settings: Settings) -> None:
    """Raises ControllerError unless release and settings name the same services; nothing is declared before."""
    lacking = sorted(set(release.services) - set(settings.services))
    idle = sorted(set(settings.services) - set(release.services))
    if lacking:
        raise ControllerError(
            f"declaring {environment}: no settings for {', '.join(lacking)}",
            f"Add it to `release-controller:services` in Pulumi.{environment}.yaml.",
        )
    if idle:
        raise ControllerError(
            f"declaring {environment}: settings but no pin for {', '.join(idle)}",
            f"Add it to releases/{environment}.yaml, with empty texts until its first release.",
        )
