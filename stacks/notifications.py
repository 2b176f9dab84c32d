"""The environment's alert topic, who may publish to it, and who reads it.

Comes in: the environment and its `Alerts`. Goes out: the topic's ARN. CloudWatch of this account and the environment's
own rules of EventBridge may publish, the account itself keeps what the default policy gave it, nobody else may do
anything. An address gets a mail to confirm; nothing here waits for a person.
"""

import json

import pulumi
import pulumi_aws as aws

from stacks import names
from stacks.alert_key import alerts_key, from_alarms
from stacks.alert_settings import Alerts
from stacks.metrics import EventPattern
from stacks.secret_addresses import secret_addresses
from stacks.slack import slack_channel

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


def topic(environment: str, alerts: Alerts, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The ARN of the topic, with its key, its policy and all who read it."""
    options = pulumi.ResourceOptions(parent=parent)
    key, ready = alerts_key(environment, parent) if alerts.encrypt else (None, None)
    made = aws.sns.Topic(
        "alerts",
        name=names.topic_name(environment),
        kms_master_key_id=key,
        tags=names.tags(environment),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[ready] if ready else None),
    )
    policy = made.arn.apply(lambda arn: topic_policy(arn, environment))
    aws.sns.TopicPolicy("alerts", arn=made.arn, policy=policy, opts=options)
    for protocol, address in (*(("email", one) for one in alerts.email), *(("sms", one) for one in alerts.sms)):
        # Named by the address, so that removing one touches no other.
        aws.sns.TopicSubscription(
            f"alerts-{address}", topic=made.arn, protocol=protocol, endpoint=address, opts=options
        )
    _subscribe_secretly(environment, alerts, made.arn, parent)
    if alerts.slack:
        slack_channel(environment, alerts.slack, topic=made.arn, parent=parent)
    return made.arn


def _subscribe_secretly(
    environment: str, alerts: Alerts, topic: pulumi.Output[str], parent: pulumi.Resource
) -> None:  # fmt: skip
    for address in secret_addresses(environment, len(alerts.https)):
        aws.sns.TopicSubscription(
            f"alerts-https-{address.name}",
            topic=topic,
            protocol=address.protocol,
            endpoint=address.url,
            # Then `up` ends with an error when nobody confirms within a minute, instead of paging nobody for ever.
            endpoint_auto_confirms=True,
            opts=pulumi.ResourceOptions(parent=parent, additional_secret_outputs=["endpoint"]),
        )


def failed_deployments(
    place: names.Place, pattern: EventPattern, *, topic: pulumi.Input[str], parent: pulumi.Resource
) -> None:  # fmt: skip
    """Tells the topic of every deployment of the service that failed or was rolled back.

    The event goes out as it is: Amazon Q Developer renders AWS's own events and drops texts that were put together.
    """
    name = f"{place.name}-failed-deployment"
    rule = aws.cloudwatch.EventRule(
        f"{place.service}-failed-deployment",
        name=name,
        description=f"{place.service} in {place.environment}: a deployment failed or was rolled back. "
        f"Run `releasectl explain {place.environment}`. More: docs/alerting.md, failed deployment.",
        event_pattern=pulumi.Output.json_dumps(pattern, sort_keys=True),
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    aws.cloudwatch.EventTarget(
        f"{place.service}-failed-deployment",
        rule=rule.name,
        target_id="alerts",
        arn=topic,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def topic_policy(arn: str, environment: str) -> str:
    """The resource policy of the topic `arn`, which also says partition, region and account."""
    _, partition, _, region, account, _ = arn.split(":")
    rules = f"arn:{partition}:events:{region}:{account}:rule/{names.PROJECT}-{environment}-*"
    cloudwatch = {
        "Sid": "CloudWatchAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": from_alarms(arn),
    }
    events = {
        "Sid": "EventBridge",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": rules}},
    }
    owner = {
        "Sid": "Owner",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": list(OWNER_ACTIONS),
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [cloudwatch, events, owner]})
