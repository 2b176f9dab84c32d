"""A Slack channel that reads the alert topic, through Amazon Q Developer in chat applications.

Comes in: the environment, the two IDs and the topic. Goes out: nothing. Somebody has to authorise the workspace once in
the console before; without that AWS refuses. The channel may look at CloudWatch and do nothing, whoever types in it:
its guardrail is the policy of its role, never AWS's default, which lets it do everything.
"""

import json

import pulumi
import pulumi_aws as aws

from stacks import names
from stacks.alert_settings import Slack

# What Amazon Q Developer needs to draw the graph under an alarm ("notification permissions" of its role templates).
LOOK = ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*")


def slack_channel(environment: str, slack: Slack, *, topic: pulumi.Output[str], parent: pulumi.Resource) -> None:
    """Everything that is published to the topic, in the channel."""
    options = pulumi.ResourceOptions(parent=parent)
    name, tags = names.slack_name(environment), names.tags(environment)
    role = aws.iam.Role(
        "alerts-slack", name=name, assume_role_policy=topic.apply(trust_policy), tags=tags, opts=options
    )
    look = aws.iam.Policy("alerts-slack", name=name, policy=look_policy(), tags=tags, opts=options)
    attached = aws.iam.RolePolicyAttachment("alerts-slack", role=role.name, policy_arn=look.arn, opts=options)
    aws.chatbot.SlackChannelConfiguration(
        "alerts-slack",
        configuration_name=name,
        iam_role_arn=role.arn,
        slack_team_id=slack.team,
        slack_channel_id=slack.channel,
        sns_topic_arns=[topic],
        guardrail_policy_arns=[look.arn],
        logging_level="ERROR",
        user_authorization_required=False,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[attached]),
    )


def trust_policy(topic: str) -> str:
    """Lets Amazon Q Developer take the role, for the account of `topic` alone."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "chatbot.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": topic.split(":")[4]}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def look_policy() -> str:
    """Read CloudWatch, on everything, because most of these calls know no resource; nothing else."""
    statement = {"Effect": "Allow", "Action": list(LOOK), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
