"""What `releasectl bootstrap` tells its program of an AWS account: the file between the two, and the names in it.

Comes in: what is known of the account, the repository and the pipeline. Goes out: `Account`, and its JSON. All that
bootstrap makes is called `releasectl-...`, all that an environment's program makes `release-controller-...`: a role
that deploys is limited to the second, so that it can change nothing of what limits it.
"""

import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

PREFIX = "releasectl"
MANAGER = "releasectl-bootstrap"  # the tag `managed-by` of all that bootstrap makes
FILE = "bootstrap.json"  # in the program's checkout
ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
APPROVED = "preview"  # GitHub's environment in which a program is previewed that a reviewer approved
BOT = "release-bot"  # GitHub's environment that has the key of the App which commits and opens pull requests


@dataclass(frozen=True)
class Repository:
    """`name` is `owner/name` on GitHub; without the two numbers roles trust the classic form of its subject alone."""

    name: str
    id: str = ""
    owner_id: str = ""


@dataclass(frozen=True)
class Stage:
    """One environment of the pipeline that lives in this account; `before` is the one that it promotes from."""

    name: str
    before: str = ""


@dataclass(frozen=True)
class Account:
    """One account and what it is made ready for. `region` is where the state and the keys are.

    `owns_provider` is False where GitHub's OIDC provider was there before: it is used, never changed, never deleted.
    """

    partition: str
    id: str
    region: str
    bucket: str
    repository: Repository
    stages: tuple[Stage, ...]
    owns_provider: bool = True

    @property
    def provider(self) -> str:
        """The ARN of GitHub's OIDC provider: its URL says it, and there is one for a URL."""
        return f"arn:{self.partition}:iam::{self.id}:oidc-provider/{ISSUER}"

    def arn(self, service: str, resource: str, region: str = "") -> str:
        """An ARN in this account; without `region` one of a service that has none."""
        return f"arn:{self.partition}:{service}:{region}:{self.id}:{resource}"

    def role(self, name: str) -> str:
        """The ARN of a role that bootstrap makes."""
        return self.arn("iam", f"role/{name}")

    def boundary(self, stage: str) -> str:
        """The ARN of the policy that limits every role which an environment's program makes."""
        return self.arn("iam", f"policy/{boundary_name(stage)}")

    def as_json(self) -> str:
        """What the program reads."""
        return json.dumps(asdict(self), indent=2)


def parse_account(raw: bytes) -> Account:
    """The account of a `bootstrap.json`."""
    return _ADAPTER.validate_json(raw)


def bucket_name(account: str, region: str) -> str:
    """The bucket's name unless a person names another: names of buckets are the world's, not the account's."""
    return f"{PREFIX}-{account}-{region}"


def preview_role(stage: str) -> str:
    """What a pull request's preview and a look for drift run with."""
    return f"{PREFIX}-{stage}-preview"


def deploy_role(stage: str) -> str:
    """What `reconcile` runs with."""
    return f"{PREFIX}-{stage}-deploy"


def build_role() -> str:
    """What pushes a newly built image."""
    return f"{PREFIX}-build"


def boundary_name(stage: str) -> str:
    """The policy that limits the roles of an environment's services."""
    return f"{PREFIX}-{stage}-boundary"


def secrets_alias(stage: str) -> str:
    """The key that an environment's state keeps its secrets with."""
    return f"alias/{PREFIX}-{stage}-secrets"


def state_alias() -> str:
    """The key that the bucket is encrypted with."""
    return f"alias/{PREFIX}-state"


_ADAPTER = TypeAdapter(Account)
