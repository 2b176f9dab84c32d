"""Recover: what a dead controller and its engine left, by the sequence that was measured.

Comes in: deployments of which nothing lives any more, the locks of their stack, the pending operations of its state.
Goes out: a stack that the next attempt of the same release may change. The order: prove that they are dead, take
exactly their lock away, ask the cloud for each object whose creation was cut off, give the state what is there. It
never takes a lock that may be somebody's, and never updates anything.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from releasectl import locks, target
from releasectl.apply import Result, there_already
from releasectl.errors import ControllerError
from releasectl.locks import Lock
from releasectl.plan import Pending
from releasectl.record import Deployment, Ended, Moment, Phase, Worker
from releasectl.target import Target
from releasectl.world import Session, World

RECENT = 5  # deployments whose engine may have left a lock


class CannotTell(ControllerError):
    """An engine died while it made something, and nobody knows how to look for a thing of that type.

    Why: The state says that a create had begun. Only for the types of our own program is there a way to ask AWS
    what came of it.
    Do: Look for the object in the account, then answer: `releasectl unlock ENVIRONMENT --adopt URN=ID` or
    `--forget URN`.
    """


def work_folder(deployment: Deployment, world: World) -> Path:
    """Where the worker of a deployment works, if that is on this host; perhaps in another clone than ours."""
    here = deployment.holder.folder and deployment.holder.host == world.holder.host
    root = Path(deployment.holder.folder) if here else world.folder
    return root / deployment.environment / deployment.id


def presence(last: Deployment, world: World) -> Worker:
    """Who works on the newest deployment. On its own host locks tell; elsewhere the run of the CI, if it had one."""
    if last.phase.is_over:
        return Worker.NONE
    if last.holder.host == world.holder.host:
        seen = world.engine.worker(work_folder(last, world))
        if seen is not None:
            return seen
    if not last.holder.run:
        return Worker.ELSEWHERE
    try:
        return Worker.GONE if world.runs.ended(last.holder.run) else Worker.HELD
    except ControllerError as error:
        world.say(f"{last.environment}: {error.message}")
        return Worker.ELSEWHERE


def cut_off(last: Deployment, wanted: Target, world: World) -> Deployment:
    """Take away the lock of a deployment whose controller and engine are dead, and record how it ended."""
    freed, _others = _take_own(wanted, (last,), world)
    told = f", its lock was taken away ({freed[0]})" if freed else ""
    message = f"cut off: its controller and its engine died{told}"
    moment = Moment(Phase.ERRORED, world.clock.now(), message)
    return world.records.add(last, moment, ended=Ended.BY_DEATH, holder=world.holder)


def free(wanted: Target, history: tuple[Deployment, ...], world: World) -> tuple[Lock, ...]:
    """Take away every lock that a dead engine of ours left; those. Raises StackLocked for any other."""
    ours, others = _take_own(wanted, history, world)
    if others:
        raise locks.locked(wanted.environment, others)
    return ours


def _take_own(
    wanted: Target, history: tuple[Deployment, ...], world: World
) -> tuple[tuple[Lock, ...], tuple[Lock, ...]]:  # fmt: skip
    held, now = held_locks(wanted, world), world.clock.now()
    debris = [lock for lock in held if locks.is_debris(lock, now)]
    ours = tuple(lock for lock in held if lock in debris or any(_left_by(lock, one, world) for one in history[:RECENT]))
    for lock in ours:
        what = "a lock that was left half-written" if lock in debris else "the lock of a dead engine"
        world.say(f"{wanted.environment}: taking away {what}: {lock}")
        world.locks.remove(lock)
    return ours, tuple(lock for lock in held if lock not in ours)


def make_readable(wanted: Target, world: World) -> None:
    """What a killed engine or a full disk left half-written of the state; nothing of anybody may be at work.

    Also after an update that went well: the engine does not notice that its last write was cut short (measured).
    """
    project = target.read_project(world.desired, wanted.commit)
    for name in world.locks.make_readable(wanted.variables["PULUMI_BACKEND_URL"], project, wanted.environment):
        world.say(f"{wanted.environment}: the state was left half-written: {name}")


def held_locks(wanted: Target, world: World) -> tuple[Lock, ...]:
    """Who holds the stack of an environment."""
    project = target.read_project(world.desired, wanted.commit)
    return world.locks.held(wanted.variables["PULUMI_BACKEND_URL"], project, wanted.environment)


def settle(
    session: Session, pending: Iterable[Pending], region: str, world: World, *, answers: Mapping[str, str]
) -> None:
    """Resolve pending operations: what was being created is looked up, then the state knows it or forgets it.

    `answers` are a person's, {urn: id, "" for what is not there}. Raises CannotTell, what AWS raises.
    """
    made: dict[str, str] = {}
    for one in pending:
        if one.operation != "creating":
            continue  # a cut-off update or deletion is done again by the next one
        found = answers[one.urn] if one.urn in answers else world.orphans.find(region, one.type, one.inputs)
        world.say(f"{one.operation} {one.type} {one.name} was cut off: {f'adopting {found}' if found else 'not there'}")
        if found:
            made[one.urn] = found
    session.settle(made)


def adopt(session: Session, result: Result, world: World, *, region: str, since: datetime) -> set[str]:
    """Give the state what an update made without learning of it; their URNs.

    The answer to a create was lost, the client asked again, and AWS says that it exists. What is older than `since`,
    the begin of this release, is somebody else's and stays a verdict.
    """
    made = {one.urn: _made(one, region, since, world) for one in there_already(result)}
    found = {urn: identifier for urn, identifier in made.items() if identifier}
    if found:
        world.say(f"adopting {', '.join(found.values())}: it was made, and the answer was lost")
        session.settle(found)
    return set(found)


def _made(create: Pending, region: str, since: datetime, world: World) -> str | None:
    try:
        return world.orphans.find(region, create.type, create.inputs, since=since)
    except CannotTell:  # a team's own type: what AWS said of it stays the verdict
        return None


def begun(deployment: Deployment, history: tuple[Deployment, ...]) -> datetime:
    """When the first attempt at this release began; `history` is what came before, newest first."""
    attempts = takewhile(lambda one: one.identity == deployment.identity and one.phase is Phase.ERRORED, history)
    return min([deployment.started, *(one.started for one in attempts)])


def _left_by(lock: Lock, deployment: Deployment, world: World) -> bool:
    """Here by the pid of its engine, elsewhere by host and time; never while anything of it may live."""
    if lock.host != deployment.holder.host or world.locks.lives(lock):
        return False
    folder = work_folder(deployment, world)
    if deployment.holder.host == world.holder.host and world.engine.worker(folder) is not None:
        return not world.engine.is_running(folder) and lock.pid == world.engine.pid(folder)
    ended = world.runs.ended(deployment.holder.run) if deployment.holder.run else None
    return ended is not None and locks.was_taken_during(lock, deployment, ended)
