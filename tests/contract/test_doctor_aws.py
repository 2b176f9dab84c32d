"""What doctor asks AWS: the same answers of the twin and of the real edge against ministack, and how AWS says no."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest

from releasectl import doctor_facts
from releasectl.account import ISSUER
from releasectl.doctor_facts import Bucket, Identity, Images, Network, Quota, Role, Subnet, Subscription
from releasectl.edges import aws, doctor_aws
from releasectl.edges.aws import AwsDenied, AwsFailed
from releasectl.edges.doctor_aws import DoctorAws
from sandbox import ministack
from tests.contract.answers import Answer, Asked, serving
from tests.twins import ACCOUNT, REGION
from tests.twins.doctor import Account as Twin

SUBJECTS = ("repo:acme/shop:environment:staging", "repo:acme@1/shop@2:environment:staging")
ADDRESS = "http://127.0.0.1:9/hook"


def forget() -> None:
    aws.session.cache_clear()
    doctor_aws._made.cache_clear()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running ministack."""
    running = ministack.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """The ordinary environment of AWS's clients, with an endpoint of the test's choice."""
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("EC2_METADATA_DISABLED", "true")):
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_APPRUNNER"):
        monkeypatch.delenv(name, raising=False)

    def there(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        forget()

    yield there
    forget()


@pytest.fixture(params=["twin", "aws"])
def account(request: pytest.FixtureRequest) -> doctor_facts.Account:
    """An account in which somebody made a bucket, a role, a topic and a repository; what they are called is `NAMES`."""
    if request.param == "twin":
        return twin()
    url: str = request.getfixturevalue("endpoint")
    request.getfixturevalue("at")(url)
    make()
    return DoctorAws()


NAME = f"doctor-{uuid4().hex[:8]}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}"
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


def twin() -> Twin:
    return Twin(
        roles={NAME: Role(NAME, SUBJECTS)},
        topics={TOPIC: [Subscription("http", ADDRESS, is_pending=True), Subscription("sqs", QUEUE, is_pending=False)]},
        repositories={f"{HOST}/{NAME}": Images(scans=True, has_retention=True), f"{HOST}/{NAME}-bare": BARE},
        issuers={ISSUER},
        buckets={NAME: Bucket(is_versioned=True, is_encrypted=True, is_closed=True), f"{NAME}-bare": OPEN},
    )


QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}"
BARE = Images(scans=False, has_retention=False)
OPEN = Bucket(is_versioned=False, is_encrypted=False, is_closed=False)


def make() -> None:
    """The same in ministack, once."""
    iam: Any = boto3.client("iam", REGION)
    if any(each["RoleName"] == NAME for each in iam.list_roles()["Roles"]):
        return
    condition = {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": list(SUBJECTS)}}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
    iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    _topic()
    _repositories()
    _buckets()


def _topic() -> None:
    sns: Any = boto3.client("sns", REGION)
    sns.create_topic(Name=NAME)
    boto3.client("sqs", REGION).create_queue(QueueName=NAME)
    sns.subscribe(TopicArn=TOPIC, Protocol="http", Endpoint=ADDRESS)
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE)


def _repositories() -> None:
    ecr: Any = boto3.client("ecr", REGION)
    ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    rule = {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}}
    policy = json.dumps({"rules": [rule | {"action": {"type": "expire"}}]})
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy)
    ecr.create_repository(repositoryName=f"{NAME}-bare")


def _buckets() -> None:
    s3: Any = boto3.client("s3", REGION)
    for name in (NAME, f"{NAME}-bare"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket=NAME, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=NAME, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))


def test_credentials_say_whose_they_are(account: doctor_facts.Account) -> None:
    assert account.identity(REGION) == Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def test_a_region_is_enabled_or_there_is_none(account: doctor_facts.Account) -> None:
    assert account.is_enabled(REGION) is True
    assert account.is_enabled("xx-nowhere-1") is None


def test_the_default_network_is_that_of_the_account(account: doctor_facts.Account) -> None:
    found = account.network(REGION, "", ())

    assert found.vpc == "vpc-00000001"
    assert [(each.zone, each.way, each.free > 8) for each in sorted(found.subnets, key=lambda each: each.zone)] == [
        (f"{REGION}{zone}", "internet", True) for zone in "abc"
    ]


def test_a_named_network_has_the_named_subnets_that_exist(account: doctor_facts.Account) -> None:
    found = account.network(REGION, "vpc-00000001", ["subnet-00000002", "subnet-0000000f"])

    assert found == Network(
        "vpc-00000001", (Subnet("subnet-00000002", "vpc-00000001", f"{REGION}b", 4091, "internet"),)
    )
    assert account.network(REGION, "vpc-0000000f", ["subnet-0000000f"]) == Network(None)


def test_a_topic_says_who_has_not_confirmed(account: doctor_facts.Account) -> None:
    told = account.subscriptions(REGION, TOPIC)

    assert {(each.protocol, each.endpoint, each.is_pending) for each in told} == {
        ("http", ADDRESS, True), ("sqs", QUEUE, False)
    }  # fmt: skip


def test_a_repository_says_whether_it_scans_and_expires(account: doctor_facts.Account) -> None:
    assert account.images(REGION, f"{HOST}/{NAME}") == Images(scans=True, has_retention=True)
    assert account.images(REGION, f"{HOST}/{NAME}-bare") == BARE
    assert account.images(REGION, f"{HOST}/{NAME}-gone") is None


def test_a_role_says_whom_it_trusts(account: doctor_facts.Account) -> None:
    assert account.trusts(REGION, ISSUER) is True
    assert account.trusts(REGION, "issuer.example") is False
    assert account.role(REGION, NAME) == Role(NAME, SUBJECTS)
    assert account.role(REGION, f"{NAME}-gone") is None
    assert account.linked_roles(REGION, (NAME, f"{NAME}-gone")) == (NAME,)


def test_a_bucket_says_how_it_is_kept(account: doctor_facts.Account) -> None:
    assert account.bucket(REGION, NAME) == Bucket(is_versioned=True, is_encrypted=True, is_closed=True)
    assert account.bucket(REGION, f"{NAME}-gone") is None


def test_a_certificate_that_is_not_there_is_none(account: doctor_facts.Account) -> None:
    assert account.certificate(REGION, f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{uuid4()}") is None


# ---- of the real edge alone ----


@pytest.fixture
def real(endpoint: str, at: Callable[[str], None]) -> DoctorAws:
    at(endpoint)
    return DoctorAws()


def test_a_subnet_behind_a_nat_and_one_that_leads_nowhere_are_told_apart(real: DoctorAws) -> None:
    ec2: Any = boto3.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    inside, closed = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}a")["Subnet"][
            "SubnetId"
        ]
        for number in (1, 2)
    )
    gateway = ec2.create_nat_gateway(SubnetId="subnet-00000001", AllocationId="eipalloc-1")["NatGateway"][
        "NatGatewayId"
    ]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=inside)

    found = real.network(REGION, vpc, (inside, closed))

    assert {each.id: each.way for each in found.subnets} == {inside: "nat", closed: ""}


def test_a_certificate_is_told_in_the_words_of_aws(real: DoctorAws) -> None:
    acm: Any = boto3.client("acm", REGION)
    arn = acm.request_certificate(DomainName="app.example.com")["CertificateArn"]

    found = real.certificate(REGION, arn)

    assert found is not None
    assert found.status in ("PENDING_VALIDATION", "ISSUED")
    assert found.names == ("app.example.com",)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("fargate", Quota("Some", 6, None)),
        ("load-balancers", Quota("Some", 6, 0)),
        ("app-runner", Quota("Services", 30, 2)),
    ],
)
def test_a_quota_comes_with_what_is_used_of_it(at: Callable[[str], None], kind: str, expected: Quota) -> None:
    def say(asked: Asked) -> Answer:
        target = asked.headers.get("X-Amz-Target", "")
        if target.endswith("GetServiceQuota"):
            return Answer(body=b'{"Quota": {"QuotaName": "Some", "Value": 6.0}}')
        if target.endswith("ListServiceQuotas"):
            return Answer(body=b'{"Quotas": [{"QuotaName": "Services", "Value": 30.0}]}')
        if target.endswith("ListServices"):
            services = [{"ServiceArn": f"arn:aws:apprunner:x:y:{number}"} for number in (1, 2)]
            return Answer(body=json.dumps({"ServiceSummaryList": services}).encode())
        return Answer(body=b"<R><DescribeLoadBalancersResult><LoadBalancers/></DescribeLoadBalancersResult></R>")

    with serving(say) as server:
        at(server.url)
        assert DoctorAws().quota(REGION, kind) == expected


def test_a_quota_that_aws_does_not_name_has_no_answer(at: Callable[[str], None]) -> None:
    with serving(lambda _asked: Answer(body=b'{"Quotas": []}')) as server:
        at(server.url)
        with pytest.raises(AwsFailed, match="AWS names none so"):
            DoctorAws().quota(REGION, "app-runner")


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda edge: edge.identity(REGION), id="identity"),
        pytest.param(lambda edge: edge.is_enabled(REGION), id="region"),
        pytest.param(lambda edge: edge.app_runner_services(REGION), id="app runner"),
        pytest.param(lambda edge: edge.role(REGION, "x"), id="role"),
        pytest.param(lambda edge: edge.trusts(REGION, ISSUER), id="issuer"),
        pytest.param(lambda edge: edge.network(REGION, "", ()), id="network"),
        pytest.param(lambda edge: edge.quota(REGION, "fargate"), id="quota"),
        pytest.param(lambda edge: edge.subscriptions(REGION, TOPIC), id="subscriptions"),
        pytest.param(lambda edge: edge.images(REGION, f"{HOST}/{NAME}"), id="images"),
        pytest.param(
            lambda edge: edge.certificate(REGION, "arn:aws:acm:eu-west-1:000000000000:certificate/x"), id="cert"
        ),
        pytest.param(lambda edge: edge.bucket(REGION, NAME), id="bucket"),
    ],
)
def test_a_refusal_is_no_absence(at: Callable[[str], None], ask: Callable[[DoctorAws], object]) -> None:
    with serving(denied) as server:
        at(server.url)
        with pytest.raises(AwsDenied):
            ask(DoctorAws())


def denied(asked: Asked) -> Answer:
    """AWS has three ways to say no: JSON, XML, and the XML of EC2."""
    if "X-Amz-Target" in asked.headers:
        return Answer(403, b'{"__type": "AccessDeniedException"}')
    error = b"<Error><Code>AccessDenied</Code><Message>told by the test</Message></Error>"
    if b"Version=2016-11-15" in asked.body:
        return Answer(403, b"<Response><Errors>" + error + b"</Errors></Response>")
    return Answer(403, b"<ErrorResponse>" + error + b"</ErrorResponse>")
