"""Mend: looks for drift in an environment and, when a person asks, takes it back by a deployment of the same release.

Comes in: the name of an environment and the world. Goes out: the drift since the last deployment that was applied,
or that deployment of the kind `drift-fix`, through every gate of its column. Looking writes nothing anywhere, and
nothing here is ever done by the loop alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from releasectl import deploy, drift, evidence, locks, recover, target
from releasectl.admission import Admission, admit
from releasectl.deploy import Asked
from releasectl.drift import RUNNING, Difference, Drift, Refreshed
from releasectl.errors import ControllerError, NotSettled, Retry
from releasectl.evidence import LOOK_BACK, newest_applied
from releasectl.outputs import Outputs
from releasectl.outputs import read as read_outputs
from releasectl.record import Deployment, Kind, Phase
from releasectl.target import Target
from releasectl.world import World

LONGEST = 2000  # characters of a deployment's reason


class Unanswered(ControllerError):
    """A question about what runs got no answer.

    Why: A service or a resource could not be asked for its state, and what is unknown is not called the same.
    Do: Mend what the message names, then run `releasectl drift ENVIRONMENT` again.
    """

    retry = Retry.BACKOFF


class MovedOn(ControllerError):
    """Main names another release than the one that is live, or nothing is live.

    Why: Drift is taken back to what is live, and main must not say something else meanwhile.
    Do: Release what main names first: `releasectl reconcile ENVIRONMENT`.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


class NotRunning(ControllerError):
    """A service is stopped, which no update of its configuration changes.

    Why: Somebody paused it in the console, or set the number of its instances to none; or all of them crash.
    Do: Start it again with the command that the remedy names, then run `releasectl drift ENVIRONMENT` again.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Mended:
    """What came of it: the deployment, or what the gates said, or neither where there was nothing to mend."""

    drift: Drift | None = None
    deployment: Deployment | None = None
    admission: Admission | None = None


class _Nothing(Exception):
    """No error: it ends a deployment that has nothing to do. `drift` says what is ignored."""

    def __init__(self, found: Drift) -> None:
        super().__init__()
        self.drift = found


def look(environment: str, world: World, *, folder: Path) -> Drift:
    """The drift since the last applied deployment. `folder` does not exist yet. Raises NotSettled, Unanswered."""
    tip = world.desired.fetch()
    now = target.read_target(world.desired, tip, environment)
    applied = _applied(environment, world.records.history(environment, LOOK_BACK))
    if applied is None or not applied.program:
        return Drift(environment)
    wanted = target.read_target(world.desired, applied.commit, environment)
    deploy.check_program(wanted, world)
    if held := recover.held_locks(wanted, world):  # half of somebody's update would look like drift
        raise locks.locked(environment, held)
    deploy.prepare(wanted, world, folder)
    world.say(f"{environment}: looking at everything that deployment {applied.id} recorded")
    with deploy.open_session(wanted, world, folder, "drift") as session:
        found = told(session.drift(), applied, world)
    return replace(found, notes=tuple(_notes(applied, now)))


def told(refreshed: Refreshed, applied: Deployment, world: World) -> Drift:
    """What a refresh found, with what the running services say."""
    outputs = read_outputs(refreshed.repair.outputs or applied.outputs)
    live = tuple(_live(applied, refreshed, outputs, world))
    found = drift.sort(refreshed, live, outputs.drift)
    if found.problems and not found.all:
        raise Unanswered(f"looking for drift in {applied.environment}: {found.problems[0]}", "Mend what it names.")
    return replace(found, environment=applied.environment, deployment=applied.id)


def mend(environment: str, world: World, *, reason: str = "") -> Mended:
    """Take all drift back, as a person asks. Raises MovedOn, NotRunning, NoRepair and what a release raises."""
    history = world.records.history(environment, LOOK_BACK)
    wanted = target.read_target(world.desired, world.desired.fetch(), environment)
    applied = require_same(f"remediating {environment}", wanted, history)
    early = replace(evidence.before_plan(wanted, history, world, base=wanted.commit), kind=Kind.DRIFT_FIX)
    admission = admit(early, planned=False)
    if admission.refused or admission.waiting:
        return Mended(admission=admission)
    seen: list[Drift] = []

    def asked(refreshed: Refreshed) -> Asked:
        seen.append(_mendable(told(refreshed, applied, world)))
        return Asked(world.desired.user(), _reason(seen[0], reason))

    try:
        done = deploy.release(wanted, world, history=history, early=early, attempt=1, mending=asked)
    except _Nothing as nothing:
        return Mended(drift=nothing.drift)
    return Mended(drift=seen[0], deployment=done)


def require_same(what: str, wanted: Target, history: tuple[Deployment, ...]) -> Deployment:
    """The live deployment that main still names. Raises MovedOn, NotSettled."""
    applied = _applied(wanted.environment, history)
    if applied is None or applied.phase is not Phase.LIVE:
        state = f"deployment {applied.id} is {applied.phase}" if applied else "nothing was ever applied there"
        raise MovedOn(f"{what}: {state}", f"Look first: releasectl explain {wanted.environment}")
    if applied.identity != wanted.identity:
        raise MovedOn(
            f"{what}: main says something newer than deployment {applied.id}, which is live",
            f"Release that first: releasectl reconcile {wanted.environment}",
        )
    return applied


def _applied(environment: str, history: tuple[Deployment, ...]) -> Deployment | None:
    """The newest that was applied, once nothing is under way."""
    if history and not history[0].phase.is_over:
        last = history[0]
        raise NotSettled(
            f"looking for drift in {environment}: deployment {last.id} is {last.phase}",
            f"Wait for its end: releasectl reconcile {environment}",
        )
    return newest_applied(history)


def _live(applied: Deployment, refreshed: Refreshed, outputs: Outputs, world: World) -> Iterator[Difference]:
    gone = {one.urn.rpartition("::")[0].rpartition("$")[2] + one.name for one in refreshed.changed if one.gone}
    runtimes = {rule.type for rule in outputs.drift.release if rule.what == drift.DIGEST}
    declared = read_outputs(applied.outputs).services if applied.outputs else {}
    for name, pin in applied.services.items():
        service = declared.get(name)
        if not pin.digest or service is None or not service.service or any(kind + name in gone for kind in runtimes):
            continue
        seen = world.live.observe(outputs.region, service, watch=0)
        if not seen.status or seen.serves is None:
            said = "; ".join(seen.unasked) or f"{name} does not say whether it runs ({seen.status or 'nothing'})"
            raise Unanswered(
                f"looking for drift in {applied.environment}: {said}",
                "Mend what it names, then look again.",
            )
        images = (
            () if seen.digest == pin.digest else world.registry.images(outputs.region, service.repository, pin.digest)
        )
        yield from drift.of_service(name, (pin.digest, *images), service, seen)


def _notes(applied: Deployment, wanted: Target) -> Iterator[str]:
    if applied.phase is not Phase.LIVE:
        yield f"deployment {applied.id} is {applied.phase}: what it did not finish looks like drift, too"
    if applied.identity != wanted.identity:
        yield f"main says something newer than deployment {applied.id}: releasectl reconcile {wanted.environment}"


def _mendable(found: Drift) -> Drift:
    """Raises when there is nothing to mend, or something that an update cannot."""
    stopped = next((one for one in found.release if one.what == RUNNING), None)
    if stopped:
        raise NotRunning(
            f"remediating {found.environment}: {stopped.sentence}",
            _resume(stopped.urn),
        )
    if not found.all:
        raise _Nothing(found)
    return found


def _resume(arn: str) -> str:
    """The remedy for a service that does not run."""
    if ":ecs:" not in arn:
        return f"Resume it, then look again: aws apprunner resume-service --service-arn {arn}"
    cluster, name = arn.split("/")[-2:]
    start = f"aws ecs update-service --cluster {cluster} --service {name} --desired-count 1"
    return f"Read why its tasks stopped; if nobody wants any, then look again after: {start}"


def _reason(found: Drift, reason: str) -> str:
    sentences = "; ".join(one.sentence for one in found.all)
    return (f"{reason}: {sentences}" if reason else f"drift: {sentences}")[:LONGEST]
