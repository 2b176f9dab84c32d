"""The command that looks for drift, and the two ways out: take it back, or propose it as what should run."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from releasectl import drift as found_drift
from releasectl import drift_issue, mend, proposals, report
from releasectl.commands import as_json, commit, named, print_json, real_world, say, wanted_at
from releasectl.commands.bump import NotThere
from releasectl.commands.proposing import real_forge
from releasectl.commands.release import proposed, pull_request, rejections_of, require_open
from releasectl.drift import DIGEST, Drift
from releasectl.errors import ControllerError, NotSettled
from releasectl.evidence import LOOK_BACK
from releasectl.forge import Issue, Issues
from releasectl.mend import Mended
from releasectl.outputs import read as read_outputs
from releasectl.preview import gate_as_json
from releasectl.proposals import Build, Proposal
from releasectl.record import Deployment, Phase, as_data
from releasectl.target import release_path
from releasectl.world import World

WAITING = 4
UNTOLD = 3


@click.command()
@named
@click.option("--remediate", is_flag=True, help="Take all of it back: deploy the same release again.")
@click.option("--reason", default="", help="Why it is taken back; for the record.")
@click.option("--adopt", is_flag=True, help="Propose the digest that runs, on a branch.")
@click.option("--issue", is_flag=True, help="On GitHub: keep one open issue while there is drift.")
@as_json
def drift(environment: str, *, remediate: bool, reason: str, adopt: bool, issue: bool, as_json: bool) -> None:
    """Tell what was changed, deleted or added by hand in ENVIRONMENT since the last deployment. Changes nothing.

    Exits with 0 when there is none, with 1 when there is, with 3 when nobody can say. With --issue also with 3 when
    there is none and GitHub cannot be told so.
    """
    if (reason and not remediate) or (adopt and remediate):
        raise click.UsageError("--reason goes with --remediate, and --adopt alone.")
    if issue and (remediate or adopt):
        raise click.UsageError("--issue goes with looking alone.")
    world, issues = real_world(), real_forge().issues if issue else None
    if remediate:
        _tell_mended(environment, mend.mend(environment, world, reason=reason), as_json=as_json)
        return
    found = _looked(environment, world, issues)
    if adopt:
        _adopt(found, world, as_json=as_json)
        return
    _tell(found, as_json=as_json)
    if issues and (kept := _told_on(lambda: drift_issue.keep(found, issues), is_enough=bool(found.all))):
        say(f"{environment}: {kept.url} is {'open' if kept.is_open else 'closed'}")
    raise click.exceptions.Exit(1 if found.all else 0)


def _looked(environment: str, world: World, issues: Issues | None) -> Drift:
    """What is found. That nobody can say is told in the issue, too, unless somebody is at work there right now."""
    try:
        with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
            return mend.look(environment, world, folder=Path(folder) / "drift")
    except ControllerError as error:
        if issues and error.exit_code == UNTOLD and not isinstance(error, NotSettled):
            untold = error
            _told_on(lambda: drift_issue.keep_untold(environment, untold, issues), is_enough=True)
        raise


def _told_on(telling: Callable[[], Issue | None], *, is_enough: bool) -> Issue | None:
    """An issue that cannot be written is only said where the command ends with more than a yes by itself."""
    try:
        return telling()
    except ControllerError as error:
        if not is_enough:
            raise
        say(f"{error.message}\n  {error.remedy}")
        return None


def _tell(found: Drift, *, as_json: bool) -> None:
    if as_json:
        print_json(found_drift.as_json(found))
        return
    click.echo(found_drift.text(found))
    if found.all:
        say(f"Next: releasectl drift {found.environment} --remediate")


def _tell_mended(environment: str, mended: Mended, *, as_json: bool) -> None:
    done = mended.deployment
    if mended.admission:
        gates = [gate_as_json(no) for no in mended.admission.nos]
        lines = report.gates(mended.admission)
        print_json({"environment": environment, "gates": gates}) if as_json else click.echo("\n".join(lines))
        raise click.exceptions.Exit(1 if mended.admission.refused else WAITING)
    if done is None:
        _tell(mended.drift or Drift(environment), as_json=as_json)
        return
    if as_json:
        print_json(as_data(done))
    else:
        click.echo(report.deployment(done))
        say(f"Next: releasectl drift {environment}")
    raise click.exceptions.Exit({Phase.LIVE: 0, Phase.FAILED: 1, Phase.REFUSED: 1}.get(done.phase, 3))


def _adopt(found: Drift, world: World, *, as_json: bool) -> None:
    """Propose every other digest that runs, as promote proposes what was proven."""
    environment, path = found.environment, release_path(found.environment)
    tip = world.desired.fetch()
    applied = mend.require_same(
        f"adopting in {environment}",
        wanted_at(world, tip, environment),
        world.records.history(environment, LOOK_BACK),
    )
    builds = _builds(found, applied, world)
    branch = proposals.adoption_branch(environment, builds)

    def make(at: str) -> Proposal:
        stands = wanted_at(world, at, environment)
        known = rejections_of(wanted_at(world, tip, environment), world)
        return proposals.adopt(path, stands.files[path], builds, known)

    on_main = make(tip)
    if on_main.files:
        require_open(branch, tip, world)
        done = proposed(commit(environment, world, make, branch=branch, start=tip), on_main)
        done.tell(as_json=as_json, following=pull_request(branch))
    else:
        commit(environment, world, make).tell(as_json=as_json)


def _builds(found: Drift, applied: Deployment, world: World) -> tuple[Build, ...]:
    """What runs and is not pinned, with the commit that its image names. Raises NotThere."""
    outputs = read_outputs(applied.outputs)
    builds = []
    for one in found.release:
        if one.what != DIGEST or not one.path:
            continue
        repository, digest = outputs.services[one.name].repository, str(one.found).rpartition("@")[2]
        known = digest.startswith("sha256:") and world.registry.images(outputs.region, repository, digest)
        if not known:
            raise NotThere(
                f"adopting {one.name} in {found.environment}: it runs {digest}, which is no digest in {repository}",
                f"Take it back: releasectl drift {found.environment} --remediate",
            )
        facts = world.registry.facts(outputs.region, repository, digest)
        builds.append(Build(one.name, digest, commit=facts.revision))
    return tuple(builds)
