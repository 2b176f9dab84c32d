"""EventBridge: rule and target.

Comes in: properties by the provider's names. Goes out: calls to the `events` API. A target has no API of its own to be
read: it is one of a rule's, found by its id.
"""

import uuid
from typing import Any

from sandbox.provider.aws import found, given, retag_by_arn, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update, json_document
from sandbox.provider.values import Properties

_RULE = {
    "description": "Description",
    "eventPattern": "EventPattern",
    "roleArn": "RoleArn",
    "scheduleExpression": "ScheduleExpression",
    "state": "State",
}
_TARGET = {"arn": "Arn", "input": "Input", "inputPath": "InputPath", "roleArn": "RoleArn"}
_RETRY = {
    "maximumEventAgeInSeconds": "MaximumEventAgeInSeconds",
    "maximumRetryAttempts": "MaximumRetryAttempts",
}
_DEFAULT = "default"


def _renamed(values: Properties, names: dict[str, str]) -> dict[str, Any]:
    return {there: values[here] for here, there in names.items() if values.get(here) not in (None, "")}


def _back(told: dict[str, Any], names: dict[str, str]) -> Properties:
    return {here: told[there] for here, there in names.items() if there in told}


def _put(client: Client, inputs: Properties, **more: Any) -> None:
    client.put_rule(Name=inputs["name"], EventBusName=inputs["eventBusName"], **_renamed(inputs, _RULE), **more)


def _create(client: Client, inputs: Properties) -> str:
    _put(client, inputs, Tags=tag_list(inputs.get("tags")))
    return _rule_id(inputs["eventBusName"], inputs["name"])


def _rule_id(bus: str, name: str) -> str:
    return str(name) if bus == _DEFAULT else f"{bus}/{name}"


def _split(id_: str) -> tuple[str, str]:
    """The bus and the name in a rule's id."""
    bus, _, name = id_.rpartition("/")
    return bus or _DEFAULT, name


def _read(client: Client, id_: str, _known: Properties) -> Properties | None:
    bus, name = _split(id_)
    told = found(client.describe_rule, Name=name, EventBusName=bus)
    if told is None:
        return None
    tags = tag_map(client.list_tags_for_resource(ResourceARN=told["Arn"])["Tags"])
    return _back(told, _RULE) | {"arn": told["Arn"], "eventBusName": bus, "name": name, "tags": tags}


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags", "forceDestroy"}:
        _put(client, update.news)
    retag_by_arn(client, update)


def _delete(client: Client, id_: str, known: Properties) -> None:
    bus, name = _split(id_)
    found(client.delete_rule, Name=name, EventBusName=bus, Force=bool(known.get("forceDestroy")))


def _put_target(client: Client, inputs: Properties, target_id: str) -> None:
    rule, bus = inputs["rule"], inputs["eventBusName"]
    target = _renamed(inputs, _TARGET) | {"Id": target_id}
    if transformer := inputs.get("inputTransformer"):
        paths = transformer.get("inputPaths") or {}
        target["InputTransformer"] = {"InputPathsMap": paths, "InputTemplate": transformer["inputTemplate"]}
    if retry := inputs.get("retryPolicy"):
        target["RetryPolicy"] = _renamed(retry, _RETRY)
    if letters := inputs.get("deadLetterConfig"):
        target["DeadLetterConfig"] = given(Arn=letters.get("arn"))
    answer = client.put_targets(Rule=rule, EventBusName=bus, Targets=[target])
    for failure in answer.get("FailedEntries", []):
        reason = f"{failure.get('ErrorCode')}: {failure.get('ErrorMessage')}"
        raise Failed(f"creating EventBridge Target ({rule}-{target_id}): {target_id}: {reason}")


def _create_target(client: Client, inputs: Properties) -> str:
    target_id = inputs.get("targetId") or f"terraform-{uuid.uuid4().hex}"
    _put_target(client, inputs, target_id)
    return _target_id(inputs["eventBusName"], inputs["rule"], target_id)


def _target_id(bus: str, rule: str, target: str) -> str:
    return f"{'' if bus == _DEFAULT else f'{bus}-'}{rule}-{target}"


def _read_target(client: Client, id_: str, known: Properties) -> Properties | None:
    bus, rule, target = known.get("eventBusName", _DEFAULT), known.get("rule"), known.get("targetId")
    if not rule:  # an import names it `rule/target` or `bus/rule/target`
        named, _, target = id_.rpartition("/")
        bus, rule = _split(named)
    answer = found(client.list_targets_by_rule, Rule=rule, EventBusName=bus) or {"Targets": []}
    # A target that was just created without an id of its own is known by what the resource's id ends with.
    matching = [one for one in answer["Targets"] if one["Id"] == target or _target_id(bus, rule, one["Id"]) == id_]
    if not matching:
        return None
    told = matching[0]
    transformer = told.get("InputTransformer") or {}
    return _back(told, _TARGET) | {
        "id": _target_id(bus, rule, told["Id"]),
        "deadLetterConfig": _back(told.get("DeadLetterConfig") or {}, {"arn": "Arn"}),
        "eventBusName": bus,
        "inputTransformer": _back(transformer, {"inputPaths": "InputPathsMap", "inputTemplate": "InputTemplate"}),
        "retryPolicy": _back(told.get("RetryPolicy") or {}, _RETRY),
        "rule": rule,
        "targetId": told["Id"],
    }


def _update_target(client: Client, update: Update) -> None:
    _put_target(client, update.news, update.olds["targetId"])


def _delete_target(client: Client, _id: str, known: Properties) -> None:
    where = {"Rule": known["rule"], "EventBusName": known.get("eventBusName", _DEFAULT)}
    found(client.remove_targets, Ids=[known["targetId"]], Force=bool(known.get("forceDestroy")), **where)


TYPES = (
    ResourceType(
        token="aws:cloudwatch/eventRule:EventRule",
        title="EventBridge Rule",
        service="events",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "eventBusName", "region"}),
        auto_named=True,
        name_limit=64,
        defaults={"eventBusName": _DEFAULT, "forceDestroy": False},
        computed=frozenset({"state", "region"}),
        kept=frozenset({"forceDestroy"}),
        spellings={"eventPattern": json_document},
        unsupported=frozenset({"namePrefix", "isEnabled"}),
    ),
    ResourceType(
        token="aws:cloudwatch/eventTarget:EventTarget",
        title="EventBridge Target",
        service="events",
        create=_create_target,
        read=_read_target,
        update=_update_target,
        delete=_delete_target,
        replaces=frozenset({"rule", "eventBusName", "targetId", "region"}),
        defaults={"eventBusName": _DEFAULT, "forceDestroy": False},
        computed=frozenset({"targetId", "region"}),
        kept=frozenset({"forceDestroy"}),
        unsupported=frozenset(
            {"appsyncTarget", "batchTarget", "ecsTarget", "httpTarget", "kinesisTarget", "redshiftTarget"}
            | {"runCommandTargets", "sagemakerPipelineTarget", "sqsTarget"}
        ),
    ),
)
