"""What of a task definition really runs, and how: a pure answer.

Comes in: a task definition, a service's settings. Goes out: a Plan. One container of a task runs: the one that the
load balancer names, else the first essential one; its own health check runs beside it. What is said of others, of
volumes and of architectures is kept and shown, and has no effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.runtimes.ecs.values import Service, TaskDefinition
from sandbox.runtimes.health import Check
from sandbox.runtimes.workload import Workload


@dataclass(frozen=True)
class Logs:
    """Where the container's output goes; `group` is empty when it goes nowhere."""

    group: str = ""
    prefix: str = ""
    creates: bool = False


@dataclass(frozen=True)
class Plan:
    """`cpus` and `megabytes` are what the whole task may use."""

    container: str
    workload: Workload
    logs: Logs
    cpus: float
    megabytes: float
    check: Check | None = None  # the container's own


def planned(definition: TaskDefinition, service: Service) -> Plan:
    """How a task of `service` runs."""
    container = container_of(definition, str(service.balancer.get("containerName", "")))
    ports = [port.get("containerPort") for port in container.get("portMappings", ())]
    return Plan(
        container=container["name"],
        workload=Workload(
            image=container["image"],
            port=service.balancer.get("containerPort") or (ports[0] if ports else None),
            variables={each["name"]: each.get("value", "") for each in container.get("environment", ())},
            secrets={each["name"]: each["valueFrom"] for each in container.get("secrets", ())},
            entrypoint=_words(container.get("entryPoint")),
            command=_words(container.get("command")),
        ),
        logs=_logs(container.get("logConfiguration") or {}),
        cpus=int(definition.shown.get("cpu") or 1024) / 1024,
        megabytes=float(definition.shown.get("memory") or 2048),
        check=_own_check(container.get("healthCheck") or {}),
    )


def container_of(definition: TaskDefinition, name: str) -> dict[str, Any]:
    """The container called `name`, else the first essential one."""
    containers: list[dict[str, Any]] = definition.shown["containerDefinitions"]
    named = [each for each in containers if each["name"] == name]
    return (named or [each for each in containers if each.get("essential", True)])[0]


def health_of(group: Mapping[str, Any], grace: float) -> Check:
    """A target group's health check, in AWS's seconds; a target is well after its first good answer, as on AWS."""
    return Check(
        protocol="TCP" if group.get("HealthCheckProtocol") == "TCP" else "HTTP",
        path=group.get("HealthCheckPath", "/"),
        interval=group["HealthCheckIntervalSeconds"],
        timeout=group["HealthCheckTimeoutSeconds"],
        healthy=1,
        unhealthy=group["UnhealthyThresholdCount"],
        accepted=tuple(_codes(group.get("Matcher", {}).get("HttpCode", "200"))),
        grace=grace,
    )


LISTENING = Check("TCP", "", interval=10, timeout=5, healthy=1, unhealthy=3)


def _own_check(given: Mapping[str, Any]) -> Check | None:
    """The container's health check: `CMD` and its words, or `CMD-SHELL` and a line for a shell."""
    kind, *words = given.get("command") or ["NONE"]
    if kind == "NONE":
        return None
    command = ("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words if kind == "CMD" else [kind, *words])
    return Check(
        "COMMAND", "", interval=given.get("interval") or 30, timeout=given.get("timeout") or 5, healthy=1,
        unhealthy=given.get("retries") or 3, grace=float(given.get("startPeriod") or 0), command=command,
    )  # fmt: skip


def _codes(text: str) -> list[range]:
    """`200`, `200,302`, `200-299`."""
    spans = [part.partition("-") for part in text.split(",") if part]
    return [range(int(first), int(last or first) + 1) for first, _, last in spans]


def _words(given: list[str] | None) -> tuple[str, ...] | None:
    return tuple(given) if given else None


def _logs(given: Mapping[str, Any]) -> Logs:
    options = given.get("options") or {}
    if given.get("logDriver") != "awslogs" or not options.get("awslogs-group"):
        return Logs()
    creates = options.get("awslogs-create-group") == "true"
    return Logs(options["awslogs-group"], options.get("awslogs-stream-prefix", ""), creates)
