"""The command that a build asks what it is to build: names, and the image that is there already.

Comes in: a service, a ref. Goes out: the repository, the tags, and the digest of an image of the very same sources,
for people, for scripts and for the later steps of a job. It builds nothing and pushes nothing.
"""

import os
from dataclasses import asdict, dataclass

import click

from releasectl import image_tags, proposals, target
from releasectl.commands import as_json, clone, print_json, real_world, say, wanted_at
from releasectl.commands.bump import registry
from releasectl.commands.release import rejections_of
from releasectl.commands.sources import NotProvenYet, Sources, once_proven
from releasectl.edges.step_output import outputs
from releasectl.evidence import LOOK_BACK
from releasectl.same_source import is_newest, pins
from releasectl.world import World


@dataclass(frozen=True)
class Build:
    """What a build is: `digest` is that of an image which is there, "" for none that may be pinned."""

    repository: str
    commit: str
    digest: str
    tags: tuple[str, ...]
    version: str
    build: bool  # has it to be built?


@click.command()
@click.argument("service")
@click.option("--ref", required=True, help="What is built, in full: refs/heads/main or refs/tags/v1.4.0.")
@click.option("--suffix", default="", help="The end of every tag, such as -slim.")
@click.option("--also", multiple=True, help="A further repository that gets the same tags; empty ones are left out.")
@click.option("--wait", default=0, type=click.IntRange(0, 360), help="Minutes to wait until a tag's are released.")
@as_json
def image(service: str, ref: str, suffix: str, *, also: tuple[str, ...], wait: int, as_json: bool) -> None:
    """Say what an image of SERVICE is called, and whether the very same sources were built before.

    A tag is only another name of what was built from main; with no image of its sources it ends with 4. What was
    rejected since is neither built again nor told as there: then there is nothing to pin.
    """
    git, world = clone(), real_world()
    tip = git.fetch()
    sources = Sources(git, target.read_pipeline(git, tip))
    if service not in sources.pipeline.services:
        raise click.UsageError(f"{service!r} is no service of pipeline.yaml.")
    first = sources.pipeline.first.name
    tag = ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else ""
    commit = sources.tagged(tag) if tag else git.resolve("HEAD")
    place = registry(service, first, world)

    def look() -> tuple[str, str]:
        known = _known(sources, service, commit, first, place=place, world=world)
        if tag and not known[0]:
            raise NotProvenYet(f"naming the image of {tag}: none was released to {first} from its sources yet", _WAIT)
        return known

    digest, built = once_proven(world, wait, look)
    build = bool(place[1]) and not digest
    if digest and not tag and _is_rejected(proposals.Build(service, digest, "", built), first, tip, world):
        digest = ""
    newest = is_newest(tag, git.tags()) if tag else True
    try:
        names = image_tags.tags(ref, commit, suffix=suffix, newest=newest)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    repositories = [one for one in (place[1], *also) if one] if place[1] else []
    tags = tuple(f"{one}:{name}" for one in repositories for name in names)
    _tell(Build(place[1], built or commit, digest, tags, tag.removeprefix("v"), build), as_json=as_json)


_WAIT = "Wait until the build of main has been released there, then run the same command again."


def _known(
    sources: Sources, service: str, commit: str, first: str, *, place: tuple[str, str], world: World
) -> tuple[str, str]:
    """Digest and commit of an image of the same tree, which is still there; ("", "") without one."""
    history = world.records.history(first, LOOK_BACK)
    for pin in pins(history, service, sources.tree(service, commit), sources.tree):
        if world.registry.images(*place, pin.digest):
            return pin.digest, pin.commit
    return "", ""


def _is_rejected(known: proposals.Build, first: str, tip: str, world: World) -> bool:
    """Its sources did not change since, so a build of them would be refused, and the program behind it with it."""
    wanted = wanted_at(world, tip, first)
    try:
        what, services = f"naming the image of {known.service}", wanted.release.services
        proposals.require_not_rejected(what, known, rejections_of(wanted, world), services)
    except proposals.Rejected as error:
        say(f"{error.message}; there is nothing to build until its sources change")
        return True
    return False


def _tell(found: Build, *, as_json: bool) -> None:
    outputs(
        os.environ,
        repository=found.repository, commit=found.commit, digest=found.digest, version=found.version,
        build=str(found.build).lower(), tags="\n".join(found.tags),
        options="\n".join(f"--tag {one}" for one in found.tags),
    )  # fmt: skip
    if as_json:
        print_json(asdict(found))
    elif not found.repository:
        click.echo("There is no repository yet: create the first environment, `releasectl bump --program`.")
    else:
        stands = "build it" if found.build else f"it is there: {found.digest}" if found.digest else "it is rejected"
        click.echo("\n".join((f"{found.repository}: {stands}", *found.tags)))
