"""Clusters: here no more than a name that services stand under.

Comes in: checked requests. Goes out: ECS's answers, or a Refusal. Capacity does not exist on a laptop; what is said of
it is kept and shown.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.runtimes.ecs.store import Store
from sandbox.runtimes.ecs.values import Cluster
from sandbox.runtimes.paging import page
from sandbox.runtimes.refusal import Refusal

Request = Mapping[str, Any]
_KEPT = ("configuration", "settings", "capacityProviders", "defaultCapacityProviderStrategy", "serviceConnectDefaults")


class Clusters:
    """The operations on clusters; `prefix` is `arn:aws:ecs:<region>:<account>`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def create(self, request: Request) -> dict[str, object]:
        name = request.get("clusterName") or "default"
        arn = f"{self._prefix}:cluster/{name}"
        before = self._store.clusters.get(arn)
        if before is None or before.status != "ACTIVE":
            shown = {member: request[member] for member in _KEPT if request.get(member) is not None}
            self._store.clusters[arn] = Cluster(arn, name, shown=shown)
            self._store.tags[arn] = {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}
            self._store.save()
        return {"cluster": self._shown(self._store.clusters[arn])}

    def describe(self, request: Request) -> dict[str, object]:
        found, failures = [], []
        for wanted in request.get("clusters") or ["default"]:
            arn = self.arn(wanted)
            if arn in self._store.clusters:
                found.append(self._shown(self._store.clusters[arn]))
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"clusters": found, "failures": failures}

    def update(self, request: Request) -> dict[str, object]:
        cluster = self.find(request["cluster"])
        changed = {member: request[member] for member in _KEPT if request.get(member) is not None}
        self._store.clusters[cluster.arn] = replace(cluster, shown={**cluster.shown, **changed})
        self._store.save()
        return {"cluster": self._shown(self._store.clusters[cluster.arn])}

    def delete(self, request: Request) -> dict[str, object]:
        cluster = self.find(request["cluster"])
        services = [each for each in self._store.services.values() if each.cluster == cluster.arn]
        if any(each.status == "ACTIVE" for each in services):
            raise Refusal(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if any(each.status == "DRAINING" for each in services):
            raise Refusal("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        self._store.clusters[cluster.arn] = replace(cluster, status="INACTIVE")
        self._store.save()
        return {"cluster": self._shown(self._store.clusters[cluster.arn])}

    def list_all(self, request: Request) -> dict[str, object]:
        active = [each.arn for each in self._store.clusters.values() if each.status == "ACTIVE"]
        return page(request, "clusterArns", active, most=100)

    def arn(self, wanted: str | None) -> str:
        """The ARN of a cluster that is named by its name or its ARN, or not at all."""
        return wanted if wanted and wanted.startswith("arn:") else f"{self._prefix}:cluster/{wanted or 'default'}"

    def find(self, wanted: str | None) -> Cluster:
        """The active cluster. Raises Refusal."""
        cluster = self._store.clusters.get(self.arn(wanted))
        if cluster is None or cluster.status != "ACTIVE":
            raise Refusal("ClusterNotFoundException", "Cluster not found.")
        return cluster

    def _shown(self, cluster: Cluster) -> dict[str, object]:
        services = [
            each for each in self._store.services.values() if (each.cluster, each.status) == (cluster.arn, "ACTIVE")
        ]
        tags = self._store.tags.get(cluster.arn, {})
        return {
            "clusterArn": cluster.arn,
            "clusterName": cluster.name,
            "status": cluster.status,
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": sum(each.desired for each in services if each.revision),
            "pendingTasksCount": sum(each.desired for each in services if not each.revision),
            "activeServicesCount": len(services),
            "statistics": [],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
            "settings": [{"name": "containerInsights", "value": "disabled"}],
            "capacityProviders": [],
            "defaultCapacityProviderStrategy": [],
            **cluster.shown,
        }
