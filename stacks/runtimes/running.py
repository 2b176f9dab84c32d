"""What every runtime is given and what it hands on: the same for all, so that one word in the settings chooses.

Comes in: nothing; these are the words that `environment.py` and the runtimes speak. A runtime never decides which
digest runs, never makes an alarm of its own and never proves that a deployment worked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pulumi

from releasectl.release import Pin
from stacks.metrics import Metrics
from stacks.names import Place
from stacks.registry import Repository
from stacks.service_settings import ServiceSettings
from stacks.settings import Network

# Declares the alarms on a service's metrics: what each is about -> its name. They are the environment's children, so
# that another runtime keeps them; before, they were those of the component that is given.
Watch = Callable[[Metrics, pulumi.Resource], Mapping[str, pulumi.Output[str]]]


@dataclass(frozen=True)
class Cluster:
    """The environment's ECS cluster."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]


@dataclass(frozen=True)
class Ground:
    """What a runtime stands on. `cluster` and `connector`, App Runner's way into the network, are there wherever a
    service of the environment needs one.

    `policy` is what the application may do, "" for nothing. `leaving` is true for the runtime that a service moves
    away from: unprotected, without domain and alarms.
    """

    environment: pulumi.Resource
    repository: Repository
    network: Network
    cluster: Cluster | None
    connector: pulumi.Output[str] | None
    watch: Watch
    policy: str
    leaving: bool = False


@dataclass(frozen=True)
class Running:
    """A service as declared; `resource` is done when it serves.

    `image` is the runtime's own word, so it may differ from the pin after a rollback. `log_group` is "" where the
    runtime names it by itself; `domain` is what has to stand in DNS, None without one.
    """

    resource: pulumi.Resource
    service: pulumi.Input[str]
    url: pulumi.Input[str]
    image: pulumi.Input[str]
    metrics: Metrics
    alarms: Mapping[str, pulumi.Output[str]]
    log_group: pulumi.Input[str] = ""
    domain: Mapping[str, pulumi.Input[object]] | None = None


def variables(place: Place, pin: Pin, settings: ServiceSettings) -> dict[str, str]:
    """The settings' own and what the release adds. A new restart time is a new variable, hence a deployment."""
    release = {"RELEASE_DIGEST": pin.digest, "RELEASE_ENVIRONMENT": place.environment}
    restart = {"RELEASE_RESTART": pin.restart} if pin.restart else {}
    return {**settings.variables, **release, **restart}
