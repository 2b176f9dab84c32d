"""Task definitions: revisions of a family, each immutable, INACTIVE once deregistered and still to be read.

Comes in: checked requests. Goes out: ECS's answers, or a Refusal for what Fargate does not take.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.runtimes.ecs.store import Store
from sandbox.runtimes.ecs.values import TaskDefinition, client_error, invalid
from sandbox.runtimes.paging import page

Request = Mapping[str, Any]
_GB = 1024
# The pairs that Fargate accepts, in CPU units and MB.
_SIZES: Mapping[int, tuple[int, ...]] = {
    256: (512, 1 * _GB, 2 * _GB),
    512: tuple(range(1 * _GB, 4 * _GB + 1, _GB)),
    1024: tuple(range(2 * _GB, 8 * _GB + 1, _GB)),
    2048: tuple(range(4 * _GB, 16 * _GB + 1, _GB)),
    4096: tuple(range(8 * _GB, 30 * _GB + 1, _GB)),
    8192: tuple(range(16 * _GB, 60 * _GB + 1, 4 * _GB)),
    16384: tuple(range(32 * _GB, 120 * _GB + 1, 8 * _GB)),
}
_CONTAINER_DEFAULTS: Mapping[str, object] = {
    "cpu": 0, "essential": True, "portMappings": [], "environment": [], "mountPoints": [], "volumesFrom": [],
    "systemControls": [],
}  # fmt: skip


class Definitions:
    """The operations on task definitions; `prefix` is `arn:aws:ecs:<region>:<account>`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def register(self, request: Request) -> dict[str, object]:
        _check(request)
        family = request["family"]
        revision = max((each.revision for each in self._family(family)), default=0) + 1
        arn = f"{self._prefix}:task-definition/{family}:{revision}"
        shown = {name: value for name, value in request.items() if name not in ("family", "tags") and value is not None}
        shown["containerDefinitions"] = [_container(each) for each in request["containerDefinitions"]]
        self._store.definitions[arn] = TaskDefinition(arn, family, revision, time.time(), shown)
        self._store.tags[arn] = {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}
        self._store.save()
        return {"taskDefinition": _shown(self._store.definitions[arn]), "tags": self._tags(arn)}

    def describe(self, request: Request) -> dict[str, object]:
        found = self.find(request["taskDefinition"])
        if found is None:
            raise client_error("Unable to describe task definition.")
        tags = {"tags": self._tags(found.arn)} if "TAGS" in (request.get("include") or ()) else {}
        return {"taskDefinition": _shown(found), **tags}

    def deregister(self, request: Request) -> dict[str, object]:
        wanted = request["taskDefinition"]
        if ":" not in wanted.rpartition("/")[2]:
            raise invalid("Revision is missing.")
        found = self.find(wanted)
        if found is None:
            raise client_error(
                "The specified task definition does not exist. Specify a valid account, family, revision."
            )
        self._store.definitions[found.arn] = replace(found, status="INACTIVE", deregistered=time.time())
        self._store.save()
        return {"taskDefinition": _shown(self._store.definitions[found.arn])}

    def list_all(self, request: Request) -> dict[str, object]:
        status, family = request.get("status") or "ACTIVE", request.get("familyPrefix")
        arns = [
            each.arn
            for each in self._store.definitions.values()
            if each.status == status and family in (None, each.family)
        ]
        if request.get("sort") == "DESC":
            arns.reverse()
        return page(request, "taskDefinitionArns", arns, most=100)

    def find(self, wanted: str) -> TaskDefinition | None:
        """By ARN, by `family:revision`, or by `family` for the newest active one."""
        arn = wanted if wanted.startswith("arn:") else f"{self._prefix}:task-definition/{wanted}"
        active = [each for each in self._family(wanted) if each.status == "ACTIVE"]
        return self._store.definitions.get(arn) or (active[-1] if active else None)

    def usable(self, wanted: str) -> TaskDefinition:
        """One that a service may run. Raises Refusal."""
        found = self.find(wanted)
        if found is None:
            raise client_error("TaskDefinition not found.")
        if found.status != "ACTIVE":
            raise client_error("TaskDefinition is inactive")
        return found

    def _family(self, family: str) -> list[TaskDefinition]:
        return [each for each in self._store.definitions.values() if each.family == family]

    def _tags(self, arn: str) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self._store.tags.get(arn, {}).items()]


def _check(request: Request) -> None:
    containers = request["containerDefinitions"]
    names = [each.get("name") for each in containers]
    if not containers:
        raise client_error("Container list cannot be empty.")
    if not all(names) or not all(each.get("image") for each in containers):
        raise client_error("Container.name and Container.image should not be null or empty.")
    if len(set(names)) < len(names):
        raise client_error("Container names must be unique.")
    if all(each.get("essential") is False for each in containers):
        raise client_error("A task definition must have at least one essential container.")
    if "FARGATE" in (request.get("requiresCompatibilities") or ()):
        _check_fargate(request)


def _check_fargate(request: Request) -> None:
    if request.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    for name in ("cpu", "memory"):
        if not request.get(name):
            raise client_error(f"Fargate requires that '{name}' be defined at the task level.")
    cpu, memory = _number(request["cpu"], "vCPU"), _number(request["memory"], "GB")
    if memory not in _SIZES.get(cpu, ()):
        raise client_error(
            f"No Fargate configuration exists for given values: {request['cpu']} CPU, {request['memory']} memory. "
            "See the Amazon ECS documentation for the valid values."
        )
    containers = request["containerDefinitions"]
    private = any(".dkr.ecr." in each["image"] for each in containers)
    logged = any((each.get("logConfiguration") or {}).get("logDriver") == "awslogs" for each in containers)
    if (private or logged) and not request.get("executionRoleArn"):
        what = "ECR images" if private else "log driver awslogs"
        raise client_error(f"Fargate requires task definition to have execution role ARN to support {what}.")


def _number(text: str, unit: str) -> int:
    """CPU units or MB, from either way of saying it; -1 for what is neither."""
    try:
        return (
            int(float(text.lower().removesuffix(unit.lower()).strip()) * _GB)
            if unit.lower() in text.lower()
            else int(text)
        )
    except ValueError:
        return -1


def _container(given: Mapping[str, Any]) -> dict[str, Any]:
    ports = [
        {"hostPort": port.get("containerPort"), "protocol": "tcp", **port} for port in given.get("portMappings") or ()
    ]
    return {**_CONTAINER_DEFAULTS, **given, "portMappings": ports}


def _shown(known: TaskDefinition) -> dict[str, object]:
    ended = {} if known.deregistered is None else {"deregisteredAt": known.deregistered}
    return {
        "taskDefinitionArn": known.arn,
        "family": known.family,
        "revision": known.revision,
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [],
        "compatibilities": ["EC2", "FARGATE"],
        **known.shown,
        "status": known.status,
        "registeredAt": known.registered,
        **ended,
    }
