"""The command that proposes to an environment what the one before it proved: by hand, or by a tag of git.

Comes in: an environment, and which proof is meant. Goes out: one commit on a branch of its own and, where that was
asked for, its pull request; or a commit to main. It proves nothing itself and never pins what was not live.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import click

from releasectl import evidence, proposals
from releasectl.commands import as_json, clone, commit, named, print_json, real_world, say, wanted_at
from releasectl.commands.proposing import committed, merge_once_passed, real_forge, start, starting
from releasectl.commands.release import (
    named_deployment,
    proposed,
    pull_request,
    rejections_of,
    require_open,
)
from releasectl.commands.sources import NotProvenYet, Sources, once_proven
from releasectl.comment import code, text
from releasectl.evidence import LOOK_BACK
from releasectl.forge import Forge, Pull
from releasectl.proposals import NothingLive, Proposal
from releasectl.record import Deployment
from releasectl.same_source import proven
from releasectl.target import Target, release_path
from releasectl.world import World

WAITING = 4


@dataclass(frozen=True)
class Promotion:
    """What goes where, and how it is told."""

    environment: str
    source: Deployment
    tag: str = ""

    @property
    def branch(self) -> str:
        """Where it is proposed."""
        return proposals.promotion_branch(self.environment, self.source)

    def title_and_body(self, reason: str) -> tuple[str, str]:
        """Of its pull request."""
        pins = proposals.proven(self.source).items()
        lines = [
            f"- {code(name)} {text(pin.version or 'without a version')}: {code(pin.digest)}, built from "
            f"{code(pin.commit[:12] or 'an unknown commit')}"
            for name, pin in pins
        ]
        by = f" Asked for by tag {code(self.tag)}." if self.tag else ""
        said = f"Deployment {code(self.source.id)} proved this in {code(self.source.environment)}.{by}"
        merges = f"Merging deploys {code(self.environment)}; the checks of this pull request say what that changes."
        return f"Promote to {self.environment}: {reason}"[:200], "\n".join((said, "", *lines, "", merges, ""))


@click.command()
@named
@click.option("--deployment", default="", help="What this deployment proved, instead of the newest live one.")
@click.option("--tag", default="", help="What was proven of the sources that this tag of git has, such as v1.4.0.")
@click.option("--merge", is_flag=True, help="Commit to main instead of a branch: where nobody reviews.")
@click.option(
    "--pull-request",
    "how",
    type=click.Choice(["open", "merge", "policy"]),
    default=None,
    help="On GitHub: open its pull request, merge it once check `checks` passed, or do what `tags` in pipeline.yaml "
    "says.",
)
@click.option("--wait", default=0, type=click.IntRange(0, 360), help="Minutes to wait until the tag's are proven.")
@starting
@as_json
def promote(
    environment: str, deployment: str, tag: str, *, merge: bool, how: str | None, wait: int, starts: bool, as_json: bool
) -> None:
    """Pin in ENVIRONMENT what the one before it proved, services and program, by one commit on a branch.

    A tag stands for sources: those of its commit have to be live in the environment before, from whichever commit they
    were built. While they are not, it waits as long as --wait says, then ends with 4 and changes nothing.
    """
    if bool(deployment and tag) or (how == "policy" and not tag):
        raise click.UsageError("Name a deployment or a tag; `--pull-request policy` goes with a tag.")
    world = real_world()
    wanted = wanted_at(world, world.desired.fetch(), environment)
    if how == "policy" and wanted.policy.tags == "off":
        say(f"{environment}: `tags: off` in pipeline.yaml, so tag {tag} releases nothing")
        return
    source = (
        once_proven(world, wait, lambda: _tagged(wanted, world, tag))
        if tag
        else _proven_before(wanted, world, deployment)
    )
    tip = world.desired.fetch()
    wanted = wanted_at(world, tip, environment)
    asked = Promotion(environment, source, tag)
    rejections = rejections_of(wanted, world)

    def make(at: str) -> Proposal:
        path = release_path(environment)
        return proposals.promote(path, wanted_at(world, at, environment).files[path], source, rejections)

    on_main = make(tip)
    if merge or not on_main.files or (how == "policy" and wanted.policy.tags == "release"):
        committed(commit(environment, world, make), starts=starts, as_json=as_json)
        return
    require_open(asked.branch, tip, world)
    done = proposed(commit(environment, world, make, branch=asked.branch, start=tip), on_main)
    if how is None:
        done.tell(as_json=as_json, following=pull_request(asked.branch))
        return
    forge = real_forge()
    pull = _offer(asked, on_main.reason, forge)
    merged, waits = merge_once_passed(environment, pull, world, forge) if how == "merge" else ("", "")
    if merged:
        forge.branches.remove(asked.branch)
        if starts:
            start(environment, merged, forge)
    _tell(asked, pull, on_main.reason, merged=merged, waits=waits, as_json=as_json)


def _offer(asked: Promotion, reason: str, forge: Forge) -> Pull:
    """The one pull request of the environment: older promotions give way to the newest."""
    pull = forge.pulls.create(asked.branch, *asked.title_and_body(reason))
    for old in forge.pulls.standing():
        if proposals.is_promotion_to(asked.environment, old.head) and old.head != asked.branch:
            forge.pulls.close(old.number)
            forge.branches.remove(old.head)
            say(f"{asked.environment}: pull request {old.number} gives way to {pull.number}")
    return pull


def _tell(asked: Promotion, pull: Pull, reason: str, *, merged: str, waits: str, as_json: bool) -> None:
    if as_json:
        about: Mapping[str, object] = {"number": pull.number, "url": pull.url, "commit": pull.commit}
        told = {"environment": asked.environment, "reason": reason, "branch": asked.branch, "pull": about}
        print_json({**told, "merged": merged, "waits": waits})
    else:
        stands = f"; merged as {merged[:12]}" if merged else f"; waits: {waits}" if waits else ""
        click.echo(f"{asked.environment}: {reason} ({pull.url}){stands}")
    raise click.exceptions.Exit(WAITING if waits else 0)


def _tagged(wanted: Target, world: World, tag: str) -> Deployment:
    """What was proven of a tag's sources, labelled with its version."""
    git = clone()
    sources = Sources(git, wanted.pipeline)
    at = sources.tagged(tag)
    trees = sources.trees(at)
    previous = _previous(wanted)
    found = proven(world.records.history(previous, LOOK_BACK), trees, sources.tree)
    if found is None:
        raise NotProvenYet(
            f"promoting {tag} to {wanted.environment}: the sources of its commit {at[:12]} were not live in {previous}",
            f"Wait until they are: releasectl status {previous}",
        )
    labelled = {name: replace(found.services[name], version=tag.removeprefix("v")) for name in trees}
    return replace(found, services={**found.services, **labelled})


def _previous(wanted: Target) -> str:
    previous = wanted.pipeline.previous(wanted.environment)
    if previous is None:
        raise click.UsageError(f"{wanted.environment} is the first environment: bump it instead.")
    return previous.name


def _proven_before(wanted: Target, world: World, deployment: str) -> Deployment:
    """The deployment of the previous environment that is promoted."""
    previous = _previous(wanted)
    history = world.records.history(previous, LOOK_BACK)
    if deployment:
        return named_deployment(history, previous, deployment)
    source = evidence.newest_live(history)
    if source is None or not proposals.proven(source):
        raise NothingLive(
            f"promoting to {wanted.environment}: nothing is live in {previous}",
            f"Release it there first: releasectl explain {previous}",
        )
    if source is not history[0]:
        say(f"{previous}: its newest deployment {history[0].id} is {history[0].phase}; {source.id} is promoted")
    return source
