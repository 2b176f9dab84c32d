"""App Runner's control plane: services, their operations and statuses.

Comes in: requests that the model has passed. Goes out: App Runner's answers, or a Refusal. One operation of a
service goes on at a time; a deployment that fails rolls back by itself, and the service is RUNNING again with
the configuration of before. How a service really runs is hosting's business.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.process import PortInUse
from sandbox.runtimes.app_runner.domains import Domains
from sandbox.runtimes.app_runner.events import tell
from sandbox.runtimes.app_runner.hosting import DeploymentFailed, Hosting, lifecycle
from sandbox.runtimes.app_runner.network import Connectors, Ingress
from sandbox.runtimes.app_runner.observability import ObservabilityConfigurations
from sandbox.runtimes.app_runner.scaling import ScalingConfigurations
from sandbox.runtimes.app_runner.store import Store
from sandbox.runtimes.app_runner.values import (
    IN_PROGRESS,
    Configuration,
    Operation,
    Service,
    Status,
    configured,
    invalid_request,
    new_operation_id,
)
from sandbox.runtimes.copies import Surroundings, new_id
from sandbox.runtimes.events import Events
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Answer = dict[str, object]
_SERVICES = 30  # AWS's quota of services in a region
_log = logging.getLogger(__name__)


class ControlPlane:
    """All operations; call `recover` once before the first."""

    def __init__(self, store: Store, surroundings: Surroundings, prefix: str, events: Events) -> None:
        self.scaling = ScalingConfigurations(store, prefix)
        self.connectors, self.ingress = Connectors(store, prefix), Ingress(store, prefix)
        self.domains = Domains(store, self.ingress)
        self.observability = ObservabilityConfigurations(store, prefix)
        self._store = store
        self._around = surroundings
        self._prefix, self._events = prefix, events
        self._hostings: dict[str, Hosting] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def recover(self) -> None:
        """Open the doors of every service that was, and bring the running ones back."""
        for service in [known for known in self._store.services.values() if known.status != "DELETED"]:
            now = _interrupted(service)
            hosting = Hosting(now, self._around)
            try:
                hosting.open(now.port)
            except PortInUse:
                now = replace(now, port=hosting.open(0))
            if now != service:
                self._keep(now)
            self._hostings[now.arn] = hosting
            if now.status == "RUNNING" and now.serving:
                hosting.keep(now.serving)

    async def close(self) -> None:
        """End every instance and close every door; what goes on is recovered at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(hosting.close() for hosting in self._hostings.values()))

    async def create(self, request: Request) -> Answer:
        name = request["ServiceName"]
        living = [known for known in self._store.services.values() if known.status != "DELETED"]
        if any(known.name == name for known in living):
            raise invalid_request(f"Service with the provided name already exists: {name}.")
        if len(living) >= _SERVICES:
            raise Refusal("ServiceQuotaExceededException", f"At most {_SERVICES} services in a region.")
        configuration = self._configured(request, None)
        service_id, now = new_id(), time.time()
        arn = f"{self._prefix}:service/{name}/{service_id}"
        service = Service(
            name, service_id, arn, port=0, status=IN_PROGRESS, created=now, updated=now, shown=configuration,
            encryption=request.get("EncryptionConfiguration"),
        )  # fmt: skip
        hosting = Hosting(service, self._around)
        # The name is taken from here on, before the first await.
        self._store.services[arn] = service
        self._hostings[arn] = hosting
        self._store.tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags") or ()}
        self._keep(replace(service, port=hosting.open(0)))
        return self._begin(arn, "CREATE_SERVICE", lambda begun: self._deploy(begun, configuration))

    async def describe(self, request: Request) -> Answer:
        return {"Service": self._wire(self._find(request))}

    async def list_services(self, request: Request) -> Answer:
        living = [known.summary() for known in self._store.services.values() if known.status != "DELETED"]
        return page(request, "ServiceSummaryList", living, most=20)

    async def list_operations(self, request: Request) -> Answer:
        service = self._find(request)
        newest_first = [operation.wire(service.arn) for operation in reversed(service.operations)]
        return page(request, "OperationSummaryList", newest_first, most=20)

    async def update(self, request: Request) -> Answer:
        service = self._settled(request, "updated", ("RUNNING", "PAUSED", "CREATE_FAILED"))
        configuration = self._configured(request, service.shown)
        self._keep(replace(service, shown=configuration))
        if service.status == "PAUSED":
            return self._begin(service.arn, "UPDATE_SERVICE", self._put_aside)
        return self._begin(service.arn, "UPDATE_SERVICE", lambda begun: self._deploy(begun, configuration))

    async def start_deployment(self, request: Request) -> Answer:
        service = self._find(request)
        if service.status != "RUNNING":
            # InvalidStateException is not among this operation's modelled errors.
            raise invalid_request(f"Service cannot be deployed in the current state: {service.status}.")
        begun = self._begin(service.arn, "START_DEPLOYMENT", lambda begun: self._deploy(begun, service.shown))
        return {"OperationId": begun["OperationId"]}

    async def pause(self, request: Request) -> Answer:
        service = self._settled(request, "paused", ("RUNNING",))
        return self._begin(service.arn, "PAUSE_SERVICE", self._pause)

    async def resume(self, request: Request) -> Answer:
        service = self._settled(request, "resumed", ("PAUSED",))
        return self._begin(service.arn, "RESUME_SERVICE", self._resume)

    async def delete(self, request: Request) -> Answer:
        allowed: tuple[Status, ...] = ("RUNNING", "PAUSED", "CREATE_FAILED", "DELETE_FAILED")
        service = self._settled(request, "deleted", allowed)
        if inside := self.ingress.of(service.arn):
            raise Refusal(
                "InvalidStateException",
                "You cannot delete a Service while it has VpcIngressConnections with a status of AVAILABLE. "
                f"Service Arn: {service.arn} VpcIngressConnection Arn: {inside[0]['VpcIngressConnectionArn']}",
            )
        self._store.domains.pop(service.arn, None)
        return self._begin(service.arn, "DELETE_SERVICE", self._delete)

    async def tag(self, request: Request) -> Answer:
        given = {tag["Key"]: tag.get("Value", "") for tag in request["Tags"]}
        self._tags(request).update(given)
        self._store.save()
        return {}

    async def untag(self, request: Request) -> Answer:
        for key in request["TagKeys"]:
            self._tags(request).pop(key, None)
        self._store.save()
        return {}

    async def list_tags(self, request: Request) -> Answer:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tags(request).items()]}

    def _tags(self, request: Request) -> dict[str, str]:
        arn = request["ResourceArn"]
        if not any(arn in kind for kind in (self._store.services, self._store.scalings, self._store.more)):
            raise Refusal("ResourceNotFoundException", f"Resource not found: {arn}")
        return self._store.tags.setdefault(arn, {})

    def _configured(self, request: Request, before: Configuration | None) -> Configuration:
        arn = request.get("AutoScalingConfigurationArn")
        if not arn:
            return configured(request, before, before.scaling_arn if before else self.scaling.default)
        try:
            scaling = self.scaling.find(arn)
        except Refusal as refusal:
            raise invalid_request(refusal.message) from refusal
        if scaling.status != "active":
            raise invalid_request(f"Auto scaling configuration {arn} is inactive.")
        return configured(request, before, scaling.arn)

    def _find(self, request: Request) -> Service:
        arn = request["ServiceArn"]
        if arn not in self._store.services:
            raise Refusal("ResourceNotFoundException", f"Service not found: {arn}")
        return self._store.services[arn]

    def _settled(self, request: Request, action: str, allowed: tuple[Status, ...]) -> Service:
        service = self._find(request)
        if service.status not in allowed:
            raise Refusal(
                "InvalidStateException",
                f"Service cannot be {action} in the current state: {service.status}. "
                f"Service status must be {' or '.join(allowed)}.",
            )
        return service

    def _wire(self, service: Service) -> Answer:
        return service.wire(self.scaling.summary(service.shown.scaling_arn))

    def _keep(self, service: Service) -> None:
        self._store.services[service.arn] = replace(service, updated=time.time())
        self._store.save()

    def _begin(self, arn: str, kind: str, work: Callable[[str], Awaitable[tuple[str, Service]]]) -> Answer:
        """Start an operation; `work` gets the ARN and answers the operation's outcome and the service after it."""
        now = time.time()
        operation = Operation(new_operation_id(), kind, "PENDING", started=now, updated=now)
        service = self._store.services[arn]
        before = service.status
        operations = (*service.operations, operation)
        self._keep(replace(service, status=IN_PROGRESS, operations=operations))
        task = asyncio.create_task(self._run(arn, before, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return {"Service": self._wire(self._store.services[arn]), "OperationId": operation.id}

    async def _run(self, arn: str, before: Status, work: Callable[[str], Awaitable[tuple[str, Service]]]) -> None:
        self._keep(_stepped(self._store.services[arn], "IN_PROGRESS"))
        try:
            outcome, service = await work(arn)
        except Exception:  # noqa: BLE001 - a defect of ours must not leave a service in progress for ever
            _log.exception("operation on %s", arn)
            service = self._store.services[arn]
            rolled_back = "RUNNING" if service.serving and before == "RUNNING" else before
            after: Status = "CREATE_FAILED" if before == IN_PROGRESS else rolled_back
            outcome, service = "FAILED", replace(service, status=after, shown=service.serving or service.shown)
        # Whoever sees the operation's end finds the log lines that explain it.
        lifecycle(service.log_group, self._around.telemetry)(f"Operation {_last(service).type}: {outcome}.")
        await self._around.telemetry.flush()
        done = _stepped(service, outcome, ended=True)
        self._keep(done)
        tell(self._events, done)

    async def _deploy(self, arn: str, configuration: Configuration) -> tuple[str, Service]:
        try:
            await self._hostings[arn].deploy(configuration)
        except DeploymentFailed as failure:
            self._hostings[arn].say(f"Deployment with {configuration.image} failed: {failure}.")
            service = self._store.services[arn]
            if service.serving is None:
                return "FAILED", replace(service, status="CREATE_FAILED")
            service = _stepped(service, "ROLLBACK_IN_PROGRESS")
            self._keep(service)
            return "ROLLBACK_SUCCEEDED", replace(service, status="RUNNING", shown=service.serving or service.shown)
        service = self._store.services[arn]
        return "SUCCEEDED", replace(service, status="RUNNING", shown=configuration, serving=configuration)

    async def _put_aside(self, arn: str) -> tuple[str, Service]:
        """A paused service keeps its new configuration for the day it resumes."""
        service = self._store.services[arn]
        return "SUCCEEDED", replace(service, status="PAUSED", serving=service.shown)

    async def _pause(self, arn: str) -> tuple[str, Service]:
        await self._hostings[arn].stop()
        return "SUCCEEDED", replace(self._store.services[arn], status="PAUSED")

    async def _resume(self, arn: str) -> tuple[str, Service]:
        service = self._store.services[arn]
        outcome, after = await self._deploy(arn, service.shown)
        if outcome != "SUCCEEDED":
            return "FAILED", replace(after, status="PAUSED")
        return outcome, after

    async def _delete(self, arn: str) -> tuple[str, Service]:
        await self._hostings.pop(arn).close()
        return "SUCCEEDED", replace(self._store.services[arn], status="DELETED", deleted=time.time())


def _stepped(service: Service, status: str, *, ended: bool = False) -> Service:
    """The service with its operation one step further."""
    now = time.time()
    operation = replace(_last(service), status=status, updated=now, ended=now if ended else None)
    return replace(service, operations=(*service.operations[:-1], operation))


def _last(service: Service) -> Operation:
    return service.operations[-1]


def _interrupted(service: Service) -> Service:
    """A service as it is after this process was ended in the middle of an operation."""
    if service.status != IN_PROGRESS:
        return service
    now = time.time()
    operations = tuple(
        operation if operation.ended else replace(operation, status="FAILED", updated=now, ended=now)
        for operation in service.operations
    )
    status: Status = "RUNNING" if service.serving else "CREATE_FAILED"
    return replace(service, status=status, shown=service.serving or service.shown, operations=operations)
