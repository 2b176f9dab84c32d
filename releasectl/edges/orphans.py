"""Orphans: what an engine that died had begun to create; is it there?

Comes in: a resource's type and the inputs that the state remembers. Goes out: the id by which a state can have it
again. A create that is a put by its own name is simply made again and needs no look. It changes one thing only: a
service that App Runner itself failed to create is deleted, since nothing can be made of it (aws/apprunner-roadmap).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from releasectl.edges import aws
from releasectl.errors import ControllerError

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

Inputs = Mapping[str, Any]


class CannotTell(ControllerError):
    """An engine died while it made something, and nobody knows how to look for a thing of that type.

    Why: The state says that a create had begun. Only for the types of our own program is there a way to ask AWS
    what came of it.
    Do: Look for the object in the account, then answer: `releasectl unlock ENVIRONMENT --adopt URN=ID` or
    `--forget URN`.
    """


@dataclass(frozen=True)
class Orphans:
    """The objects of the account that the credentials belong to. `sure` is for how long one has to stay away."""

    sure: float = UNTIL_SURE

    def find(self, region: str, kind: str, inputs: Mapping[str, object]) -> str | None:
        """The id of the object, None when there is none or it can simply be made again. Raises CannotTell."""
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
        return found


def _repository(region: str, inputs: Inputs) -> str | None:
    client = aws.session(region).client("ecr", config=aws.CONFIG)
    try:
        client.describe_repositories(repositoryNames=[inputs["name"]])
    except client.exceptions.RepositoryNotFoundException:
        return None
    return str(inputs["name"])


def _role(region: str, inputs: Inputs) -> str | None:
    client = aws.session(region).client("iam", config=aws.CONFIG)
    try:
        client.get_role(RoleName=inputs["name"])
    except client.exceptions.NoSuchEntityException:
        return None
    return str(inputs["name"])


def _scaling(region: str, inputs: Inputs) -> str | None:
    """The newest revision of the name: the one that was being made."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    found = client.list_auto_scaling_configurations(
        AutoScalingConfigurationName=inputs["autoScalingConfigurationName"], LatestOnly=True
    )["AutoScalingConfigurationSummaryList"]
    return next((each["AutoScalingConfigurationArn"] for each in found), None)


def _service(region: str, inputs: Inputs) -> str | None:
    """Once App Runner is done with it."""
    client = aws.session(region).client("apprunner", config=aws.CONFIG)
    deadline = time.monotonic() + PATIENCE
    while True:
        found = next((each for each in _services(client) if _is_it(each, inputs)), None)
        if found is None:
            return None
        if found["Status"] == "CREATE_FAILED":
            client.delete_service(ServiceArn=found["ServiceArn"])
        elif found["Status"] != "OPERATION_IN_PROGRESS":
            return str(found["ServiceArn"])
        if time.monotonic() > deadline:
            raise aws.named(f"waiting for {found['ServiceArn']}", f"it is {found['Status']} for {PATIENCE:.0f} s")
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


FOUND: Mapping[str, Callable[[str, Inputs], str | None]] = {
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": _scaling,
    "aws:apprunner/service:Service": _service,
    "aws:ecr/repository:Repository": _repository,
    "aws:iam/role:Role": _role,
}
