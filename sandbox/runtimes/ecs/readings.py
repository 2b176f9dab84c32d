"""What is asked of deployments, revisions and tasks; and the one way to stop a deployment.

Comes in: requests that the model has passed. Goes out: ECS's answers, or a Refusal. Who is not there is a failure
among the others, as on AWS.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox.runtimes.ecs.clusters import Clusters
from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.services import Services
from sandbox.runtimes.ecs.values import ENDED, Task, client_error, invalid
from sandbox.runtimes.ecs.wire import brief_wire, revision_wire, rollout_wire, task_wire
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Answer = dict[str, object]


class Readings:
    """The operations that read; `managed` tells what ECS itself manages for a revision."""

    def __init__(
        self, context: Context, clusters: Clusters, services: Services, managed: Callable[[str], dict[str, Any] | None]
    ) -> None:
        self._store, self._clusters, self._services = context.store, clusters, services
        self._context, self._managed = context, managed

    async def list_deployments(self, request: Request) -> Answer:
        service = self._services.find(request.get("cluster"), request["service"])
        wanted, times = request.get("status") or (), request.get("createdAt") or {}
        found = [
            brief_wire(self._store, each)
            for each in self._store.rollouts_of(service.arn)
            if (not wanted or each.status in wanted)
            and each.created >= (times.get("after") or 0)
            and each.created <= (times.get("before") or float("inf"))
        ]
        return page(request, "serviceDeployments", found, most=100)

    async def describe_deployments(self, request: Request) -> Answer:
        found, failures = [], []
        for arn in request["serviceDeploymentArns"]:
            rollout = self._store.rollouts.get(arn)
            if rollout:
                found.append(rollout_wire(self._store, rollout, partial(self._services.well, rollout.service)))
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": found, "failures": failures}

    async def describe_revisions(self, request: Request) -> Answer:
        found, failures = [], []
        for arn in request["serviceRevisionArns"]:
            revision = self._store.revisions.get(arn)
            if revision:
                managed = self._managed(arn)
                found.append(
                    {**revision_wire(self._store, revision), **({"ecsManagedResources": managed} if managed else {})}
                )
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceRevisions": found, "failures": failures}

    async def stop_deployment(self, request: Request) -> Answer:
        arn = request["serviceDeploymentArn"]
        rollout = self._store.rollouts.get(arn)
        if rollout is None:
            raise Refusal("ServiceDeploymentNotFoundException", "Service deployment not found.")
        hosting = self._services.hosting(rollout.service)
        if rollout.status in ENDED or rollout.rollback or hosting is None:
            raise Refusal("ConflictException", f"The service deployment is {rollout.status} and cannot be stopped.")
        rolls_back = (request.get("stopType") or "ROLLBACK") == "ROLLBACK"
        self._context.step(arn, status="ROLLBACK_REQUESTED" if rolls_back else "STOP_REQUESTED")
        hosting.stop(rolls_back=rolls_back)
        return {"serviceDeploymentArn": arn}

    async def list_tasks(self, request: Request) -> Answer:
        cluster = self._clusters.find(request.get("cluster"))
        wanted, name = request.get("desiredStatus") or "RUNNING", request.get("serviceName")
        if name:
            name = self._services.find(request.get("cluster"), name).arn
        arns = [
            task.arn
            for task in self._store.tasks.values()
            if self._store.services[task.service].cluster == cluster.arn
            and name in (None, task.service)
            and (task.status == "STOPPED") == (wanted == "STOPPED")
            and request.get("family") in (None, self._store.definitions[task.definition].family)
        ]
        return page(request, "taskArns", arns, most=100)

    async def describe_tasks(self, request: Request) -> Answer:
        cluster = self._clusters.find(request.get("cluster"))
        if not request["tasks"]:
            raise invalid("Tasks cannot be empty.")
        found, failures = [], []
        for wanted in request["tasks"]:
            arn = wanted if wanted.startswith("arn:") else f"{cluster.arn.replace(':cluster/', ':task/')}/{wanted}"
            task = self._store.tasks.get(arn)
            if task:
                found.append(self._task(task))
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"tasks": found, "failures": failures}

    async def tag(self, request: Request) -> Answer:
        given = {tag["key"]: tag.get("value", "") for tag in request["tags"]}
        self._tags(request).update(given)
        self._store.save()
        return {}

    async def untag(self, request: Request) -> Answer:
        for key in request["tagKeys"]:
            self._tags(request).pop(key, None)
        self._store.save()
        return {}

    async def list_tags(self, request: Request) -> Answer:
        return {"tags": [{"key": key, "value": value} for key, value in self._tags(request).items()]}

    def _tags(self, request: Request) -> dict[str, str]:
        arn, store = request["resourceArn"], self._store
        if not any(arn in kept for kept in (store.clusters, store.definitions, store.services, store.tasks)):
            raise client_error("The specified resource was not found.")
        return store.tags.setdefault(arn, {})

    def _task(self, task: Task) -> dict[str, Any]:
        return task_wire(task, self._store.services[task.service], self._store.definitions[task.definition])
