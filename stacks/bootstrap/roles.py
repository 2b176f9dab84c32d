"""The roles of GitHub's jobs, and GitHub's OIDC provider.

Comes in: the account and the ground of each of its environments. Goes out: the ARNs of roles and boundaries. A
provider that was there before is named in the trust policies and is no resource here: there can be one alone in an
account, others may trust it, and nothing that this program ever does can delete it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from releasectl import account as named
from releasectl.account import AUDIENCE, ISSUER, Account
from releasectl.errors import ControllerError
from stacks.bootstrap import tags
from stacks.bootstrap.boundary import boundary
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.policies import Keys, build_policy, change_policies, read_policies, state_policy
from stacks.bootstrap.statements import document
from stacks.bootstrap.trust import build_trust, deploy_trust, preview_trust

LARGEST = 6144  # characters of a managed policy (IAM quotas)
SESSION = 2 * 60 * 60  # seconds: longer than any update may take


def provider(account: Account) -> list[pulumi.Resource]:
    """What roles have to wait for; nothing where the provider was there before."""
    if not account.owns_provider:
        return []
    # IAM knows the authorities that sign GitHub's certificate, so it needs no thumbprint.
    made = aws.iam.OpenIdConnectProvider(
        "github",
        url=f"https://{ISSUER}",
        client_id_lists=[AUDIENCE],
        tags=tags.shared(account),
        opts=pulumi.ResourceOptions(protect=True),
    )
    return [made]


@dataclass(frozen=True)
class Role:
    """A role that is being made. `name` is what AWS calls it."""

    name: str
    made: aws.iam.Role
    tags: Mapping[str, str]

    def may(self, policy: aws.iam.Policy, what: str) -> None:
        """Give it one of the policies."""
        aws.iam.RolePolicyAttachment(
            f"{self.name}-{what}", role=self.made.name, policy_arn=policy.arn, opts=_BEFORE_ITS_POLICY
        )


def environment_roles(
    ground: Ground, *, state: pulumi.Output[str], secrets: pulumi.Output[str], after: list[pulumi.Resource]
) -> Mapping[str, pulumi.Output[str]]:
    """The ARNs of one environment, by what they are for."""
    name, account, marks = ground.stage.name, ground.account, tags.of(ground.account, ground.stage.name)
    fence = _policy(named.boundary_name(name), document(*boundary(ground)), marks)
    reads = {
        what: _policy(f"{named.PREFIX}-{name}-{what}", text, marks) for what, text in read_policies(ground).items()
    }
    preview = _role(named.preview_role(name), preview_trust(account), marks, after)
    deploy = _role(named.deploy_role(name), deploy_trust(account, name), marks, after)
    keys = pulumi.Output.all(state, secrets)
    for role, text in (
        (preview, keys.apply(lambda arns: state_policy(ground, Keys(*arns), write=False))),
        (deploy, keys.apply(lambda arns: state_policy(ground, Keys(*arns), write=True))),
    ):
        role.may(_policy(f"{role.name}-state", text, marks), "state")
        for what, read in reads.items():
            role.may(read, what)
    for what, change in change_policies(ground).items():
        deploy.may(_policy(f"{deploy.name}-{what}", change, marks), what)
    return {"preview": preview.made.arn, "deploy": deploy.made.arn, "boundary": fence.arn}


def build_role_of(first: Ground, after: list[pulumi.Resource]) -> pulumi.Output[str]:
    """The ARN of the role that pushes new images, to where the first environment takes them from."""
    marks = tags.shared(first.account)
    role = _role(named.build_role(), build_trust(first.account), marks, after)
    role.may(_policy(f"{role.name}-images", build_policy(first), marks), "images")
    return role.made.arn


def _role(name: str, trust: str, marks: Mapping[str, str], after: list[pulumi.Resource]) -> Role:
    made = aws.iam.Role(
        name,
        name=name,
        assume_role_policy=trust,
        max_session_duration=SESSION,
        tags=dict(marks),
        opts=pulumi.ResourceOptions(depends_on=after),
    )
    return Role(name, made, marks)


def _policy(name: str, text: pulumi.Input[str], marks: Mapping[str, str]) -> aws.iam.Policy:
    if isinstance(text, str):  # what waits for a key's ARN has a fixed size
        _require_fitting(name, text)
    return aws.iam.Policy(name, name=name, policy=text, tags=dict(marks))


def _require_fitting(name: str, text: str) -> None:
    """Raises ControllerError for what IAM would refuse."""
    if len(text) > LARGEST:
        raise ControllerError(
            f"writing the policy {name}: it has {len(text)} characters, and IAM takes {LARGEST}",
            "Shorten what adds to it: `stacks/permissions`, the secrets in the settings, or `stacks/own_grants.py`.",
        )


# A policy that is replaced is taken from its roles first.
_BEFORE_ITS_POLICY = pulumi.ResourceOptions(delete_before_replace=True)
