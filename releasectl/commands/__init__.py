"""What all commands share: the real world, the options, how a proposal is committed and told.

Comes in: this clone, these credentials. Goes out: a World, and words on stdout (data) and stderr (progress). Edges
are imported here and in the commands alone, and late: `--help` must not wait for boto3. Nothing is decided here.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from releasectl import target
from releasectl.plain_text import plain
from releasectl.proposals import Proposal
from releasectl.target import Target
from releasectl.world import World

if TYPE_CHECKING:
    from releasectl.edges.git import Git

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
named = click.argument("environment")


@dataclass(frozen=True)
class WorkTree:
    """Files as they lie in the clone, committed or not: what a person is about to propose."""

    root: Path

    def read(self, _commit: str, path: str) -> bytes | None:
        """None when it is not there."""
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def list(self, _commit: str, folder: str) -> tuple[str, ...]:
        """Paths of all files below a folder, sorted."""
        files = (path for path in (self.root / folder).rglob("*") if path.is_file())
        return tuple(sorted(path.relative_to(self.root).as_posix() for path in files))


def say(line: str) -> None:
    """Progress, for people."""
    click.echo(plain(line), err=True)


def print_json(data: object) -> None:
    """Data, for programs."""
    click.echo(json.dumps(data, default=str, indent=2))


def clone() -> "Git":
    """The clone that we are in. Raises NotARepository."""
    from releasectl.edges.git import Git

    return Git.find(Path.cwd())


def real_world() -> World:
    """The world as it is: this clone, these credentials."""
    from releasectl.edges.clock import Clock, holder
    from releasectl.edges.ecr import Ecr
    from releasectl.edges.github_runs import GithubRuns
    from releasectl.edges.live import Live
    from releasectl.edges.locks import Locks
    from releasectl.edges.orphans import Orphans
    from releasectl.edges.pulumi import Engine
    from releasectl.edges.record_branch import RecordBranch
    from releasectl.edges.sns import Sns

    git = clone()
    return World(
        desired=git,
        records=RecordBranch(git),
        registry=Ecr(),
        engine=Engine(lambda line: say(f"  {line}")),
        live=Live(),
        notifier=Sns(),
        clock=Clock(),
        locks=Locks(),
        runs=GithubRuns(os.environ),
        orphans=Orphans(),
        holder=holder(os.environ, git.folder),
        folder=git.folder,
        say=say,
    )


def wanted_at(world: World, tip: str, environment: str) -> Target:
    """What main says of an environment. Raises InvalidFile, MissingFile, UnknownEnvironment."""
    return target.read_target(world.desired, tip, environment)


@dataclass(frozen=True)
class Committed:
    """A proposal and where it stands now."""

    environment: str
    proposal: Proposal
    commit: str
    branch: str = "main"

    def tell(self, *, as_json: bool, following: str = "") -> None:
        """On stdout, with the next useful command on stderr."""
        changed = bool(self.proposal.files)
        if as_json:
            print_json(
                {
                    "environment": self.environment,
                    "changed": changed,
                    "branch": self.branch,
                    "commit": self.commit,
                    "reason": self.proposal.reason,
                }
            )
            return
        where = f"{self.branch} {self.commit[:12]}" if self.branch != "main" else f"commit {self.commit[:12]}"
        click.echo(f"{self.environment}: {self.proposal.reason}" + (f" ({where})" if changed else "; nothing to do"))
        if following:
            say(f"Next: {following}")


def commit(
    environment: str, world: World, make: Callable[[str], Proposal], *, branch: str = "main", start: str = ""
) -> Committed:  # fmt: skip
    """Commit what `make` proposes for the tip; it is asked again for each new tip."""
    made: list[Proposal] = []

    def change(tip: str) -> Mapping[str, bytes | None]:
        made.append(make(tip))
        return made[-1].files

    new = world.desired.commit(branch, lambda: made[-1].message, change, start=start)
    return Committed(environment, made[-1], new, branch)
