"""What pages people, and what an account is set up with, through a whole life."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from tests.sandbox.provider_engine import REGION
from tests.sandbox.provider_life import ACCOUNT, Cloud, Ids, Life, options, permission, policy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/somebody"


def alerts(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    key = aws.kms.Key(
        "key",
        description="alerts",
        policy=policy("kms:*" if new else "kms:Decrypt"),
        enable_key_rotation=new,
        deletion_window_in_days=7,
        customer_master_key_spec="RSA_2048" if other else None,
        opts=options(ids, "key"),
    )
    name = "alias/other" if other else "alias/alerts"
    aws.kms.Alias("alias", name=name, target_key_id=key.key_id, opts=options(ids, "alias"))
    rule = aws.cloudwatch.EventRule(
        "rule",
        name="failed",
        event_pattern=json.dumps({"source": ["aws.ecs"], "detail-type": ["new" if new else "old"]}),
        opts=options(ids, "rule"),
    )
    aws.cloudwatch.EventRule(
        "renamed", name=f"renamed-{other}", schedule_expression="rate(1 day)", opts=options(ids, "renamed")
    )
    aws.cloudwatch.EventTarget(
        "target",
        rule=rule.name,
        target_id="other" if other else "topic",
        arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{'new' if new else 'old'}",
        retry_policy={"maximum_retry_attempts": 3},
        opts=options(ids, "target"),
    )
    watching(version, ids)


def watching(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    group = "/other" if other else "/release-controller/dev/web"
    aws.cloudwatch.LogGroup(
        "logs", name=group, retention_in_days=30 if new else 7, tags={"a": "b"}, opts=options(ids, "logs")
    )
    body = {"widgets": [{"type": "text", "properties": {"markdown": "new" if new else "old"}}]}
    aws.cloudwatch.Dashboard(
        "board",
        dashboard_name="other" if other else "dev",
        dashboard_body=json.dumps(body),
        opts=options(ids, "board"),
    )
    child = aws.cloudwatch.MetricAlarm(
        "child",
        name="child",
        namespace="AWS/ECS",
        metric_name="CPUUtilization",
        statistic="Average",
        period=60,
        evaluation_periods=1,
        comparison_operator="GreaterThanThreshold",
        threshold=1,
        opts=options(ids, "child"),
    )
    aws.cloudwatch.CompositeAlarm(
        "both",
        alarm_name="other-both" if other else "both",
        alarm_rule='ALARM("child")' if new else 'OK("child")',
        alarm_actions=[f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"],
        opts=pulumi.ResourceOptions.merge(options(ids, "both"), pulumi.ResourceOptions(depends_on=[child])),
    )
    aws.chatbot.SlackChannelConfiguration(
        "slack",
        configuration_name="other" if other else "alerts",
        iam_role_arn=ROLE,
        slack_channel_id="C0123ABCD",
        slack_team_id="T0123ABCD",
        logging_level="ERROR" if new else "NONE",
        sns_topic_arns=[f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"],
        guardrail_policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        opts=options(ids, "slack"),
    )


def alerts_by_hand(cloud: Cloud, ids: Ids) -> None:
    cloud("kms").disable_key_rotation(KeyId=ids["key"])
    cloud("events").put_rule(Name="failed", EventPattern=json.dumps({"source": ["aws.hand"]}))
    cloud("events").put_targets(Rule="failed", Targets=[{"Id": "topic", "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:hand"}])
    cloud("logs").put_retention_policy(logGroupName=ids["logs"], retentionInDays=1)
    cloud("cloudwatch").put_dashboard(DashboardName=ids["board"], DashboardBody=json.dumps({"widgets": []}))
    cloud("cloudwatch").put_composite_alarm(AlarmName="both", AlarmRule='ALARM("child") AND TRUE', AlarmActions=[])


def account(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    aws.iam.Policy(
        "policy",
        name="boundary",
        path="/other/" if other else "/",
        policy=permission("s3:*" if new else "s3:Get*"),
        opts=options(ids, "policy"),
    )
    aws.iam.OpenIdConnectProvider(
        "github",
        url=f"https://{'other' if other else 'token'}.actions.githubusercontent.com",
        client_id_lists=["sts.amazonaws.com", *(["other"] if new else [])],
        tags={"team": "web"},
        opts=options(ids, "github"),
    )
    bucket = aws.s3.Bucket(
        "bucket",
        bucket="other-state" if other else "state-of-everything",
        tags={"team": "b" if new else "a"},
        force_destroy=True,
        opts=options(ids, "bucket"),
    )
    bucket_settings(new, ids, bucket.bucket)


def bucket_settings(new: bool, ids: Ids, bucket: pulumi.Output[str]) -> None:
    aws.s3.BucketVersioning(
        "versions",
        bucket=bucket,
        versioning_configuration={"status": "Enabled" if new else "Suspended"},
        opts=options(ids, "versions"),
    )
    algorithm: Any = (
        {"sse_algorithm": "aws:kms", "kms_master_key_id": "alias/state"} if new else {"sse_algorithm": "AES256"}
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        "encryption",
        bucket=bucket,
        rules=[{"apply_server_side_encryption_by_default": algorithm, "bucket_key_enabled": True}],
        opts=options(ids, "encryption"),
    )
    aws.s3.BucketPublicAccessBlock(
        "private",
        bucket=bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=new,
        opts=options(ids, "private"),
    )
    aws.s3.BucketOwnershipControls(
        "ownership",
        bucket=bucket,
        rule={"object_ownership": "BucketOwnerEnforced" if new else "BucketOwnerPreferred"},
        opts=options(ids, "ownership"),
    )
    aws.s3.BucketPolicy(
        "tls", bucket=bucket, policy=policy("s3:Put*" if new else "s3:Get*", "Deny"), opts=options(ids, "tls")
    )
    aws.s3.BucketLifecycleConfiguration(
        "expiry",
        bucket=bucket,
        rules=[
            {
                "id": "old",
                "status": "Enabled",
                "filter": {"prefix": ".pulumi/"},
                "noncurrent_version_expiration": {"noncurrent_days": 90 if new else 30},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
            }
        ],
        opts=options(ids, "expiry"),
    )


def account_by_hand(cloud: Cloud, ids: Ids) -> None:
    s3 = cloud("s3")
    bucket = ids["bucket"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_public_access_block(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    )
    s3.put_object(Bucket=bucket, Key="left", Body=b"behind")
    iam = cloud("iam")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=ids["github"])
    iam.create_open_id_connect_provider(Url="https://token.actions.githubusercontent.com", ClientIDList=["hand"])
    iam.create_policy_version(PolicyArn=ids["policy"], PolicyDocument=permission("iam:*"), SetAsDefault=True)


ALERTS = Life(
    alerts,
    updates={
        "key": {"enableKeyRotation": "add", "policy": "update"},
        "rule": {"eventPattern": "update"},
        "target": {"arn": "update"},
        "logs": {"retentionInDays": "update"},
        "board": {"dashboardBody": "update"},
        "both": {"alarmRule": "update"},
        "slack": {"loggingLevel": "update"},
    },
    replaces={
        "key": {"customerMasterKeySpec": "update-replace"},
        "alias": {"name": "update-replace", "targetKeyId": "update"},
        "renamed": {"name": "update-replace"},
        "target": {"targetId": "update-replace"},
        "logs": {"name": "update-replace"},
        "board": {"dashboardName": "update-replace"},
        "both": {"alarmName": "update-replace"},
        "slack": {"configurationName": "update-replace"},
    },
    by_hand=alerts_by_hand,
    drift={
        "key": {"enableKeyRotation": "delete"},
        "rule": {"eventPattern": "update"},
        "target": {"arn": "update", "retryPolicy.maximumRetryAttempts": "delete"},
        "logs": {"retentionInDays": "update"},
        "board": {"dashboardBody": "update"},
        "both": {"alarmActions[0]": "delete", "alarmRule": "update"},
    },
    imports={"target": "failed/topic"},
    adopted={"key": {"deletionWindowInDays": "add"}},
)
ACCOUNTS = Life(
    account,
    updates={
        "github": {"clientIdLists[1]": "add"},
        "policy": {"policy": "update"},
        "bucket": {"tags.team": "update"},
        "versions": {"versioningConfiguration.status": "update"},
        "ownership": {"rule.objectOwnership": "update"},
        "private": {"restrictPublicBuckets": "add"},
        "encryption": {
            "rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId": "add",
            "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm": "update",
        },
        "tls": {"policy": "update"},
        "expiry": {"rules[0].noncurrentVersionExpiration.noncurrentDays": "update"},
    },
    replaces={
        "policy": {"path": "update-replace"},
        "github": {"url": "update-replace"},
        "bucket": {"bucket": "update-replace"},
    },
    by_hand=account_by_hand,
    drift={
        "github": {"clientIdLists[0]": "update", "clientIdLists[1]": "delete", "tags.team": "delete"},
        "policy": {"policy": "update"},
        "versions": {"versioningConfiguration.status": "update"},
        "ownership": {"rule.objectOwnership": "update"},
    },
    gone=frozenset({"private", "tls"}),
    adopted={"bucket": {"forceDestroy": "add"}},
)
