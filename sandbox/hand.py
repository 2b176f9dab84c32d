"""A hand in a sandbox: what a person, the build and the bump bot do there, each through its ordinary tool.

Comes in: a running sandbox. Goes out: answers of the real command line, commits on the real remote, images in the
real registry. The demo plays with it and so do the tests; it never looks inside the controller.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import image
from sandbox.image import Image
from sandbox.place import Sandbox
from sandbox.registry import Registry
from sandbox.remote import git

PATIENCE = 300.0  # seconds for one command


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Hand:
    """Plays in one sandbox."""

    sandbox: Sandbox

    def releasectl(self, *arguments: str, **changed: str | None) -> Said:
        """One command in the clone; `changed` are variables to set, or None to remove."""
        environment: dict[str, str] = {**self.sandbox.environment, "GIT_CONFIG_GLOBAL": os.devnull}
        for name, value in changed.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        done = subprocess.run(
            [str(Path(sys.executable).with_name("releasectl")), *arguments],
            cwd=self.sandbox.clone, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def build(self, version: str, *, service: str = "web", **variables: str) -> Image:
        """An image of the service at its newest commit, in staging's registry."""
        source = self.sandbox.clone / "service"
        built = image.build(source, commit=self.source_commit, version=version, cache=cache(), variables=variables)
        repository = self.service("staging", service)["repository"].partition("/")[2]
        registry = Registry(self.sandbox.variables["AWS_ENDPOINT_URL"])
        image.push(built, registry, repository, [f"sha-{built.digest[7:19]}"])
        return built

    def commit(self, changes: Mapping[str, bytes], message: str = "By hand") -> str:
        """A person's commit on main."""
        self.pull()
        for path, content in changes.items():
            (self.sandbox.clone / path).parent.mkdir(parents=True, exist_ok=True)
            (self.sandbox.clone / path).write_bytes(content)
        git(self.sandbox.clone, "add", "--all")
        git(self.sandbox.clone, "commit", "--quiet", "--message", message)
        git(self.sandbox.clone, "push", "--quiet", "origin", "main")
        return self.head

    def merge(self, branch: str) -> str:
        """A reviewer merges a branch; the merge commit."""
        self.pull()
        git(self.sandbox.clone, "merge", "--quiet", "--no-ff", "--no-edit", f"origin/{branch}")
        git(self.sandbox.clone, "push", "--quiet", "origin", "main")
        return self.head

    def pull(self) -> None:
        """The clone as main is."""
        git(self.sandbox.clone, "fetch", "--quiet", "--prune", "origin")
        git(self.sandbox.clone, "reset", "--quiet", "--hard", "origin/main")

    def read(self, path: str) -> bytes:
        """A file of main."""
        self.pull()
        return (self.sandbox.clone / path).read_bytes()

    def files(self, folder: str) -> dict[str, str]:
        """The files of a folder of main."""
        self.pull()
        return {
            each.name: each.read_text() for each in sorted((self.sandbox.clone / folder).glob("*")) if each.is_file()
        }

    def client(self, service: str) -> Any:
        """A boto3 client of the sandbox's AWS: the console of whoever changes something past git."""
        import boto3  # noqa: PLC0415 - half a second that only this needs

        given = self.sandbox.variables
        arguments: dict[str, Any] = {
            "service_name": service,
            "endpoint_url": given.get(f"AWS_ENDPOINT_URL_{service.upper()}", given["AWS_ENDPOINT_URL"]),
            "region_name": given["AWS_REGION"],
            "aws_access_key_id": given["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": given["AWS_SECRET_ACCESS_KEY"],
        }
        return boto3.client(**arguments)

    @property
    def head(self) -> str:
        """The tip of main."""
        return git(self.sandbox.remote, "rev-parse", "main")

    @property
    def source_commit(self) -> str:
        """The newest commit that changed the service."""
        return git(self.sandbox.clone, "log", "-1", "--format=%H", "--", "service")

    def status(self, environment: str = "staging") -> Any:
        """What `releasectl status` says of an environment."""
        return self.releasectl("status", environment, "--json").json[0]

    def service(self, environment: str = "staging", service: str = "web") -> Any:
        """What it says of one service."""
        return self.status(environment)["services"][service]

    def history(self, environment: str = "staging", count: int = 20) -> Any:
        """The deployments on record, newest first."""
        return self.releasectl("history", environment, "--count", str(count), "--json").json

    def last(self, environment: str = "staging") -> Any:
        """The newest deployment on record."""
        return self.history(environment, 1)[0]

    def state(self) -> dict[str, bytes]:
        """Every file of the Pulumi state."""
        folder = self.sandbox.folder / "state"
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def engine_starts(self) -> int:
        """How often the engine was started: it writes a log each time."""
        return sum(1 for _ in (self.sandbox.folder / "pulumi-home" / "logs").rglob("*"))

    def refs(self) -> str:
        """Every branch of the remote."""
        return git(self.sandbox.remote, "for-each-ref")


def cache() -> Path:
    """Where layers are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "release-controller"
