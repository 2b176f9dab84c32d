"""One request to the sandbox's GitHub, what it looks at, and how it is answered or refused.

Comes in: method, path, parameters, body, who asks. Goes out: a Reply, or a No in GitHub's words. A View is the state
of now or, for a stale look, that of before the last write.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.github.repository import Repository
from sandbox.github.state import Event, State, Token


class No(Exception):
    """A refusal as GitHub gives it."""

    def __init__(self, status: int, message: str, *errors: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


@dataclass(frozen=True)
class Reply:
    """`body` is JSON, None for nothing. `page` marks a list that goes out in pages, under a name where it has one."""

    body: Any = None
    status: int = 200
    within: str = ""


@dataclass(frozen=True)
class Asked:
    """`shift` is an ordered fault: this many items come twice on the next page."""

    method: str
    path: str
    params: Mapping[str, str]
    raw: bytes
    body: Any
    token: Token
    headers: Mapping[str, str] = field(default_factory=dict)
    shift: int = 0

    def given(self, name: str) -> Any:
        """A field of the body. Raises No when it is missing."""
        if not isinstance(self.body, dict) or self.body.get(name) in (None, ""):
            raise No(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
        return self.body[name]


@dataclass(frozen=True)
class View:
    """What is there."""

    url: str
    server: str
    name: str
    repository: Repository
    state: State
    events: list[Event]

    @property
    def api(self) -> str:
        """Of the repository."""
        return f"{self.url}/repos/{self.name}"

    @property
    def page(self) -> str:
        """Of the repository, for people."""
        return f"{self.server}/{self.name}"

    @property
    def owner(self) -> str:
        """Of the repository."""
        return self.name.partition("/")[0]

    def happened(self, name: str, token: Token, ref: str, commit: str, **more: Any) -> None:
        """Remember an event. What a workflow's own token does starts nothing, but for a dispatch."""
        starts = "yes" if token.kind != "actions" or name in ("workflow_dispatch", "repository_dispatch") else "no"
        if starts == "no" and name == "pull_request":
            starts = "after approval"
        self.events.append(Event(name, token.person.login, ref, commit, starts, more))


Handler = Callable[..., Reply]


@dataclass(frozen=True)
class Route:
    """`pattern` is below the repository; {name} is a part, {name...} also with slashes."""

    method: str
    pattern: str
    handler: Handler
    permission: str
    level: str = ""

    def matches(self, method: str, path: str) -> dict[str, str] | None:
        """The parts, None for another route."""
        if method != self.method:
            return None
        found = re.fullmatch(
            re.sub(
                r"\\{(\w+)(\\\.\\\.\\\.)?\\}",
                lambda m: f"(?P<{m[1]}>{'.+' if m[2] else '[^/]+'})",
                re.escape(self.pattern),
            ),
            path,
        )
        return found.groupdict() if found else None

    def admits(self, token: Token) -> bool:
        """Is the token allowed?"""
        wanted = self.level or ("read" if self.method == "GET" else "write")
        has = [token.permissions.get(name, "") for name in self.permission.split("|")]
        return "write" in has or (wanted == "read" and "read" in has) or not self.permission
