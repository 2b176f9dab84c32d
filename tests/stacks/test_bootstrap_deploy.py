"""What the role that deploys to staging may do, by evaluation: each question that somebody who has it would ask."""

from collections.abc import Mapping

import pytest

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
    record_both,
)
from tests.stacks.iam import Request, Value, allows
from tests.stacks.recording_engine import Recording

TAGS = {"managed-by": "release-controller", "environment": "staging"}
OURS = {f"aws:ResourceTag/{key}": value for key, value in TAGS.items()}
MADE = {f"aws:RequestTag/{key}": value for key, value in TAGS.items()}
THEIRS = OURS | {"aws:ResourceTag/environment": "production"}
THROUGH_S3 = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The account with both environments."""
    return record_both(tmp_path_factory.mktemp("account"))


KEY = arn("kms", "key/1234")
# (action, resource, context) -> may staging's deployment do it?
DEPLOY: dict[str, Row] = {
    # Its own state, and nobody else's.
    "write its state": ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/x.json", {}, True),
    "let its lock go": ("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/staging/.pulumi/locks/a", {}, True),
    "write production's state": ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/production/.pulumi/x.json", {}, False),
    "read production's state": ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/production/.pulumi/x.json", {}, False),
    "read bootstrap's state": ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/.pulumi/x.json", {}, False),
    "list its state": ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"s3:prefix": "staging/.pulumi/"}, True),
    "list production's state": ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"s3:prefix": "production/"}, False),
    "list the whole bucket": ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {}, False),
    "delete an old version": ("s3:DeleteObjectVersion", f"arn:aws:s3:::{BUCKET}/staging/x", {}, False),
    "use its secrets' key": ("kms:Decrypt", arn("kms", "key/staging"), {}, True),
    "use production's secrets' key": ("kms:Decrypt", arn("kms", "key/production"), {}, False),
    "use the bucket's key through S3": ("kms:Decrypt", arn("kms", "key/state"), THROUGH_S3, True),
    "use the bucket's key directly": ("kms:Decrypt", arn("kms", "key/state"), {}, False),
    # Roles.
    "make a role inside the fence": ("iam:CreateRole", ROLE, FENCE, True),
    "make a role without the fence": ("iam:CreateRole", ROLE, {}, False),
    "make a role inside production's fence": (
        "iam:CreateRole",
        ROLE,
        {"iam:PermissionsBoundary": iam("policy/releasectl-production-boundary")},
        False,
    ),
    "make a role of another name": ("iam:CreateRole", iam("role/admin"), FENCE, False),
    "give a role without the fence a policy": ("iam:PutRolePolicy", ROLE, {}, False),
    "take the fence away": ("iam:DeleteRolePermissionsBoundary", ROLE, FENCE, False),
    "attach AdministratorAccess": (
        "iam:AttachRolePolicy",
        ROLE,
        FENCE | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
        False,
    ),
    "attach what ECS needs": (
        "iam:AttachRolePolicy",
        ROLE,
        FENCE | {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"},
        True,
    ),
    "change its own role": ("iam:PutRolePolicy", iam("role/releasectl-staging-deploy"), FENCE, False),
    "change who may take its own role": (
        "iam:UpdateAssumeRolePolicy",
        iam("role/releasectl-staging-deploy"),
        FENCE,
        False,
    ),
    "change its own policies": ("iam:CreatePolicyVersion", iam("policy/releasectl-staging-deploy-roles"), {}, False),
    "change the fence": ("iam:CreatePolicyVersion", iam("policy/releasectl-staging-boundary"), {}, False),
    "take another role": ("sts:AssumeRole", iam("role/releasectl-production-deploy"), {}, False),
    "make a user": ("iam:CreateUser", iam("user/me"), {}, False),
    "change GitHub's provider": (
        "iam:AddClientIDToOpenIDConnectProvider",
        ACCOUNT_OF_ALL.provider,
        {},
        False,
    ),
    "pass an administrator": (
        "iam:PassRole",
        iam("role/admin"),
        {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        False,
    ),
    "pass its own role": (
        "iam:PassRole",
        iam("role/releasectl-staging-deploy"),
        {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        False,
    ),
    "pass a task's role to tasks": ("iam:PassRole", ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"}, True),
    "pass a task's role to a machine": ("iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}, False),
    "pass production's role": (
        "iam:PassRole",
        iam("role/release-controller-production-web-task"),
        {"iam:PassedToService": "ecs-tasks.amazonaws.com"},
        False,
    ),
    "let ECS have its own role": (
        "iam:CreateServiceLinkedRole",
        iam("role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        {"iam:AWSServiceName": "ecs.amazonaws.com"},
        True,
    ),
    "let any service have its own role": (
        "iam:CreateServiceLinkedRole",
        iam("role/aws-service-role/ops.apigateway.amazonaws.com/X"),
        {"iam:AWSServiceName": "ops.apigateway.amazonaws.com"},
        False,
    ),
    # Secrets.
    "read a secret": ("secretsmanager:GetSecretValue", SECRET, {}, False),
    "read a parameter": ("ssm:GetParameter", arn("ssm", "parameter/web/flag"), {}, False),
    # Images.
    "push into its repository": ("ecr:PutImage", arn("ecr", "repository/release-controller-staging-web"), {}, True),
    "push into production's": ("ecr:PutImage", arn("ecr", "repository/release-controller-production-web"), {}, False),
    # Keys: a new one has to be tagged, and a tag gives power.
    "make a key": ("kms:CreateKey", "*", MADE, True),
    "make a key without tags": ("kms:CreateKey", "*", {}, False),
    "make a key of production": (
        "kms:CreateKey",
        "*",
        MADE | {"aws:RequestTag/environment": "production"},
        False,
    ),
    "change its topic's key": (
        "kms:PutKeyPolicy",
        KEY,
        OURS | {"kms:ResourceAliases": ("alias/release-controller-staging-alerts",)},
        True,
    ),
    "take over somebody's key by a tag": (
        "kms:TagResource",
        KEY,
        MADE | {"kms:ResourceAliases": ("alias/database",)},
        False,
    ),
    "take over production's key by a tag": ("kms:TagResource", KEY, MADE | THEIRS, False),
    "take over its secrets' key by a tag": (
        "kms:TagResource",
        KEY,
        MADE | {"aws:ResourceTag/managed-by": "releasectl-bootstrap", "aws:ResourceTag/environment": "staging"},
        False,
    ),
    "delete a key of nobody's tags": ("kms:ScheduleKeyDeletion", KEY, {}, False),
    # What has no name of ours.
    "open its security group": ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group/sg-1"), OURS, True),
    "open another security group": ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group/sg-1"), {}, False),
    "tag another security group": ("ec2:CreateTags", arn("ec2", "security-group/sg-1"), MADE, False),
    "move production's traffic": (
        "elasticloadbalancing:ModifyRule",
        arn("elasticloadbalancing", "listener-rule/app/production-web/1/2/3"),
        THEIRS,
        False,
    ),
    "scale production down": (
        "application-autoscaling:RegisterScalableTarget",
        arn("application-autoscaling", "scalable-target/1"),
        THEIRS | {"application-autoscaling:service-namespace": "ecs"},
        False,
    ),
}


@pytest.mark.parametrize(("action", "resource", "context", "may"), DEPLOY.values(), ids=DEPLOY.keys())
def test_what_a_deployment_to_staging_may(
    recording: Recording, action: str, resource: str, context: Mapping[str, Value], *, may: bool
) -> None:
    assert allows(policies_of(recording, "releasectl-staging-deploy"), Request(action, resource, context)) is may


@pytest.mark.parametrize("action", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:DescribeImageScanFindings"])
def test_a_promotion_reads_the_repository_before_and_writes_nothing_there(recording: Recording, action: str) -> None:
    deploy = policies_of(recording, "releasectl-production-deploy")
    before = arn("ecr", "repository/release-controller-staging-web")

    assert allows(deploy, Request(action, before))
    assert not allows(deploy, Request("ecr:PutImage", before))
    assert not allows(
        policies_of(recording, "releasectl-staging-deploy"), Request(action, before.replace("staging", "production"))
    )
