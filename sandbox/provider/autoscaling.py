"""Application Auto Scaling: scalable target and scaling policy.

Comes in: properties by the provider's names. Goes out: calls to the `application-autoscaling` API. Both are known by
what they scale, so an import names them `namespace/resource/dimension` and `namespace/resource/dimension/name`.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag, tag_map
from sandbox.provider.resource import Client, ResourceType, Update
from sandbox.provider.values import Properties

_WHAT = {
    "serviceNamespace": "ServiceNamespace",
    "resourceId": "ResourceId",
    "scalableDimension": "ScalableDimension",
}
_SUSPENDED = {
    "dynamicScalingInSuspended": "DynamicScalingInSuspended",
    "dynamicScalingOutSuspended": "DynamicScalingOutSuspended",
    "scheduledScalingSuspended": "ScheduledScalingSuspended",
}
_TRACKING = "targetTrackingScalingPolicyConfiguration"


def _what(values: Properties) -> dict[str, str]:
    return {there: values[here] for here, there in _WHAT.items()}


def _known(id_: str, known: Properties) -> Properties:
    """What is scaled: as known, or as an import says it."""
    if known.get("resourceId"):
        return known
    namespace, _, rest = id_.partition("/")
    # A dimension is `namespace:kind:property`, so its place tells a resource's slashes from the id's own.
    parts = rest.split("/")
    place = next((at for at, part in enumerate(parts) if part.startswith(f"{namespace}:")), len(parts) - 1)
    told = {"serviceNamespace": namespace, "resourceId": "/".join(parts[:place]), "scalableDimension": parts[place]}
    return told | {"name": "/".join(parts[place + 1 :])}


def _register(client: Client, inputs: Properties) -> str:
    suspended = inputs.get("suspendedState")
    client.register_scalable_target(
        **_what(inputs),
        MinCapacity=inputs["minCapacity"],
        MaxCapacity=inputs["maxCapacity"],
        **given(
            RoleARN=inputs.get("roleArn"),
            SuspendedState={there: bool(suspended.get(here)) for here, there in _SUSPENDED.items()}
            if suspended
            else None,
        ),
        **given(Tags=inputs.get("tags") or None),
    )
    return str(inputs["resourceId"])


def _read(client: Client, id_: str, known: Properties) -> Properties | None:
    what = _known(id_, known)
    answer = client.describe_scalable_targets(
        ServiceNamespace=what["serviceNamespace"],
        ResourceIds=[what["resourceId"]],
        ScalableDimension=what["scalableDimension"],
    )
    if not answer["ScalableTargets"]:
        return None
    told = answer["ScalableTargets"][0]
    arn = told.get("ScalableTargetARN")
    return {here: told[there] for here, there in _WHAT.items()} | {
        "id": told["ResourceId"],
        "arn": arn,
        "maxCapacity": told["MaxCapacity"],
        "minCapacity": told["MinCapacity"],
        "roleArn": told.get("RoleARN"),
        "suspendedState": {
            here: told["SuspendedState"].get(there, False) for here, there in _SUSPENDED.items()
        } if told.get("SuspendedState") else None,
        "tags": client.list_tags_for_resource(ResourceARN=arn)["Tags"] if arn else {},
    }  # fmt: skip


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags"}:
        _register(client, update.news | {"tags": None})
    arn = update.olds.get("arn")
    retag(
        update,
        lambda tags: client.tag_resource(ResourceARN=arn, Tags=tag_map(tags)),
        lambda keys: client.untag_resource(ResourceARN=arn, TagKeys=keys),
    )


def _deregister(client: Client, _id: str, known: Properties) -> None:
    found(client.deregister_scalable_target, **_what(known))


def _tracking(inputs: Properties) -> dict[str, Any] | None:
    wanted = inputs.get(_TRACKING)
    if not wanted:
        return None
    predefined = wanted.get("predefinedMetricSpecification") or {}
    label = predefined.get("resourceLabel") or None
    metric = {"PredefinedMetricType": predefined["predefinedMetricType"]} if predefined else None
    return given(
        TargetValue=wanted["targetValue"],
        DisableScaleIn=bool(wanted.get("disableScaleIn")),
        ScaleInCooldown=wanted.get("scaleInCooldown"),
        ScaleOutCooldown=wanted.get("scaleOutCooldown"),
        PredefinedMetricSpecification=metric and metric | given(ResourceLabel=label),
    )


def _tracking_back(told: dict[str, Any]) -> Properties:
    predefined = told.get("PredefinedMetricSpecification") or {}
    metric = given(
        predefinedMetricType=predefined.get("PredefinedMetricType"), resourceLabel=predefined.get("ResourceLabel")
    )
    return given(
        targetValue=told["TargetValue"],
        disableScaleIn=told.get("DisableScaleIn", False),
        scaleInCooldown=told.get("ScaleInCooldown"),
        scaleOutCooldown=told.get("ScaleOutCooldown"),
        predefinedMetricSpecification=metric or None,
    )


def _put_policy(client: Client, inputs: Properties) -> str:
    client.put_scaling_policy(
        PolicyName=inputs["name"],
        PolicyType=inputs["policyType"],
        **_what(inputs),
        **given(TargetTrackingScalingPolicyConfiguration=_tracking(inputs)),
    )
    return str(inputs["name"])


def _update_policy(client: Client, update: Update) -> None:
    _put_policy(client, update.news)


def _read_policy(client: Client, id_: str, known: Properties) -> Properties | None:
    what = _known(id_, known)
    answer = client.describe_scaling_policies(PolicyNames=[what["name"]], **_what(what))
    if not answer["ScalingPolicies"]:
        return None
    told = answer["ScalingPolicies"][0]
    tracking = told.get("TargetTrackingScalingPolicyConfiguration")
    return {here: told[there] for here, there in _WHAT.items()} | {
        "id": told["PolicyName"],
        "alarmArns": [alarm["AlarmARN"] for alarm in told.get("Alarms", [])],
        "arn": told["PolicyARN"],
        "name": told["PolicyName"],
        "policyType": told["PolicyType"],
        _TRACKING: _tracking_back(tracking) if tracking else None,
    }


def _delete_policy(client: Client, _id: str, known: Properties) -> None:
    found(client.delete_scaling_policy, PolicyName=known["name"], **_what(known))


TYPES = (
    ResourceType(
        token="aws:appautoscaling/target:Target",
        title="Application AutoScaling Target",
        service="application-autoscaling",
        create=_register,
        read=_read,
        update=_update,
        delete=_deregister,
        replaces=frozenset({*_WHAT, "region"}),
        name="resourceId",
        computed=frozenset({"roleArn", "suspendedState", "region"}),
    ),
    ResourceType(
        token="aws:appautoscaling/policy:Policy",
        title="Application AutoScaling Scaling Policy",
        service="application-autoscaling",
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({*_WHAT, "name", "region"}),
        auto_named=True,
        name_limit=255,
        defaults={"policyType": "StepScaling", _TRACKING: {"disableScaleIn": False}},
        computed=frozenset({"region"}),
        unsupported=frozenset({"stepScalingPolicyConfiguration", "predictiveScalingPolicyConfiguration"}),
    ),
)
