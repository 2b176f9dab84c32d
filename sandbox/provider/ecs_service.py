"""ECS: service.

Comes in: properties by the provider's names. Goes out: calls to the `ecs` API and the provider's waits. With
`waitForSteadyState` a deployment that ECS took back is an error; without it, a green update whose state keeps the task
definition that does not run. That is the real provider's hole, kept.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox.provider.aws import given
from sandbox.provider.ecs import set_tags, tags, tags_back
from sandbox.provider.ecs_wait import PENDING, STABLE, Steady, service
from sandbox.provider.resource import Client, ResourceType, Update, Wait
from sandbox.provider.values import Properties
from sandbox.provider.waiting import POLL_SECONDS, until

_TIMEOUT_SECONDS = 20 * 60.0
_RETRY_SECONDS = 4 * 60.0
# What passes by itself: a role that is not known everywhere yet, a target group whose listener is on its way.
_PASSING = (
    "ClusterNotFoundException",
    "does not have an associated load balancer",
    "verify that the ECS service role being passed has the proper permissions",
    "Unable to assume the service linked role",
    "The service cannot be stopped while deployments are active.",
)
_SAME = {
    "availabilityZoneRebalancing": "availabilityZoneRebalancing",
    "enableEcsManagedTags": "enableECSManagedTags",
    "enableExecuteCommand": "enableExecuteCommand",
    "healthCheckGracePeriodSeconds": "healthCheckGracePeriodSeconds",
    "platformVersion": "platformVersion",
    "propagateTags": "propagateTags",
    "taskDefinition": "taskDefinition",
}
_ONLY_AT_CREATION = {"launchType": "launchType", "schedulingStrategy": "schedulingStrategy"}
_DEPLOYMENT = (
    "alarms",
    "deploymentCircuitBreaker",
    "deploymentConfiguration",
    "deploymentMaximumPercent",
    "deploymentMinimumHealthyPercent",
)
_SHIFTS = {
    "linearConfiguration": ("stepPercent", "stepBakeTimeInMinutes"),
    "canaryConfiguration": ("canaryPercent", "canaryBakeTimeInMinutes"),
}


def _network(inputs: Properties) -> dict[str, Any] | None:
    wanted = inputs.get("networkConfiguration")
    return wanted and {
        "awsvpcConfiguration": {
            "subnets": wanted["subnets"],
            "securityGroups": wanted.get("securityGroups") or [],
            "assignPublicIp": "ENABLED" if wanted.get("assignPublicIp") else "DISABLED",
        }
    }


def _deployment(inputs: Properties) -> dict[str, Any]:
    """The deployment configuration: five properties here, one structure there."""
    wanted = inputs.get("deploymentConfiguration") or {}
    shifts = {name: _shift(wanted[name], keys) for name, keys in _SHIFTS.items() if wanted.get(name)}
    return given(
        maximumPercent=inputs.get("deploymentMaximumPercent"),
        minimumHealthyPercent=inputs.get("deploymentMinimumHealthyPercent"),
        deploymentCircuitBreaker=inputs.get("deploymentCircuitBreaker"),
        alarms=inputs.get("alarms"),
        strategy=wanted.get("strategy"),
        bakeTimeInMinutes=_minutes(wanted.get("bakeTimeInMinutes")),
        lifecycleHooks=wanted.get("lifecycleHooks") or None,
        **{name: shift for name, shift in shifts.items() if _belongs(name, wanted)},
    )


def _belongs(name: str, wanted: Properties) -> bool:
    return name.startswith(str(wanted.get("strategy", "")).lower() or "-")


def _shift(wanted: Properties, keys: tuple[str, str]) -> dict[str, Any]:
    percent, minutes = keys
    return given(**{percent: wanted.get(percent), minutes: _minutes(wanted.get(minutes))})


def _minutes(text: Any) -> int | None:
    """Minutes are text in the provider, so that 0 can be told from nothing."""
    return int(text) if text not in (None, "") else None


def _balancers(inputs: Properties) -> list[dict[str, Any]] | None:
    names = ("targetGroupArn", "containerName", "containerPort", "advancedConfiguration")
    return [{name: one[name] for name in names if one.get(name)} for one in inputs.get("loadBalancers") or []] or None


def _create(client: Client, inputs: Properties) -> str:
    answer = _persistently(
        client.create_service,
        serviceName=inputs["name"],
        deploymentConfiguration=_deployment(inputs),
        **_renamed(inputs, _SAME | _ONLY_AT_CREATION),
        **given(
            cluster=inputs.get("cluster"),
            deploymentController=inputs.get("deploymentController"),
            desiredCount=inputs.get("desiredCount", 0),
            loadBalancers=_balancers(inputs),
            networkConfiguration=_network(inputs),
        ),
        **tags(inputs),
    )
    return str(answer["service"]["serviceArn"])


def _persistently(call: Callable[..., Any], **arguments: Any) -> Any:
    """The call, again while its failure is one that passes by itself."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see aws.Clients

    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return call(**arguments)
        except ClientError as error:
            if not any(word in str(error) for word in _PASSING) or time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def _renamed(inputs: Properties, names: Mapping[str, str]) -> dict[str, Any]:
    return {there: inputs[here] for here, there in names.items() if inputs.get(here) not in (None, "")}


def _cluster(arn: str) -> str:
    """The cluster in a service's ARN: arn:...:service/CLUSTER/NAME."""
    return arn.split("/")[-2]


def _read(client: Client, id_: str, known: Properties) -> Properties | None:
    """An import names it `cluster/name`, and the provider then knows the cluster by its ARN."""
    cluster, name = id_.split("/")[-2:]
    told = service(client, name, cluster, with_tags=True)
    if told is None or told["status"] != "ACTIVE":
        return None
    by_arn = str(known.get("cluster", "arn:")).startswith("arn:")
    task = told.get("taskDefinition")
    same = {here: told[there] for here, there in (_SAME | _ONLY_AT_CREATION).items() if there in told}
    return same | _deployment_back(told.get("deploymentConfiguration") or {}) | {
        "id": told["serviceArn"],
        "arn": told["serviceArn"],
        "cluster": told["clusterArn"] if by_arn else cluster,
        "deploymentController": told.get("deploymentController") or {"type": "ECS"},
        "desiredCount": told["desiredCount"],
        "loadBalancers": told.get("loadBalancers", []),
        "name": told["serviceName"],
        "networkConfiguration": _network_back(told),
        "tags": tags_back(told),
        # In the spelling of the program: by its ARN, or as family:revision.
        "taskDefinition": task and (task if "arn:" in known.get("taskDefinition", "arn:") else task.rpartition("/")[2]),
    }  # fmt: skip


def _network_back(told: dict[str, Any]) -> Properties | None:
    network = (told.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    return network and {
        "subnets": network["subnets"],
        "securityGroups": network.get("securityGroups", []),
        "assignPublicIp": network.get("assignPublicIp") == "ENABLED",
    }


def _deployment_back(told: dict[str, Any]) -> Properties:
    wanted: Properties = given(strategy=told.get("strategy"), bakeTimeInMinutes=_text(told.get("bakeTimeInMinutes")))
    for name, (percent, minutes) in _SHIFTS.items():
        if told.get(name):
            shift = told[name]
            wanted[name] = given(**{percent: shift.get(percent), minutes: _text(shift.get(minutes))})
    if told.get("lifecycleHooks"):
        wanted["lifecycleHooks"] = told["lifecycleHooks"]
    return {
        "alarms": told.get("alarms"),
        "deploymentCircuitBreaker": told.get("deploymentCircuitBreaker"),
        "deploymentConfiguration": wanted,
        "deploymentMaximumPercent": told.get("maximumPercent"),
        "deploymentMinimumHealthyPercent": told.get("minimumHealthyPercent"),
    }


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _update(client: Client, update: Update) -> None:
    changed, news = update.changed, update.news
    if changed - {"tags", "forceDelete"}:
        deployment = _deployment(news) if changed & {*_DEPLOYMENT} else None
        if deployment is not None and "deploymentCircuitBreaker" in changed:
            deployment.setdefault("deploymentCircuitBreaker", {"enable": False, "rollback": False})
        _persistently(
            client.update_service,
            cluster=_cluster(update.id),
            service=update.id,
            forceNewDeployment=bool(news.get("forceNewDeployment")),
            **_renamed(news, {here: there for here, there in _SAME.items() if here in changed}),
            **given(
                deploymentConfiguration=deployment,
                deploymentController=news.get("deploymentController") if "deploymentController" in changed else None,
                desiredCount=news.get("desiredCount", 0) if "desiredCount" in changed else None,
                loadBalancers=_balancers(news) or [] if "loadBalancers" in changed else None,
                networkConfiguration=_network(news) if "networkConfiguration" in changed else None,
            ),
        )
    set_tags(client, update, update.id)


def _wait(client: Client, arn: str, wait: Wait) -> None:
    cluster, doing = _cluster(arn), f"waiting for ECS Service ({arn}) {wait.operation}"
    seconds = wait.seconds or _TIMEOUT_SECONDS
    if wait.inputs.get("waitForSteadyState"):
        steady = Steady(client, arn, cluster=cluster, since=wait.began, doing=doing)
        until(steady.look, (STABLE,), ("INACTIVE", "DRAINING", PENDING, ""), doing=doing, seconds=seconds)
    else:
        until(partial(_status, client, arn), ("ACTIVE",), ("INACTIVE", "DRAINING", ""), doing=doing, seconds=seconds)


def _status(client: Client, arn: str) -> str:
    told = service(client, arn, _cluster(arn))
    return str(told["status"]) if told else ""


def _delete(client: Client, arn: str, known: Properties) -> None:
    cluster, status = _cluster(arn), _status(client, arn)
    if status in ("", "INACTIVE"):
        return
    force = bool(known.get("forceDelete"))
    if status != "DRAINING" and not force:
        client.update_service(cluster=cluster, service=arn, desiredCount=0)
    _persistently(client.delete_service, cluster=cluster, service=arn, force=force)
    until(
        lambda: _status(client, arn) or "INACTIVE",
        ("INACTIVE",),
        ("ACTIVE", "DRAINING"),
        doing=f"waiting for ECS Service ({arn}) delete",
        seconds=_TIMEOUT_SECONDS,
    )


TYPES = (
    ResourceType(
        token="aws:ecs/service:Service",
        title="ECS Service",
        service="ecs",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        wait=_wait,
        replaces=frozenset({"cluster", "iamRole", "launchType", "name", "schedulingStrategy", "region"}),
        auto_named=True,
        defaults={
            "deploymentMaximumPercent": 200,
            "deploymentMinimumHealthyPercent": 100,
            "enableEcsManagedTags": False,
            "enableExecuteCommand": False,
            "schedulingStrategy": "REPLICA",
            "waitForSteadyState": False,
            "deploymentController": {"type": "ECS"},
            "networkConfiguration": {"assignPublicIp": False},
        },
        # A block that is left out is no wish to take it away: SuppressMissingOptionalConfigurationBlock.
        computed=frozenset(
            {"alarms", "availabilityZoneRebalancing", "cluster", "deploymentCircuitBreaker", "deploymentConfiguration"}
            | {f"deploymentConfiguration.{name}" for name in ("bakeTimeInMinutes", "strategy", *_SHIFTS)}
            | {"deploymentController", "launchType", "platformVersion", "propagateTags", "region"}
        ),
        kept=frozenset({"forceDelete", "forceNewDeployment", "waitForSteadyState"}),
        unsupported=frozenset(
            {"capacityProviderStrategies", "iamRole", "orderedPlacementStrategies", "placementConstraints", "triggers"}
            | {
                "serviceConnectConfiguration",
                "serviceRegistries",
                "sigintRollback",
                "volumeConfiguration",
                "vpcLattice*",
            }
        ),
    ),
)
