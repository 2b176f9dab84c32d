"""Commands that say what should run, by a commit, and the one that makes it run.

bump, promote, rollback and redeploy only write: each is a pure proposal, committed by compare-and-swap. Nothing but
reconcile changes an environment.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from releasectl import brakes, evidence, proposals, report, target
from releasectl import reconcile as loop
from releasectl.brakes import Verdict
from releasectl.commands import Committed, as_json, clone, commit, named, print_json, real_world, say, wanted_at
from releasectl.commands.proposing import Bump, by_pull_request, patiently, real_forge, start
from releasectl.commands.watching import Watched, watching
from releasectl.errors import ControllerError, Retry
from releasectl.evidence import LOOK_BACK
from releasectl.outputs import read as read_outputs
from releasectl.pipeline import Rejection
from releasectl.plain_text import plain
from releasectl.proposals import PROGRAM, Build, NothingLive, Proposal
from releasectl.record import Deployment, Phase
from releasectl.target import Target, release_path, settings_path
from releasectl.world import World

if TYPE_CHECKING:
    from releasectl.edges.git import Git

WAITING = 4
WORST_FIRST = (3, 2, 1, WAITING, 0)


class NotThere(ControllerError):
    """A digest that no registry has, or an environment that has no registry yet.

    Why: The build did not push, pushed elsewhere, or the environment was never created.
    Do: Push the image to the repository that the message names, or create the environment: `releasectl bump
    --program`, then `releasectl reconcile ENVIRONMENT`.
    """

    exit_code = 1


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
@click.argument("service", required=False)
@click.argument("digest", required=False)
@click.option("--commit", "source", default="", help="The source commit that the image was built from.")
@click.option("--version", default="", help="A label for people.")
@click.option("--program", is_flag=True, help="Pin the newest program on main: to create an environment, or alone.")
@click.option("--environment", default="", help="Another environment than the first, to create it.")
@click.option(
    "--pull-request",
    type=click.Choice(["open", "merge"]),
    default=None,
    help="On GitHub: one pull request an environment; `merge` merges it once check `checks` passed, else exits 4.",
)
@click.option("--wait", default=0, type=click.IntRange(0, 360), help="Minutes to wait for the checks of that merge.")
@click.option("--start", "starts", is_flag=True, help="On GitHub: start the deployment of what was committed.")
@as_json
def bump(  # noqa: PLR0913 - options of a command line
    service: str | None,
    digest: str | None,
    *,
    source: str,
    version: str,
    program: bool,
    environment: str,
    pull_request: str | None,
    wait: int,
    starts: bool,
    as_json: bool,
) -> None:
    """Pin a newly built DIGEST of SERVICE in the first environment, by a commit on main.

    A newer program on main is pinned with it. Of two builds the newer commit wins, whatever comes first; a digest
    that was rejected, and a rebuild of its commit, is refused. With "" as DIGEST nothing was built: then only the
    program is pinned.
    """
    if (service is None) != (digest is None) or not (service or program):
        raise click.UsageError("Name a service and its digest, or --program, or both.")
    if starts and pull_request:
        raise click.UsageError("--start goes with a commit, not with --pull-request: a merge starts its deployment.")
    if digest == "":
        service, digest, program = None, None, True
    git, world = clone(), real_world()
    name = _bumped(environment, git, service=service)
    build = Build(service, digest, version, source) if service and digest else None
    if build:
        _require_image(build, name, world)

    def write(raw: bytes, tip: str) -> Proposal:
        wanted = wanted_at(world, tip, name)
        return proposals.bump(
            release_path(name),
            raw,
            build=build,
            program=_program(wanted, git, asked=program),
            is_ancestor=_comparison(git, wanted, service),
            rejections=rejections_of(wanted, world) if build else {},
        )

    def make(tip: str) -> Proposal:
        return write(wanted_at(world, tip, name).files[release_path(name)], tip)

    if pull_request:
        what = Bump(name, write, git.is_ancestor, lambda tip: rejections_of(wanted_at(world, tip, name), world))
        forge = real_forge()
        done = patiently(world, wait, lambda: by_pull_request(what, world, forge, merge=pull_request == "merge"))
        done.tell(name, as_json=as_json)
        return
    committed(commit(name, world, make), starts=starts, as_json=as_json)


@click.command()
@named
@click.option("--to", default="", help="A live deployment of ENVIRONMENT; the one before main's when left out.")
@click.option("--branch", "on_branch", is_flag=True, help="Propose it on a branch instead of committing to main.")
@click.option("--reject", is_flag=True, help="Reject the digests that go away; needs --reason.")
@click.option("--reason", default="", help="Why they are rejected.")
@click.option("--start", "starts", is_flag=True, help="On GitHub: start the deployment of what was committed.")
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
@click.option("--start", "starts", is_flag=True, help="On GitHub: start the deployment of what was committed.")
@as_json
def redeploy(environment: str, services: tuple[str, ...], *, starts: bool, as_json: bool) -> None:
    """Restart SERVICES of ENVIRONMENT, or all, on the images that they run, by a commit on main."""
    world = real_world()
    path, now = release_path(environment), world.clock.now()

    def make(tip: str) -> Proposal:
        return proposals.redeploy(path, wanted_at(world, tip, environment).files[path], services, now)

    committed(commit(environment, world, make), starts=starts, as_json=as_json)


def committed(done: Committed, *, starts: bool, as_json: bool) -> None:
    """Tell of a commit to main, and start its deployment on GitHub where that was asked for."""
    done.tell(as_json=as_json, following="" if starts else f"releasectl reconcile {done.environment}")
    if starts and done.proposal.files:
        start(done.environment, real_forge())


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


def _program(wanted: Target, git: "Git", *, asked: bool) -> str:
    """The program to pin, "" to leave it: by itself only where new builds enter, and never an older one."""
    enters = wanted.is_created and wanted.environment == wanted.pipeline.first.name
    if not asked and not enters:
        return ""
    newest = git.newest_commit(wanted.commit, *PROGRAM)
    return proposals.newer_program(wanted.release.program, newest, git.is_ancestor)


def _comparison(git: "Git", wanted: Target, service: str | None) -> Callable[[str, str], bool]:
    """Which of two source commits is older; builds from another repository count in the order they come."""
    source = wanted.pipeline.services.get(service or "")
    return (lambda _older, _newer: False) if source and source.repository else git.is_ancestor


def _bumped(environment: str, git: "Git", *, service: str | None) -> str:
    """New builds enter by the first environment; another one only gets its first program this way."""
    tip = git.fetch()
    first = target.read_pipeline(git, tip).first.name
    if environment in ("", first):
        return first
    if service or target.read_target(git, tip, environment).is_created:
        raise click.UsageError(f"Bump {first} instead: what is proven there is then promoted to {environment}.")
    return environment


def _require_image(build: Build, environment: str, world: World) -> None:
    """A pin of what no registry has would only fail later, in front of everybody."""
    last = next((one for one in world.records.history(environment, 1) if one.outputs), None)
    outputs = read_outputs(last.outputs) if last else None
    if outputs is None or build.service not in outputs.services:
        raise NotThere(
            f"bumping {build.service} in {environment}: it has no registry yet",
            f"Create the environment first: releasectl bump --program, then releasectl reconcile {environment}",
        )
    repository = outputs.services[build.service].repository
    if not world.registry.images(outputs.region, repository, build.digest):
        raise NotThere(
            f"bumping {build.service} in {environment}: no image {build.digest} in {repository}",
            "Push the image to that repository first.",
        )
