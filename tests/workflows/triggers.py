"""Which workflows GitHub starts, by its rules: event, branch, changed paths, and who did it.

Comes in: workflows, and what happened. Goes out: the names of the workflows that start. What `github.token` does starts
nothing but what it starts by hand. Two limits of GitHub's are not here: of a push it looks at the first 3,000 files,
and where it cannot tell the changed files it starts everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from tests.workflows.files import File, Project
from tests.workflows.patterns import passes

Filters = Mapping[str, Any]


@dataclass(frozen=True)
class Push:
    """Commits on a branch; `by_token` where a job pushed them with its github.token."""

    files: Sequence[str]
    branch: str = "main"
    by_token: bool = False


@dataclass(frozen=True)
class Tag:
    """A tag."""

    name: str
    by_token: bool = False


@dataclass(frozen=True)
class Pull:
    """A pull request that was opened or changed."""

    files: Sequence[str]
    onto: str = "main"
    by_token: bool = False


@dataclass(frozen=True)
class ByHand:
    """Somebody, or a job with its github.token, starts one workflow."""

    name: str


@dataclass(frozen=True)
class Time:
    """A moment of a schedule has come."""


Event = Push | Tag | Pull | ByHand | Time


def started(project: Project, event: Event) -> set[str]:
    """The workflows that start, by the names of their files without the ending."""
    if getattr(event, "by_token", False):
        return set()
    return {PurePosixPath(file.path).stem for file in project.workflows if _starts(file, event)}


def _starts(workflow: File, event: Event) -> bool:
    events = workflow.events
    match event:
        case ByHand(name):
            return "workflow_dispatch" in events and PurePosixPath(workflow.path).stem == name
        case Time():
            return "schedule" in events
        case Tag(name):
            return "push" in events and _ref(events["push"], "tags", name, others="branches")
        case Push(files, branch):
            told = events.get("push")
            return told is not None and _ref(told, "branches", branch, others="tags") and _paths(told, files)
        case Pull(files, onto):
            told = events.get("pull_request")
            return told is not None and _ref(told, "branches", onto, others="") and _paths(told, files)


def _ref(told: Filters, key: str, name: str, *, others: str) -> bool:
    """A filter of tags alone keeps branches out, and the other way round."""
    if told.get(f"{key}-ignore"):
        return not passes(name, told[f"{key}-ignore"])
    return passes(name, told[key]) if key in told else others not in told


def _paths(told: Filters, files: Iterable[str]) -> bool:
    """One changed file that fits is enough; with paths-ignore, one that does not."""
    if "paths-ignore" in told:
        return any(not passes(path, told["paths-ignore"]) for path in files)
    return "paths" not in told or any(passes(path, told["paths"]) for path in files)
