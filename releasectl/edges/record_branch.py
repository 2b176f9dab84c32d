"""The branch `deployments`: one file for each deployment, lines only added, every write a compare-and-swap.

Comes in: a clone. Goes out: deployments, newest first, and new lines on the remote's branch. The branch is an
orphan, so that history of what happened never mixes with what should be. It never rewrites a line and never
forces a push.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from releasectl import record
from releasectl.edges.git import Git, Stale
from releasectl.record import BRANCH, Deployment, Moment


@dataclass(frozen=True)
class RecordBranch:
    """Records on the remote of one clone."""

    git: Git

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        """The newest deployments of an environment, newest first. Raises UnreadableRecord, MissingRemote."""
        tip = self.git.fetch(BRANCH)
        if not tip:
            return ()
        paths = record.newest(self.git.list(tip, environment), environment, count)
        files = self.git.read_many(tip, paths)
        return tuple(record.read(path, files[path]) for path in paths)

    def open(self, deployment: Deployment, after: str) -> None:
        """A new deployment's first line. Raises Stale when another of its environment came after `after`."""

        def change(tip: str) -> Mapping[str, bytes]:
            paths = self.git.list(tip, deployment.environment) if tip else ()
            newest = record.newest(paths, deployment.environment, 1)
            seen = newest[0].rsplit("/", 1)[-1].removesuffix(".jsonl") if newest else ""
            if seen != after:
                raise Stale(
                    f"recording deployment {deployment.id}: deployment {seen} of {deployment.environment} came first",
                    "Run the same command again.",
                )
            return {deployment.path: record.first_line(deployment)}

        self.git.commit(BRANCH, _message(deployment), change)

    def add(self, deployment: Deployment, moment: Moment | None, **facts: object) -> Deployment:
        """A further line. `facts` are fields of Deployment; the deployment with all of it comes back.

        Raises Stale when another controller wrote a phase of it that `deployment` does not know.
        """
        line = record.next_line(moment, **facts)
        grown = record.read(deployment.path, record.first_line(deployment) + line)

        def change(tip: str) -> Mapping[str, bytes]:
            before = self.git.read(tip, deployment.path) if tip else None
            if before and (there := record.read(deployment.path, before)).phases != deployment.phases:
                raise Stale(
                    f"recording deployment {deployment.id}: by now it is {there.phase}: {there.message}",
                    "Run the same command again.",
                )
            return {deployment.path: (before or record.first_line(deployment)) + line}

        self.git.commit(BRANCH, _message(grown), change)
        return grown


def _message(deployment: Deployment) -> str:
    """The branch reads as a log of its own: `staging live: proven: ...`."""
    pins = [f"{name} {pin.digest}" for name, pin in deployment.services.items() if pin.digest]
    return "\n".join(
        (f"{deployment.environment} {deployment.phase} {deployment.id}", "", deployment.message, *pins, "")
    )
