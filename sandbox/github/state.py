"""What the sandbox's GitHub remembers beside git: people, tokens, pull requests, comments, checks and so on.

Plain values and nothing else, so that a stale look is a copy of them. Nothing here asks or answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Permissions = Mapping[str, str]
ALL: Permissions = dict.fromkeys(
    ("actions", "checks", "contents", "deployments", "issues", "pull_requests", "statuses", "workflows"), "write"
)


@dataclass(frozen=True)
class Person:
    """A person, or the bot of an App."""

    login: str
    id: int
    type: str = "User"


@dataclass(frozen=True)
class Token:
    """`kind`: person, app, or actions: the token of a workflow, whose deeds start no further workflow."""

    person: Person
    kind: str
    permissions: Permissions
    slug: str = ""


@dataclass
class Pull:
    """`head` is a branch; of a fork its commit is under refs/pull."""

    number: int
    id: int
    title: str
    body: str
    head: str
    base: str
    author: Person
    created: str
    fork: str = ""
    state: str = "open"
    merged: str = ""
    merged_by: Person | None = None
    closed: str = ""
    last_head: str = ""  # once it is not open
    last_base: str = ""


@dataclass
class Issue:
    """No pull request; the two share their numbers."""

    number: int
    id: int
    title: str
    body: str
    author: Person
    created: str
    updated: str
    state: str = "open"
    reason: str | None = None
    closed: str | None = None


@dataclass
class Comment:
    """On a pull request or an issue."""

    id: int
    number: int
    body: str
    author: Person
    created: str
    updated: str
    slug: str = ""


@dataclass
class CheckRun:
    """Of one commit."""

    id: int
    commit: str
    name: str
    slug: str
    created: str
    given: dict[str, Any] = field(default_factory=dict)


@dataclass
class Deployed:
    """A deployment with its statuses, the newest last."""

    id: int
    commit: str
    ref: str
    environment: str
    creator: Person
    created: str
    given: dict[str, Any]
    statuses: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Run:
    """Of a workflow."""

    id: int
    number: int
    workflow: str
    branch: str
    commit: str
    event: str
    inputs: dict[str, str]
    actor: Person
    created: str
    updated: str
    status: str = "queued"
    conclusion: str | None = None


@dataclass
class Asset:
    """A file of a release."""

    id: int
    name: str
    kind: str
    size: int
    digest: str
    uploader: Person
    created: str


@dataclass
class Release:
    """A release page."""

    id: int
    author: Person
    created: str
    given: dict[str, Any]
    published: str | None = None
    assets: list[Asset] = field(default_factory=list)


@dataclass(frozen=True)
class Event:
    """What happened. `starts`: would workflows that listen to it start? yes, no, or once somebody approved."""

    name: str
    actor: str
    ref: str
    commit: str
    starts: str
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Protection:
    """Of one branch."""

    checks: tuple[str, ...] = ()
    only_by_pull: bool = False


@dataclass
class State:
    """All of it."""

    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    deployments: dict[int, Deployed] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    releases: dict[int, Release] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    ids: int = 1000
    numbers: int = 0

    def next_id(self) -> int:
        """One for any object."""
        self.ids += 1
        return self.ids

    def next_number(self) -> int:
        """One for a pull request or an issue."""
        self.numbers += 1
        return self.numbers


def now() -> str:
    """As GitHub writes a time."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
