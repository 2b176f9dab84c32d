"""The operations on services: create, update, describe, list, delete.

Comes in: requests that the model has passed. Goes out: ECS's answers, or a Refusal. What an update changes decides
whether a deployment begins. How a service really runs is hosting's business.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.runtimes.ecs.clusters import Clusters
from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.hosting import Hosting
from sandbox.runtimes.ecs.plan import container_of
from sandbox.runtimes.ecs.rollout import Watch
from sandbox.runtimes.ecs.steps import SHIFTING
from sandbox.runtimes.ecs.values import Cluster, Revision, Rollout, Service, TaskDefinition, invalid, new_id, numeric_id
from sandbox.runtimes.ecs.wire import service_wire
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
# What a change of begins a deployment; the rest is only written down.
_DEPLOYED = (
    "capacityProviderStrategy", "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries",
    "serviceConnectConfiguration", "volumeConfigurations", "enableExecuteCommand", "propagateTags",
)  # fmt: skip
_WRITTEN = (
    "deploymentConfiguration", "healthCheckGracePeriodSeconds", "availabilityZoneRebalancing", "placementConstraints",
    "placementStrategy", "deploymentController", "enableECSManagedTags",
)  # fmt: skip
_MANAGED = ("taskDefinition", "loadBalancers", "deploymentConfiguration", "networkConfiguration")
_ONLY_AT_CREATION = ("launchType", "schedulingStrategy", "role")


class Services:
    """All services; call `recover` once before the first operation."""

    def __init__(self, context: Context, clusters: Clusters, prefix: str) -> None:
        self._context, self._clusters, self._prefix = context, clusters, prefix
        self._hostings: dict[str, Hosting] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def recover(self, watches: Mapping[str, tuple[Watch, ...]]) -> None:
        """Bring every service back; `watches` has those that some services are watched by."""
        for service in list(self._context.store.services.values()):
            if service.status == "DRAINING":
                self._context.keep(replace(service, status="INACTIVE", desired=0))
            elif service.status == "ACTIVE":
                hosting = Hosting(self._context, service.arn, watches.get(service.arn, ()))
                self._hostings[service.arn] = hosting
                await hosting.recover()

    async def close(self) -> None:
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.gather(*(hosting.close() for hosting in self._hostings.values()))

    async def create(self, request: Request) -> dict[str, object]:
        cluster = self._clusters.find(request.get("cluster"))
        if not request.get("taskDefinition"):
            raise invalid("TaskDefinition cannot be empty.")
        definition = self._context.definitions.usable(request["taskDefinition"])
        members = {name: request[name] for name in (*_DEPLOYED, *_WRITTEN, *_ONLY_AT_CREATION) if _given(request, name)}
        if not _given(members, "launchType") and not _given(members, "capacityProviderStrategy"):
            members["launchType"] = "FARGATE"
        service = await self.add(cluster, request["serviceName"], definition, members, desired=_desired(request))
        self._context.store.tags[service.arn] = {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}
        await self.deploy(service)
        return {"service": self.shown(service.arn)}

    async def add(
        self, cluster: Cluster, name: str, definition: TaskDefinition, members: dict[str, Any], *, desired: int,
        express: dict[str, Any] | None = None, watches: tuple[Watch, ...] = (),
    ) -> Service:  # fmt: skip
        """A new service that runs nothing yet. Raises Refusal."""
        arn = f"{self._prefix}:service/{cluster.name}/{name}"
        self.demand_free(arn)
        members = {"platformVersion": "1.4.0", "platformFamily": "Linux", **members}
        service = Service(arn, name, cluster.arn, time.time(), definition.arn, desired, members, express=express)
        self._check(service, definition)
        self._context.store.services.pop(arn, None)  # an earlier one of this name; the new one is the newest
        self._forget_history(arn)
        self._context.keep(service)
        self._hostings[arn] = Hosting(self._context, arn, watches)
        return service

    def demand_free(self, arn: str) -> None:
        """Raises Refusal when there is a service of this name already."""
        before = self._context.store.services.get(arn)
        if before and before.status == "ACTIVE":
            raise invalid("Creation of service was not idempotent.")
        if before and before.status == "DRAINING":
            raise invalid("Unable to Start a service that is still Draining.")

    async def update(self, request: Request) -> dict[str, object]:
        service = self.active(request.get("cluster"), request["service"])
        if service.express and any(_given(request, name) for name in _MANAGED):
            raise invalid("The service is managed by Express Mode: use UpdateExpressGatewayService.")
        wanted = request.get("taskDefinition")
        definition = self._context.definitions.usable(wanted or service.definition) if wanted else None
        members = {name: request[name] for name in (*_DEPLOYED, *_WRITTEN) if _given(request, name)}
        deploys = (
            bool(request.get("forceNewDeployment"))
            or (definition is not None and definition.arn != service.definition)
            or any(name in members and members[name] != service.shown.get(name) for name in _DEPLOYED)
        )
        desired = request["desiredCount"] if request.get("desiredCount") is not None else service.desired
        shown = {**service.shown, **members}
        after = replace(
            service, shown=shown, desired=desired, definition=(definition.arn if definition else service.definition)
        )
        self._check(after, self._context.store.definitions[after.definition])
        self._context.keep(after)
        if deploys:
            await self.deploy(after)
        elif desired != service.desired:
            self._hostings[service.arn].scale(desired)
        return {"service": self.shown(service.arn)}

    async def deploy(self, service: Service) -> Rollout:
        """Begin a deployment of `service` as it is now written down."""
        store, now = self._context.store, time.time()
        path = service.arn.partition(":service/")[2]
        shown = {name: value for name, value in service.shown.items() if name not in ("role", "deploymentController")}
        revision = Revision(
            f"{self._prefix}:service-revision/{path}/{numeric_id()}", service.arn, service.definition, now, shown,
            group=self.next_group(service),
        )  # fmt: skip
        store.revisions[revision.arn] = revision
        rollout = Rollout(
            f"{self._prefix}:service-deployment/{path}/{new_id()[:21]}", f"ecs-svc/{numeric_id()}", service.arn,
            revision.arn, (), now, now, service.configuration, service.desired,
        )  # fmt: skip
        store.rollouts[rollout.arn] = rollout
        store.save()
        await self._hostings[service.arn].begin(rollout.arn)
        return store.rollouts[rollout.arn]

    async def describe(self, request: Request) -> dict[str, object]:
        cluster = self._clusters.find(request.get("cluster"))
        found, failures = [], []
        for wanted in request["services"]:
            arn = self._arn(cluster, wanted)
            if arn in self._context.store.services:
                tags = {"tags": self._tags(arn)} if "TAGS" in (request.get("include") or ()) else {}
                found.append({**self.shown(arn), **tags})
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": failures}

    async def list_all(self, request: Request) -> dict[str, object]:
        cluster = self._clusters.find(request.get("cluster"))
        arns = [
            each.arn
            for each in self._context.store.services.values()
            if each.cluster == cluster.arn and each.status != "INACTIVE"
        ]
        return page(request, "serviceArns", arns, most=100)

    async def delete(self, request: Request) -> dict[str, object]:
        service = self.active(request.get("cluster"), request["service"], missing="ServiceNotFoundException")
        if service.desired and not request.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        self.leave(service)
        return {"service": self.shown(service.arn)}

    def leave(self, service: Service) -> "asyncio.Task[None]":
        """DRAINING from now on, INACTIVE once nothing of it runs."""
        self._context.keep(replace(service, status="DRAINING", desired=0))
        task = asyncio.create_task(self._left(service.arn))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def _left(self, arn: str) -> None:
        await self._hostings.pop(arn).close()
        self._context.keep(replace(self._context.store.services[arn], status="INACTIVE"))

    def hosting(self, arn: str) -> Hosting | None:
        """None when the service runs no more."""
        return self._hostings.get(arn)

    def well(self, service: str, revision: str) -> bool:
        hosting = self._hostings.get(service)
        return hosting is not None and hosting.well(revision)

    def shown(self, arn: str) -> dict[str, Any]:
        service = self._context.store.services[arn]
        return service_wire(self._context.store, service, lambda revision: self.well(arn, revision))

    def find(self, cluster: str | None, wanted: str) -> Service:
        """By name or ARN, whatever its status. Raises Refusal."""
        arn = wanted if wanted.startswith("arn:") else self._arn(self._clusters.find(cluster), wanted)
        service = self._context.store.services.get(arn)
        if service is None:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        return service

    def active(self, cluster: str | None, wanted: str, missing: str = "ServiceNotActiveException") -> Service:
        """The same, and it is ACTIVE. Raises Refusal."""
        if cluster or not wanted.startswith("arn:"):
            self._clusters.find(cluster)
        service = self.find(cluster, wanted)
        if service.status != "ACTIVE":
            raise Refusal(
                missing, "Service was not ACTIVE." if missing.endswith("ActiveException") else "Service not found."
            )
        return service

    def _arn(self, cluster: Cluster, wanted: str) -> str:
        return wanted if wanted.startswith("arn:") else f"{self._prefix}:service/{cluster.name}/{wanted}"

    def _tags(self, arn: str) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self._context.store.tags.get(arn, {}).items()]

    def next_group(self, service: Service) -> str:
        """The target group of the next revision: the other one, where traffic is to shift."""
        first = str(service.balancer.get("targetGroupArn", ""))
        other = (service.balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        serving = self._context.store.revisions.get(service.revision)
        now = serving.group if serving and serving.group in (first, other) else ""
        if service.configuration.get("strategy") in SHIFTING and other and now:
            return str(other) if now == first else first
        return now or first

    def _check(self, service: Service, definition: TaskDefinition) -> None:
        """What the model cannot say. Raises Refusal."""
        balancer = service.balancer
        fargate = service.shown.get("launchType") == "FARGATE"
        if fargate and "FARGATE" not in definition.shown.get("requiresCompatibilities", ["FARGATE"]):
            raise invalid("Task definition does not support launch_type FARGATE.")
        awsvpc = definition.shown.get("networkMode") == "awsvpc"
        if awsvpc and not (service.shown.get("networkConfiguration") or {}).get("awsvpcConfiguration"):
            raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        if not balancer:
            return
        name, port = balancer.get("containerName", ""), balancer.get("containerPort")
        container = container_of(definition, name)
        if container["name"] != name:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if port not in [each.get("containerPort") for each in container.get("portMappings", ())]:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        advanced = balancer.get("advancedConfiguration") or {}
        for group in (balancer.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")):
            if group and not self._context.door.book.balancers_of(group):
                raise invalid(
                    f"The target group with targetGroupArn {group} does not have an associated load balancer."
                )
        if service.configuration.get("strategy") in SHIFTING:
            self._check_shifting(advanced)

    def _check_shifting(self, advanced: Mapping[str, Any]) -> None:
        """What traffic needs to be able to move. Raises Refusal."""
        for name in ("alternateTargetGroupArn", "productionListenerRule", "roleArn"):
            if not advanced.get(name):
                raise invalid(f"advancedConfiguration.{name} is required for this deployment strategy.")
        rule = advanced["productionListenerRule"]
        if not self._context.door.book.actions(rule):
            raise invalid(f"The production listener rule {rule} does not exist.")

    def _forget_history(self, arn: str) -> None:
        store = self._context.store
        for kept in (store.revisions, store.rollouts, store.tasks):
            for each in [name for name, value in kept.items() if value.service == arn]:
                del kept[each]


def _given(members: Mapping[str, Any], name: str) -> bool:
    return members.get(name) is not None


def _desired(request: Request) -> int:
    if request.get("desiredCount") is None:
        raise invalid("Desired count cannot be empty.")
    return int(request["desiredCount"])
