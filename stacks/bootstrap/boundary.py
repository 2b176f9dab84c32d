"""What a role of an environment's services can do at most: the permissions boundary.

Comes in: an environment's ground. Goes out: policies. A boundary gives nothing by itself; it is the fence around what
the program writes into roles: to run, to write logs, to read the secrets that the settings name, and what the files of
`stacks/permissions` said when an administrator ran bootstrap. A wider file needs bootstrap to be run again.
"""

import json

from releasectl.account import MANAGER, PREFIX
from stacks import names
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.role_grants import LINKED
from stacks.bootstrap.statements import Statement, allow, deny
from stacks.roles import secrets_policy

_MANAGED = {"AmazonECSManaged": "true"}  # the tag by which ECS knows what it made for an Express service


def boundary(ground: Ground) -> list[Statement]:
    """The whole fence."""
    return [*_run(ground), *_slack(ground), *_infrastructure(ground), *_application(ground), *_never(ground)]


def _run(ground: Ground) -> list[Statement]:
    """Pull the image, write logs, read secrets that carry the environment's name."""
    named = f"{names.PROJECT}/{ground.stage.name}/*"
    groups = (f"log-group:/{names.PROJECT}/{ground.stage.name}/*", f"log-group:/aws/ecs/{ground.own}/*")
    pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer")
    return [
        allow("Registry", ("ecr:GetAuthorizationToken",), ("*",)),
        allow("Pull", pull, ground.repositories(ground.stage.name, *ground.borrowed)),
        allow("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), ground.here("logs", *groups)),
        allow("Secrets", ("secretsmanager:GetSecretValue",), ground.here("secretsmanager", f"secret:{named}")),
        allow("Parameters", ("ssm:GetParameters",), ground.here("ssm", f"parameter/{named}")),
    ]


def _slack(ground: Ground) -> list[Statement]:
    """The channel may look at CloudWatch, whoever types in it."""
    who = {"ArnLike": {"aws:PrincipalArn": ground.account.role(names.slack_name(ground.stage.name))}}
    return [allow("Slack", ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"), ("*",), who)]


def _infrastructure(ground: Ground) -> list[Statement]:
    """What ECS itself does for Express services and for deployments that shift traffic, with AWS's own policies.

    Those are narrower and AWS changes them; this keeps them inside what ECS made or what is the environment's.
    """
    who = {"aws:PrincipalArn": ground.account.role(f"{ground.each}-infrastructure")}
    arrange = (
        *("elasticloadbalancing:*", "ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "acm:*Certificate"),
        *("ec2:AuthorizeSecurityGroup*", "ec2:RevokeSecurityGroup*", "application-autoscaling:*", "acm:AddTags*"),
        *("cloudwatch:*Alarm*", "cloudwatch:TagResource", "logs:CreateLogGroup", "logs:TagResource"),
    )
    look = (
        *("elasticloadbalancing:Describe*", "ec2:Describe*", "application-autoscaling:Describe*"),
        *("logs:DescribeLogGroups", "ec2:CreateSecurityGroup"),
    )
    shift = ("RegisterTargets", "DeregisterTargets", "ModifyListener", "ModifyRule")
    tagging = {"ec2:CreateAction": ["CreateSecurityGroup", "AuthorizeSecurityGroup*"]}
    scale = {"application-autoscaling:service-namespace": "ecs"}
    linked = ground.everywhere("iam", "role/aws-service-role/*")

    def by(prefix: str) -> dict[str, dict[str, object]]:
        return {"ArnLike": dict(who), "StringEquals": {f"aws:{prefix}/{key}": value for key, value in _MANAGED.items()}}

    return [
        allow("EcsMade", arrange, ("*",), by("ResourceTag")),
        allow("EcsMakes", arrange, ("*",), by("RequestTag")),
        allow("EcsTags", ("ec2:CreateTags",), ("*",), {"ArnLike": who, "StringLike": tagging}),
        allow("EcsLooks", look, ("*",), {"ArnLike": who}),
        allow(
            "EcsScales",
            ("application-autoscaling:PutScalingPolicy", "application-autoscaling:DeleteScalingPolicy"),
            ("*",),
            {"ArnLike": who, "StringEquals": scale},
        ),
        allow(
            "EcsShifts",
            (f"elasticloadbalancing:{each}" for each in shift),
            ("*",),
            {"ArnLike": who, "StringEquals": ground.tagged("ResourceTag")},
        ),
        allow(
            "EcsLinks",
            ("iam:CreateServiceLinkedRole",),
            linked,
            {"ArnLike": who, "StringEquals": {"iam:AWSServiceName": list(LINKED)}},
        ),
    ]


def _application(ground: Ground) -> list[Statement]:
    """The secrets that the settings name and the permissions that the program has, service by service."""
    found: list[Statement] = []
    for name, service in sorted(ground.settings.services.items()):
        policies = [secrets_policy(service), ground.policies.get(name, "")]
        statements = [each for policy in policies if policy for each in json.loads(policy)["Statement"]]
        stem = "".join(part.capitalize() for part in name.split("-"))
        found += [each | {"Sid": f"{stem}{number}"} for number, each in enumerate(statements)]
    return [each for each in found if each["Effect"] == "Allow"]


def _never(ground: Ground) -> list[Statement]:
    """Whatever a file of permissions says: no role of a service makes roles, or touches what bootstrap made."""
    account = ground.account
    bucket = f"arn:{account.partition}:s3:::{account.bucket}"
    linked = list(ground.everywhere("iam", "role/aws-service-role/*"))
    ours = {"StringEquals": {"aws:ResourceTag/managed-by": MANAGER}}
    return [
        {"Sid": "NeverIam", "Effect": "Deny", "Action": ["iam:*"], "NotResource": linked},
        deny("NeverState", ("s3:*",), (bucket, f"{bucket}/*")),
        deny("NeverKeys", ("kms:*",), ("*",), ours),
        deny("NeverRoles", ("sts:AssumeRole",), (account.role(f"{PREFIX}-*"),)),
    ]
