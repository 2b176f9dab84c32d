"""What each role may do: the policies of previews, deployments and builds.

Comes in: an environment's ground, and the ARNs of the keys that were made for it. Goes out: policy documents. A preview
reads what a deployment reads, and changes nothing; neither reads a secret's value in Secrets Manager or Parameter
Store; neither may take another role.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.bootstrap.alert_grants import alarm_grants, key_grants, keys_of_others, log_grants, topic_grants
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.role_grants import role_grants
from stacks.bootstrap.runtime_grants import (
    app_runner_grants,
    balancing_grants,
    ecs_grants,
    image_grants,
    network_grants,
)
from stacks.bootstrap.statements import allow, deny, document, readable, writable
from stacks.own_grants import own_grants

GRANTS = {
    "images": (image_grants,),
    "runtimes": (app_runner_grants, ecs_grants),
    "network": (network_grants, balancing_grants),
    "alerts": (alarm_grants, topic_grants, log_grants, key_grants),
    "roles": (role_grants,),
}
_NEVER = ("sts:AssumeRole", "secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters")


@dataclass(frozen=True)
class Keys:
    """ARNs of the bucket's key and of the key of the environment's secrets."""

    state: str
    secrets: str


def state_policy(ground: Ground, keys: Keys, *, write: bool) -> str:
    """The environment's own part of the bucket, locks included, and its own key. A preview takes no lock."""
    account, name = ground.account, ground.stage.name
    bucket = f"arn:{account.partition}:s3:::{account.bucket}"
    through = {"StringEquals": {"kms:ViaService": f"s3.{account.region}.amazonaws.com"}}
    change = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload") if write else ()
    return document(
        allow("StateList", ("s3:ListBucket",), (bucket,), {"StringLike": {"s3:prefix": [f"{name}/*"]}}),
        allow("State", ("s3:GetObject", *change), (f"{bucket}/{name}/*",)),
        allow("StateKey", ("kms:Decrypt", *(("kms:GenerateDataKey",) if write else ())), (keys.state,), through),
        allow("SecretsKey", ("kms:Decrypt", *(("kms:Encrypt",) if write else ())), (keys.secrets,)),
        deny("Never", _NEVER, ("*",)),
    )


def read_policies(ground: Ground) -> Mapping[str, str]:
    """What a plan, a look for drift and a deployment read."""
    parts = {name: [each for grants in of for each in readable(grants(ground))] for name, of in GRANTS.items()}
    known = [each for part in parts.values() for each in part]
    # One statement for all calls that know no resource: a statement each would double the policy.
    actions = {action for each in known if each["Resource"] == ["*"] for action in _texts(each["Action"])}
    named = {name: [each for each in part if each["Resource"] != ["*"]] for name, part in parts.items()}
    return {
        "read": document(
            allow("Lists", actions, ("*",)), *named["images"], *named["runtimes"], *named["network"], *named["roles"]
        ),
        "read-alerts": document(*named["alerts"], *readable(own_grants(ground))),
    }


def change_policies(ground: Ground) -> Mapping[str, str]:
    """What a deployment changes, by part: one document would be too large for IAM."""
    parts = {name: [each for grants in of for each in writable(grants(ground))] for name, of in GRANTS.items()}
    parts["alerts"] += keys_of_others(ground)
    parts["own"] = writable(own_grants(ground))
    return {name: document(*statements) for name, statements in parts.items() if statements}


def build_policy(first: Ground) -> str:
    """Push new images to where the first environment takes them from; nothing that is there can be deleted."""
    push = (
        *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages"),
        *("ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
    )
    return document(
        allow("Registry", ("ecr:GetAuthorizationToken",), ("*",)),
        allow("Push", push, first.repositories(first.stage.name, *first.borrowed)),
        deny("Never", _NEVER, ("*",)),
    )


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
