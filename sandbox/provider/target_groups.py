"""Load balancing: target group.

Comes in: properties by the provider's names. Goes out: calls to the `elbv2` API. Its health check is a handful of
members of the API, the rest a map of text attributes.
"""

from typing import Any

from sandbox.provider.aws import found, given
from sandbox.provider.load_balancing import attributes, attributes_back, set_tags, suffix, tagged, tags_of
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties

_TARGET_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "slowStart": "slow_start.duration_seconds",
}
_STICKINESS = {
    "enabled": "stickiness.enabled",
    "type": "stickiness.type",
    "cookieDuration": "stickiness.lb_cookie.duration_seconds",
}
_HEALTH = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "timeout": "HealthCheckTimeoutSeconds",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}


def _health(inputs: Properties) -> dict[str, Any]:
    check = inputs.get("healthCheck") or {}
    told = {there: check[here] for here, there in _HEALTH.items() if check.get(here) not in (None, "")}
    return told | given(Matcher={"HttpCode": check["matcher"]} if check.get("matcher") else None)


def _create_group(client: Client, inputs: Properties) -> str:
    name = inputs["name"]
    # AWS has an error for a name that nobody has, ministack 1.5.33 an empty list.
    if (found(client.describe_target_groups, Names=[name]) or {}).get("TargetGroups"):
        raise Failed(f"ELBv2 Target Group ({name}) already exists")
    answer = client.create_target_group(
        Name=name,
        TargetType=inputs["targetType"],
        **tagged(inputs),
        **given(
            Port=inputs.get("port"),
            Protocol=inputs.get("protocol"),
            ProtocolVersion=inputs.get("protocolVersion"),
            VpcId=inputs.get("vpcId"),
        ),
        **_health(inputs),
    )
    arn = str(answer["TargetGroups"][0]["TargetGroupArn"])
    _set_group_attributes(client, arn, inputs)
    return arn


def _set_group_attributes(client: Client, arn: str, inputs: Properties) -> None:
    wanted = attributes(inputs, _TARGET_ATTRIBUTES) + attributes(inputs.get("stickiness"), _STICKINESS)
    client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=wanted)


def _read_group(client: Client, arn: str, known: Properties) -> Properties | None:
    answer = found(client.describe_target_groups, TargetGroupArns=[arn])
    if answer is None or not answer["TargetGroups"]:
        return None
    told = answer["TargetGroups"][0]
    pairs = client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    check = {here: told[there] for here, there in _HEALTH.items() if there in told}
    return attributes_back(pairs, _TARGET_ATTRIBUTES) | {
        "arn": arn,
        "arnSuffix": suffix(arn, ""),
        "healthCheck": check | {"matcher": told.get("Matcher", {}).get("HttpCode")},
        "ipAddressType": told.get("IpAddressType", "ipv4"),
        "loadBalancerArns": told.get("LoadBalancerArns", []),
        "name": told["TargetGroupName"],
        "port": told.get("Port"),
        "protocol": told.get("Protocol"),
        # ministack 1.5.33 takes it and never tells it.
        "protocolVersion": told.get("ProtocolVersion") or known.get("protocolVersion") or "HTTP1",
        "stickiness": attributes_back(pairs, _STICKINESS),
        "tags": tags_of(client, arn),
        "targetType": told["TargetType"],
        "vpcId": told.get("VpcId"),
    }


def _update_group(client: Client, update: Update) -> None:
    if "healthCheck" in update.changed:
        client.modify_target_group(TargetGroupArn=update.id, **_health(update.news))
    if update.changed & (_TARGET_ATTRIBUTES.keys() | {"stickiness"}):
        _set_group_attributes(client, update.id, update.news)
    set_tags(client, update)


def _delete_group(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_target_group, TargetGroupArn=arn)


TYPES = (
    ResourceType(
        token="aws:lb/targetGroup:TargetGroup",
        title="ELBv2 Target Group",
        service="elbv2",
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        replaces=frozenset(
            {"name", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType", "region"}
        ),
        auto_named=True,
        name_limit=32,
        defaults={
            "deregistrationDelay": 300,
            "slowStart": 0,
            "targetType": "instance",
            "healthCheck": {
                "enabled": True,
                "healthyThreshold": 3,
                "interval": 30,
                "port": "traffic-port",
                "protocol": "HTTP",
                "unhealthyThreshold": 3,
            },
            "stickiness": {"enabled": True, "cookieDuration": 86400},
        },
        computed=frozenset(
            {"healthCheck", "healthCheck.matcher", "healthCheck.path", "healthCheck.timeout", "ipAddressType"}
            | {"loadBalancingAlgorithmType", "protocolVersion", "stickiness", "region"}
        ),
        unsupported=frozenset(
            {"namePrefix", "connectionTermination", "lambdaMultiValueHeadersEnabled", "preserveClientIp"}
            | {"loadBalancingAnomalyMitigation", "loadBalancingCrossZoneEnabled", "proxyProtocolV2"}
            | {"targetControlPort", "targetFailovers", "targetGroupHealth", "targetHealthStates"}
        ),
    ),
)
