"""What an environment wants of its account: its settings, and what its last deployment was told of.

Comes in: plain data of a settings file that the program may not have judged yet, and outputs. Goes out: what doctor
looks for. It knows of the settings what AWS can be asked about, and judges nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from releasectl.answers import services_of, texts
from releasectl.outputs import Outputs


@dataclass(frozen=True)
class Wanted:
    """What an environment wants: its settings below `config:`, and what it was told by its last deployment."""

    environment: str
    config: Mapping[str, object]
    secrets_provider: str = ""  # beside `config:`; "" for a passphrase
    outputs: Outputs | None = None  # None until it was deployed

    @property
    def region(self) -> str:
        """The region of the settings."""
        return str(self.config.get("aws:region", ""))

    @property
    def backend(self) -> str:
        """Where the settings keep the state, "" for wherever Pulumi was logged in to."""
        return str(self.config.get("release-controller:backend", ""))

    @property
    def boundary(self) -> str:
        """The policy that limits every role which the program makes, "" for none."""
        return str(self.config.get("release-controller:boundary", ""))

    @property
    def accounts(self) -> list[str]:
        """The accounts that it may be in; [] for any."""
        return texts(self.config.get("aws:allowedAccountIds"))

    @property
    def services(self) -> Mapping[str, Mapping[str, object]]:
        """Each service's settings."""
        return services_of(self.config)

    @property
    def network(self) -> Mapping[str, object]:
        """The network of the settings."""
        found = self.config.get("release-controller:network")
        return found if isinstance(found, dict) else {}

    @property
    def settings(self) -> str:
        """Where all of this is written."""
        return f"Pulumi.{self.environment}.yaml"

    def on(self, *runtimes: str) -> list[str]:
        """The services with one of these runtimes."""
        return [name for name, held in self.services.items() if held.get("runtime") in runtimes]
