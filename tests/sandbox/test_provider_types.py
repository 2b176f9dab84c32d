"""The provider's types through a whole life under the real engine: made, left alone, changed, replaced, changed by
hand, adopted, deleted. One table for each group of types that need each other."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.sandbox.conftest import Laptop
from tests.sandbox.provider_engine import REGION, Engine, Run, client, end, start_provider

Cloud = Callable[[str], Any]
Ids = Mapping[str, str]
Paths = Mapping[str, Mapping[str, str]]
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/somebody"


RUNTIMES = {"apprunner": "APPRUNNER", "ecs": "ECS", "elbv2": "ELASTIC_LOAD_BALANCING_V2"}


@pytest.fixture(scope="module")
def provider(laptop: Laptop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a provider in front of ministack and of the runtimes."""
    own = {f"AWS_ENDPOINT_URL_{name}": laptop.runtimes.endpoint for name in RUNTIMES.values()}
    running = start_provider(tmp_path_factory.mktemp("provider"), {"AWS_ENDPOINT_URL": laptop.endpoint, **own})
    yield int(str(running.ready["port"]))
    end(running)


@pytest.fixture
def cloud(laptop: Laptop) -> Cloud:
    """A client of AWS for what people do by hand."""
    return lambda service: client(laptop.runtimes.endpoint if service in RUNTIMES else laptop.endpoint, service)


@dataclass(frozen=True)
class Life:
    """A program in three versions, what the second changes in place, what the third replaces, and a hand's doing.

    The program gets the ids to adopt, none when it is to make everything itself. `imports` are ids for an adoption
    where they are not the resource's own; `adopted` is what no API tells, so that the first update writes it down.
    """

    program: Callable[[int, Ids], None]
    updates: Paths
    replaces: Paths
    by_hand: Callable[[Cloud, Ids], None]
    drift: Paths
    gone: frozenset[str] = frozenset()  # what the hand deleted
    imports: Mapping[str, str] = field(default_factory=dict)
    adopted: Paths = field(default_factory=dict)


def options(ids: Ids, name: str) -> pulumi.ResourceOptions:
    """Adopt what has an id."""
    return pulumi.ResourceOptions(import_=ids.get(name))


def policy(action: str, effect: str = "Allow") -> str:
    """A resource's policy: the account may do this, or nobody."""
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"} if effect == "Allow" else "*"
    statement = {"Effect": effect, "Principal": who, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def permission(action: str) -> str:
    """An identity's policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def network(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    group = aws.ec2.SecurityGroup(
        "group",
        name="door",
        description="other" if other else "the door",
        vpc_id="vpc-00000001",
        tags={"team": "b" if new else "a"},
        opts=options(ids, "group"),
    )
    aws.vpc.SecurityGroupIngressRule(
        "in",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=8443 if new else 443,
        cidr_ipv4="10.0.0.0/8",
        description="clients",
        opts=options(ids, "in"),
    )
    aws.vpc.SecurityGroupEgressRule(
        "out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0", opts=options(ids, "out")
    )


def network_by_hand(cloud: Cloud, ids: Ids) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 9443, "CidrIpv4": "10.0.0.0/8", "Description": "clients"}
    changed = [{"SecurityGroupRuleId": ids["in"], "SecurityGroupRule": rule}]
    cloud("ec2").modify_security_group_rules(GroupId=ids["group"], SecurityGroupRules=changed)


def balancing(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    door = aws.lb.LoadBalancer(
        "door",
        name="dev-web",
        internal=other,
        subnets=["subnet-1", "subnet-2"],
        security_groups=["sg-2" if new else "sg-1"],
        idle_timeout=120 if new else 60,
        drop_invalid_header_fields=True,
        tags={"team": "web"},
        opts=options(ids, "door"),
    )
    groups = [
        aws.lb.TargetGroup(
            name,
            # Made up but for an adoption, where a made-up name would be another one.
            name=ids[name].split("/")[1] if name in ids else None,
            port=8001 if other else 8000,
            protocol="HTTP",
            target_type="ip",
            vpc_id="vpc-00000001",
            deregistration_delay=5 if new else 30,
            health_check={"path": "/healthz", "interval": 10, "matcher": "200-399" if new else "200"},
            opts=options(ids, name),
        )
        for name in ("blue", "green")
    ]
    listener = aws.lb.Listener(
        "https",
        load_balancer_arn=door.arn,
        port=443,
        protocol="HTTPS",
        certificate_arn=f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{'new' if new else 'old'}",
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        default_actions=[{"type": "forward", "target_group_arn": groups[0].arn}],
        opts=options(ids, "https"),
    )
    aws.lb.Listener(
        "http",
        load_balancer_arn=door.arn,
        port=80,
        protocol="HTTP",
        default_actions=[
            {
                "type": "redirect",
                "redirect": {"protocol": "HTTPS", "port": "8443" if new else "443", "status_code": "HTTP_301"},
            }
        ],
        opts=options(ids, "http"),
    )
    weighted: Any = [{"arn": group.arn, "weight": weight} for group, weight in zip(groups, (100, 0), strict=True)]
    weighted_forward: Any = {"type": "forward", "forward": {"target_groups": weighted}}
    aws.lb.ListenerRule(
        "rule",
        listener_arn=listener.arn,
        priority=2 if new else 1,
        conditions=[{"path_pattern": {"values": ["/new/*" if new else "/*"]}}],
        actions=[weighted_forward],
        opts=pulumi.ResourceOptions.merge(options(ids, "rule"), pulumi.ResourceOptions(ignore_changes=["actions"])),
    )


def balancing_by_hand(cloud: Cloud, ids: Ids) -> None:
    elb = cloud("elbv2")
    attributes = [{"Key": "idle_timeout.timeout_seconds", "Value": "1"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=ids["door"], Attributes=attributes)
    elb.modify_target_group(TargetGroupArn=ids["blue"], HealthCheckPath="/hand")
    elb.modify_listener(ListenerArn=ids["http"], Port=81)
    elb.delete_rule(RuleArn=ids["rule"])


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
    aws.s3.BucketVersioning(
        "versions",
        bucket=bucket.bucket,
        versioning_configuration={"status": "Enabled" if new else "Suspended"},
        opts=options(ids, "versions"),
    )
    algorithm: Any = (
        {"sse_algorithm": "aws:kms", "kms_master_key_id": "alias/state"} if new else {"sse_algorithm": "AES256"}
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        "encryption",
        bucket=bucket.bucket,
        rules=[{"apply_server_side_encryption_by_default": algorithm, "bucket_key_enabled": True}],
        opts=options(ids, "encryption"),
    )
    aws.s3.BucketPublicAccessBlock(
        "private",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=new,
        opts=options(ids, "private"),
    )
    aws.s3.BucketOwnershipControls(
        "ownership",
        bucket=bucket.bucket,
        rule={"object_ownership": "BucketOwnerEnforced" if new else "BucketOwnerPreferred"},
        opts=options(ids, "ownership"),
    )
    aws.s3.BucketPolicy(
        "tls", bucket=bucket.bucket, policy=policy("s3:Put*" if new else "s3:Get*", "Deny"), opts=options(ids, "tls")
    )
    aws.s3.BucketLifecycleConfiguration(
        "expiry",
        bucket=bucket.bucket,
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


NETWORK = Life(
    network,
    updates={"group": {"tags.team": "update"}, "in": {"toPort": "update"}},
    replaces={"group": {"description": "update-replace"}},
    by_hand=network_by_hand,
    drift={"in": {"toPort": "update"}},
)
BALANCING = Life(
    balancing,
    updates={
        "door": {"idleTimeout": "update", "securityGroups[0]": "update"},
        "blue": {"deregistrationDelay": "update", "healthCheck.matcher": "update"},
        "green": {"deregistrationDelay": "update", "healthCheck.matcher": "update"},
        "http": {"defaultActions[0].redirect.port": "update"},
        "https": {"certificateArn": "update"},
        "rule": {"conditions[0].pathPattern.values[0]": "update", "priority": "update"},
    },
    replaces={
        "door": {"internal": "add-replace"},
        "blue": {"port": "update-replace"},
        "green": {"port": "update-replace"},
    },
    by_hand=balancing_by_hand,
    drift={"door": {"idleTimeout": "update"}, "blue": {"healthCheck.path": "update"}, "http": {"port": "update"}},
    gone=frozenset({"rule"}),
)
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


@pytest.mark.parametrize("life", [NETWORK, BALANCING, ALERTS, ACCOUNTS], ids=lambda life: life.program.__name__)
def test_a_whole_life(life: Life, provider: int, cloud: Cloud, tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine", provider)

    def program(version: int, ids: Ids | None = None) -> Callable[[], None]:
        return functools.partial(life.program, version, ids or {})

    made = engine.up(program(1))
    ids = {name: one["id"] for name, one in engine.resources().items()}
    count = len(ids) + 1  # the stack
    assert (made.error, made.counts) == ("", {"create": count})
    assert still(engine.preview(program(1), refresh=True)) == ("", {"same": count})

    changed = engine.up(program(2))
    assert (changed.error, paths(changed, "update")) == ("", life.updates)
    assert still(engine.preview(program(2), refresh=True)) == ("", {"same": count})
    replaced = engine.preview(program(3))
    assert {
        name: one for name, one in paths(replaced, "create-replacement").items() if name in life.replaces
    } == life.replaces

    life.by_hand(cloud, ids)
    seen = engine.preview(program(2), refresh=True)
    assert {step.name: step.paths for step in seen.drift if step.op == "refresh" and step.paths} == life.drift
    assert engine.refresh().error == ""
    assert set(ids) - set(engine.resources()) == life.gone
    assert engine.up(program(2)).error == ""
    assert still(engine.preview(program(2), refresh=True)) == ("", {"same": count})

    ids = {name: one["id"] for name, one in engine.resources().items()}  # what was deleted is another one now
    other = Engine(tmp_path / "other", provider)
    adopted = other.up(program(2, {**ids, **life.imports}))
    assert (adopted.error, adopted.counts["import"], paths(adopted, "update")) == ("", len(ids), life.adopted)
    assert engine.destroy().error == ""
    assert other.refresh().error == ""
    assert other.resources() == {}


def still(run: Run) -> tuple[str, Mapping[str, int]]:
    """What a run that should find nothing to do says."""
    return run.error, run.counts


def paths(run: Run, op: str) -> Paths:
    """Name -> what changes, of the steps of one kind; both halves of a replacement tell it, and the first is enough."""
    told: dict[str, Mapping[str, str]] = {}
    names = [step.name for step in run.steps if step.op == op]
    for step in run.steps:
        if step.name in names and step.paths and step.op != "refresh":
            told[step.name] = step.paths
    return told
