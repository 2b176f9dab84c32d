"""An AWS account and a repository on GitHub, as far as doctor looks; what is not there is absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from releasectl.doctor_facts import (
    Branch,
    Bucket,
    Certificate,
    Identity,
    Images,
    Network,
    Place,
    Quota,
    Role,
    Subnet,
    Subscription,
    Way,
)
from releasectl.errors import ControllerError
from tests.twins.project import ACCOUNT, REGION


@dataclass
class Account:
    """One account with the default VPC that AWS gives to each; `fault` is raised instead of any answer."""

    regions: dict[str, bool] = field(default_factory=lambda: {REGION: True})
    app_runner: int = 0
    roles: dict[str, Role] = field(default_factory=dict)
    vpcs: list[str] = field(default_factory=lambda: ["vpc-00000001"])  # the first is the default one
    subnets: list[Subnet] = field(
        default_factory=lambda: [
            Subnet(f"subnet-0000000{number}", "vpc-00000001", f"{REGION}{zone}", 4091, "internet")
            for number, zone in ((1, "a"), (2, "b"), (3, "c"))
        ]
    )
    quotas: dict[str, Quota] = field(default_factory=dict)
    topics: dict[str, list[Subscription]] = field(default_factory=dict)
    certificates: dict[str, Certificate] = field(default_factory=dict)
    repositories: dict[str, Images] = field(default_factory=dict)
    issuers: set[str] = field(default_factory=set)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    fault: ControllerError | None = None

    def identity(self, region: str) -> Identity:
        self._asked(region)
        return Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")

    def is_enabled(self, region: str) -> bool | None:
        self._asked(REGION)
        return self.regions.get(region)

    def app_runner_services(self, region: str) -> int:
        self._asked(region)
        return self.app_runner

    def linked_roles(self, region: str, names: Sequence[str]) -> tuple[str, ...]:
        self._asked(region)
        return tuple(name for name in names if name in self.roles)

    def network(self, region: str, vpc: str, subnets: Sequence[str]) -> Network:
        self._asked(region)
        asked = vpc or ("" if subnets else self.vpcs[0] if self.vpcs else "")
        found = asked if asked in self.vpcs else None
        wanted = [each for each in self.subnets if (each.id in subnets if subnets else each.vpc == found)]
        return Network(found, tuple(wanted))

    def quota(self, region: str, kind: str) -> Quota:
        self._asked(region)
        return self.quotas[kind]

    def subscriptions(self, region: str, topic: str) -> tuple[Subscription, ...]:
        self._asked(region)
        return tuple(self.topics[topic])

    def certificate(self, region: str, arn: str) -> Certificate | None:
        self._asked(region)
        return self.certificates.get(arn)

    def images(self, region: str, repository: str) -> Images | None:
        self._asked(region)
        return self.repositories.get(repository)

    def trusts(self, region: str, issuer: str) -> bool:
        self._asked(region)
        return issuer in self.issuers

    def role(self, region: str, name: str) -> Role | None:
        self._asked(region)
        return self.roles.get(name)

    def bucket(self, region: str, name: str) -> Bucket | None:
        self._asked(region)
        return self.buckets.get(name)

    def all_lead(self, way: Way) -> None:
        """Another kind of subnets."""
        self.subnets = [replace(each, way=way) for each in self.subnets]

    def _asked(self, region: str) -> None:
        assert region == REGION, "asked in another region than the environment's"
        if self.fault:
            raise self.fault


@dataclass
class Forge:
    """One repository on GitHub."""

    branches: dict[str, Branch] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)

    def branch(self, _repository: str, name: str) -> Branch:
        return self.branches.get(name, Branch(is_protected=False))

    def place(self, _repository: str, name: str) -> Place | None:
        return self.places.get(name)

    def variables(self, _repository: str) -> Mapping[str, str]:
        return self.given
