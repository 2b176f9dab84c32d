"""Express Mode: one call makes a service with everything around it, and each update is a canary that may turn back.

Comes in: requests that the model has passed. Goes out: ECS's answers, or a Refusal. Underneath is a plain service with
the strategy CANARY; what is Express Mode's own is kept in the service's `express`.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sandbox.runtimes.ecs.clusters import Clusters
from sandbox.runtimes.ecs.context import Context
from sandbox.runtimes.ecs.express_parts import build, heed, take_away
from sandbox.runtimes.ecs.express_values import configured, definition_of, managed, members_of
from sandbox.runtimes.ecs.faulty import faulty
from sandbox.runtimes.ecs.services import Services
from sandbox.runtimes.ecs.values import ENDED, Cluster, Service, TaskDefinition, invalid, new_id
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
Answer = dict[str, object]


class Express:
    """The four operations; `prefix` is `arn:aws:ecs:<region>:<account>`."""

    def __init__(self, context: Context, clusters: Clusters, services: Services, prefix: str) -> None:
        self._context, self._clusters, self._services, self._prefix = context, clusters, services, prefix
        self._region = prefix.split(":")[3]
        self._leaving: set[asyncio.Task[None]] = set()

    def watches(self) -> dict[str, tuple[Any, ...]]:
        """What every service of Express Mode is watched by, by ARN."""
        known = self._context.store.services.values()
        return {each.arn: (partial(faulty, self._context, each.arn),) for each in known if each.express}

    async def close(self) -> None:
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def create(self, request: Request) -> Answer:
        cluster = self._cluster(request.get("cluster"))
        name = request.get("serviceName") or f"express-{new_id()[:8]}"
        arn = f"{self._prefix}:service/{cluster.name}/{name}"
        self._services.demand_free(arn)
        group = f"/aws/ecs/{cluster.name}/{name}-{new_id()[:4]}"
        configuration = configured(request, {}, group)
        parts = await build(self._context, name, configuration, log_group=group, region=self._region)
        role, now = request["infrastructureRoleArn"], time.time()
        try:
            definition = self._definition(configuration, f"{cluster.name}-{name}")
            await self._services.add(
                cluster, name, definition, members_of(configuration, parts, role),
                desired=configuration["scalingTarget"]["minTaskCount"],
                express={
                    "role": role, "parts": parts, "configuration": configuration, "configurations": {}, "updated": now,
                },
                watches=(partial(faulty, self._context, arn),),
            )  # fmt: skip
        except Refusal:
            await take_away(self._context, parts)
            raise
        self._context.store.tags[arn] = {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}
        await self._deploy(arn, configuration)
        return {"service": self._shown(arn)}

    async def update(self, request: Request) -> Answer:
        service = self._services.active(None, request["serviceArn"])
        express = _express(service)
        before = express["configuration"]
        configuration = configured(request, before, express["parts"]["log_group"])
        if configuration != before:
            await self._change(service, before, configuration)
        target = self._context.store.rollouts_of(service.arn)[0].target
        after = self._context.store.services[service.arn]
        return {
            "service": {
                "serviceArn": after.arn,
                "cluster": after.cluster.rpartition("/")[2],
                "serviceName": after.name,
                "status": {"statusCode": after.status},
                "targetConfiguration": self._configuration(after, target),
                "createdAt": after.created,
                "updatedAt": _express(after)["updated"],
            }
        }

    async def describe(self, request: Request) -> Answer:
        service = self._context.store.services.get(request["serviceArn"])
        if service is None or service.express is None:
            raise Refusal("ResourceNotFoundException", "The specified Express Gateway Service was not found.")
        shown = self._shown(service.arn)
        if "TAGS" in (request.get("include") or ()):
            tags = self._context.store.tags.get(service.arn, {})
            shown["tags"] = [{"key": key, "value": value} for key, value in tags.items()]
        return {"service": shown}

    async def delete(self, request: Request) -> Answer:
        service = self._services.active(None, request["serviceArn"])
        parts = _express(service)["parts"]
        left = self._services.leave(service)

        async def clear() -> None:
            await left
            await take_away(self._context, parts)

        task = asyncio.create_task(clear())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return {"service": self._shown(service.arn)}

    def managed(self, revision: str) -> dict[str, Any] | None:
        """What ECS manages for a revision of an Express service; None for others."""
        service = self._context.store.services[self._context.store.revisions[revision].service]
        if service.express is None:
            return None
        configuration = service.express["configurations"].get(revision, service.express["configuration"])
        status = "DELETED" if service.status == "INACTIVE" else "ACTIVE"
        return managed(configuration, service.express["parts"], status=status, at=service.express["updated"])

    async def _change(self, service: Service, before: Mapping[str, Any], configuration: dict[str, Any]) -> None:
        """Write the new configuration down, and deploy it unless only the scaling is another."""
        cluster = self._context.store.clusters[service.cluster]
        desired = configuration["scalingTarget"]["minTaskCount"]
        express = {**_express(service), "configuration": configuration, "updated": time.time()}
        deploys = {**configuration, "scalingTarget": before["scalingTarget"]} != before
        shown, definition = service.shown, service.definition
        if deploys:
            definition = self._definition(configuration, f"{cluster.name}-{service.name}").arn
            shown = {**shown, **members_of(configuration, express["parts"], express["role"])}
        self._context.keep(replace(service, shown=shown, definition=definition, desired=desired, express=express))
        if deploys:
            await self._deploy(service.arn, configuration)
        elif desired != service.desired and (hosting := self._services.hosting(service.arn)):
            hosting.scale(desired)

    async def _deploy(self, arn: str, configuration: dict[str, Any]) -> None:
        service = self._context.store.services[arn]
        await heed(self._context, self._services.next_group(service), configuration)
        rollout = await self._services.deploy(service)
        express = _express(self._context.store.services[arn])
        known = {**express["configurations"], rollout.target: configuration}
        self._context.keep(replace(self._context.store.services[arn], express={**express, "configurations": known}))

    def _cluster(self, wanted: str | None) -> Cluster:
        if wanted in (None, "default"):
            self._clusters.create({})  # as when the first Express service of an account is made
        return self._clusters.find(wanted)

    def _definition(self, configuration: Mapping[str, Any], family: str) -> TaskDefinition:
        definitions = self._context.definitions
        definitions.register(definition_of(configuration, family, self._region))
        return definitions.usable(family)

    def _shown(self, arn: str) -> dict[str, Any]:
        service = self._context.store.services[arn]
        express, rollouts = _express(service), self._context.store.rollouts_of(arn)
        going = [each for each in rollouts if each.status not in ENDED]
        active = [service.revision] if service.revision else [each.target for each in rollouts[:1]]
        active += [each.target for each in going if each.target not in active]
        return {
            "serviceArn": arn,
            "serviceName": service.name,
            "cluster": service.cluster.rpartition("/")[2],
            "infrastructureRoleArn": express["role"],
            "status": {"statusCode": service.status},
            "activeConfigurations": [self._configuration(service, revision) for revision in active],
            "createdAt": service.created,
            "updatedAt": express["updated"],
            **({"currentDeployment": going[0].arn} if going else {}),
        }

    def _configuration(self, service: Service, revision: str) -> dict[str, Any]:
        """ExpressGatewayServiceConfiguration."""
        express = _express(service)
        known = self._context.store.revisions[revision]
        paths = [{"accessType": "PUBLIC", "endpoint": express["parts"]["endpoint"]}]
        return {
            **express["configurations"].get(revision, express["configuration"]),
            "serviceRevisionArn": revision,
            "taskDefinitionArn": known.definition,
            "ingressPaths": paths,
            "createdAt": known.created,
        }


def _express(service: Service) -> dict[str, Any]:
    """What only Express Mode knows. Raises Refusal for a plain service."""
    if service.express is None:
        raise invalid("The service is not an Express Gateway Service.")
    return service.express
