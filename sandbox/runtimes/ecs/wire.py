"""How AWS shows services, their deployments, revisions and tasks.

Comes in: values, and which revisions are well. Goes out: JSON in the members' own form. `deployments` of a service is
told from its ServiceDeployments: the newest is PRIMARY until it is rolled back, what serves beside it is ACTIVE.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runtimes.ecs.plan import container_of
from sandbox.runtimes.ecs.rollout import BREAKER
from sandbox.runtimes.ecs.steps import SHIFTING, threshold
from sandbox.runtimes.ecs.store import Store
from sandbox.runtimes.ecs.values import ENDED, Revision, Rollout, Service, Task, TaskDefinition

Well = Callable[[str], bool]
_ROLLOUT_STATES = {"SUCCESSFUL": "COMPLETED", "STOPPED": "FAILED", "ROLLBACK_FAILED": "FAILED"}
_PLACED = ("launchType", "capacityProviderStrategy", "platformVersion", "platformFamily", "networkConfiguration")
_DEFAULTS: Mapping[str, object] = {
    "loadBalancers": [], "serviceRegistries": [], "placementConstraints": [], "placementStrategy": [],
    "schedulingStrategy": "REPLICA", "deploymentController": {"type": "ECS"}, "enableECSManagedTags": False,
    "propagateTags": "NONE", "enableExecuteCommand": False, "availabilityZoneRebalancing": "DISABLED",
    "healthCheckGracePeriodSeconds": 0,
}  # fmt: skip


def service_wire(store: Store, service: Service, well: Well) -> dict[str, Any]:
    """Service."""
    shown = {name: value for name, value in service.shown.items() if name != "role"}
    deployments = deployments_wire(store, service, well)
    rollouts = store.rollouts_of(service.arn)
    going = [each for each in rollouts if each.status not in ENDED]
    return {
        **_DEFAULTS,
        **shown,
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": min(service.desired, sum(each["runningCount"] for each in deployments)),
        "pendingCount": deployments[0]["pendingCount"] if deployments else 0,
        "taskDefinition": service.definition,
        "deploymentConfiguration": service.configuration,
        "deployments": deployments,
        "events": [{"id": name, "createdAt": at, "message": text} for name, at, text in service.events],
        "createdAt": service.created,
        "resourceManagementType": "ECS" if service.express else "CUSTOMER",
        **({"currentServiceDeployment": rollouts[0].arn} if going else {}),
        "currentServiceRevisions": [
            {"arn": arn, **_counts(service, well(arn))} for arn in _current(service, going[0] if going else None)
        ],
    }


def deployments_wire(store: Store, service: Service, well: Well) -> list[dict[str, Any]]:
    """The deployments of a service that matter now, PRIMARY first."""
    rollouts = store.rollouts_of(service.arn)
    if not rollouts or service.status == "INACTIVE":
        return []
    newest = rollouts[0]
    serving = next((each for each in rollouts if each.target == service.revision), None)
    rolled_back = newest.status in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
    primary, other = (serving, newest) if rolled_back and serving else (newest, serving)
    shown = [_deployment(store, service, primary, newest, well=well(primary.target), status="PRIMARY")]
    beside = other is not None and other is not primary and newest.status != "ROLLBACK_SUCCESSFUL"
    if other and beside and newest.status != "SUCCESSFUL":
        shown.append(_deployment(store, service, other, newest, well=well(other.target), status="ACTIVE"))
    return shown


def _deployment(
    store: Store, service: Service, rollout: Rollout, newest: Rollout, *, well: bool, status: str
) -> dict[str, Any]:
    revision = store.revisions[rollout.target]
    state, reason = _rollout_state(rollout, newest)
    failed = state == "FAILED"
    running = service.desired if well else 0
    return {
        "id": rollout.id,
        "status": status,
        "taskDefinition": revision.definition,
        "desiredCount": 0 if failed else service.desired,
        "pendingCount": 0 if failed else service.desired - running,
        "runningCount": running,
        "failedTasks": rollout.failures,
        "createdAt": rollout.created,
        "updatedAt": rollout.updated,
        "rolloutState": state,
        "rolloutStateReason": reason,
        **{name: revision.shown[name] for name in _PLACED if name in revision.shown},
    }


def _rollout_state(rollout: Rollout, newest: Rollout) -> tuple[str, str]:
    if rollout is not newest and newest.status == "ROLLBACK_IN_PROGRESS":
        return "IN_PROGRESS", f"{BREAKER}: rolling back to deploymentId {rollout.id}."
    if rollout.status == "ROLLBACK_IN_PROGRESS":
        return "FAILED", rollout.reason
    state = _ROLLOUT_STATES.get(rollout.status, "IN_PROGRESS")
    words = {"COMPLETED": f"ECS deployment {rollout.id} completed.", "FAILED": f"{BREAKER}: tasks failed to start."}
    return state, words.get(state, f"ECS deployment {rollout.id} in progress.")


def _current(service: Service, going: Rollout | None) -> list[str]:
    found = [service.revision] if service.revision else []
    return [*found, *([going.target] if going and going.target not in found else [])]


def _counts(service: Service, well: bool) -> dict[str, int]:
    running = service.desired if well else 0
    return {
        "requestedTaskCount": service.desired,
        "runningTaskCount": running,
        "pendingTaskCount": service.desired - running,
    }


def brief_wire(store: Store, rollout: Rollout) -> dict[str, Any]:
    """ServiceDeploymentBrief."""
    times = {"startedAt": rollout.started, "finishedAt": rollout.finished}
    reason = {"statusReason": rollout.reason} if rollout.reason else {}
    return {
        "serviceDeploymentArn": rollout.arn,
        "serviceArn": rollout.service,
        "clusterArn": store.services[rollout.service].cluster,
        "createdAt": rollout.created,
        "targetServiceRevisionArn": rollout.target,
        "status": rollout.status,
        **reason,
        **{name: at for name, at in times.items() if at is not None},
    }


def rollout_wire(store: Store, rollout: Rollout, well: Well) -> dict[str, Any]:
    """ServiceDeployment."""
    brief = brief_wire(store, rollout)
    brief.pop("targetServiceRevisionArn")
    rollback = rollout.rollback
    optional = {
        "stoppedAt": rollout.stopped,
        "lifecycleStage": rollout.stage or None,
        "rollback": rollback
        and {"reason": rollback.reason, "startedAt": rollback.started, "serviceRevisionArn": rollback.revision},
    }
    return {
        **brief,
        "updatedAt": rollout.updated,
        "sourceServiceRevisions": [_summary(rollout, arn, well) for arn in rollout.sources],
        "targetServiceRevision": _summary(rollout, rollout.target, well),
        "deploymentConfiguration": rollout.configuration,
        "deploymentCircuitBreaker": _breaker(rollout),
        "alarms": _alarms(rollout),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _summary(rollout: Rollout, arn: str, well: Well) -> dict[str, object]:
    running = rollout.desired if well(arn) else 0
    asked = rollout.desired if arn == rollout.target or rollout.status not in ENDED else 0
    shares = {"requestedProductionTrafficWeight": rollout.shares.get(arn, 0.0)} if rollout.strategy in SHIFTING else {}
    return {
        "arn": arn,
        "requestedTaskCount": asked,
        "runningTaskCount": running,
        "pendingTaskCount": max(0, asked - running),
        **shares,
    }


def _breaker(rollout: Rollout) -> dict[str, object]:
    most = threshold(rollout.configuration, rollout.desired)
    if most is None:
        return {"status": "DISABLED", "failureCount": 0, "threshold": 0}
    over = "MONITORING_COMPLETE" if rollout.status in ENDED else "MONITORING"
    status = "TRIGGERED" if rollout.failures >= most else over
    return {"status": status, "failureCount": rollout.failures, "threshold": most}


def _alarms(rollout: Rollout) -> dict[str, object]:
    alarms = rollout.configuration.get("alarms") or {}
    if not alarms.get("enable"):
        return {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": list(rollout.triggered)}
    over = "MONITORING_COMPLETE" if rollout.status in ENDED else "MONITORING"
    return {
        "status": "TRIGGERED" if rollout.triggered else over,
        "alarmNames": alarms["alarmNames"],
        "triggeredAlarmNames": list(rollout.triggered),
    }


def revision_wire(store: Store, revision: Revision) -> dict[str, Any]:
    """ServiceRevision, without what Express Mode manages."""
    service = store.services[revision.service]
    kept = (*_PLACED, "loadBalancers", "serviceRegistries", "serviceConnectConfiguration", "volumeConfigurations")
    balancer = {"targetGroupArn": revision.group}
    rule = (service.balancer.get("advancedConfiguration") or {}).get("productionListenerRule")
    if rule:
        balancer["productionListenerRule"] = rule
    resolved = {"resolvedConfiguration": {"loadBalancers": [balancer]}} if revision.group else {}
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": revision.service,
        "clusterArn": service.cluster,
        "taskDefinition": revision.definition,
        "createdAt": revision.created,
        "containerImages": list(revision.images),
        "guardDutyEnabled": False,
        **{name: revision.shown[name] for name in kept if name in revision.shown},
        **resolved,
    }


def task_wire(task: Task, service: Service, definition: TaskDefinition) -> dict[str, Any]:
    """Task, with the container that runs."""
    health = "HEALTHY" if task.healthy else "UNKNOWN"
    wanted = "STOPPED" if task.status == "STOPPED" else "RUNNING"
    optional = {
        "startedAt": task.started, "stoppedAt": task.stopped, "stoppingAt": task.stopped,
        "executionStoppedAt": task.stopped, "stoppedReason": task.reason or None, "stopCode": task.code or None,
    }  # fmt: skip
    shown: dict[str, Any] = {name: definition.shown[name] for name in ("cpu", "memory") if name in definition.shown}
    return {
        "taskArn": task.arn,
        "clusterArn": service.cluster,
        "taskDefinitionArn": task.definition,
        "group": f"service:{service.name}",
        "startedBy": task.deployment,
        "desiredStatus": wanted,
        "lastStatus": task.status,
        "healthStatus": health,
        "launchType": service.shown.get("launchType", "FARGATE"),
        "createdAt": task.created,
        "containers": [_container(task, service, definition, health)],
        "overrides": {"containerOverrides": []},
        "attachments": [],
        "tags": [],
        **shown,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _container(task: Task, service: Service, definition: TaskDefinition, health: str) -> dict[str, Any]:
    container = container_of(definition, str(service.balancer.get("containerName", "")))
    optional = {"imageDigest": task.digest or None, "exitCode": task.exit, "reason": task.reason or None}
    return {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container['name']}",
        "taskArn": task.arn,
        "name": container["name"],
        "image": container["image"],
        "lastStatus": task.status,
        "healthStatus": health,
        "networkInterfaces": [],
        **{name: value for name, value in optional.items() if value is not None},
    }
