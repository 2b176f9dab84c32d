"""A whole sandbox for the tests that go the whole way: real git, the real engine, real HTTP."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import place
from sandbox.hand import Hand, Said
from sandbox.image import Image

__all__ = ["PROJECT", "Said", "Story", "diagnosed", "recorded", "told"]

PROJECT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "ab" * 32  # that no registry has
REMEDY = re.compile(r"^  [A-Z][a-z]+\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Story(Hand):
    """A hand in a sandbox, and an eye for all that may have changed."""

    @functools.cached_property
    def repository(self) -> str:
        """Staging's repository of the one service."""
        return str(self.service()["repository"])

    def build_new(self, version: str, *, service: str = "web", **variables: str) -> Image:
        """An image of a new commit of the service: no two builds here share their source."""
        self.commit({"service/NEWS": f"{service} {version}\n".encode()}, f"{service} {version}")
        return self.build(version, service=service, **variables)

    def bump(self, built: Image, *more: str, service: str = "web") -> Said:
        """What the bot does after a build."""
        return self.releasectl("bump", service, built.digest, "--commit", self.source_commit, *more)

    def release_new(self, version: str) -> str:
        """A new build, live in staging; its digest."""
        built = self.build_new(version)
        bumped = self.bump(built, "--version", version)
        assert bumped.code == 0, bumped.err
        said = self.releasectl("reconcile", "staging")
        assert said.code == 0, said.err
        return built.digest

    def break_image(self, version: str) -> None:
        """What a build needs at start is gone from now on: instances that run are not touched, new ones end."""
        for about in (self.sandbox.folder / "runtimes").rglob("web/build.json"):
            if json.loads(about.read_text())["version"] == version:
                (about.parent / "__main__.py").write_text('raise SystemExit("what it needs is gone")\n')

    def everything_but_services(self) -> dict[str, Any]:
        """All that a command could have changed, for when the release file cannot be read: refs and Pulumi state."""
        return {"refs": self.refs(), "state": self.state()}

    def everything(self) -> dict[str, Any]:
        """All that a command could have changed: refs of the remote, the Pulumi state, the running services."""
        return self.everything_but_services() | {"runs": self.runs()}

    def runs(self) -> dict[str, str]:
        """What App Runner itself says it runs: the image of each service."""
        client = self.client("apprunner")
        arns = [each["ServiceArn"] for each in client.list_services()["ServiceSummaryList"]]
        services = [client.describe_service(ServiceArn=arn)["Service"] for arn in arns]
        return {
            each["ServiceName"]: each["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] for each in services
        }


def told(said: Said, name: str, code: int) -> None:
    """The command ended with this error, in JSON and in words, remedy included."""
    assert said.code == code, said.err
    assert said.json["error"] == name, said.out
    assert said.json["remedy"].split()[0][0].isupper()
    assert said.json["message"].splitlines()[0] in said.err
    assert REMEDY.search(said.err)
    assert "Traceback" not in said.err


def recorded(deployment: Any, name: str, words: str) -> None:
    """A deployment ended by this error: it came after the intent was on record, so history tells it, in its words."""
    assert deployment["phases"][-1]["phase"] == "errored", name
    assert words in deployment["phases"][-1]["message"]


def diagnosed(said: Said, name: str, rule: str) -> Any:
    """Doctor could not ask about `rule`, for this error, and said so with its remedy; one of these findings."""
    found = [one for one in said.json["findings"] if (one["error"], one["rule"]) == (name, rule)]
    assert found, said.out
    assert all(one["severity"] == "could not ask" and one["remedy"][0].isupper() for one in found)
    assert "Traceback" not in said.err
    return found[0]


@pytest.fixture
def unchanged(story: Story) -> Iterator[None]:
    """Whatever the test does by commands leaves everything as it was; a person's own commit is taken back."""
    before = story.everything()
    yield
    assert story.everything() == before


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
