"""ECS: how the provider waits for a deployment, word for word.

Comes in: the client, a service, since when. Goes out: nothing when it is steady, else Failed in the provider's words.
It looks at the deployment only when that is newer than the call by this machine's own clock, like the real one; without
one it counts tasks. A rollback that nobody waited for is therefore never seen here.
"""

from datetime import datetime
from typing import Any

from sandbox.provider.aws import found
from sandbox.provider.resource import Client, Failed

_FAILED = ("STOPPED", "ROLLBACK_FAILED", "ROLLBACK_SUCCESSFUL")
PENDING = "tfPENDING"
STABLE = "tfSTABLE"


def service(client: Client, name: str, cluster: str, *, with_tags: bool = False) -> dict[str, Any] | None:
    """The service as DescribeServices tells it, None when it is missing."""
    include = {"include": ["TAGS"]} if with_tags else {}
    answer = found(client.describe_services, cluster=cluster, services=[name], **include) or {"services": []}
    return next(iter(answer["services"]), None)


def deployment_state(client: Client, arn: str, doing: str) -> str:
    """Stable, pending, or Failed with ECS's own reason."""
    told = client.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    if not told:
        return PENDING
    if told[0]["status"] in _FAILED:
        raise Failed(f"{doing}: {told[0].get('statusReason') or 'Deployment failed'}")
    return STABLE if told[0]["status"] == "SUCCESSFUL" else PENDING


def newest(client: Client, name: str, cluster: str, since: datetime) -> list[dict[str, Any]]:
    """The deployments of a service that were made after `since`, newest first."""
    pages = client.list_service_deployments(cluster=cluster, service=name, createdAt={"after": since})
    found_: list[dict[str, Any]] = pages["serviceDeployments"]
    return found_


class Steady:
    """What WaitForStable remembers between two looks."""

    def __init__(self, client: Client, arn: str, *, cluster: str, since: datetime, doing: str) -> None:
        self._client, self._arn, self._cluster, self._since = client, arn, cluster, since
        self._doing = doing
        self._primary: dict[str, Any] | None = None
        self._deployment = ""

    def look(self) -> str:
        """The state that the provider would see."""
        told = service(self._client, self._arn, self._cluster)
        if told is None or told["status"] != "ACTIVE":
            return str(told["status"]) if told else ""
        if self._primary is None:
            primary = (one for one in told["deployments"] if one["status"] == "PRIMARY")
            self._primary = next(primary, None)
        by_ecs = told.get("deploymentController", {}).get("type") == "ECS"
        if self._primary and by_ecs and self._primary["createdAt"] > self._since:
            return self._of_deployment(self._primary)
        settled = len(told["deployments"]) == 1 and told["desiredCount"] == told["runningCount"]
        return STABLE if settled else PENDING

    def _of_deployment(self, primary: dict[str, Any]) -> str:
        if not self._deployment:
            task_set = primary["id"].partition("/")[2]
            listed = newest(self._client, self._arn.rpartition("/")[2], self._cluster, self._since)
            matching = (one for one in listed if task_set in one["targetServiceRevisionArn"])
            self._deployment = next(matching, {}).get("serviceDeploymentArn", "")
        return deployment_state(self._client, self._deployment, self._doing) if self._deployment else PENDING
