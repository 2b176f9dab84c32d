"""What a person sets once an account is ready: in the settings, and in the repository on GitHub.

Comes in: the outputs of bootstrap's program. Goes out: lines for the settings, commands for GitHub, and the same as
data. It knows names and ARNs alone, none of which is a secret, so they are variables of GitHub and no secrets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from releasectl import protection

BACKEND, BOUNDARY = "release-controller:backend", "release-controller:boundary"
BUILD_ROLE = "AWS_BUILD_ROLE"  # a variable of the repository
DEPLOY_ROLE, REGION = "AWS_DEPLOY_ROLE", "AWS_REGION"  # of each of GitHub's environments


@dataclass(frozen=True)
class Environment:
    """What was made for one environment."""

    region: str
    backend: str
    secretsprovider: str
    boundary: str
    preview: str
    deploy: str


@dataclass(frozen=True)
class Ready:
    """A ready account. `build` is "" where the first environment lives in another one."""

    account: str
    bucket: str
    repository: Mapping[str, str]
    provider: Mapping[str, Any]
    environments: Mapping[str, Environment]
    build: str = ""

    @classmethod
    def of(cls, outputs: Mapping[str, object], order: Sequence[str]) -> "Ready":
        """What the program exported, its environments in the order of the pipeline: the engine sorts them."""
        made = _ADAPTER.validate_python(dict(outputs))
        return replace(made, environments={name: made.environments[name] for name in order})

    def settings(self) -> dict[str, dict[tuple[str, ...], str]]:
        """What belongs into each settings file."""
        return {
            name: {("config", BACKEND): one.backend, ("config", BOUNDARY): one.boundary}
            for name, one in self.environments.items()
        }

    def variables(self) -> dict[str, str]:
        """Variables of the repository, for jobs that run in none of GitHub's environments."""
        known = {preview_role(name): one.preview for name, one in self.environments.items()}
        regions = {region(name): one.region for name, one in self.environments.items()}
        return {**({BUILD_ROLE: self.build} if self.build else {}), **known, **regions}

    def of_environments(self) -> dict[str, dict[str, str]]:
        """Environments to make on GitHub, and the variables of each."""
        return {name: {DEPLOY_ROLE: one.deploy, REGION: one.region} for name, one in self.environments.items()}

    def as_json(self) -> dict[str, object]:
        """All of it."""
        return {
            "account": self.account,
            "bucket": self.bucket,
            "provider": dict(self.provider),
            "settings": {
                name: {
                    BACKEND: one.backend,
                    BOUNDARY: one.boundary,
                    "secretsprovider": one.secretsprovider,
                }
                for name, one in self.environments.items()
            },
            "github": {
                "repository": dict(self.repository),
                "variables": self.variables(),
                "environments": self.of_environments(),
            },
        }

    def text(self, written: list[str]) -> str:
        """The same for people."""
        lines = [f"The account {self.account} is ready; its state is in s3://{self.bucket}."]
        for name, one in self.environments.items():
            file = f"Pulumi.{name}.yaml"
            lines += ["", f"In {file}, below `config:`" + (" (written)" if file in written else "") + ":"]
            lines += [f"  {BACKEND}: {one.backend}", f"  {BOUNDARY}: {one.boundary}"]
            lines.append(
                "Once that is there, for secrets in its settings; it changes the file, which is then committed:"
            )
            made = f"pulumi stack init {name} --secrets-provider '{one.secretsprovider}'"
            lines.append(f'  eval "$(releasectl env {name})" && {made}')
        where = f"--repo {self.repository['name']}"
        lines += ["", f"On GitHub, in {self.repository['name']}:"]
        lines += [f"  gh variable set {key} {where} --body {value}" for key, value in self.variables().items()]
        for name, refs in protection.places(self.environments).items():
            lines += [f"  {line}" for line in protection.making(self.repository["name"], name, refs)]
        for name, variables in self.of_environments().items():
            lines += [
                f"  gh variable set {key} {where} --env {name} --body {value}" for key, value in variables.items()
            ]
        return "\n".join([*lines, "", "More: docs/account.md"])


def preview_role(environment: str) -> str:
    """The variable of the repository that holds the role of the environment's previews."""
    return f"AWS_PREVIEW_ROLE_{_variable(environment)}"


def region(environment: str) -> str:
    """The variable of the repository that holds the environment's region."""
    return f"AWS_REGION_{_variable(environment)}"


def _variable(name: str) -> str:
    """A name as GitHub's variables may have it."""
    return name.upper().replace("-", "_")


_ADAPTER = TypeAdapter(Ready)
