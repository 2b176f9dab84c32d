"""The key that the alert topic is encrypted with, and who may use it.

Comes in: the environment. Goes out: the key's ARN, once its policy is there. The account administers it by its own IAM
policies; CloudWatch and EventBridge of this account may publish with it, nobody else. It is never `alias/aws/sns`: that
key's policy cannot be changed, and CloudWatch may not use it, so alarms would go nowhere without a word.
"""

import json

import pulumi
import pulumi_aws as aws

from stacks import names

USE = ("kms:Decrypt", "kms:GenerateDataKey*")


def alerts_key(environment: str, parent: pulumi.Resource) -> tuple[pulumi.Output[str], pulumi.Resource]:
    """The ARN, and what has to be there before anything can be published."""
    options = pulumi.ResourceOptions(parent=parent)
    key = aws.kms.Key(
        "alerts",
        description=f"What is sent to the alert topic of {environment}",
        enable_key_rotation=True,
        deletion_window_in_days=7,  # it encrypts messages on their way, and nothing that lasts
        tags=names.tags(environment),
        opts=options,
    )
    aws.kms.Alias("alerts", name=names.alerts_key_alias(environment), target_key_id=key.key_id, opts=options)
    # Of its own, because only the key's ARN says which account this is, and the program asks AWS nothing.
    policy = aws.kms.KeyPolicy("alerts", key_id=key.key_id, policy=key.arn.apply(key_policy), opts=options)
    return key.arn, policy


def key_policy(arn: str) -> str:
    """The policy of the key `arn`, which also says partition, region and account. `*` in it is the key itself."""
    _, partition, _, _, account, _ = arn.split(":")
    administer = {
        "Sid": "Account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    cloudwatch = {
        "Sid": "CloudWatchAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": list(USE),
        "Resource": "*",
        "Condition": from_alarms(arn),
    }
    # No condition on the source: EventBridge sends none to KMS, and its events would be dropped without a word. Which
    # rules may publish is the topic's policy to say.
    events = {
        "Sid": "EventBridge",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": list(USE),
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [administer, cloudwatch, events]})


def from_alarms(arn: str) -> dict[str, dict[str, str]]:
    """The condition that only alarms of the account and region of `arn` meet."""
    _, partition, _, region, account, _ = arn.split(":")
    return {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"},
    }
