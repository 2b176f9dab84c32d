"""Objects that no state knows, found by what the state remembers of their create: in ministack, and App Runner's and
Slack's, which it does not have, by recorded answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from releasectl.edges import aws
from releasectl.edges.orphans import FOUND, MADE_AGAIN, Orphans
from releasectl.recover import CannotTell
from sandbox import ministack
from tests.contract.answers import Answer, Asked, serving
from tests.twins import REGION

# Every type that the program, its bootstrap or an earlier version of them declares.
TYPES = [
    "apprunner/service:Service", "apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion",
    "apprunner/vpcConnector:VpcConnector", "apprunner/vpcIngressConnection:VpcIngressConnection",
    "apprunner/customDomainAssociation:CustomDomainAssociation",
    "apprunner/observabilityConfiguration:ObservabilityConfiguration", "ecs/cluster:Cluster",
    "ecs/taskDefinition:TaskDefinition", "ecs/service:Service", "ecs/expressGatewayService:ExpressGatewayService",
    "lb/loadBalancer:LoadBalancer", "lb/targetGroup:TargetGroup", "lb/listener:Listener",
    "lb/listenerRule:ListenerRule", "ec2/securityGroup:SecurityGroup",
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule", "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "appautoscaling/target:Target", "appautoscaling/policy:Policy", "cloudwatch/logGroup:LogGroup",
    "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/compositeAlarm:CompositeAlarm",
    "cloudwatch/dashboard:Dashboard", "cloudwatch/eventRule:EventRule", "cloudwatch/eventTarget:EventTarget",
    "kms/key:Key", "kms/keyPolicy:KeyPolicy", "kms/alias:Alias", "sns/topic:Topic", "sns/topicPolicy:TopicPolicy",
    "sns/topicSubscription:TopicSubscription", "chatbot/slackChannelConfiguration:SlackChannelConfiguration",
    "iam/role:Role", "iam/rolePolicy:RolePolicy", "iam/rolePolicyAttachment:RolePolicyAttachment",
    "iam/openIdConnectProvider:OpenIdConnectProvider", "iam/policy:Policy", "s3/bucket:Bucket",
    "s3/bucketVersioning:BucketVersioning", "s3/bucketPolicy:BucketPolicy",
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "s3/bucketOwnershipControls:BucketOwnershipControls",
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "ecr/repository:Repository",
    "ecr/lifecyclePolicy:LifecyclePolicy",
]  # fmt: skip
STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
Client = Callable[[str], Any]
Made = tuple[dict[str, Any], str]  # what the state remembers, and the id


def test_every_type_of_the_program_is_looked_up_or_simply_made_again() -> None:
    assert {f"aws:{kind}" for kind in TYPES} == {*FOUND, *MADE_AGAIN}
    assert not {*FOUND} & {*MADE_AGAIN}


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_APPRUNNER", "AWS_ENDPOINT_URL_ECS"):
        monkeypatch.delenv(name, raising=False)
    aws.session.cache_clear()
    yield monkeypatch
    aws.session.cache_clear()


# ---- in ministack ----


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = ministack.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture
def client(credentials: pytest.MonkeyPatch, endpoint: str) -> Client:
    credentials.setenv("AWS_ENDPOINT_URL", endpoint)
    session: Any = boto3.Session(region_name=REGION)
    made: Client = session.client
    return made


def vpc(client: Client) -> str:
    return str(client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


def group(client: Client, name: str) -> Made:
    where = vpc(client)
    made = client("ec2").create_security_group(GroupName=name, Description="d", VpcId=where)["GroupId"]
    client("ec2").create_security_group(GroupName=name, Description="d", VpcId=vpc(client))  # in another network
    return {"name": name, "vpcId": where}, made


def rule_in(client: Client, name: str) -> Made:
    _, where = group(client, name)
    given = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    other = given | {"FromPort": 80, "ToPort": 80}
    made = client("ec2").authorize_security_group_ingress(GroupId=where, IpPermissions=[given])
    client("ec2").authorize_security_group_ingress(GroupId=where, IpPermissions=[other])
    inputs = {"securityGroupId": where, "ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0}
    return inputs | {"cidrIpv4": "0.0.0.0/0"}, made["SecurityGroupRules"][0]["SecurityGroupRuleId"]


def rule_out(client: Client, name: str) -> Made:
    _, where = group(client, name)
    _, to = group(client, f"{name}-to")
    given = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": to}]}
    made = client("ec2").authorize_security_group_egress(GroupId=where, IpPermissions=[given])
    inputs = {"securityGroupId": where, "ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080}
    return inputs | {"referencedSecurityGroupId": to}, made["SecurityGroupRules"][0]["SecurityGroupRuleId"]


def load_balancer(client: Client, name: str) -> Made:
    subnet = client("ec2").create_subnet(VpcId=vpc(client), CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    made = client("elbv2").create_load_balancer(Name=name, Subnets=[subnet])["LoadBalancers"][0]
    return {"name": name}, made["LoadBalancerArn"]


def target_group(client: Client, name: str) -> Made:
    made = client("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc(client), TargetType="ip")[
        "TargetGroups"
    ][0]
    return {"name": name}, made["TargetGroupArn"]


def listener(client: Client, name: str) -> Made:
    _, balancer = load_balancer(client, name)
    _, to = target_group(client, name)
    action = [{"Type": "forward", "TargetGroupArn": to}]
    for port in (80, 81):
        made = client("elbv2").create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=action
        )["Listeners"][0]["ListenerArn"]
    return {"loadBalancerArn": balancer, "port": 81.0}, made


def listener_rule(client: Client, name: str) -> Made:
    _, to = target_group(client, f"{name}x")
    _, where = listener(client, name)
    path = [{"Field": "path-pattern", "Values": ["/*"]}]
    action = [{"Type": "forward", "TargetGroupArn": to}]
    made = client("elbv2").create_rule(ListenerArn=where, Priority=7, Conditions=path, Actions=action)["Rules"][0]
    return {"listenerArn": where, "priority": 7}, made["RuleArn"]


def cluster(client: Client, name: str) -> Made:
    client("ecs").create_cluster(clusterName=name)
    return {"name": name}, name


def service(client: Client, name: str) -> Made:
    arn = client("ecs").create_cluster(clusterName=f"{name}-cluster")["cluster"]["clusterArn"]
    container = {"name": "app", "image": "r@sha256:d"}
    client("ecs").register_task_definition(family=name, containerDefinitions=[container])
    client("ecs").create_service(cluster=arn, serviceName=name, taskDefinition=name, desiredCount=0)
    return {"name": name, "cluster": arn}, f"{name}-cluster/{name}"


def key(client: Client, name: str) -> Made:
    tags = {"project": "release-controller", "environment": name}
    listed = [{"TagKey": tag, "TagValue": value} for tag, value in tags.items()]
    made = client("kms").create_key(Description="alerts", Tags=[*listed, {"TagKey": "by", "TagValue": "somebody"}])
    client("kms").create_key(Description="alerts", Tags=listed[:1])
    client("kms").create_key(Description="another", Tags=listed)
    return {"description": "alerts", "tags": tags}, made["KeyMetadata"]["KeyId"]


def alias(client: Client, name: str) -> Made:
    _, to = key(client, name)
    client("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=to)
    return {"name": f"alias/{name}"}, f"alias/{name}"


def bucket(client: Client, name: str) -> Made:
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return {"bucket": name}, name


def log_group(client: Client, name: str) -> Made:
    for each in (f"{name}-longer", name):
        client("logs").create_log_group(logGroupName=each)
    return {"name": name}, name


def policy(client: Client, name: str) -> Made:
    made = client("iam").create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"]
    return {"name": name}, made


def role(client: Client, name: str) -> Made:
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=POLICY)
    return {"name": name}, name


def oidc(client: Client, name: str) -> Made:
    made = client("iam").create_open_id_connect_provider(Url=f"https://{name}.example", ClientIDList=["sts"])
    return {"url": f"https://{name}.example"}, made["OpenIDConnectProviderArn"]


def repository(client: Client, name: str) -> Made:
    client("ecr").create_repository(repositoryName=name)
    return {"name": name}, name


MAKERS: Mapping[str, Callable[[Client, str], Made]] = {
    "aws:cloudwatch/logGroup:LogGroup": log_group,
    "aws:ec2/securityGroup:SecurityGroup": group,
    "aws:ecr/repository:Repository": repository,
    "aws:ecs/cluster:Cluster": cluster,
    "aws:ecs/service:Service": service,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": oidc,
    "aws:iam/policy:Policy": policy,
    "aws:iam/role:Role": role,
    "aws:kms/alias:Alias": alias,
    "aws:kms/key:Key": key,
    "aws:lb/listener:Listener": listener,
    "aws:lb/listenerRule:ListenerRule": listener_rule,
    "aws:lb/loadBalancer:LoadBalancer": load_balancer,
    "aws:lb/targetGroup:TargetGroup": target_group,
    "aws:s3/bucket:Bucket": bucket,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": rule_out,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": rule_in,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_made_is_found_by_what_the_state_remembers_of_it_and_nothing_else_is(
    client: Client, kind: str
) -> None:
    inputs, identifier = MAKERS[kind](client, f"rc-{uuid4().hex[:8]}")
    orphans = Orphans(sure=0)
    stranger = {name: f"{value}x" if isinstance(value, str) else value for name, value in inputs.items()}

    assert orphans.find(REGION, kind, inputs) == identifier
    assert orphans.find(REGION, kind, stranger) is None


def test_an_express_service_is_found_in_its_cluster(client: Client) -> None:
    inputs, identifier = service(client, f"rc-{uuid4().hex[:8]}")
    given = {"serviceName": inputs["name"], "cluster": inputs["cluster"]}
    found = Orphans(sure=0).find(REGION, "aws:ecs/expressGatewayService:ExpressGatewayService", given)

    assert found
    assert found.endswith(f":service/{identifier}")


@pytest.mark.parametrize("kind", ["aws:ecr/repository:Repository", "aws:ecs/service:Service"])
def test_with_a_time_only_what_is_younger_counts(client: Client, kind: str) -> None:
    inputs, identifier = MAKERS[kind](client, f"rc-{uuid4().hex[:8]}")
    now = datetime.now(UTC)
    before, after = (now + timedelta(hours=hours) for hours in (-1, 1))

    assert Orphans(sure=0).find(REGION, kind, inputs, since=before) == identifier
    assert Orphans(sure=0).find(REGION, kind, inputs, since=after) is None


def test_what_does_not_say_when_it_was_made_may_be_somebody_elses(client: Client) -> None:
    inputs, _ = group(client, f"rc-{uuid4().hex[:8]}")

    assert Orphans(sure=0).find(
        REGION, "aws:ec2/securityGroup:SecurityGroup", inputs, since=datetime(2020, 1, 1, tzinfo=UTC)
    ) is None  # fmt: skip


def test_of_two_that_look_alike_a_person_says_which(client: Client) -> None:
    tags = {"environment": uuid4().hex}
    for _ in range(2):
        client("kms").create_key(Description="k", Tags=[{"TagKey": "environment", "TagValue": tags["environment"]}])

    with pytest.raises(CannotTell, match="all look like it"):
        Orphans(sure=0).find(REGION, "aws:kms/key:Key", {"description": "k", "tags": tags})


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        pytest.param("aws:kms/key:Key", {}, id="a key without tags and description"),
        pytest.param("aws:lb/targetGroup:TargetGroup", {"namePrefix": "web"}, id="a name that nobody wrote down"),
        pytest.param("aws:lb/targetGroup:TargetGroup", {"name": "[secret]"}, id="a name that is secret"),
        pytest.param("aws:sqs/queue:Queue", {"name": "q"}, id="a type of somebody else"),
    ],
)
@pytest.mark.usefixtures("credentials")
def test_what_cannot_be_looked_for_is_for_a_person(kind: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(CannotTell) as caught:
        Orphans(sure=0).find(REGION, kind, inputs)
    assert "--adopt URN=ID" in caught.value.remedy


# ---- by recorded answers ----

ARN = f"arn:aws:apprunner:{REGION}:000000000000"
SERVICE = f"{ARN}:service/web/1"
AT = 1_800_000_000.0
CONNECTORS = [
    {"VpcConnectorName": "web", "VpcConnectorArn": f"{ARN}:vpcconnector/web/{number}", "VpcConnectorRevision": number,
     "Status": status, "CreatedAt": AT}
    for number, status in ((1, "ACTIVE"), (2, "ACTIVE"), (3, "INACTIVE"))
]  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "ListVpcConnectors": {"VpcConnectors": CONNECTORS},
    "ListVpcIngressConnections": {
        "VpcIngressConnectionSummaryList": [
            {"VpcIngressConnectionArn": f"{ARN}:vpcingressconnection/{name}/1", "ServiceArn": SERVICE}
            for name in ("other", "web")
        ]
    },
    "DescribeVpcIngressConnection": {"VpcIngressConnection": {"Status": "AVAILABLE", "CreatedAt": AT}},
    "DescribeCustomDomains": {
        "DNSTarget": "x", "ServiceArn": SERVICE, "VpcDNSTargets": [],
        "CustomDomains": [{"DomainName": "app.example.com", "EnableWWWSubdomain": False, "Status": "active"}],
    },
    "ListObservabilityConfigurations": {
        "ObservabilityConfigurationSummaryList": [
            {"ObservabilityConfigurationName": "web", "ObservabilityConfigurationArn": f"{ARN}:observability/web/1"}
        ]
    },
    "DescribeObservabilityConfiguration": {"ObservabilityConfiguration": {"CreatedAt": AT}},
}  # fmt: skip
SLACK = "arn:aws:chatbot::000000000000:chat-configuration/slack-channel/web"


def answer(asked: Asked) -> Answer:
    name = asked.headers.get("X-Amz-Target", "").rpartition(".")[2]
    if asked.path == "/describe-slack-channel-configurations":
        found = {"ConfigurationName": "web", "ChatConfigurationArn": SLACK, "SlackTeamName": "t", "SlackTeamId": "t",
                 "SlackChannelId": "c", "SlackChannelName": "c", "IamRoleArn": "r", "SnsTopicArns": []}  # fmt: skip
        return Answer(200, json.dumps({"SlackChannelConfigurations": [found]}).encode())
    return Answer(200, json.dumps(ANSWERS[name]).encode(), {"Content-Type": "application/x-amz-json-1.0"})


@pytest.mark.parametrize(
    ("kind", "found", "absent"),
    [
        pytest.param(
            "aws:apprunner/vpcConnector:VpcConnector", ({"vpcConnectorName": "web"}, f"{ARN}:vpcconnector/web/2"),
            {"vpcConnectorName": "api"}, id="the newest revision of a connector that is in use",
        ),
        pytest.param(
            "aws:apprunner/vpcIngressConnection:VpcIngressConnection",
            ({"name": "web"}, f"{ARN}:vpcingressconnection/web/1"), {"name": "api"}, id="a private way in",
        ),
        pytest.param(
            "aws:apprunner/customDomainAssociation:CustomDomainAssociation",
            ({"domainName": "app.example.com", "serviceArn": SERVICE}, f"app.example.com,{SERVICE}"),
            {"domainName": "www.example.com", "serviceArn": SERVICE}, id="a domain",
        ),
        pytest.param(
            "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration",
            ({"configurationName": "web"}, SLACK), {"configurationName": "api"}, id="a channel of Slack",
        ),
    ],
)  # fmt: skip
def test_what_ministack_does_not_have_is_found_by_aws_answers(
    credentials: pytest.MonkeyPatch, kind: str, found: Made, absent: dict[str, Any]
) -> None:
    inputs, identifier = found
    with serving(answer) as server:
        credentials.setenv("AWS_ENDPOINT_URL", server.url)

        assert Orphans(sure=0).find(REGION, kind, inputs) == identifier
        assert Orphans(sure=0).find(REGION, kind, absent) is None


def test_an_observability_configuration_is_found_by_its_name(credentials: pytest.MonkeyPatch) -> None:
    with serving(answer) as server:
        credentials.setenv("AWS_ENDPOINT_URL", server.url)
        kind = "aws:apprunner/observabilityConfiguration:ObservabilityConfiguration"
        found = Orphans(sure=0).find(REGION, kind, {"observabilityConfigurationName": "traces"})

    assert found == f"{ARN}:observability/web/1"
    assert b'"ObservabilityConfigurationName": "traces"' in server.asked[0].body
