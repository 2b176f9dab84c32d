"""What doctor can know of an AWS account and of a repository on GitHub, and who is asked for it.

The facts are as AWS and GitHub tell them; what they mean is judged elsewhere. Each method of a protocol answers one
question and changes nothing; it raises ControllerError where there is no answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Way = Literal["nat", "internet", "other", ""]  # where a subnet's default route leads; "" without one


@dataclass(frozen=True)
class Identity:
    """Who these credentials are."""

    account: str
    arn: str


@dataclass(frozen=True)
class Subnet:
    """`free` addresses are left in it; `vpc` is what it belongs to."""

    id: str
    vpc: str
    zone: str
    free: int
    way: Way


@dataclass(frozen=True)
class Network:
    """A VPC, None if there is no such, and those of the asked subnets that exist."""

    vpc: str | None
    subnets: tuple[Subnet, ...] = ()


@dataclass(frozen=True)
class Subscription:
    """Somebody who is told; `is_pending` until that one confirmed."""

    protocol: str
    endpoint: str
    is_pending: bool


@dataclass(frozen=True)
class Certificate:
    """`status` is Certificate Manager's own word."""

    status: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quota:
    """How much of something an account may have in a region, and has; `used` is None where counting is not cheap."""

    name: str
    limit: float
    used: int | None = None


@dataclass(frozen=True)
class Role:
    """A role that GitHub's jobs may take, by the subjects that its trust policy names."""

    name: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Bucket:
    """The bucket of the state."""

    is_versioned: bool
    is_encrypted: bool  # with a key of the account; S3 encrypts with its own anyway
    is_closed: bool  # all four blocks of public access


@dataclass(frozen=True)
class Images:
    """An image repository."""

    scans: bool
    has_retention: bool


class Account(Protocol):
    """AWS, as far as doctor looks."""

    def identity(self, region: str) -> Identity:
        """Whose credentials these are."""

    def is_enabled(self, region: str) -> bool | None:
        """May the account use this region? None when there is no such."""

    def app_runner_services(self, region: str) -> int:
        """How many services run on App Runner there, whoever made them."""

    def linked_roles(self, region: str, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the service-linked roles that exist."""

    def network(self, region: str, vpc: str, subnets: Sequence[str]) -> Network:
        """A VPC and its subnets; the default VPC with all of its subnets when `vpc` is ""."""

    def quota(self, region: str, kind: str) -> Quota:
        """`kind` is "app-runner", "load-balancers" or "fargate"."""

    def subscriptions(self, region: str, topic: str) -> tuple[Subscription, ...]:
        """Everybody whom a topic tells."""

    def certificate(self, region: str, arn: str) -> Certificate | None:
        """None when there is no such."""

    def images(self, region: str, repository: str) -> Images | None:
        """None when there is no such repository."""

    def trusts(self, region: str, issuer: str) -> bool:
        """Is there an OIDC provider of this issuer?"""

    def role(self, region: str, name: str) -> Role | None:
        """None when there is no such."""

    def bucket(self, region: str, name: str) -> Bucket | None:
        """None when there is no such."""


@dataclass(frozen=True)
class Branch:
    """What a branch's rules are: `types` are those of rulesets, in GitHub's words, `checks` what has to pass."""

    is_protected: bool  # in the older way
    types: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


PROTECTED = "every protected branch"  # where an environment names no refs of its own


@dataclass(frozen=True)
class Place:
    """An environment on GitHub: what its protection asks for, and which variables it has."""

    rules: tuple[str, ...]
    refs: tuple[str, ...] | None  # whose jobs may use it, such as branch:main or tag:v*; None for those of any
    variables: Mapping[str, str]


class Forge(Protocol):
    """GitHub, as far as doctor looks."""

    def branch(self, repository: str, name: str) -> Branch:
        """The rules of a branch, whether it is there or not."""

    def place(self, repository: str, name: str) -> Place | None:
        """An environment, None when there is no such."""

    def variables(self, repository: str) -> Mapping[str, str]:
        """The variables of the repository itself."""
