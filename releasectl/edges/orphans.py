"""Orphans: what an engine that died had begun to create; is it there?

Comes in: a resource's type and the inputs that the state remembers. Goes out: the id by which a state can have it
again. A create that is a put by its own name is simply made again and needs no look. It changes one thing only: a
service that App Runner itself failed to create for us is deleted, since nothing can be made of it
(aws/apprunner-roadmap). What is older than the release that asks is somebody else's and never touched.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from releasectl.edges import aws
from releasectl.recover import CannotTell

# Their create overwrites what has the same name: PutRolePolicy, PutMetricAlarm, CreateTopic, Subscribe and the like.
MADE_AGAIN = (
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription",
)
PATIENCE = 15 * 60.0  # seconds for App Runner to end what it does with a service
# Seconds for which an object has to stay away: the engine's last call may still be under way, and a list may be
# behind what was made (AWS promises no more than eventual consistency for either).
UNTIL_SURE = 10.0
POLL = 1.0
SKEW = timedelta(minutes=1)  # between AWS's clock and ours

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Object:
    """An object of the cloud and when it was made."""

    id: str
    made: datetime
    failed: bool = False  # AWS could not make it, and nothing can be made of it


@dataclass(frozen=True)
class Orphans:
    """The objects of the account that the credentials belong to. `sure` is for how long one has to stay away."""

    sure: float = UNTIL_SURE

    def find(
        self, region: str, kind: str, inputs: Mapping[str, object], *, since: datetime | None = None
    ) -> str | None:
        """The id of the object, None when there is none or it can simply be made again. Raises CannotTell.

        With `since` only an object counts that was made after it: an older one of that name is somebody else's.
        """
        if kind in MADE_AGAIN:
            return None
        if kind not in FOUND:
            raise CannotTell(
                f"looking for an object of type {kind}: an engine died while making it, and it may be there or not",
                "Look for it in the account; `releasectl unlock` takes your answer (--adopt URN=ID or --forget URN).",
            )
        deadline = time.monotonic() + self.sure
        with aws.asking(f"looking for {kind} {inputs.get('name') or inputs.get('serviceName') or ''}".strip()):
            while (found := FOUND[kind](region, inputs)) is None and time.monotonic() < deadline:
                time.sleep(POLL)
            if found is None or (since and found.made < since - SKEW):
                return None
            if found.failed:
                _delete(region, kind, found, inputs)
                return None
        return found.id


def _repository(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("ecr", config=aws.CONFIG)
    try:
        (found,) = client.describe_repositories(repositoryNames=[inputs["name"]])["repositories"]
    except client.exceptions.RepositoryNotFoundException:
        return None
    return Object(found["repositoryName"], found["createdAt"])


def _role(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("iam", config=aws.CONFIG)
    try:
        found = client.get_role(RoleName=inputs["name"])["Role"]
    except client.exceptions.NoSuchEntityException:
        return None
    return Object(found["RoleName"], found["CreateDate"])


def _scaling(region: str, inputs: Inputs) -> Object | None:
    """The newest revision of the name: the one that was being made."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    found = client.list_auto_scaling_configurations(
        AutoScalingConfigurationName=inputs["autoScalingConfigurationName"], LatestOnly=True
    )["AutoScalingConfigurationSummaryList"]
    return next((Object(each["AutoScalingConfigurationArn"], each["CreatedAt"]) for each in found), None)


def _service(region: str, inputs: Inputs) -> Object | None:
    """Once App Runner has made it, or failed to."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    deadline = time.monotonic() + PATIENCE
    while True:
        found = next((each for each in _services(client) if _is_it(each, inputs)), None)
        if found is None:
            return None
        if found["Status"] != "OPERATION_IN_PROGRESS":
            return Object(found["ServiceArn"], found["CreatedAt"], failed=found["Status"] == "CREATE_FAILED")
        if time.monotonic() > deadline:
            raise aws.named(f"waiting for {found['ServiceArn']}", f"it is {found['Status']} for {PATIENCE:.0f} s")
        time.sleep(POLL)


def _delete(region: str, kind: str, failed: Object, inputs: Inputs) -> None:
    """Only a service can be there and have failed. Its name is free once it is gone."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    client.delete_service(ServiceArn=failed.id)
    while FOUND[kind](region, inputs):
        time.sleep(POLL)


def _services(client: Any) -> Iterator[Mapping[str, Any]]:
    """botocore has no paginator for them."""
    more: dict[str, str] = {}
    while True:
        page = client.list_services(**more)
        yield from page["ServiceSummaryList"]
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _is_it(summary: Mapping[str, Any], inputs: Inputs) -> bool:
    return bool(summary["ServiceName"] == inputs["serviceName"] and summary["Status"] != "DELETED")


FOUND: Mapping[str, Callable[[str, Inputs], Object | None]] = {
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": _scaling,
    "aws:apprunner/service:Service": _service,
    "aws:ecr/repository:Repository": _repository,
    "aws:iam/role:Role": _role,
}
