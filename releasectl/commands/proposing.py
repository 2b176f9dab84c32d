"""A bump by pull request: one for each environment, kept by GitHub, moved forward in place.

Comes in: how a bump is written into a release file. Goes out: a branch with signed commits, its pull request, and
where that stands. It decides nothing: `standing_pull` says what to do, the forge does it, and when the world moved
in between, all of it is looked at again.
"""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import click

from releasectl import target
from releasectl.changes import workflow
from releasectl.commands import Committed, clone, print_json, say
from releasectl.errors import ControllerError, Stale
from releasectl.forge import MAIN, Forge, Pull
from releasectl.pipeline import Rejection, hold_path
from releasectl.proposals import Proposal
from releasectl.standing_pull import (
    Act,
    Move,
    Seen,
    bump_branch,
    carrying,
    move,
    title_and_body,
    wanted_file,
    why_not_merged,
)
from releasectl.target import release_path
from releasectl.world import World

_TIMES = 5  # that others may be faster
WAITING = 4
POLL = 15.0  # seconds between two looks at the checks of a pull request
Ancestry = Callable[[str, str], bool]


def real_forge(patience: float | None = None) -> Forge:
    """GitHub, as the environment and the clone's remote say; `patience` in seconds. Raises NoGithub."""
    from releasectl.edges.github import Github
    from releasectl.edges.github.account import Account

    return Github(replace(Account.read(os.environ, clone().url()), patience=patience))


def starting(command: Callable[..., None]) -> Callable[..., None]:
    """The option --start. What could not be started is not committed either. Raises NoGithub."""

    @functools.wraps(command)
    def sure(*arguments: object, starts: bool, **options: object) -> None:
        if starts:
            real_forge()
        command(*arguments, starts=starts, **options)

    told = "On GitHub: start the deployment of what was committed."
    return click.option("--start", "starts", is_flag=True, help=told)(sure)


@dataclass(frozen=True)
class Bump:
    """What is bumped: `propose(raw, tip)` writes it into a file, the rest says what may stay beside it."""

    environment: str
    propose: Callable[[bytes, str], Proposal]
    is_ancestor: Ancestry
    rejections: Callable[[str], Mapping[str, Rejection]]

    @property
    def branch(self) -> str:
        """Where it is proposed."""
        return bump_branch(self.environment)

    @property
    def path(self) -> str:
        """The release file."""
        return release_path(self.environment)


@dataclass(frozen=True)
class Proposed:
    """Where a bump stands: a move, the open pull request if there is one, and whether it was merged."""

    move: Move
    pull: Pull | None
    merged: str = ""
    waits: str = ""

    def tell(self, environment: str, *, as_json: bool) -> None:
        """On stdout; exit 4 while a merge that was asked for waits."""
        if as_json:
            print_json(
                {
                    "environment": environment,
                    "action": self.move.act,
                    "reason": self.move.reason,
                    "pull": self.pull
                    and {"number": self.pull.number, "url": self.pull.url, "commit": self.pull.commit},
                    "merged": self.merged,
                    "waits": self.waits,
                }
            )
        else:
            where = f" ({self.pull.url})" if self.pull else ""
            stands = (
                f"; merged as {self.merged[:12]}" if self.merged else f"; waits: {self.waits}" if self.waits else ""
            )
            click.echo(f"{environment}: {self.move.act}: {self.move.reason}{where}{stands}")
        if self.waits:
            raise click.exceptions.Exit(WAITING)


def by_pull_request(what: Bump, world: World, forge: Forge, *, merge: bool) -> Proposed:
    """Move the pull request to where it should be. Raises Stale when others are always faster."""
    for left in reversed(range(_TIMES)):
        try:
            step, pull = _moved(what, world, forge)
            return _merged(what, step, pull, world=world, forge=forge) if merge and pull else Proposed(step, pull)
        except Stale:
            if not left:
                raise
            say(f"{what.environment}: somebody was faster; looking again")
    raise AssertionError  # the last time either returned or raised


def _moved(what: Bump, world: World, forge: Forge) -> tuple[Move, Pull | None]:
    main, tip = world.desired.fetch(), forge.branches.tip(what.branch)
    pull = forge.pulls.find(what.branch) if tip else None
    seen = _seen(what, main, pull, world=world, forge=forge)
    rejections = what.rejections(main)
    carry = carrying(what.path, what.is_ancestor, rejections)
    step = move(seen, *wanted_file(what.path, seen, lambda raw: what.propose(raw, main), carry))
    title, body = title_and_body(what.environment, what.path, seen.on_main, step.wanted)
    files, message = {what.path: step.wanted}, f"{title}\n\n{step.reason}\n\nRelease-Action: bump\n"
    if step.act is Act.WITHDRAW and pull:
        forge.pulls.close(pull.number)
        forge.branches.remove(what.branch)
        return step, None
    if step.act is Act.PROPOSE:
        if tip:  # of a pull request that was merged or closed
            forge.branches.remove(what.branch)
        forge.branches.make(what.branch, main)
        forge.branches.commit(what.branch, message, files, expected=main)
        return step, forge.pulls.create(what.branch, title, body)
    if step.act is Act.AMEND:
        forge.branches.commit(what.branch, message, files, expected=tip)
    elif step.act is Act.TAKE_IN:
        forge.branches.take_in(what.branch, main, message, files, expected=tip)
    if pull and (pull.title, pull.body) != (title, body):
        pull = forge.pulls.update(pull.number, title, body)
    return step, forge.pulls.get(pull.number) if pull else None


def _seen(what: Bump, main: str, pull: Pull | None, *, world: World, forge: Forge) -> Seen:
    on_main = target.read_target(world.desired, main, what.environment).files[what.path]
    if pull is None:
        return Seen(on_main)
    proposed = forge.branches.read(pull.commit, what.path)
    changed = {one.path for one in forge.pulls.files(pull.number)}
    stands = forge.branches.compare(main, pull.commit)
    before = world.desired.read(stands.base, what.path)
    return Seen(on_main, proposed or on_main, before or on_main, stands.behind == 0, changed <= {what.path})


def _merged(what: Bump, step: Move, pull: Pull, *, world: World, forge: Forge) -> Proposed:
    merged, waits = merge_once_passed(what.environment, pull, world, forge)
    if not merged:
        return Proposed(step, pull, waits=waits)
    forge.branches.remove(what.branch)
    return Proposed(step, forge.pulls.get(pull.number), merged=merged)


def merge_once_passed(environment: str, pull: Pull, world: World, forge: Forge) -> tuple[str, str]:
    """The merge commit, or "" and why not yet. Raises Stale when the pull request moved."""
    held = world.desired.read(world.desired.fetch(), hold_path(environment)) is not None
    if waits := why_not_merged(forge.checks.of(pull.commit), held=held):
        return "", waits
    done = forge.pulls.merge(pull.number, pull.commit)
    return done.commit, done.refusal


def start(environment: str, commit: str, forge: Forge) -> None:
    """Start the deployment: GitHub starts none for a commit that a workflow made with its own token."""
    try:
        run = forge.workflows.dispatch(workflow(environment), MAIN, {})
    except ControllerError:
        by_hand = f"gh workflow run {workflow(environment)} --ref {MAIN}"
        say(f"{environment}: commit {commit[:12]} is on {MAIN} and was not started; start it: {by_hand}")
        raise
    say(f"{environment}: its deployment was started{f': {run.url}' if run.url else ''}")


def committed(done: Committed, following: str = "", *, starts: bool, as_json: bool) -> None:
    """Start the deployment of a commit to main on GitHub where that was asked for, and tell of the commit."""
    if starts and done.proposal.files:
        start(done.environment, done.commit, real_forge())
    done.tell(as_json=as_json, following="" if starts else following or f"releasectl reconcile {done.environment}")


def patiently(world: World, minutes: int, once: Callable[[], Proposed]) -> Proposed:
    """Until it waits no more, for some minutes."""
    end = world.clock.now() + timedelta(minutes=minutes)
    while (done := once()).waits and world.clock.now() < end:
        say(f"waiting: {done.waits}")
        world.clock.sleep(POLL)
    return done
