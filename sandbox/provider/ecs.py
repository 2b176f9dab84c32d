"""ECS: cluster and task definition. `ecs_service` and `ecs_express` have what runs.

Comes in: properties by the provider's names. Goes out: calls to the `ecs` API. A task definition cannot be changed:
every change registers a new revision, and with `skipDestroy` the old one stays, which is the way back.
"""

import json
import time
from typing import Any

from sandbox.provider.aws import found, given, retag, small, tag_list
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties

_POLL_SECONDS = 0.2
_CLUSTER_SECONDS = 10 * 60.0
_BUSY = ("ClusterContainsTasksException", "ClusterContainsServicesException")

_TASK = {
    "cpu": "cpu",
    "executionRoleArn": "executionRoleArn",
    "memory": "memory",
    "networkMode": "networkMode",
    "requiresCompatibilities": "requiresCompatibilities",
    "runtimePlatform": "runtimePlatform",
    "taskRoleArn": "taskRoleArn",
}


def tags(inputs: Properties) -> dict[str, Any]:
    """The argument for the tags: ECS refuses an empty list."""
    return given(tags=small(tag_list(inputs.get("tags"))) or None)


def tags_back(told: dict[str, Any]) -> dict[str, str]:
    """The tags as ECS tells them."""
    return {tag["key"]: tag["value"] for tag in told.get("tags", [])}


def set_tags(client: Client, update: Update, arn: str) -> None:
    """Make the tags those of `update`."""
    retag(
        update,
        lambda tags: client.tag_resource(resourceArn=arn, tags=small(tags)),
        lambda keys: client.untag_resource(resourceArn=arn, tagKeys=keys),
    )


def _create_cluster(client: Client, inputs: Properties) -> str:
    settings = given(settings=inputs.get("settings") or None)
    return str(client.create_cluster(clusterName=inputs["name"], **settings, **tags(inputs))["cluster"]["clusterArn"])


def _cluster(client: Client, id_: str) -> dict[str, Any] | None:
    answer = found(client.describe_clusters, clusters=[id_], include=["TAGS", "SETTINGS"])
    clusters = [one for one in (answer or {"clusters": []})["clusters"] if one["status"] != "INACTIVE"]
    return clusters[0] if clusters else None


def _read_cluster(client: Client, id_: str, _known: Properties) -> Properties | None:
    told = _cluster(client, id_)
    return told and {
        "id": told["clusterArn"],
        "arn": told["clusterArn"],
        "name": told["clusterName"],
        "settings": told.get("settings", []),
        "tags": tags_back(told),
    }


def _update_cluster(client: Client, update: Update) -> None:
    if "settings" in update.changed:
        client.update_cluster(cluster=update.id, settings=update.news.get("settings") or [])
    set_tags(client, update, update.id)


def _delete_cluster(client: Client, arn: str, _known: Properties) -> None:
    """A cluster with services or tasks is asked again until they are gone, as the real provider does."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see aws.Clients

    deadline = time.monotonic() + _CLUSTER_SECONDS
    while True:
        try:
            found(client.delete_cluster, cluster=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _BUSY or time.monotonic() > deadline:
                raise
        else:
            break
        time.sleep(_POLL_SECONDS)
    while _cluster(client, arn):
        if time.monotonic() > deadline:
            raise Failed(
                f"waiting for ECS Cluster ({arn}) delete: timeout while waiting for state to become 'INACTIVE'"
            )
        time.sleep(_POLL_SECONDS)


def _register(client: Client, inputs: Properties) -> str:
    family = str(inputs["family"])
    try:
        definitions = json.loads(inputs["containerDefinitions"])
    except ValueError as error:
        raise Failed(f"ECS Task Definition container_definitions is invalid: {error}") from error
    storage = inputs.get("ephemeralStorage")
    client.register_task_definition(
        family=family,
        containerDefinitions=definitions,
        **{there: inputs[here] for here, there in _TASK.items() if inputs.get(here)},
        **given(ephemeralStorage={"sizeInGiB": storage["sizeInGib"]} if storage else None),
        **tags(inputs),
    )
    return family


def _read_task(client: Client, id_: str, known: Properties) -> Properties | None:
    """Of the revision that is known; just registered it is the family's newest; an import names it by its ARN."""
    newest = known.get("trackLatest") or not known.get("arn")
    answer = found(client.describe_task_definition, taskDefinition=id_ if newest else known["arn"], include=["TAGS"])
    if answer is None or answer["taskDefinition"]["status"] != "ACTIVE":
        return None
    told = answer["taskDefinition"]
    arn = told["taskDefinitionArn"]
    storage = told.get("ephemeralStorage")
    return {here: told[there] for here, there in _TASK.items() if there in told} | {
        "id": told["family"],
        "arn": arn,
        "arnWithoutRevision": arn.rpartition(":")[0],
        "containerDefinitions": json.dumps(told["containerDefinitions"], separators=(",", ":")),
        "ephemeralStorage": {"sizeInGib": storage["sizeInGiB"]} if storage else None,
        "family": told["family"],
        "revision": told["revision"],
        "tags": tags_back(answer),
    }


def _update_task(client: Client, update: Update) -> None:
    set_tags(client, update, update.olds["arn"])


def _deregister(client: Client, _id: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        client.deregister_task_definition(taskDefinition=known["arn"])


def containers(text: Any) -> Any:
    """Container definitions as the provider compares them: lists that ECS may sort sorted, and no default spelled out.

    A host port equal to the container's is a default, too: so it is with `awsvpc`, the only mode that Fargate has.
    """
    try:
        definitions = json.loads(text)
    except (TypeError, ValueError):
        return text
    return sorted((_container(one) for one in definitions), key=_name) if isinstance(definitions, list) else text


def _container(one: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = _without_blanks(one)
    plain.setdefault("essential", True)
    for name in ("environment", "secrets"):
        if name in plain:
            plain[name] = sorted(plain[name], key=_name)
    if "healthCheck" in plain:
        plain["healthCheck"] = {"interval": 30, "retries": 3, "timeout": 5} | plain["healthCheck"]
    if "portMappings" in plain:
        plain["portMappings"] = [_port(mapping) for mapping in plain["portMappings"]]
    return plain


def _port(mapping: dict[str, Any]) -> dict[str, Any]:
    without = {"protocol": "tcp", "hostPort": mapping.get("containerPort")}
    return {name: value for name, value in mapping.items() if without.get(name) != value}


def _without_blanks(value: Any) -> Any:
    """Go cannot tell an empty list, text or number 0 from nothing; a false it can, where the API has a pointer."""
    if isinstance(value, dict):
        kept = {key: _without_blanks(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is False or item not in (None, "", 0, [], {})}
    return [_without_blanks(item) for item in value] if isinstance(value, list) else value


def _name(one: dict[str, Any]) -> str:
    return str(one.get("name", ""))


TYPES = (
    ResourceType(
        token="aws:ecs/cluster:Cluster",
        title="ECS Cluster",
        service="ecs",
        create=_create_cluster,
        read=_read_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
        replaces=frozenset({"name", "region"}),
        auto_named=True,
        computed=frozenset({"settings", "region"}),
        unsupported=frozenset({"configuration", "serviceConnectDefaults"}),
    ),
    ResourceType(
        token="aws:ecs/taskDefinition:TaskDefinition",
        title="ECS Task Definition",
        service="ecs",
        create=_register,
        read=_read_task,
        update=_update_task,
        delete=_deregister,
        replaces=frozenset({*_TASK, "containerDefinitions", "ephemeralStorage", "family", "region"}),
        name="family",
        defaults={"skipDestroy": False, "trackLatest": False},
        computed=frozenset({"networkMode", "enableFaultInjection", "region"}),
        kept=frozenset({"skipDestroy", "trackLatest"}),
        spellings={"containerDefinitions": containers},
        unsupported=frozenset(
            {"enableFaultInjection", "ipcMode", "pidMode", "placementConstraints", "proxyConfiguration", "volumes"}
        ),
    ),
)
