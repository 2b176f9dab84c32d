"""Teardown: the way out of an environment, by a commit first and then by the engine.

Comes in: the name of an environment and the world. Goes out: what would go, and the deployment that took it away.
The commit comes first because main says what should run: were we cut off after it, the loop would rest; before it,
the loop would build again what we take away. Nothing is touched while images would be lost unasked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from releasectl import apply, deploy, proposals, recover, target
from releasectl import reconcile as loop
from releasectl.errors import ControllerError, Interrupted, Retry
from releasectl.evidence import newest_applied
from releasectl.plan import Plan
from releasectl.record import Deployment, Moment, Phase, Worker, new_id
from releasectl.release import Pin
from releasectl.target import Target
from releasectl.world import World

ACTION = "teardown"
REPOSITORY = "aws:ecr/repository:Repository"


class Images(Protocol):
    """The images in repositories, whose names are without the registry's host."""

    def count(self, region: str, repository: str) -> int:
        """How many there are."""

    def delete(self, region: str, repository: str) -> None:
        """All of them."""


class HoldsImages(ControllerError):
    """Repositories of the environment hold images, and nobody said that they may go."""

    exit_code = 1
    retry = Retry.AFTER_CHANGE


class NotSettled(ControllerError):
    """A deployment of the environment is under way."""

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class Leaving:
    """What would go. `built` is what was last applied, None when nothing is there."""

    environment: str
    last: Deployment | None = None
    built: Target | None = None
    resources: Plan = field(default_factory=Plan)
    images: Mapping[str, int] = field(default_factory=dict)  # by repository of this environment


def look(environment: str, world: World, images: Images, *, folder: Path) -> Leaving:
    """What would go; changes nothing. `folder` does not exist yet. Raises NotSettled and what the engine raises."""
    standing = loop.look(environment, world)
    history = standing.situation.history
    _require_settled(standing)
    last = standing.deployment
    applied = newest_applied(history)
    source = next((one for one in history if one.program and one.phase is not Phase.REFUSED), None)
    if source is None or (applied and applied.action == ACTION and applied.phase is Phase.LIVE):
        return Leaving(environment, last)
    built = target.read_target(world.desired, source.commit, environment)
    deploy.prepare(built, world, folder)
    with deploy.open_session(built, world, folder, "looking at what would go") as session:
        held = session.inventory()
    counts = {name: images.count(built.region, name) for name in _repositories(held)}
    return Leaving(environment, last, built, held, counts)


def run(leaving: Leaving, world: World, images: Images, *, delete_images: bool) -> Deployment | None:
    """Take it away; the deployment that says so, None when there is nothing. Raises HoldsImages before any change."""
    _require_images_may_go(leaving, delete_images=delete_images)
    built, last = leaving.built, leaving.last
    tip = _empty(leaving.environment, world)
    if built is None:
        return None
    if last is not None and not last.phase.is_over:
        last = recover.cut_off(last, built, world)
    recover.free(built, (last,) if last else (), world)
    deployment = _intent(leaving, tip, world, last)
    folder = recover.work_folder(deployment, world)
    deploy.prepare(built, world, folder)
    with world.engine.hold(folder):
        world.records.open(deployment, last.id if last else "")
        try:
            return _destroy(deployment, leaving, world, built=built, images=images)
        except (Interrupted, KeyboardInterrupt):
            deploy.interrupted(deployment, world)
            raise
        except ControllerError as error:
            return deploy.errored(deployment, error, world)


def _require_settled(standing: loop.Standing) -> None:
    last = standing.deployment
    if last is None or last.phase.is_over:
        return
    cut_off = last.action == ACTION and standing.situation.worker is Worker.GONE
    if not cut_off:
        raise NotSettled(
            f"tearing down {standing.environment}: deployment {last.id} is {last.phase}",
            f"Wait for its end, or go on with it: releasectl reconcile {standing.environment}",
        )


def _require_images_may_go(leaving: Leaving, *, delete_images: bool) -> None:
    full = [f"{name} ({count})" for name, count in leaving.images.items() if count]
    if full and not delete_images:
        raise HoldsImages(
            f"tearing down {leaving.environment}: images are in {', '.join(full)}; nothing was changed",
            "Copy what you want to keep, then add --delete-images.",
        )


def _repositories(held: Plan) -> list[str]:
    """Names of the repositories in the state: one that is borrowed from another environment is not there."""
    ids = [prop.before for change in held.changes if change.type == REPOSITORY for prop in change.properties]
    return [str(name) for name in ids if name]


def _empty(environment: str, world: World) -> str:
    """Main says that nothing should run there; its tip."""
    path = target.release_path(environment)

    def change(tip: str) -> Mapping[str, bytes | None]:
        return proposals.empty(path, target.read_target(world.desired, tip, environment).files[path]).files

    return world.desired.commit("main", f"Tear down {environment}\n", change)


def _intent(leaving: Leaving, tip: str, world: World, last: Deployment | None) -> Deployment:
    """Every service is named, without a digest: so the stay of what ran ends, and nothing counts as emptied later."""
    now, wanted = world.clock.now(), target.read_target(world.desired, tip, leaving.environment)
    held = leaving.resources
    return Deployment(
        id=new_id(now, last.id if last else ""),
        environment=leaving.environment,
        identity=wanted.identity,
        commit=tip,
        program="",
        settings=wanted.settings_identity,
        services=dict.fromkeys(wanted.release.services, Pin("", "", "", "")),
        by=world.desired.user(),
        reason=ACTION,
        action=ACTION,
        holder=world.holder,
        phases=(Moment(Phase.APPLYING, now, held.sentence),),
        plan={"identity": held.identity, "counts": held.counts, "sentence": held.sentence},
    )


def _destroy(
    deployment: Deployment, leaving: Leaving, world: World, *, built: Target, images: Images
) -> Deployment:  # fmt: skip
    for name, count in leaving.images.items():
        if count:
            world.say(f"{leaving.environment}: deleting {count} images of {name}")
            images.delete(built.region, name)
    folder = recover.work_folder(deployment, world)
    with deploy.open_session(built, world, folder, deployment.id) as session:
        world.say(f"{leaving.environment}: taking it away: {leaving.resources.sentence}")
        findings = apply.findings(session.destroy())
    if findings:
        message = "; ".join(finding.message for finding in findings)
        return world.records.add(deployment, Moment(Phase.FAILED, world.clock.now(), message), findings=findings)
    return world.records.add(deployment, Moment(Phase.LIVE, world.clock.now(), "the environment is gone"))
