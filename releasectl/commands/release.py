"""Commands that say what should run, by a commit, and the one that makes it run.

rollback and redeploy only write, as bump and promote beside them: each is a pure proposal, committed by
compare-and-swap. Nothing but reconcile changes an environment.
"""

from collections.abc import Iterable
from dataclasses import replace

import click

from releasectl import brakes, evidence, proposals, report
from releasectl import reconcile as loop
from releasectl.brakes import Verdict
from releasectl.commands import Committed, as_json, commit, named, print_json, real_world, say, wanted_at
from releasectl.commands.proposing import committed, starting
from releasectl.commands.watching import Watched, watching
from releasectl.errors import ControllerError, Retry
from releasectl.evidence import LOOK_BACK
from releasectl.pipeline import Rejection
from releasectl.plain_text import plain
from releasectl.proposals import NothingLive, Proposal
from releasectl.record import Deployment, Phase
from releasectl.target import Target, release_path, settings_path
from releasectl.world import World

WAITING = 4
WORST_FIRST = (3, 2, 1, WAITING, 0)


class UnknownDeployment(ControllerError):
    """Somebody named a deployment that is not on record.

    Why: A typing error, the wrong environment, or a deployment older than those that are looked through.
    Do: Choose an id of `releasectl history ENVIRONMENT`.
    """

    exit_code = 2


class BranchLeft(ControllerError):
    """A branch of an earlier proposal is in the way: it was merged and not deleted.

    Why: One branch stands for one proposal; main was taken back since, so it would have to be proposed again on
    its own old branch.
    Do: Delete the branch as the message says, `git push origin --delete BRANCH`, then run the same command again.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


@click.command()
@click.argument("environment", required=False)
@click.option("--all", "every", is_flag=True, help="Every environment, in the order of the pipeline.")
@click.option("--retry", is_flag=True, help="Try a stalled release once more.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the next attempt; exit 4 instead.")
@click.option("--github", "on_github", is_flag=True, help="Show it on GitHub: deployments, pull requests, the summary.")
@as_json
def reconcile(
    environment: str | None, *, every: bool, retry: bool, no_wait: bool, on_github: bool, as_json: bool
) -> None:  # fmt: skip
    """Make ENVIRONMENT run what main says, prove it, record it.

    With --all the exit code is the worst: 3 before 2 before 1 before 4 before 0. With --github what waits ends with 0.
    """
    if every == bool(environment) or (every and retry):
        raise click.UsageError("Name an environment, or --all without --retry.")
    with watching(environment, on_github=on_github) as watched:
        if not environment:
            _reconcile_all(watched, wait=not no_wait, as_json=as_json)
            return
        standing = loop.reconcile(
            environment, watched.world, retry=retry, wait=not no_wait, prompt=watched.prompt
        )  # fmt: skip
        watched.passed(environment, standing)
    if as_json:
        print_json(loop.as_json(standing))
    elif standing.deployment:
        if standing.exit_code == WAITING:
            click.echo(plain(f"{environment} waits: {standing.step.reason}"))
        click.echo("\n".join(report.deployment(one) for one in _worth_telling(standing)))
        following = "explain" if standing.exit_code else "status"
        say(f"Next: releasectl {following} {environment}")
    else:
        click.echo(plain(f"{environment}: {standing.step.reason}"))
    # On GitHub whoever waits is woken by the next run, and a red job would call a person for nothing.
    is_fine = on_github and standing.exit_code == WAITING
    raise click.exceptions.Exit(0 if is_fine else standing.exit_code)


def _worth_telling(standing: loop.Standing) -> list[Deployment]:
    """The newest deployment; after a rollback of this pass first the one that was taken back, with its findings."""
    newest, *earlier = standing.situation.history[:2]
    failed = [one for one in earlier if standing.exit_code == 1 and newest.phase is Phase.LIVE]
    return [*failed, newest]


def _reconcile_all(watched: Watched, *, wait: bool, as_json: bool) -> None:
    told: list[dict[str, object]] = []
    codes = []
    for name, outcome in loop.reconcile_all(watched.world, wait=wait, prompt=watched.prompt):
        watched.passed(name, outcome)
        codes.append(outcome.exit_code)
        if isinstance(outcome, ControllerError):
            told.append({"environment": name, **outcome.as_json()})
            line = f"{name}: {outcome.message}\n  {outcome.remedy}"
        else:
            told.append(dict(loop.as_json(outcome)))
            line = f"{name}: {outcome.step.action}: {outcome.step.reason}"
        if not as_json:
            click.echo(plain(line))
    if as_json:
        print_json(told)
    raise click.exceptions.Exit(worst(codes))


def worst(codes: Iterable[int]) -> int:
    """The exit code that stands for all of them."""
    return min(codes, key=WORST_FIRST.index, default=0)


@click.command()
@named
@click.option("--to", default="", help="A live deployment of ENVIRONMENT; the one before main's when left out.")
@click.option("--branch", "on_branch", is_flag=True, help="Propose it on a branch instead of committing to main.")
@click.option("--reject", is_flag=True, help="Reject the digests that go away; needs --reason.")
@click.option("--reason", default="", help="Why they are rejected.")
@starting
@as_json
def rollback(
    environment: str, to: str, *, on_branch: bool, reject: bool, reason: str, starts: bool, as_json: bool
) -> None:
    """Pin in ENVIRONMENT what ran well before: digests, program and settings, by a commit on main."""
    if reject != bool(reason):
        raise click.UsageError("--reject and --reason go together.")
    world = real_world()
    tip = world.desired.fetch()
    history = world.records.history(environment, LOOK_BACK)
    wanted = wanted_at(world, tip, environment)
    back = None if to else brakes.on_its_way_back(wanted, history)
    good = named_deployment(history, environment, to) if to else back or brakes.last_good(wanted, history)
    if good is None:
        raise NothingLive(
            f"rolling back {environment}: nothing else than what main pins was ever live there",
            f"Look for a deployment to name with --to: releasectl history {environment}",
        )
    settings = world.desired.read(good.commit, settings_path(environment))
    verdict = Verdict(reason, history) if reject else None

    def make(at: str) -> Proposal:
        stands = wanted_at(world, at, environment)
        known = rejections_of(wanted if on_branch else stands, world)
        return brakes.rollback(stands, good, settings=settings, rejections=known, verdict=verdict)

    on_main = make(tip)
    if not on_branch or not on_main.files:
        committed(commit(environment, world, make), starts=starts, as_json=as_json)
        return
    branch = brakes.rollback_branch(environment, good)
    require_open(branch, tip, world)
    proposed(commit(environment, world, make, branch=branch, start=tip), on_main).tell(
        as_json=as_json, following=pull_request(branch)
    )


@click.command()
@named
@click.argument("services", nargs=-1)
@starting
@as_json
def redeploy(environment: str, services: tuple[str, ...], *, starts: bool, as_json: bool) -> None:
    """Restart SERVICES of ENVIRONMENT, or all, on the images that they run, by a commit on main."""
    world = real_world()
    path, now = release_path(environment), world.clock.now()

    def make(tip: str) -> Proposal:
        return proposals.redeploy(path, wanted_at(world, tip, environment).files[path], services, now)

    committed(commit(environment, world, make), starts=starts, as_json=as_json)


def proposed(done: Committed, on_main: Proposal) -> Committed:
    """Asked again, a branch changes nothing: then say that it is there."""
    if done.proposal.files:
        return done
    said = f"{on_main.reason} is proposed already on {done.branch}"
    return replace(done, proposal=Proposal(said))


def pull_request(branch: str) -> str:
    return f"open a pull request: gh pr create --base main --head {branch} --fill"


def require_open(branch: str, tip: str, world: World) -> None:
    """A proposal that was merged and then taken back cannot be proposed again on top of its own old branch."""
    left = world.desired.fetch(branch)
    if left and world.desired.is_ancestor(left, tip):
        raise BranchLeft(
            f"proposing on {branch}: it was merged already and is still there",
            f"Delete it, then run the same command again: git push origin --delete {branch}",
        )


def rejections_of(wanted: Target, world: World) -> dict[str, Rejection]:
    """Those in force for an environment at a commit of main, as the gates read them."""
    return dict(evidence.before_plan(wanted, (), world, base=wanted.commit).rejections)


def named_deployment(history: Iterable[Deployment], environment: str, identifier: str) -> Deployment:
    found = next((one for one in history if one.id == identifier), None)
    if found is None:
        raise UnknownDeployment(
            f"looking for deployment {identifier} of {environment}: it is not among the newest {LOOK_BACK}",
            f"Choose one: releasectl history {environment}",
        )
    return found
