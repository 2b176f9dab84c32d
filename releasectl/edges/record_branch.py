"""The branch `deployments`: one file for each deployment, lines only added, every write a compare-and-swap.

Comes in: a clone. Goes out: deployments, newest first, and new lines on the remote's branch. The branch is an
orphan, so that history of what happened never mixes with what should be. It never rewrites a line and never forces a
push; and where a person or a program did, it says so and stops: a second ref, on the remote and in each clone, keeps
the newest commit that a controller wrote or read, and with it all that was ever written.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from releasectl import record
from releasectl.edges.git import Git
from releasectl.errors import Stale
from releasectl.record import BRANCH, Deployment, Moment, RewrittenRecord, UnreadableRecord

KEPT = f"refs/releasectl/kept/{BRANCH}"  # the same name on the remote and here


@dataclass(frozen=True)
class RecordBranch:
    """Records on the remote of one clone."""

    git: Git

    def history(self, environment: str, count: int) -> tuple[Deployment, ...]:
        """The newest deployments of an environment, newest first.

        Raises UnreadableRecord, RewrittenRecord and what a remote says.
        """
        tip, _ = self._look(environment)
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

        self._write(deployment, change)

    def add(self, deployment: Deployment, moment: Moment | None, **facts: object) -> Deployment:
        """A further line. `facts` are fields of Deployment; the deployment with all of it comes back.

        Raises Stale when another controller wrote a phase of it that `deployment` does not know.
        """
        line = record.next_line(moment, **facts)
        grown = record.read(deployment.path, record.first_line(deployment) + line)

        def change(tip: str) -> Mapping[str, bytes]:
            before = self.git.read(tip, deployment.path) if tip else None
            return {deployment.path: record.grown(deployment, before, line)}

        self._write(grown, change)
        return grown

    def _write(self, deployment: Deployment, change: Callable[[str], Mapping[str, bytes]]) -> None:
        along: list[str] = []

        def fetch() -> str:
            tip, whole = self._look(deployment.environment)
            along[:] = [KEPT] if whole else []  # what another environment lost must stay to be found
            return tip

        commit = self.git.commit(BRANCH, lambda: _message(deployment), change, fetch=fetch, along=along)
        if along:
            self.git.keep(KEPT, commit)

    def _look(self, environment: str) -> tuple[str, bool]:
        """The branch's tip, once it is certain that it goes on from what was there; and is all of it whole?

        Raises RewrittenRecord; UnreadableRecord when this environment's files have lost anything.
        """
        seen = self.git.ref(KEPT)  # before asking: another process of ours may read on meanwhile
        tip, kept = self.git.fetch_refs(f"refs/heads/{BRANCH}", KEPT)
        shrunk: set[str] = set()
        for before in dict.fromkeys((kept, seen)):  # the remote's first: usually the newer one
            if before in ("", tip):
                continue
            if not tip or not self.git.is_ancestor(before, tip):
                if self.git.fetch(BRANCH) != tip:  # it moved between two answers of the remote
                    return self._look(environment)
                raise _rewritten(before, tip)
            lost = self.git.shrunk(before, tip, "*.jsonl")
            shrunk.update(lost)
            mine = [path for path in lost if path.startswith(f"{environment}/")]
            if mine:
                raise _shortened(mine, before)
        if tip and not shrunk:
            self.git.keep(KEPT, tip)
        return tip, not shrunk


def _rewritten(before: str, tip: str) -> RewrittenRecord:
    """With what brings it back, and what takes the loss for good."""
    if tip:
        now, force = f"is rewritten: its tip {tip} does not contain {before}, which was there before", "--force "
        accept = f"git push --force origin {tip}:{KEPT} && git update-ref {KEPT} {tip}"
    else:
        now, force = f"is gone from the remote; it was at {before}", ""
        accept = f"git push origin --delete {KEPT}; git update-ref -d {KEPT}"
    restore = f"git fetch origin {before}; git push {force}origin {before}:refs/heads/{BRANCH}"
    return RewrittenRecord(
        f"reading the record of deployments: branch {BRANCH} {now}",
        f"Put it back: {restore}\n  Or take it as it is, and lose what happened: {accept}",
    )


def _shortened(paths: list[str], before: str) -> UnreadableRecord:
    """With what brings the lines back, by a commit on top."""
    some = " ".join(paths) if len(paths) <= 3 else paths[0].partition("/")[0]
    restore = (
        f"git switch {BRANCH} && git pull && git restore --source={before} --staged --worktree -- {some} && "
        f"git commit -m 'Put lines back' && git push origin {BRANCH}"
    )
    cause = f"lines are gone or changed that commit {before} has, of {len(paths)} files"
    return record.unreadable(paths[0], cause, f"\n  Put them back: {restore}")


def _message(deployment: Deployment) -> str:
    """The branch reads as a log of its own: `staging live: proven: ...`.

    The last line is another one each time: two controllers that write the same in the same second would otherwise make
    one and the same commit, and both believe that it was theirs.
    """
    pins = [f"{name} {pin.digest}" for name, pin in deployment.services.items() if pin.digest]
    words = (f"{deployment.environment} {deployment.phase} {deployment.id}", "", deployment.message, *pins)
    return "\n".join((*words, "", f"Write: {secrets.token_hex(8)}", ""))
