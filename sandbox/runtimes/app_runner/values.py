"""What App Runner knows about a service, an operation and a scaling configuration, and how AWS shows each.

Comes in: checked requests. Goes out: frozen values, their JSON for the wire (epoch seconds, ARNs and ids of the
right form) and for the state file. Nothing here acts.
"""

import shlex
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sandbox.runtimes.health import Check
from sandbox.runtimes.refusal import Refusal
from sandbox.runtimes.workload import Workload

Status = Literal["CREATE_FAILED", "RUNNING", "DELETED", "DELETE_FAILED", "PAUSED", "OPERATION_IN_PROGRESS"]
IN_PROGRESS: Status = "OPERATION_IN_PROGRESS"

INSTANCE_DEFAULTS = {"Cpu": "1024", "Memory": "2048"}
HEALTH_DEFAULTS = {
    "Protocol": "TCP",
    "Path": "/",
    "Interval": 5,
    "Timeout": 2,
    "HealthyThreshold": 1,
    "UnhealthyThreshold": 5,
}
NETWORK_DEFAULTS = {
    "EgressConfiguration": {"EgressType": "DEFAULT"},
    "IngressConfiguration": {"IsPubliclyAccessible": True},
    "IpAddressType": "IPV4",
}
SCALING_DEFAULTS = {"MaxConcurrency": 100, "MinSize": 1, "MaxSize": 25}
# The pairs that AWS accepts, in CPU units and MB.
_SIZES = {256: (512, 1024), 512: (1024,), 1024: (2048, 3072, 4096), 2048: (4096, 6144), 4096: (8192, 10240, 12288)}


def invalid_request(message: str) -> Refusal:
    return Refusal("InvalidRequestException", message)


@dataclass(frozen=True)
class Configuration:
    """Everything that an update can change, in the members' own JSON form."""

    source: Mapping[str, Any]
    instance: Mapping[str, Any]
    health: Mapping[str, Any]
    scaling_arn: str
    network: Mapping[str, Any]
    observability: Mapping[str, Any]

    @property
    def image(self) -> str:
        return str(self.source["ImageRepository"]["ImageIdentifier"])

    @property
    def image_settings(self) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = self.source["ImageRepository"].get("ImageConfiguration", {})
        return settings

    @property
    def workload(self) -> Workload:
        """What is to run. A StartCommand takes the place of entrypoint and command; it is split, no shell starts."""
        start = tuple(shlex.split(str(self.image_settings.get("StartCommand", ""))))
        return Workload(
            image=self.image,
            port=int(self.image_settings.get("Port", "8080")),
            variables=self.image_settings.get("RuntimeEnvironmentVariables", {}),
            secrets=self.image_settings.get("RuntimeEnvironmentSecrets", {}),
            entrypoint=start or None,
        )

    @property
    def check(self) -> Check:
        """The health check, in AWS's seconds."""
        return Check(
            protocol=self.health["Protocol"],
            path=self.health["Path"],
            interval=self.health["Interval"],
            timeout=self.health["Timeout"],
            healthy=self.health["HealthyThreshold"],
            unhealthy=self.health["UnhealthyThreshold"],
        )


@dataclass(frozen=True)
class Operation:
    """One change of a service; times are epoch seconds, `ended` is None while it goes on."""

    id: str
    type: str
    status: str
    started: float
    updated: float
    ended: float | None = None

    def wire(self, arn: str) -> dict[str, object]:
        """OperationSummary."""
        times = {"StartedAt": self.started, "UpdatedAt": self.updated, "EndedAt": self.ended}
        summary = {"Id": self.id, "Type": self.type, "Status": self.status, "TargetArn": arn}
        return summary | {name: time for name, time in times.items() if time is not None}


@dataclass(frozen=True)
class Scaling:
    """One revision of an auto scaling configuration; `status` is lower-case on AWS's wire, whatever the model says."""

    arn: str
    name: str
    revision: int
    max_concurrency: int
    min_size: int
    max_size: int
    created: float
    status: Literal["active", "inactive"] = "active"
    deleted: float | None = None

    def summary(self, *, associated: bool) -> dict[str, object]:
        """AutoScalingConfigurationSummary."""
        return {
            "AutoScalingConfigurationArn": self.arn,
            "AutoScalingConfigurationName": self.name,
            "AutoScalingConfigurationRevision": self.revision,
            "Status": self.status,
            "CreatedAt": self.created,
            "HasAssociatedService": associated,
            "IsDefault": self.name == "DefaultConfiguration",
        }

    def wire(self, *, associated: bool, latest: bool) -> dict[str, object]:
        """AutoScalingConfiguration."""
        sizes = {"MaxConcurrency": self.max_concurrency, "MinSize": self.min_size, "MaxSize": self.max_size}
        ended = {} if self.deleted is None else {"DeletedAt": self.deleted}
        return self.summary(associated=associated) | {"Latest": latest} | sizes | ended


@dataclass(frozen=True)
class Service:
    """A service. `shown` is what Describe tells, the configuration being applied included; `serving` is the
    last one that was proven, None before there is one."""

    name: str
    id: str
    arn: str
    port: int
    status: Status
    created: float
    updated: float
    shown: Configuration
    serving: Configuration | None = None
    encryption: Mapping[str, Any] | None = None
    deleted: float | None = None
    operations: tuple[Operation, ...] = field(default=())

    @property
    def log_group(self) -> str:
        """Common beginning of the groups `/service` and `/application`."""
        return f"/aws/apprunner/{self.name}/{self.id}"

    def summary(self) -> dict[str, object]:
        """ServiceSummary."""
        return {
            "ServiceName": self.name,
            "ServiceId": self.id,
            "ServiceArn": self.arn,
            "ServiceUrl": f"127.0.0.1:{self.port}",
            "CreatedAt": self.created,
            "UpdatedAt": self.updated,
            "Status": self.status,
        }

    def wire(self, scaling: Mapping[str, object]) -> dict[str, object]:
        """Service, with the summary of its scaling configuration."""
        optional = {
            "DeletedAt": self.deleted,
            "EncryptionConfiguration": self.encryption,
            "ObservabilityConfiguration": self.shown.observability or {"ObservabilityEnabled": False},
        }
        return (
            self.summary()
            | {
                "SourceConfiguration": self.shown.source,
                "InstanceConfiguration": self.shown.instance,
                "HealthCheckConfiguration": self.shown.health,
                "AutoScalingConfigurationSummary": scaling,
                "NetworkConfiguration": self.shown.network,
            }
            | {name: value for name, value in optional.items() if value is not None}
        )


def configured(request: Mapping[str, Any], before: Configuration | None, scaling_arn: str) -> Configuration:
    """The configuration that `request` asks for: what it does not name stays as it was `before`.

    Raises Refusal for what the model cannot say: sizes that do not go together, a source that is not an image.
    """
    old = asdict(before) if before else {}
    source = request.get("SourceConfiguration") or old.get("source") or {}
    _check_source(source)
    instance = INSTANCE_DEFAULTS | (request.get("InstanceConfiguration") or old.get("instance") or {})
    _check_size(instance)
    return Configuration(
        source={"AutoDeploymentsEnabled": True} | source,
        instance=instance,
        health=HEALTH_DEFAULTS | (request.get("HealthCheckConfiguration") or old.get("health") or {}),
        scaling_arn=scaling_arn,
        network=NETWORK_DEFAULTS | (request.get("NetworkConfiguration") or old.get("network") or {}),
        observability=request.get("ObservabilityConfiguration") or old.get("observability") or {},
    )


def _check_source(source: Mapping[str, Any]) -> None:
    repository = source.get("ImageRepository")
    if not repository:
        raise invalid_request("Source configuration is invalid: this App Runner runs images only.")
    authentication = source.get("AuthenticationConfiguration") or {}
    if repository["ImageRepositoryType"] == "ECR" and not authentication.get("AccessRoleArn"):
        raise invalid_request("Authentication configuration is invalid.")
    settings = repository.get("ImageConfiguration") or {}
    port = settings.get("Port", "8080")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise invalid_request(f"Port '{port}' is invalid: it must be a number from 1 to 65535.")
    for name in settings.get("RuntimeEnvironmentVariables") or {}:
        if name.startswith("AWSAPPRUNNER"):
            raise invalid_request(f"Environment variable '{name}' is reserved.")


def _check_size(instance: Mapping[str, Any]) -> None:
    cpu, memory = instance["Cpu"], instance["Memory"]
    units = int(float(cpu.removesuffix(" vCPU")) * 1024) if cpu.endswith("vCPU") else int(cpu)
    megabytes = int(float(memory.removesuffix(" GB")) * 1024) if memory.endswith("GB") else int(memory)
    if megabytes not in _SIZES[units]:
        raise invalid_request(f"Instance configuration is invalid: {cpu} CPU and {memory} memory do not go together.")


def new_operation_id() -> str:
    return str(uuid.uuid4())
