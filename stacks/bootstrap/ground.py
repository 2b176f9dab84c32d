"""What policies of one environment are about: its names as ARNs, its tags, and what its settings ask for.

Comes in: the account, the environment, its validated settings. Goes out: a `Ground`. Names are those that
`stacks.names` gives to resources, so that what the program makes and what its role may make cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from releasectl.account import Account, Stage
from stacks import names
from stacks.settings import Settings


@dataclass(frozen=True)
class Ground:
    """One environment in one account. `policies` are what the application of each service may do."""

    account: Account
    stage: Stage
    settings: Settings
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> str:
        """What is the environment's and has no service in its name: its topic, cluster, dashboard."""
        return f"{names.PROJECT}-{self.stage.name}"

    @property
    def each(self) -> str:
        """Everything that has."""
        return f"{self.own}-*"

    @property
    def short(self) -> str:
        """What has a short name, where AWS allows 32 characters."""
        return f"{self.stage.name}-*"

    @property
    def borrowed(self) -> tuple[str, ...]:
        """Environments whose image repositories services of this one run from."""
        found = {service.registry for service in self.settings.services.values() if service.registry}
        return tuple(sorted(found - {self.stage.name}))

    def here(self, service: str, *resources: str) -> tuple[str, ...]:
        """ARNs in the environment's region."""
        return tuple(self.account.arn(service, resource, self.settings.region) for resource in resources)

    def everywhere(self, service: str, *resources: str) -> tuple[str, ...]:
        """ARNs of a service that knows no region."""
        return tuple(self.account.arn(service, resource) for resource in resources)

    def repositories(self, *environments: str) -> tuple[str, ...]:
        """The image repositories of environments."""
        return self.here("ecr", *(f"repository/{names.PROJECT}-{each}-*" for each in environments))

    def source(self) -> tuple[str, ...]:
        """Where a promoted image comes from; in another account its repositories have to allow that, too."""
        if not self.stage.before:
            return ()
        known = {stage.name for stage in self.account.stages}
        account = self.account.id if self.stage.before in known else "*"
        name = f"repository/{names.PROJECT}-{self.stage.before}-*"
        return (f"arn:{self.account.partition}:ecr:*:{account}:{name}",)

    def tagged(self, what: str) -> Mapping[str, str]:
        """Conditions on the tags of the environment: "RequestTag" for what is made, "ResourceTag" for what is there."""
        return {f"aws:{what}/{key}": value for key, value in names.tags(self.stage.name).items()}

    def made(self) -> Mapping[str, Mapping[str, str]]:
        """What is made gets the environment's tags in the same call."""
        return {"StringEquals": self.tagged("RequestTag")}

    def ours(self) -> Mapping[str, Mapping[str, str]]:
        """What is there has the environment's tags."""
        return {"StringEquals": self.tagged("ResourceTag")}
