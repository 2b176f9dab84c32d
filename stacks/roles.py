"""The roles that a service runs with, and what they may do: no more than its runtime needs.

Comes in: the place, what the role is for, which AWS service takes it. Goes out: roles and policy documents. Every
statement names its resources; the one `*` is for a call that knows no resource. No policy here is AWS's own.
"""

import json
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from stacks.names import Place
from stacks.registry import Repository
from stacks.service_settings import ServiceSettings

Statement = Mapping[str, object]


def role(place: Place, purpose: str, principal: str, parent: pulumi.Resource) -> aws.iam.Role:
    """`release-controller-staging-web-<purpose>`, which only the AWS service `principal` can take."""
    return aws.iam.Role(
        f"{place.service}-{purpose}",
        name=f"{place.name}-{purpose}",
        assume_role_policy=trust_policy(principal),
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def may(
    role: aws.iam.Role, name: str, policy: pulumi.Input[str], *, resource: str, parent: pulumi.Resource
) -> aws.iam.RolePolicy:
    """The role may do what `policy` says; `resource` is the logical name."""
    return aws.iam.RolePolicy(
        resource, name=name, role=role.name, policy=policy, opts=pulumi.ResourceOptions(parent=parent)
    )


def task_execution(
    place: Place,
    settings: ServiceSettings,
    *,
    repository: Repository,
    log_group: pulumi.Output[str],
    parent: pulumi.Resource,
) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
    """ECS itself takes this role: it pulls the image, reads the named secrets, writes to the one log group.

    With what has to be there before a task can start.
    """
    made = role(place, "execution", "ecs-tasks.amazonaws.com", parent)
    start = pulumi.Output.all(repository.arn, log_group).apply(
        lambda arns: document(*pull_statements(arns[0]), _write_statement(arns[1]))
    )
    policies = [may(made, "start-tasks", start, resource=f"{place.service}-execution", parent=parent)]
    if settings.secrets:
        policies.append(
            may(made, "read-the-secrets", secrets_policy(settings), resource=f"{place.service}-secrets", parent=parent)
        )
    return made, list(policies)


def permissions(
    place: Place, role: aws.iam.Role, policy: str, *, parent: pulumi.Resource
) -> list[pulumi.Resource]:  # fmt: skip
    """What the application itself may do; nothing while its settings name no policy."""
    if not policy:
        return []
    return [may(role, "permissions", policy, resource=f"{place.service}-permissions", parent=parent)]


def trust_policy(principal: str) -> str:
    """Lets one AWS service take the role."""
    return document({"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"})


def pull_statements(repository: str) -> tuple[Statement, ...]:
    """What AWSAppRunnerServicePolicyForECRAccess allows everywhere, on one repository; a token knows no resource."""
    actions = (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
    )
    return allow(actions, repository), allow(("ecr:GetAuthorizationToken",), "*")


def _write_statement(log_group: str) -> Statement:
    return allow(("logs:CreateLogStream", "logs:PutLogEvents"), f"{log_group}:*")


def secrets_policy(settings: ServiceSettings) -> str:
    """Read exactly the named secrets and parameters, and decrypt with the team's own key where there is one."""
    arns = sorted(set(settings.secrets.values()))
    # A JSON key, stage and version after the name are for the runtime; IAM knows the secret by seven parts.
    secrets = sorted({":".join(arn.split(":")[:7]) for arn in arns if ":secretsmanager:" in arn})
    parameters = [arn for arn in arns if ":ssm:" in arn]
    statements = [
        *([allow(("secretsmanager:GetSecretValue",), *secrets)] if secrets else []),
        *([allow(("ssm:GetParameters",), *parameters)] if parameters else []),
        *([allow(("kms:Decrypt",), settings.secrets_key)] if settings.secrets_key else []),
    ]
    return document(*statements)


def allow(actions: tuple[str, ...], *resources: str) -> Statement:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def document(*statements: Statement) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
