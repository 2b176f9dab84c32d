"""What ECS knows: clusters, task definitions, services, their revisions, deployments and tasks.

Comes in: checked requests. Goes out: frozen values that a state file can hold. How AWS shows each is `wire.py`'s
business. Nothing here acts.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.runtimes.refusal import Refusal

ServiceStatus = Literal["ACTIVE", "DRAINING", "INACTIVE"]
RolloutStatus = Literal[
    "PENDING", "IN_PROGRESS", "SUCCESSFUL", "STOP_REQUESTED", "STOPPED",
    "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED",
]  # fmt: skip
ENDED = frozenset(("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"))
CONFIGURATION_DEFAULTS = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}
Json = Mapping[str, Any]


def invalid(message: str) -> Refusal:
    return Refusal("InvalidParameterException", message)


def client_error(message: str) -> Refusal:
    return Refusal("ClientException", message)


@dataclass(frozen=True)
class Cluster:
    """`shown` are the members that a request gave: settings, configuration, capacity providers."""

    arn: str
    name: str
    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskDefinition:
    """One revision of a family; `shown` is all of it but what is a field here."""

    arn: str
    family: str
    revision: int
    registered: float
    shown: dict[str, Any]
    status: Literal["ACTIVE", "INACTIVE"] = "ACTIVE"
    deregistered: float | None = None


@dataclass(frozen=True)
class Revision:
    """What one deployment of a service is made of; `images` have the digests that run, once one runs.

    `group` is the target group that its tasks are in, empty without a load balancer.
    """

    arn: str
    service: str
    definition: str
    created: float
    shown: dict[str, Any]
    group: str = ""
    images: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Rollback:
    reason: str
    started: float
    revision: str


@dataclass(frozen=True)
class Rollout:
    """A ServiceDeployment: how a service gets from `sources` to `target`, both ARNs of revisions.

    `shares` is what each revision gets of production traffic, in per cent.
    """

    arn: str
    id: str
    service: str
    target: str
    sources: tuple[str, ...]
    created: float
    updated: float
    configuration: dict[str, Any]
    desired: int
    status: RolloutStatus = "PENDING"
    reason: str = ""
    stage: str = ""
    started: float | None = None
    finished: float | None = None
    stopped: float | None = None
    rollback: Rollback | None = None
    failures: int = 0
    triggered: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)

    @property
    def strategy(self) -> str:
        return str(self.configuration.get("strategy", "ROLLING"))


@dataclass(frozen=True)
class Service:
    """`shown` are the members of the request that describe it; `revision` is the last one that was proven.

    `express` holds what only Express Mode knows, None for every other service.
    """

    arn: str
    name: str
    cluster: str
    created: float
    definition: str
    desired: int
    shown: dict[str, Any]
    status: ServiceStatus = "ACTIVE"
    revision: str = ""
    events: tuple[tuple[str, float, str], ...] = ()
    express: dict[str, Any] | None = None

    @property
    def configuration(self) -> dict[str, Any]:
        return {**CONFIGURATION_DEFAULTS, **self.shown.get("deploymentConfiguration", {})}

    @property
    def balancer(self) -> Json:
        """Its load balancer's member, empty without one."""
        balancers = self.shown.get("loadBalancers") or [{}]
        first: Json = balancers[0]
        return first


@dataclass(frozen=True)
class Task:
    """One task that really runs, or ran."""

    arn: str
    service: str
    revision: str
    definition: str
    deployment: str
    created: float
    status: Literal["PENDING", "RUNNING", "STOPPED"] = "PENDING"
    started: float | None = None
    stopped: float | None = None
    healthy: bool | None = None
    digest: str = ""
    reason: str = ""
    code: str = ""
    exit: int | None = None


def new_id() -> str:
    return uuid.uuid4().hex


def numeric_id() -> str:
    """19 digits, as in `ecs-svc/...` and in the ARNs of service revisions."""
    return str(10**18 + uuid.uuid4().int % (9 * 10**18))
