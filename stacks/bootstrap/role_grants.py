"""Roles that a deployment may make and hand to services, such that none can do more than the boundary says.

Comes in: an environment's ground. Goes out: grants. A role is made with the environment's boundary or not at all, and
what may be done to it depends on the boundary it has: else whoever deploys could write an administrator and be it.
"""

from stacks import names
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.statements import Grant

# Which AWS services may get which of the roles that `stacks.roles` and `stacks.slack` name.
PASSED = {
    "access": ("build.apprunner.amazonaws.com", "apprunner.amazonaws.com"),
    "instance": ("tasks.apprunner.amazonaws.com", "apprunner.amazonaws.com"),
    "execution": ("ecs-tasks.amazonaws.com",),
    "task": ("ecs-tasks.amazonaws.com",),
    "infrastructure": ("ecs.amazonaws.com",),
}
# AWS's own policies that the program attaches; everything else it writes itself.
ATTACHED = (
    "service-role/AmazonECSInfrastructureRoleforExpressGatewayServices",
    "AmazonECSInfrastructureRolePolicyForLoadBalancers",
)
# What AWS makes for itself at the first use of a service.
LINKED = (
    *("apprunner.amazonaws.com", "networking.apprunner.amazonaws.com", "ecs.amazonaws.com"),
    *("ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com"),
    "management.chatbot.amazonaws.com",
)


def role_grants(ground: Ground) -> tuple[Grant, ...]:
    """Roles and the policies that are theirs alone."""
    partition = ground.account.partition
    roles = ground.everywhere("iam", f"role/{ground.each}")
    policies = ground.everywhere("iam", f"policy/{ground.each}")
    boundary = {"iam:PermissionsBoundary": ground.account.boundary(ground.stage.name)}
    attached = [f"arn:{partition}:iam::aws:policy/{name}" for name in ATTACHED] + list(policies)
    return (
        Grant(
            "Roles",
            roles,
            reads=(
                *("iam:GetRole", "iam:GetRolePolicy", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"),
                *("iam:ListRoleTags", "iam:ListInstanceProfilesForRole"),
            ),
            # None of it gives a role anything.
            writes=(
                *("iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:TagRole", "iam:UntagRole"),
                *("iam:UpdateRole", "iam:UpdateRoleDescription"),
            ),
        ),
        Grant(
            "RolesBounded",
            roles,
            writes=(
                *("iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
                "iam:UpdateAssumeRolePolicy",
            ),
            condition={"StringEquals": boundary},
        ),
        Grant(
            "RolesAttached",
            roles,
            writes=("iam:AttachRolePolicy",),
            condition={"StringEquals": boundary, "ArnLike": {"iam:PolicyARN": attached}},
        ),
        Grant(
            "Policies",
            policies,
            reads=("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions", "iam:ListPolicyTags"),
            writes=(
                *("iam:CreatePolicy", "iam:DeletePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion"),
                *("iam:TagPolicy", "iam:UntagPolicy"),
            ),
        ),
        *(_passed(ground, purpose, services) for purpose, services in PASSED.items()),
        Grant(
            "PassSlack",
            ground.everywhere("iam", f"role/{names.slack_name(ground.stage.name)}"),
            writes=("iam:PassRole",),
            condition={"StringEquals": {"iam:PassedToService": ["chatbot.amazonaws.com"]}},
        ),
        Grant(
            "LinkedRoles",
            ground.everywhere("iam", "role/aws-service-role/*"),
            writes=("iam:CreateServiceLinkedRole",),
            condition={"StringEquals": {"iam:AWSServiceName": list(LINKED)}},
        ),
    )


def _passed(ground: Ground, purpose: str, services: tuple[str, ...]) -> Grant:
    return Grant(
        f"Pass{purpose.capitalize()}",
        ground.everywhere("iam", f"role/{ground.each}-{purpose}"),
        writes=("iam:PassRole",),
        condition={"StringEquals": {"iam:PassedToService": list(services)}},
    )
