"""One environment: environment = f(release, settings).

Comes in: the release and the settings. Goes out: the resources, and the stack outputs by which the controller
finds everything again. A service that has no digest yet gets its repository and no runtime, so that there is a
place for its first image. It never decides what runs: the digests are the release's.
"""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from releasectl.errors import ControllerError
from releasectl.release import Pin, Release
from stacks import drift
from stacks.alarms import errors_alarm, latency_alarm
from stacks.names import Place
from stacks.notifications import topic
from stacks.own import own_resources
from stacks.registry import Repository, borrowed_repository, own_repository
from stacks.runtimes.app_runner import SHAPE, AppRunner
from stacks.settings import ServiceSettings, Settings

Outputs = Mapping[str, pulumi.Input[object]]


class Environment(pulumi.ComponentResource):
    """Everything of one environment; `outputs` is what the stack exports: plain JSON, nothing secret."""

    outputs: Outputs

    def __init__(self, name: str, *, release: Release, settings: Settings) -> None:
        check_services(name, release, settings)
        drift.leave_alone(settings.drift.ignore)
        # Explicit, so that the validated region is the only one, whoever runs the program with whatever config.
        provider = aws.Provider("aws", region=settings.region)
        super().__init__("release-controller:stacks:Environment", name, opts=pulumi.ResourceOptions(provider=provider))
        self.topic = topic(name, settings.alerts.email, self)
        services = {
            service: self._service(Place(name, service), release.services[service], settings.services[service])
            for service in sorted(release.services)
        }
        own_resources(name, parent=self, topic=self.topic)
        self.outputs = {
            "environment": name,
            "region": settings.region,
            "topic": self.topic,
            "services": services,
            "shape": [change._asdict() for change in SHAPE],
            "drift": drift.output(settings.drift.ignore),
        }
        self.register_outputs({})

    def _service(self, place: Place, pin: Pin, settings: ServiceSettings) -> Outputs:
        repository = self._repository(place, settings)
        return {
            "runtime": settings.runtime,
            "repository": repository.url,
            "digest": pin.digest,
            "health_path": settings.health_path,
            "version_path": settings.version_path,
            **(self._runtime(place, pin, settings, repository) if pin.digest else NOT_RUNNING),
        }

    def _repository(self, place: Place, settings: ServiceSettings) -> Repository:
        if settings.registry:
            return borrowed_repository(Place(settings.registry, place.service), self.topic)
        return own_repository(place, self)

    def _runtime(self, place: Place, pin: Pin, settings: ServiceSettings, repository: Repository) -> Outputs:
        runtime = AppRunner(place, pin=pin, settings=settings, repository=repository, environment=self)
        declare = (errors_alarm, latency_alarm)
        alarms = [
            alarm(place, settings.alarms, dimensions=runtime.dimensions, topic=self.topic, parent=runtime)
            for alarm in declare
        ]
        return {"image": runtime.image, "service": runtime.arn, "url": runtime.url, "alarms": alarms}


NOT_RUNNING: Outputs = {"image": "", "service": "", "url": "", "alarms": []}


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
