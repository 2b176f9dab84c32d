"""A runner of GitHub on this machine: act, which runs the steps of a workflow without a container.

Comes in: a hub and a folder with workflows. Goes out: what a run said and how each of its steps ended. Steps have
the variables of this machine, no account of the person, and an address of GitHub that is the sandbox's; what leads
into the sandbox's AWS they get from the step that takes a role, and only from it.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.process import find_uv
from tests.act import copies
from tests.e2e.hub import Hub

ACT = copies.PROJECT / ".tools" / "act"
PATIENCE = 600.0  # seconds for a workflow
RUN = "7"
VARIABLES = {
    "AWS_DEPLOY_ROLE": "arn:aws:iam::000000000000:role/deploy-staging",
    "AWS_REGION": "eu-west-1",
    "AWS_PREVIEW_ROLE_STAGING": "arn:aws:iam::000000000000:role/preview-staging",
    "AWS_REGION_STAGING": "eu-west-1",
}
_FOREIGN = ("AWS_", "PULUMI_", "GIT_", "GITHUB_", "ACTIONS_", "RUNNER_", "RELEASECTL_", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Ran:
    """A run that has ended."""

    code: int
    out: str

    @cached_property
    def lines(self) -> tuple[dict[str, Any], ...]:
        """What act said, line by line."""
        return tuple(json.loads(line) for line in self.out.splitlines() if line.startswith("{"))

    @cached_property
    def text(self) -> str:
        """What its steps said."""
        return "".join(str(line["msg"]) for line in self.lines if line.get("raw_output"))

    def ended(self, job: str) -> dict[str, str]:
        """Each step of a job by its name, in their order, and how it ended."""
        own = [one for one in self.lines if one.get("jobID") == job and one.get("stage") == "Main"]
        return {one["step"]: one["stepResult"] for one in own if "stepResult" in one and len(one["stepID"]) == 1}


@dataclass(frozen=True)
class Runner:
    """`folder` has the workflows; `home` is for act's own files, outside of it."""

    hub: Hub
    folder: Path
    home: Path

    def run(self, workflow: str, event: str, told: Mapping[str, Any], rights: Mapping[str, str]) -> Ran:
        """One workflow for one event, with a token of these rights."""
        (self.home / "event.json").write_text(json.dumps(told))
        (self.home / "variables").write_text(_lines(self.hub.story.sandbox.variables))
        token = self.hub.github.token(permissions=dict(rights))
        done = subprocess.run(
            [str(ACT), event, *self._arguments(workflow, token)],
            cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout + done.stderr)

    def _arguments(self, workflow: str, token: str) -> list[str]:
        stubs = {name: copies.PROJECT / "tests" / "act" / "actions" / stub for name, stub in copies.foreign().items()}
        return [
            *("--workflows", str(self.folder / copies.path(workflow)), "--eventpath", str(self.home / "event.json")),
            *("--platform", "ubuntu-24.04=-self-hosted", "--json", "--no-cache-server", "--no-skip-checkout"),
            *("--pull=false", "--action-offline-mode", "--actor", "mallory", "--secret", f"GITHUB_TOKEN={token}"),
            *_each("--var", VARIABLES),
            *_each("--env", self._job()),
            *_each("--local-repository", stubs),
        ]

    def _job(self) -> dict[str, str]:
        """What GitHub tells every step, and what the actions here need to know."""
        return {
            "GITHUB_API_URL": self.hub.github.url, "GITHUB_SERVER_URL": self.hub.github.server,
            "GITHUB_REPOSITORY": self.hub.github.name, "GITHUB_RUN_ID": RUN, "SHA_REF": self.hub.story.head,
            "ACT_REMOTE": str(self.hub.story.sandbox.remote), "ACT_UV": str(Path(find_uv()).parent),
            "ACT_VARIABLES": str(self.home / "variables"),
        }  # fmt: skip

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        cache = subprocess.run([find_uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
        return kept | {
            "XDG_CACHE_HOME": str(self.home / "cache"), "UV_CACHE_DIR": cache, "GIT_CONFIG_GLOBAL": os.devnull,
        }  # fmt: skip


def _each(option: str, values: Mapping[str, object]) -> Iterable[str]:
    return (word for name, value in values.items() for word in (option, f"{name}={value}"))


def _lines(variables: Mapping[str, str]) -> str:
    """What leads into the sandbox, and nothing that a job has from GitHub: the hub's own token may everything."""
    theirs = ("GITHUB_", "RELEASECTL_")
    return "".join(f"{name}={value}\n" for name, value in variables.items() if not name.startswith(theirs))
