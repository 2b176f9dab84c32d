"""The program of an account, run whole by the engine that records: what it registers, and the policies of its roles.

Comes in: an account, and settings of environments. Goes out: a recording, and policies by the role that has them.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from releasectl.account import FILE, Account, Repository, Stage, bucket_name
from tests.stacks.iam import Policy, Value
from tests.stacks.recording_engine import ACCOUNT, PROJECT_ROOT, REGION, Recording, _run, run_program

REPOSITORY = Repository("acme/demo", "4242", "77")
STAGES = (Stage("staging"), Stage("production", "staging"))
ACCOUNT_OF_ALL = Account("aws", ACCOUNT, REGION, bucket_name(ACCOUNT, REGION), REPOSITORY, STAGES)


BUCKET = ACCOUNT_OF_ALL.bucket
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:web/key-AbCdEf"
Row = tuple[str, str, Mapping[str, Value], bool]  # action, resource, context, and whether it is allowed


def arn(service: str, resource: str, region: str = REGION) -> str:
    """An ARN in the account."""
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def iam(resource: str) -> str:
    """An ARN of IAM."""
    return arn("iam", resource, "")


ROLE = iam("role/release-controller-staging-web-task")
FENCE = {"iam:PermissionsBoundary": iam("policy/releasectl-staging-boundary")}


def settings_of(runtime: str = "fargate", more: str = "") -> str:
    """Settings of one service."""
    network = "  release-controller:network: {vpc: vpc-0123abcd, subnets: [subnet-0123abcd, subnet-4567abcd]}\n"
    return (
        f"config:\n  aws:region: {REGION}\n{network if runtime == 'fargate' else ''}"
        f"  release-controller:services:\n    web: {{runtime: {runtime}{more}}}\n"
    )


def record_account(
    root: Path, account: Account = ACCOUNT_OF_ALL, *, settings: Mapping[str, str] | None = None
) -> Recording:
    """Run it in a folder laid out as the command lays one out; `settings` are by environment."""
    shutil.copytree(PROJECT_ROOT / "stacks", root / "stacks", dirs_exist_ok=True)
    (root / "environments").mkdir(exist_ok=True)
    for stage in account.stages:
        text = (settings or {}).get(stage.name, settings_of())
        (root / f"environments/Pulumi.{stage.name}.yaml").write_text(text)
    (root / FILE).write_text(account.as_json())
    return run_program(lambda: _run(root / "stacks/bootstrap"), stack="account", told={})


def record_both(root: Path) -> Recording:
    """Both environments; staging's settings name a secret."""
    settings = {"staging": settings_of(more=f", secrets: {{KEY: '{SECRET}'}}"), "production": settings_of()}
    return record_account(root, settings=settings)


def trust_of(recording: Recording, role: str) -> Policy:
    """Who may take a role."""
    found: Policy = json.loads(recording.one("Role", role).inputs["assumeRolePolicy"])
    return found


def policies_of(recording: Recording, role: str) -> list[Policy]:
    """What a role may do."""
    attached = [one for one in recording.registrations if one.key[0] == "RolePolicyAttachment"]
    arns = {one.inputs["policyArn"] for one in attached if one.inputs["role"] == role}
    found = [one for one in recording.registrations if one.key[0] == "Policy"]
    return [json.loads(one.inputs["policy"]) for one in found if f"arn:aws:iam::{ACCOUNT}:policy/{one.name}" in arns]


def policy(recording: Recording, name: str) -> Policy:
    """A policy by its name."""
    found: Policy = json.loads(recording.one("Policy", name).inputs["policy"])
    return found
