"""A whole sandbox for the tests that go the whole way: real git, the real engine, real HTTP."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import demo, image, place
from sandbox.image import Image
from sandbox.place import Sandbox
from sandbox.registry import Registry
from sandbox.remote import git

PROJECT = Path(__file__).resolve().parents[2]


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
class Story:
    """A sandbox with a hand to play in it."""

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
            cwd=self.sandbox.clone, env=environment, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def build(self, version: str, **variables: str) -> Image:
        """An image of the service, in staging's registry."""
        built = image.build(
            self.sandbox.clone / "service", commit=self.head, version=version, cache=demo.cache(), variables=variables
        )
        registry = Registry(self.sandbox.variables["AWS_ENDPOINT_URL"])
        image.push(built, registry, self.repository.partition("/")[2], [f"sha-{built.digest[7:19]}"])
        return built

    def commit(self, changes: Mapping[str, bytes], message: str = "By hand") -> str:
        """A person's commit on main."""
        self.pull()
        for path, content in changes.items():
            (self.sandbox.clone / path).write_bytes(content)
        git(self.sandbox.clone, "commit", "--quiet", "--all", "--message", message)
        git(self.sandbox.clone, "push", "--quiet", "origin", "main")
        return self.head

    def pull(self) -> None:
        """The clone as main is."""
        git(self.sandbox.clone, "fetch", "--quiet", "origin")
        git(self.sandbox.clone, "reset", "--quiet", "--hard", "origin/main")

    def read(self, path: str) -> bytes:
        """A file of main."""
        self.pull()
        return (self.sandbox.clone / path).read_bytes()

    @property
    def head(self) -> str:
        """The tip of main."""
        return git(self.sandbox.remote, "rev-parse", "main")

    @functools.cached_property
    def repository(self) -> str:
        """Staging's repository of the one service."""
        return str(self.status()["services"]["web"]["repository"])

    def status(self, environment: str = "staging") -> Any:
        """What `releasectl status` says of an environment."""
        return self.releasectl("status", environment, "--json").json[0]

    def last(self, environment: str = "staging") -> Any:
        """The newest deployment on record."""
        return self.releasectl("history", environment, "--count", "1", "--json").json[0]

    def everything_but_services(self) -> dict[str, Any]:
        """All that a command could have changed, for when the release file cannot be read: refs and Pulumi state."""
        state = self.sandbox.folder / "state"
        return {
            "refs": git(self.sandbox.remote, "for-each-ref"),
            "state": {str(path): path.read_bytes() for path in state.rglob("*") if path.is_file()},
        }

    def everything(self) -> dict[str, Any]:
        """All that a command could have changed: refs of the remote, the Pulumi state, the running services."""
        return self.everything_but_services() | {"runs": self.status()["services"]}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A sandbox in which staging is created, with nothing released yet."""
    sandbox = place.up(tmp_path_factory.mktemp("sandbox"), PROJECT)
    try:
        story = Story(sandbox)
        assert story.releasectl("bump", "--program").code == 0
        made = story.releasectl("reconcile", "staging")
        assert made.code == 0, made.err
        yield story
    finally:
        place.down(sandbox)
