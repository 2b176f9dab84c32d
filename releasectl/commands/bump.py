"""The command with which a new build enters: its digest pinned in the first environment.

Comes in: a digest, or the tag that an image has. Goes out: one commit to main, or one pull request kept up to date. It
pins only what the environment's registry has, and changes no environment itself.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from releasectl import proposals, target
from releasectl.commands import as_json, clone, commit, real_world, wanted_at
from releasectl.commands.proposing import Bump, by_pull_request, committed, patiently, real_forge, starting
from releasectl.commands.release import rejections_of
from releasectl.errors import ControllerError
from releasectl.evidence import LOOK_BACK
from releasectl.outputs import read as read_outputs
from releasectl.proposals import PROGRAM, Build, Proposal
from releasectl.same_source import is_version
from releasectl.target import Target, release_path
from releasectl.world import World

if TYPE_CHECKING:
    from releasectl.edges.git import Git


class NotThere(ControllerError):
    """A digest that no registry has, or an environment that has no registry yet.

    Why: The build did not push, pushed elsewhere, or the environment was never created.
    Do: Push the image to the repository that the message names, or create the environment: `releasectl bump
    --program`, then `releasectl reconcile ENVIRONMENT`.
    """

    exit_code = 1


@click.command()
@click.argument("service", required=False)
@click.argument("digest", required=False)
@click.option("--commit", "source", default="", help="The source commit that the image was built from.")
@click.option("--version", default="", help="A label for people.")
@click.option("--tag", default="", help="The image that has this tag in the environment's registry, not a DIGEST.")
@click.option("--program", is_flag=True, help="Pin the newest program on main: to create an environment, or alone.")
@click.option("--environment", default="", help="Another environment than the first, to create it.")
@click.option(
    "--pull-request",
    type=click.Choice(["open", "merge"]),
    default=None,
    help="On GitHub: one pull request an environment; `merge` merges it once check `checks` passed, else exits 4.",
)
@click.option("--wait", default=0, type=click.IntRange(0, 360), help="Minutes to wait for the checks of that merge.")
@starting
@as_json
def bump(  # noqa: PLR0913 - options of a command line
    service: str | None,
    digest: str | None,
    *,
    source: str,
    version: str,
    tag: str,
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
    if (service is None) != (digest is None and not tag) or not (service or program) or (tag and digest is not None):
        raise click.UsageError("Name a service and its digest or a --tag, or --program, or both.")
    if starts and pull_request:
        raise click.UsageError("--start goes with a commit, not with --pull-request: a merge starts its deployment.")
    if digest == "":
        service, digest, program = None, None, True
    git, world = clone(), real_world()
    name = _bumped(environment, git, service=service)
    build = _build(service or "", name, world, tag=tag, digest=digest or "", version=version, source=source)

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


def _build(
    service: str, environment: str, world: World, *, tag: str, digest: str, version: str, source: str
) -> Build | None:
    """What is to be pinned, None for a bump of the program alone. A tag's image says from which commit it is.

    A pin of what no registry has would only fail later, in front of everybody.
    """
    if not (tag or digest):
        return None
    region, repository = registry(service, environment, world)
    if not repository:
        raise NotThere(
            f"bumping {service} in {environment}: it has no registry yet",
            f"Create the environment first: releasectl bump --program, then releasectl reconcile {environment}",
        )
    found = world.registry.digest(region, repository, tag) if tag else digest
    if not found or not world.registry.images(region, repository, found):
        raise NotThere(
            f"bumping {service} in {environment}: no image {tag or digest} in {repository}",
            "Push the image to that repository first.",
        )
    if tag:
        source = source or world.registry.facts(region, repository, found).revision
        version = version or (tag.removeprefix("v") if is_version(tag) else "")
    return Build(service, found, version, source)


def registry(service: str, environment: str, world: World) -> tuple[str, str]:
    """Region and repository of a service in an environment, ("", "") before they were created."""
    last = next((one for one in world.records.history(environment, LOOK_BACK) if one.outputs), None)
    outputs = read_outputs(last.outputs) if last else None
    if outputs is None or service not in outputs.services:
        return "", ""
    return outputs.region, outputs.services[service].repository
