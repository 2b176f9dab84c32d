"""Sources: commits, tags and trees of the services that this repository builds, as git has them.

Comes in: a tag or a commit that somebody named. Goes out: the commit on main, and the tree of each service there. A tag
is asked of the remote, because a job's clone has none. It changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from releasectl.commands import say
from releasectl.commands.proposing import POLL
from releasectl.errors import ControllerError, Retry, UnknownCommit
from releasectl.pipeline import Pipeline
from releasectl.same_source import is_version
from releasectl.world import World

if TYPE_CHECKING:
    from releasectl.edges.git import Git

Found = TypeVar("Found")


class NoSuchTag(ControllerError):
    """A tag that is no version, is not on the remote, or is on a commit that is not on main.

    Why: A typing error, a tag that was never pushed, or one on a branch that nobody merged.
    Do: Tag a commit of main with a version such as `v1.4.0`, push the tag, then run the same command again.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class NotProvenYet(ControllerError):
    """Sources of which nothing was released yet.

    Why: A tag names what was built from main and released; its commit is too new, or its build failed.
    Do: Wait until the build of that commit has been released to the first environment, then run the command again.
    """

    exit_code = 4
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Sources:
    """Of the pipeline's services, in this clone."""

    git: "Git"
    pipeline: Pipeline

    def tagged(self, tag: str) -> str:
        """The commit of a version's tag. Raises NoSuchTag."""
        what = f"looking for tag {tag[:80]!r}"
        if not is_version(tag):
            raise NoSuchTag(f"{what}: it is no version", "Name a tag such as v1.4.0.")
        commit = self.git.tag(tag)
        if not commit:
            raise NoSuchTag(f"{what}: the remote has no such tag", f"Push it: git push origin {tag}")
        if not self.git.is_ancestor(commit, self.git.fetch()):
            raise NoSuchTag(f"{what}: its commit {commit[:12]} is not on main", "Tag a commit of main.")
        return commit

    def trees(self, commit: str) -> Mapping[str, str]:
        """The tree of each service that is built here, as far as the commit has it."""
        ours = [name for name, source in self.pipeline.services.items() if not source.repository]
        return {name: tree for name in ours if (tree := self.tree(name, commit))}

    def tree(self, service: str, commit: str) -> str:
        """The id of a service's tree at a commit; "" for a commit that git does not know."""
        source = self.pipeline.services.get(service)
        if source is None or source.repository:
            return ""
        try:
            return self.git.tree(commit, source.path)
        except UnknownCommit:
            return ""


def once_proven(world: World, minutes: int, look: Callable[[], Found]) -> Found:
    """As soon as it is: a tag is often pushed together with its commit, which is then still being built.

    Raises NotProvenYet when the minutes are over, and what `look` raises.
    """
    end = world.clock.now() + timedelta(minutes=minutes)
    while True:
        try:
            return look()
        except NotProvenYet as error:
            if world.clock.now() >= end:
                raise
            say(f"waiting: {error.message}")
            world.clock.sleep(POLL)
