"""The environment's alert topic and who reads it.

Comes in: the environment and the addresses of its settings. Goes out: the topic's ARN. CloudWatch of this
account may publish, the account itself keeps what the default policy gave it, nobody else may do anything.
An address gets a mail to confirm; nothing here waits for that.
"""

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from stacks import names

# What the default policy of a topic gives its owner, and what setting a policy would take away.
OWNER_ACTIONS = (
    "sns:AddPermission",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sns:RemovePermission",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
)


def topic(environment: str, emails: Sequence[str], parent: pulumi.Resource) -> pulumi.Output[str]:
    """The ARN of the topic; one subscription an address, named by it, so that removing one touches no other.

    No KMS key: with the key that AWS manages for SNS, CloudWatch cannot publish (re:Post, configure alarm SNS).
    """
    options = pulumi.ResourceOptions(parent=parent)
    alerts = aws.sns.Topic("alerts", name=names.topic_name(environment), tags=names.tags(environment), opts=options)
    aws.sns.TopicPolicy("alerts", arn=alerts.arn, policy=alerts.arn.apply(topic_policy), opts=options)
    for email in emails:
        aws.sns.TopicSubscription(f"alerts-{email}", topic=alerts.arn, protocol="email", endpoint=email, opts=options)
    return alerts.arn


def topic_policy(arn: str) -> str:
    """The resource policy of the topic `arn`, which also says partition, region and account."""
    _, partition, _, region, account, _ = arn.split(":")
    cloudwatch = {
        "Sid": "CloudWatchAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"},
        },
    }
    owner = {
        "Sid": "Owner",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": list(OWNER_ACTIONS),
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [cloudwatch, owner]})
