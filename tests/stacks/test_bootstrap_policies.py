"""What the other roles of an account may do, by evaluation, and what holds for every policy of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stacks.bootstrap.state import bucket_policy
from tests.stacks.account_recording import (
    ACCOUNT_OF_ALL,
    BUCKET,
    FENCE,
    ROLE,
    SECRET,
    Row,
    arn,
    iam,
    policies_of,
    policy,
    record_account,
    record_both,
    settings_of,
)
from tests.stacks.iam import Policy, Request, Value, allows, statements, texts
from tests.stacks.iam_lint import changes, lint
from tests.stacks.recording_engine import Recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The account with both environments."""
    return record_both(tmp_path_factory.mktemp("account"))


PREVIEW: dict[str, Row] = {
    "read the state": ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/x.json", {}, True),
    "write the state": ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/x.json", {}, False),
    "take a lock": ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/locks/a", {}, False),
    "read production's state": ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/production/.pulumi/x.json", {}, False),
    "read a secret": ("secretsmanager:GetSecretValue", SECRET, {}, False),
    "read an application's log": (
        "logs:GetLogEvents",
        arn("logs", "log-group:/release-controller/staging/web:log-stream:a"),
        {},
        False,
    ),
    "describe the service": ("ecs:DescribeServices", arn("ecs", "service/release-controller-staging/x"), {}, True),
    "change the service": ("ecs:UpdateService", arn("ecs", "service/release-controller-staging/x"), {}, False),
    "pass a role": ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}, False),
    "encrypt a secret": ("kms:Encrypt", arn("kms", "key/staging"), {}, False),
    "open production's secrets": ("kms:Decrypt", arn("kms", "key/production"), {}, False),
    "tell people": ("sns:Publish", arn("sns", "release-controller-staging"), {}, False),
}


@pytest.mark.parametrize(("action", "resource", "context", "may"), PREVIEW.values(), ids=PREVIEW.keys())
def test_what_a_preview_of_staging_may(
    recording: Recording, action: str, resource: str, context: Mapping[str, Value], *, may: bool
) -> None:
    assert allows(policies_of(recording, "releasectl-staging-preview"), Request(action, resource, context)) is may


def test_a_preview_may_call_nothing_that_aws_says_changes_something(recording: Recording) -> None:
    for environment in ("staging", "production"):
        asked = {
            action for each in allowed(policies_of(recording, f"releasectl-{environment}-preview")) for action in each
        }
        assert len(asked) > 60
        # To AWS using a key is writing. Without it no state with a secret in it can be read.
        assert {action for action in asked if changes(action)} == {"kms:Decrypt"}


BUILD = {
    "push a new image": ("ecr:PutImage", "release-controller-staging-web", True),
    "push into production": ("ecr:PutImage", "release-controller-production-web", False),
    "delete an image": ("ecr:BatchDeleteImage", "release-controller-staging-web", False),
    "delete the repository": ("ecr:DeleteRepository", "release-controller-staging-web", False),
    "let retention forget": ("ecr:PutLifecyclePolicy", "release-controller-staging-web", False),
}


@pytest.mark.parametrize(("action", "repository", "may"), BUILD.values(), ids=BUILD.keys())
def test_what_a_build_may(recording: Recording, action: str, repository: str, *, may: bool) -> None:
    asked = Request(action, arn("ecr", f"repository/{repository}"))

    assert allows(policies_of(recording, "releasectl-build"), asked) is may


def test_a_build_has_no_state_no_key_and_no_role(recording: Recording) -> None:
    services = {
        action.partition(":")[0] for each in allowed(policies_of(recording, "releasectl-build")) for action in each
    }

    assert services == {"ecr"}


EVERYTHING: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
INFRASTRUCTURE = {"aws:PrincipalArn": iam("role/release-controller-staging-web-infrastructure")}
MANAGED = {"aws:ResourceTag/AmazonECSManaged": "true"}
RULE = arn("elasticloadbalancing", "listener-rule/app/ecs-express/1/2/3")
INSIDE: dict[str, Row] = {
    "read the secret that the settings name": ("secretsmanager:GetSecretValue", SECRET, {}, True),
    "read a secret with the environment's name": (
        "secretsmanager:GetSecretValue",
        arn("secretsmanager", "secret:release-controller/staging/db-AbCdEf"),
        {},
        True,
    ),
    "read production's secret": (
        "secretsmanager:GetSecretValue",
        arn("secretsmanager", "secret:release-controller/production/db-AbCdEf"),
        {},
        False,
    ),
    "read any secret": ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:other-AbCdEf"), {}, False),
    "pull its image": ("ecr:BatchGetImage", arn("ecr", "repository/release-controller-staging-web"), {}, True),
    "write its log": (
        "logs:PutLogEvents",
        arn("logs", "log-group:/release-controller/staging/web:log-stream:a"),
        {},
        True,
    ),
    "make a role": ("iam:CreateRole", ROLE, FENCE, False),
    "write the state": ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/x.json", {}, False),
    "use the state's secrets": (
        "kms:Decrypt",
        arn("kms", "key/staging"),
        {"aws:ResourceTag/managed-by": "releasectl-bootstrap"},
        False,
    ),
    "take a deployment's role": ("sts:AssumeRole", iam("role/releasectl-production-deploy"), {}, False),
    "read a table that no file names": ("dynamodb:GetItem", arn("dynamodb", "table/orders"), {}, False),
    "move an Express service's traffic": (
        "elasticloadbalancing:ModifyRule",
        RULE,
        INFRASTRUCTURE | MANAGED,
        True,
    ),
    "move it as the application": (
        "elasticloadbalancing:ModifyRule",
        RULE,
        {"aws:PrincipalArn": ROLE} | MANAGED,
        False,
    ),
    "move another's traffic": ("elasticloadbalancing:ModifyRule", RULE, INFRASTRUCTURE, False),
}


@pytest.mark.parametrize(("action", "resource", "context", "may"), INSIDE.values(), ids=INSIDE.keys())
def test_what_a_role_of_staging_can_do_even_if_its_policy_says_everything(
    recording: Recording, action: str, resource: str, context: Mapping[str, Value], *, may: bool
) -> None:
    fence = policy(recording, "releasectl-staging-boundary")

    assert allows([EVERYTHING], Request(action, resource, context), boundary=fence) is may


def test_a_file_of_permissions_widens_the_fence_of_its_environment_alone(tmp_path: Path) -> None:
    permissions = tmp_path / "stacks/permissions"
    permissions.mkdir(parents=True)
    read = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": arn("dynamodb", "table/orders")}
    (permissions / "web.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [read]}))
    asked = Request("dynamodb:GetItem", arn("dynamodb", "table/orders"))
    made = record_account(tmp_path, settings={"staging": settings_of(more=", permissions: permissions/web.json")})

    assert allows([EVERYTHING], asked, boundary=policy(made, "releasectl-staging-boundary"))
    assert not allows([EVERYTHING], asked, boundary=policy(made, "releasectl-production-boundary"))


STATE = {
    "over TLS": ("s3:GetObject", {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}, True),
    "without TLS": ("s3:GetObject", {"aws:SecureTransport": "false"}, False),
    "over an old TLS": ("s3:GetObject", {"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, False),
    "deleting history": ("s3:DeleteObjectVersion", {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}, False),
}


@pytest.mark.parametrize(("action", "context", "may"), STATE.values(), ids=STATE.keys())
def test_what_the_bucket_lets_even_an_administrator_do(action: str, context: Mapping[str, Value], *, may: bool) -> None:
    asked = Request(action, f"arn:aws:s3:::{BUCKET}/staging/x", context)

    assert allows([EVERYTHING, json.loads(bucket_policy(ACCOUNT_OF_ALL))], asked) is may


# Patterns of actions stand in fences alone, which give nothing: AWS adds actions to what they fence.
PATTERNS = {
    *("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "elasticloadbalancing:*", "acm:*Certificate"),
    *("acm:AddTags*", "ec2:AuthorizeSecurityGroup*", "ec2:RevokeSecurityGroup*", "application-autoscaling:*"),
    *("cloudwatch:*Alarm*", "elasticloadbalancing:Describe*", "ec2:Describe*", "application-autoscaling:Describe*"),
}
# Calls that change something and know no resource, each under the condition that its statement has.
ANYWHERE = {"chatbot:CreateSlackChannelConfiguration", "kms:CreateKey", "kms:TagResource"}


def test_a_pattern_of_actions_is_on_the_list_and_in_a_fence(recording: Recording) -> None:
    for one in documents(recording):
        found = {action for statement in allowing(one.text) for action in texts(statement["Action"]) if "*" in action}
        assert found <= (PATTERNS if one.name.endswith("-boundary") else set()), one.name


def test_what_may_be_done_anywhere_only_reads_or_is_on_the_list_with_a_condition(recording: Recording) -> None:
    for one in documents(recording):
        if one.name.endswith("-boundary"):
            continue
        for statement in allowing(one.text):
            if texts(statement["Resource"]) != ["*"]:
                continue
            changing = {action for action in texts(statement["Action"]) if changes(action)}
            assert changing <= ANYWHERE, one.name
            assert not changing or statement["Condition"], one.name


def test_every_action_condition_and_resource_is_one_that_aws_knows(recording: Recording) -> None:
    found = [f"{one.name}: {finding}" for one in documents(recording) for finding in lint(one.text)]

    assert found == []
    assert list(lint(json.loads(bucket_policy(ACCOUNT_OF_ALL)))) == []


def test_every_policy_fits_with_room_for_longer_names(recording: Recording) -> None:
    sizes = {one.name: len(json.dumps(one.text, separators=(",", ":"))) for one in documents(recording)}

    assert max(sizes.values()) < 6144 * 0.9, sizes


@dataclass(frozen=True)
class Document:
    """A policy of the account."""

    name: str
    text: Policy


def documents(recording: Recording) -> Iterator[Document]:
    for one in recording.registrations:
        if one.key[0] == "Policy":
            yield Document(one.name, json.loads(one.inputs["policy"]))


def allowing(text: Policy) -> list[Any]:
    return [statement for statement in statements(text) if statement["Effect"] == "Allow"]


def allowed(policies: list[Policy]) -> list[list[str]]:
    return [texts(statement["Action"]) for text in policies for statement in allowing(text)]
