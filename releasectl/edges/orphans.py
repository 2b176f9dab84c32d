"""Orphans: what an engine that died had begun to create; is it there?

Comes in: a resource's type and the inputs that the state remembers. Goes out: the id by which a state can have it
again. A create that is a put by its own name is simply made again and needs no look. It changes one thing only: a
service that App Runner itself failed to create for us is deleted, since nothing can be made of it. What is older than
the release that asks is somebody else's and never touched.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from releasectl.edges import aws, orphans_account, orphans_app_runner, orphans_bootstrap, orphans_ecs
from releasectl.edges.found import Finder, Object
from releasectl.recover import CannotTell

# Their create overwrites what has the same name: PutRolePolicy, PutMetricAlarm, CreateTopic, Subscribe and the like.
# Of a task definition it makes one more revision, and one that nobody runs holds nothing.
MADE_AGAIN = (
    "aws:appautoscaling/policy:Policy",
    "aws:appautoscaling/target:Target",
    "aws:cloudwatch/compositeAlarm:CompositeAlarm",
    "aws:cloudwatch/dashboard:Dashboard",
    "aws:cloudwatch/eventRule:EventRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:ecs/taskDefinition:TaskDefinition",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:kms/keyPolicy:KeyPolicy",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription",
)
FOUND: Mapping[str, Finder] = {
    **orphans_account.FOUND,
    **orphans_app_runner.FOUND,
    **orphans_bootstrap.FOUND,
    **orphans_ecs.FOUND,
}
# Seconds for which an object has to stay away: the engine's last call may still be under way, and a list may be
# behind what was made (AWS promises no more than eventual consistency for either).
UNTIL_SURE = 10.0
POLL = 1.0
SKEW = timedelta(minutes=1)  # between AWS's clock and ours


@dataclass(frozen=True)
class Orphans:
    """The objects of the account that the credentials belong to. `sure` is for how long one has to stay away."""

    sure: float = UNTIL_SURE

    def find(
        self, region: str, kind: str, inputs: Mapping[str, object], *, since: datetime | None = None
    ) -> str | None:
        """The id of the object, None when there is none or it can simply be made again. Raises CannotTell.

        With `since` only an object counts that was made after it: an older one of that name is somebody else's, and
        so is one of which AWS does not say when it was made.
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
            if found is None or (since and not _is_younger(found, since)):
                return None
            if found.failed:  # a service of App Runner: nothing else can be there and have failed
                orphans_app_runner.delete(region, found, inputs)
                return None
        return found.id


def _is_younger(found: Object, since: datetime) -> bool:
    return found.made is not None and found.made >= since - SKEW
