"""ECS: Express Gateway service.

Comes in: properties by the provider's names. Goes out: calls to the `ecs` API and the provider's waits. The real type
writes its state only when all went well: a creation that ends badly leaves a service that no state knows, and the next
one says that it already exists. Kept, for it has to be survived.
"""

import re
from functools import partial
from typing import Any

from sandbox.provider.aws import found, given
from sandbox.provider.ecs import set_tags, tags, tags_back
from sandbox.provider.ecs_wait import PENDING, STABLE, deployment_state, newest, service
from sandbox.provider.resource import Client, Failed, ResourceType, Update, Wait
from sandbox.provider.values import Properties
from sandbox.provider.waiting import until

_WAIT_SECONDS = 30 * 60.0
_DELETE_SECONDS = 20 * 60.0
_GONE = (
    "Resource not found",
    "Cannot perform this operation on a service in INACTIVE status",
    "Service is in DRAINING status",
)
_SAME = ("cpu", "memory", "executionRoleArn", "healthCheckPath", "taskRoleArn")
_CONTAINER = {
    "image": "image",
    "containerPort": "containerPort",
    "commands": "command",
    "environments": "environment",
    "secrets": "secrets",
    "repositoryCredentials": "repositoryCredentials",
}
_DEFAULT_CLUSTER = "default"


def _configuration(inputs: Properties) -> dict[str, Any]:
    """What create and update have in common: the whole wish, each time."""
    container = inputs["primaryContainer"]
    wire = {there: container[here] for here, there in _CONTAINER.items() if container.get(here)}
    for logs in container.get("awsLogsConfigurations") or []:
        wire["awsLogsConfiguration"] = {"logGroup": logs["logGroup"], "logStreamPrefix": logs["logStreamPrefix"]}
    return given(
        **{name: inputs.get(name) or None for name in _SAME},
        primaryContainer=wire,
        networkConfiguration=next(iter(inputs.get("networkConfigurations") or []), None),
        scalingTarget=next(iter(inputs.get("scalingTargets") or []), None),
    )


def _create(client: Client, inputs: Properties) -> str:
    name, cluster = inputs.get("serviceName"), inputs.get("cluster") or _DEFAULT_CLUSTER
    there = service(client, name, cluster) if name else None
    if there and there["status"] != "INACTIVE":
        raise Failed(f"Resource Already Exists: Express Gateway Service {name} already exists in cluster {cluster}")
    answer = client.create_express_gateway_service(
        infrastructureRoleArn=inputs["infrastructureRoleArn"],
        **_configuration(inputs),
        **given(serviceName=name, cluster=inputs.get("cluster")),
        **tags(inputs),
    )
    return str(answer["service"]["serviceArn"])


def _described(client: Client, arn: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see aws.Clients

    try:
        answer = found(client.describe_express_gateway_service, serviceArn=arn, include=["TAGS"])
    except ClientError as error:
        if any(word in str(error) for word in _GONE):
            return None
        raise
    told: dict[str, Any] | None = answer and answer["service"]
    return told


def _status(client: Client, arn: str) -> str:
    told = _described(client, arn)
    return str(told["status"]["statusCode"]) if told else "INACTIVE"


def _read(client: Client, arn: str, known: Properties) -> Properties | None:
    told = _described(client, arn)
    if told is None or told["status"]["statusCode"] in ("INACTIVE", "DRAINING"):
        return None
    active: dict[str, Any] = next(iter(told.get("activeConfigurations", [])), {})
    cluster = str(told.get("cluster") or _DEFAULT_CLUSTER)
    by_arn = str(known.get("cluster", "")).startswith("arn:")
    return {name: active.get(name) for name in _SAME} | {
        "cluster": cluster if by_arn else cluster.rpartition("/")[2],
        "currentDeployment": told.get("currentDeployment"),
        "infrastructureRoleArn": told["infrastructureRoleArn"],
        "ingressPaths": [
            {"accessType": path.get("accessType"), "endpoint": path.get("endpoint")}
            for path in active.get("ingressPaths", [])
        ],
        "networkConfigurations": [active["networkConfiguration"]] if active.get("networkConfiguration") else [],
        "primaryContainer": _container_back(active.get("primaryContainer") or {}),
        "scalingTargets": [active["scalingTarget"]] if active.get("scalingTarget") else [],
        "serviceArn": arn,
        "serviceName": told["serviceName"],
        "serviceRevisionArn": active.get("serviceRevisionArn"),
        "tags": tags_back(told),
    }  # fmt: skip


def _container_back(told: dict[str, Any]) -> Properties:
    back = {here: told[there] for here, there in _CONTAINER.items() if told.get(there)}
    logs = told.get("awsLogsConfiguration")
    return back | {"awsLogsConfigurations": [logs] if logs else []}


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags", "timeouts", "waitForSteadyState"}:
        client.update_express_gateway_service(serviceArn=update.id, **_configuration(update.news))
    set_tags(client, update, update.id)


def _wait(client: Client, arn: str, wait: Wait) -> None:
    doing = f"{_DOING[wait.operation]} ECS (Elastic Container) Express Gateway Service ({arn})"
    seconds = _seconds(wait) or _WAIT_SECONDS
    if not wait.inputs.get("waitForSteadyState"):
        until(partial(_status, client, arn), ("ACTIVE",), ("INACTIVE", "DRAINING"), doing=doing, seconds=seconds)
        return
    steady = _Steady(client, arn, wait, doing)
    until(steady.look, (STABLE, "ACTIVE"), ("INACTIVE", "DRAINING", PENDING), doing=doing, seconds=seconds)


_DOING = {"create": "creating", "update": "updating"}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def _seconds(wait: Wait) -> float | None:
    """The type's own `timeouts`, such as 45m or 1h30m; else the program's customTimeouts."""
    written = (wait.inputs.get("timeouts") or {}).get(wait.operation, "")
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", written)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or wait.seconds


class _Steady:
    """First the service's own word for its current deployment, from then on the newest since the call."""

    def __init__(self, client: Client, arn: str, wait: Wait, doing: str) -> None:
        self._client, self._arn, self._wait, self._doing = client, arn, wait, doing
        self._deployment = ""

    def look(self) -> str:
        told = _described(self._client, self._arn)
        if told is None or told["status"]["statusCode"] != "ACTIVE":
            return str(told["status"]["statusCode"]) if told else "INACTIVE"
        if not self._deployment and told.get("currentDeployment"):
            self._deployment = told["currentDeployment"]
        else:
            cluster = told.get("cluster") or _DEFAULT_CLUSTER
            listed = newest(self._client, told["serviceName"], cluster, self._wait.began)
            self._deployment = listed[0]["serviceDeploymentArn"] if listed else self._deployment
        return deployment_state(self._client, self._deployment, self._doing) if self._deployment else PENDING


def _delete(client: Client, arn: str, _known: Properties) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see aws.Clients

    try:
        found(client.delete_express_gateway_service, serviceArn=arn)
    except ClientError as error:
        if not any(word in str(error) for word in _GONE):
            raise
        return
    until(
        partial(_status, client, arn),
        ("INACTIVE",),
        ("ACTIVE", "DRAINING"),
        doing=f"deleting ECS (Elastic Container) Express Gateway Service ({arn})",
        seconds=_DELETE_SECONDS,
    )


TYPES = (
    ResourceType(
        token="aws:ecs/expressGatewayService:ExpressGatewayService",
        title="ECS (Elastic Container) Express Gateway Service",
        service="ecs",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        wait=_wait,
        replaces=frozenset({"infrastructureRoleArn", "serviceName", "cluster", "region"}),
        name="serviceName",
        keeps_unsettled=False,
        defaults={"waitForSteadyState": False},
        computed=frozenset(
            {"cluster", "cpu", "healthCheckPath", "memory", "networkConfigurations", "scalingTargets", "serviceName"}
            | {"networkConfigurations[*].securityGroups", "primaryContainer.awsLogsConfigurations"}
            | {"primaryContainer.containerPort", "region"}
        ),
        kept=frozenset({"timeouts", "waitForSteadyState"}),
        # A list in the provider's schema, not a set: another order is another value (terraform-provider-aws#45792).
        ordered=frozenset({f"primaryContainer.{name}" for name in ("commands", "environments", "secrets")}),
        renewed=frozenset({"serviceRevisionArn", "currentDeployment"}),
    ),
)
