"""Unlock: what a person does where nobody can prove that a controller or an engine is dead.

Comes in: an environment and the world. Goes out: who holds it, and, once a person says that they are dead, a stack
that is free, with that on record. It never takes a lock whose process lives on this host, nor a deployment whose
controller does: that one would go on, and two writers lose resources from the state (measured).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from releasectl import deploy, recover
from releasectl import reconcile as loop
from releasectl.errors import ControllerError, Retry
from releasectl.locks import Lock
from releasectl.record import Deployment, Ended, Moment, Phase, Worker
from releasectl.world import World

ALIVE = (Worker.HELD, Worker.RUNNING)


class StillAlive(ControllerError):
    """What holds the stack lives: it cannot be taken away, only waited for or ended.

    Why: Two writers of one state would both succeed and lose resources from it.
    Do: Wait for its end, or stop the process that the message names by one Ctrl-C; then run the same command
    again.
    """

    exit_code = 1
    retry = Retry.BACKOFF


class NothingPending(ControllerError):
    """Somebody answers for a pending create that the state does not have.

    Why: The URN is mistyped, or was settled meanwhile.
    Do: Name one of the URNs that the message lists, or go on: `releasectl reconcile ENVIRONMENT`.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Held:
    """Who holds an environment. `deployment` is the newest one if it is not over."""

    standing: loop.Standing
    deployment: Deployment | None
    locks: tuple[Lock, ...]
    alive: tuple[str, ...] = ()  # what of it is known to live, in words

    @property
    def is_free(self) -> bool:
        """Nobody holds it."""
        return self.deployment is None and not self.locks


def look(environment: str, world: World) -> Held:
    """Who holds it; changes nothing."""
    standing = loop.look(environment, world)
    last = standing.deployment
    under_way = last if last is not None and not last.phase.is_over else None
    held = recover.held_locks(standing.target, world)
    living = [f"the process of {lock}" for lock in held if world.locks.lives(lock)]
    if under_way and standing.situation.worker in ALIVE:
        who = under_way.holder
        living.append(f"who works on deployment {under_way.id} ({who.run or f'pid {who.pid} on {who.host}'})")
    return Held(standing, under_way, held, tuple(living))


def run(held: Held, world: World) -> Deployment | None:
    """Set it free and write down who did; the deployment that tells it. Raises StillAlive before any change."""
    environment, by = held.standing.environment, world.desired.user()
    if held.alive:
        raise StillAlive(
            f"unlocking {environment}: {' and '.join(held.alive)} lives; nothing was changed",
            "Wait for its end, or end it, then run the same command again.",
        )
    for lock in held.locks:
        world.locks.remove(lock)
    recover.make_readable(held.standing.target, world)
    told = f"{by} took away {'; '.join(map(str, held.locks)) or 'no lock, there was none'}"
    last, now = held.standing.deployment, world.clock.now()
    if held.deployment:
        moment = Moment(Phase.ERRORED, now, f"cut off, as a person says: {told}")
        return world.records.add(held.deployment, moment, ended=Ended.BY_DEATH, holder=world.holder)
    return world.records.add(last, None, notes=(Moment(last.phase, now, told),)) if last else None


def settle(environment: str, answers: Mapping[str, str], world: World, *, folder: Path) -> list[str]:
    """A person's answers about pending creates, {urn: id, "" for what is not there}; the URNs that were resolved.

    `folder` does not exist yet. Raises NothingPending, StackLocked, and what the engine raises.
    """
    standing = loop.look(environment, world)
    recover.free(standing.target, standing.situation.history, world)
    deploy.prepare(standing.target, world, folder)
    with deploy.open_session(standing.target, world, folder, f"settled by {world.desired.user()}") as session:
        pending = session.preview().pending
        unknown = set(answers) - {one.urn for one in pending}
        if unknown:
            raise NothingPending(
                f"settling {environment}: nothing is pending for {', '.join(sorted(unknown))}",
                f"Name one of: {', '.join(one.urn for one in pending) or '(nothing is pending)'}",
            )
        recover.settle(session, pending, standing.target.region, world, answers=answers)
    return [one.urn for one in pending]
