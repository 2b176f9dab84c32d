"""How ECS is asked what it runs, for Fargate and for Express services.

Comes in: what the program declares of a service. Goes out: status, running digest and newest service deployment in
an Observation, once no deployment is under way. It judges nothing: a rollback is told in ECS's own words, with what
made ECS go back. Only a private service's targets are asked for their health; a public one is asked from outside.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from releasectl.edges import aws
from releasectl.errors import ControllerError
from releasectl.outputs import Service
from releasectl.verify import GOING_BACK, UNDER_WAY, Observation, Operation

CONTAINERS = {"ecs-express": "Main", "fargate": "app"}  # the application's own, beside which others may run

Answer = Mapping[str, Any]


def ask(region: str, service: Service, seen: Observation, *, patience: float, poll: float) -> Observation:
    """The service, its newest deployment and the revision that serves, once no deployment is under way any more."""
    client: Any = aws.session(region).client("ecs", config=aws.CONFIG)
    with aws.asking(f"describing {service.service}"):
        deployment = _newest(client, service, patience=patience, poll=poll)
        described = _described(client, service)
        revision = _revision(client, _serving(deployment, described))
        targets = _targets(region, revision) if service.private else []
        operation = _operation(client, service, deployment)
    return replace(
        seen,
        status=_status(described, targets),
        serves=_serves(described, targets, private=service.private and bool(_target_groups(revision))),
        digest=_digest(revision, CONTAINERS[service.runtime]),
        operation=operation,
    )


def log_stream(runtime: str) -> str:
    """What the names of the application's log streams have in them: prefix/container/task."""
    return f"/{CONTAINERS[runtime]}/"


_NONE: Answer = {"serviceDeploymentArn": "", "status": ""}


def _newest(client: Any, service: Service, *, patience: float, poll: float) -> Answer:
    """The newest deployment, `_NONE` where there is none: ECS does not remember them for ever."""
    deadline = time.monotonic() + patience
    while True:
        newest = max(_deployments(client, service), key=lambda one: one["createdAt"], default=None)
        if newest is None:
            return _NONE
        if newest["status"] not in UNDER_WAY + GOING_BACK or time.monotonic() > deadline:
            break
        time.sleep(poll)
    found = client.describe_service_deployments(serviceDeploymentArns=[newest["serviceDeploymentArn"]])
    (deployment,) = found["serviceDeployments"] or [newest]
    return {**newest, **deployment}


def _deployments(client: Any, service: Service) -> Iterator[Answer]:
    """No order is promised, and botocore has no paginator for them."""
    more: dict[str, str] = {}
    while True:
        page = client.list_service_deployments(service=service.service, cluster=_cluster(service), **more)
        yield from page["serviceDeployments"]
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}


def _described(client: Any, service: Service) -> Answer:
    answer = client.describe_services(cluster=_cluster(service), services=[service.service])
    for found in answer["services"]:
        return dict(found)
    why = ", ".join(failure.get("reason", "") for failure in answer.get("failures", ()))
    raise aws.named(f"describing {service.service}", why or "it is not there")


def _cluster(service: Service) -> str:
    return service.service.split("/")[-2]


def _serving(deployment: Answer, described: Answer) -> str:
    """The ARN of the revision whose tasks serve, "" where nobody can say."""
    if deployment["status"] == "SUCCESSFUL":
        return str(deployment.get("targetServiceRevision", {}).get("arn", ""))
    back = deployment.get("rollback", {}).get("serviceRevisionArn", "")
    if deployment["status"] == "ROLLBACK_SUCCESSFUL" and back:
        return str(back)
    parties = (*deployment.get("sourceServiceRevisions", ()), deployment.get("targetServiceRevision", {}))
    for told in (parties, described.get("currentServiceRevisions", ())):  # only the first say who gets the requests
        if running := [one for one in told if one.get("runningTaskCount")]:
            return str(max(running, key=_weight)["arn"])
    return ""


def _weight(revision: Answer) -> tuple[float, int]:
    return revision.get("requestedProductionTrafficWeight", 0.0), revision["runningTaskCount"]


def _revision(client: Any, arn: str) -> Answer:
    if not arn:
        return {}
    found = client.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    return dict(found[0]) if found else {}


def _digest(revision: Answer, container: str) -> str:
    """What ECS resolved the image to; the digest that the image was given by, where it did not say."""
    for image in revision.get("containerImages", ()):
        if image["containerName"] == container:
            return str(image.get("imageDigest") or image.get("image", "").rpartition("@")[2])
    return ""


def _targets(region: str, revision: Answer) -> list[str]:
    """The health of every target that should get requests, in the load balancer's words."""
    client: Any = aws.session(region).client("elbv2", config=aws.CONFIG)
    described = [client.describe_target_health(TargetGroupArn=group) for group in _target_groups(revision)]
    states = [one["TargetHealth"]["State"] for answer in described for one in answer["TargetHealthDescriptions"]]
    return [state for state in states if state not in ("unused", "draining")]


def _target_groups(revision: Answer) -> list[str]:
    """Those of the service's own load balancers and those that ECS manages for it."""
    resolved = revision.get("resolvedConfiguration", {}).get("loadBalancers")
    paths = revision.get("ecsManagedResources", {}).get("ingressPaths", ())
    own = [one["targetGroupArn"] for one in resolved or revision.get("loadBalancers", ()) if "targetGroupArn" in one]
    managed = [group["arn"] for path in paths for group in path.get("targetGroups", ())]
    return list(dict.fromkeys([*own, *managed]))  # ECS tells the one that serves twice


def _status(described: Answer, targets: list[str]) -> str:
    said = f"{described['status']}, {described['runningCount']} of {described['desiredCount']} tasks run"
    return f"{said}, {targets.count('healthy')} of {len(targets)} targets are healthy" if targets else said


def _serves(described: Answer, targets: list[str], *, private: bool) -> bool | None:
    """ECS's word; of a private service behind a load balancer that one's, too, and none before its first check."""
    if described["status"] != "ACTIVE" or not described["runningCount"] or "unhealthy" in targets:
        return False
    return None if private and "healthy" not in targets else True


def _operation(client: Any, service: Service, deployment: Answer) -> Operation | None:
    if deployment is _NONE:
        return None
    operation = Operation(deployment["serviceDeploymentArn"], "DEPLOYMENT", deployment["status"])
    if not operation.has_failed:
        return operation
    said = (*_reasons(deployment), _last_words(client, service, deployment))
    return replace(operation, reason="; ".join(part for part in said if part))


def _reasons(deployment: Answer) -> Iterator[str]:
    """Why ECS went back or stopped: its words, the alarms that rang, the circuit breaker."""
    words = deployment.get("rollback", {}).get("reason") or deployment.get("statusReason") or ""
    yield words.rstrip(". ")
    if rang := deployment.get("alarms", {}).get("triggeredAlarmNames"):
        yield f"alarms that rang: {', '.join(rang)}"
    breaker = deployment.get("deploymentCircuitBreaker", {})
    if breaker.get("status") == "TRIGGERED":
        yield f"the circuit breaker counted {breaker.get('failureCount', 0)} failed tasks"


def _last_words(client: Any, service: Service, deployment: Answer) -> str:
    """Why the last task of what was deployed stopped: what never started has no log lines. Only evidence, so a role
    that may not ask costs nothing but this."""
    with contextlib.suppress(ControllerError), aws.asking(f"asking for the tasks of {service.service}"):
        definition = _revision(client, deployment.get("targetServiceRevision", {}).get("arn", "")).get("taskDefinition")
        listed = client.list_tasks(
            cluster=_cluster(service), serviceName=service.service.split("/")[-1], desiredStatus="STOPPED"
        )["taskArns"]
        tasks = client.describe_tasks(cluster=_cluster(service), tasks=listed)["tasks"] if listed else []
        stopped = [one for one in tasks if one["taskDefinitionArn"] == definition and _is_telling(one)]
        if stopped:
            return _words_of(max(stopped, key=lambda one: one["stoppedAt"]))
    return ""


def _is_telling(task: Answer) -> bool:
    """One that ECS itself took away, because another took its place, says nothing of what was wrong."""
    reason = str(task.get("stoppedReason", ""))
    return bool(task.get("stoppedAt") and reason and not reason.startswith("Scaling activity"))


def _words_of(task: Answer) -> str:
    codes = [str(one["exitCode"]) for one in task.get("containers", ()) if one.get("exitCode")]
    ended = f" (exit code {', '.join(codes)})" if codes else ""
    return f"its last task stopped: {task['stoppedReason'].rstrip('. ')}{ended}"
