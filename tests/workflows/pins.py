"""Policies about whose code runs: every action by its commit, and each commit in one table.

Comes in: a project. Goes out: what is wrong, in words; nothing when nothing is. A tag can be moved by whoever takes an
action over, a commit cannot; the comment with the version is what people and Dependabot read.
"""

import re
from collections.abc import Iterator

from tests.workflows.files import PINS, Project

REVIEW = ".github/workflows/review.yml"
# The one workflow that is used as it is on main: a pull request must not bring its own, and the role that it takes
# trusts that name and no other. The template's OWNER/REPOSITORY becomes the team's own.
ON_MAIN = re.compile(r"[\w.-]+/[\w.-]+/\.github/workflows/preview\.yml@main")
_ACTION = re.compile(r"(?P<action>[\w-]+/[\w.-]+)(?:/[\w./-]+)?@(?P<commit>[0-9a-f]{40})")
_VERSION = re.compile(r"v\d+\.\d+\.\d+")


def uses(project: Project) -> Iterator[tuple[str, str, str]]:
    """Each `uses`: the file, what it says and the comment behind it."""
    for file in project.files:
        found = (scalar for scalar in file.scalars if scalar.keys[-1:] == ("uses",))
        yield from ((file.path, scalar.value, scalar.comment) for scalar in found)


def is_own(path: str, used: str) -> bool:
    """Is it of this project: of this very commit or, from review.yml alone, of main?"""
    return used.startswith(("$/", "./")) or (path == REVIEW and bool(ON_MAIN.fullmatch(used)))


def foreign(project: Project) -> Iterator[tuple[str, str, str]]:
    """Each `uses` of somebody else's code."""
    return (use for use in uses(project) if not is_own(*use[:2]))


def every_action_is_pinned(project: Project) -> Iterator[str]:
    """By 40 hex characters, with its version behind them; an image is no action of GitHub's."""
    for path, used, comment in foreign(project):
        if not _ACTION.fullmatch(used):
            yield f"{path}: {used} is not OWNER/ACTION@COMMIT"
        elif not _VERSION.fullmatch(comment):
            yield f"{path}: {used} lacks `# vX.Y.Z`"


def the_table_has_every_action(project: Project) -> Iterator[str]:
    """With this commit and this version."""
    for path, used, comment in foreign(project):
        found = _ACTION.fullmatch(used)
        if found and (found["action"], comment, found["commit"]) not in project.pins:
            yield f"{path}: {used} # {comment} is not in {PINS}"


def every_row_of_the_table_is_used(project: Project) -> Iterator[str]:
    """And well formed, and there once: an action has one version."""
    found = [(_ACTION.fullmatch(used), comment) for _, used, comment in foreign(project)]
    used = {(match["action"], comment, match["commit"]) for match, comment in found if match}
    yield from (f"{PINS}: nothing uses {' '.join(row)}" for row in project.pins if row not in used)
    names = [row[0] for row in project.pins]
    yield from (f"{PINS}: {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1)


def what_is_our_own_is_there(project: Project) -> Iterator[str]:
    """Of the workflow's own commit: `./` would be of whatever was checked out meanwhile."""
    for path, used, _ in uses(project):
        if used.startswith("./"):
            yield f"{path}: {used} is of the work tree, write $/"
        elif is_own(path, used) and project.called(used) is None:
            yield f"{path}: {used} is not there"


POLICIES = (
    every_action_is_pinned,
    the_table_has_every_action,
    every_row_of_the_table_is_used,
    what_is_our_own_is_there,
)
