"""A whole sandbox for the tests that go the whole way: real git, the real engine, real HTTP."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import place
from sandbox.hand import Hand, Said

__all__ = ["PROJECT", "Said", "Story"]

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Story(Hand):
    """A hand in a sandbox, and an eye for all that may have changed."""

    @functools.cached_property
    def repository(self) -> str:
        """Staging's repository of the one service."""
        return str(self.service()["repository"])

    def everything_but_services(self) -> dict[str, Any]:
        """All that a command could have changed, for when the release file cannot be read: refs and Pulumi state."""
        return {"refs": self.refs(), "state": self.state()}

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
