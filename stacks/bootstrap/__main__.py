"""The Pulumi program of one AWS account; `releasectl bootstrap` runs it, and nobody else.

Comes in: `bootstrap.json` beside `stacks/`, and the settings of each environment in `environments/`. Goes out: the
state bucket's settings, keys, GitHub's OIDC provider, roles; as outputs, what a person sets in GitHub and in the
settings. Where its own state is and how that begins: `releasectl/bootstrap.py`.
"""

from pathlib import Path

import pulumi

from releasectl.account import FILE, parse_account, secrets_alias
from releasectl.errors import ControllerError
from stacks.bootstrap.ground import Ground
from stacks.bootstrap.roles import build_role_of, environment_roles, provider
from stacks.bootstrap.state import secrets_key, state_bucket
from stacks.permissions import permissions
from stacks.settings import parse_settings

ROOT = Path(__file__).resolve().parents[2]


def declare() -> None:
    """Everything, from the files."""
    account = parse_account((ROOT / FILE).read_bytes())
    grounds = []
    for stage in account.stages:
        file = f"Pulumi.{stage.name}.yaml"
        settings = parse_settings(file, (ROOT / "environments" / file).read_bytes(), stage.name)
        policies = {name: permissions(ROOT / "stacks", one.permissions) for name, one in settings.services.items()}
        grounds.append(Ground(account, stage, settings, policies))
    key = state_bucket(account)
    after = provider(account)
    environments = {}
    for ground in grounds:
        name = ground.stage.name
        roles = environment_roles(ground, state=key, secrets=secrets_key(account, name), after=after)
        environments[name] = {
            "backend": f"s3://{account.bucket}/{name}?region={account.region}&awssdk=v2",
            "secretsprovider": f"awskms://{secrets_alias(name)}?region={account.region}",
            "region": ground.settings.region,
            **roles,
        }
    pulumi.export("account", account.id)
    pulumi.export("repository", account.repository.__dict__)
    pulumi.export("bucket", account.bucket)
    pulumi.export("provider", {"arn": account.provider, "owned": account.owns_provider})
    pulumi.export("environments", environments)
    first = next((ground for ground in grounds if not ground.stage.before), None)
    if first:
        pulumi.export("build", build_role_of(first, after))


try:
    declare()
except ControllerError as error:
    raise pulumi.RunError(f"{error.message}\n{error.remedy}") from None  # the words are enough, no traceback
