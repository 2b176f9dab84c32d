"""Reconcile: make an environment run what main says. Observe, decide, act, record, until it rests.

Comes in: the name of an environment and the world. Goes out: where it came to rest, with the reason. `next_step`
is pure and total: every rule of the loop is in it, and `explain` reads it too. `reconcile` adds no decision of its
own; it works on the fetched tip of main, whatever commit woke it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from releasectl import deploy, target
from releasectl.deploy import ATTEMPTS
from releasectl.errors import ControllerError, Retry
from releasectl.record import Deployment, Phase
from releasectl.target import Target
from releasectl.world import World

FIRST_WAIT = timedelta(seconds=10)  # then three times as long after each attempt
POLL = 0.2


class Busy(ControllerError):
    """Another controller works on this environment."""

    retry = Retry.BACKOFF


class CutOff(ControllerError):
    """A deployment's engine ended without a result; what it left has to be looked at first."""


class Worker(StrEnum):
    """What is known of the worker of a deployment that is still `applying`."""

    NONE = "none"  # no deployment is applying
    RUNNING = "running"
    DONE = "done"
    GONE = "gone"
    ELSEWHERE = "elsewhere"  # on another host


class Action(StrEnum):
    """What to do next."""

    REST = "rest"  # it runs what it should
    STALL = "stall"  # a verdict: nothing changes until a file does
    WAIT = "wait"  # until a time
    RELEASE = "release"
    ADOPT = "adopt"  # an engine of ours still works: wait for it
    CONCLUDE = "conclude"  # the engine is done, its result is not written yet
    PROVE = "prove"  # applied, not proven
    GIVE_UP = "give-up"  # somebody else's, or cut off


@dataclass(frozen=True)
class Step:
    """The next step and why; `attempt` and `until` where they mean something."""

    action: Action
    reason: str
    attempt: int = 1
    until: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """Where an environment stands after a pass."""

    environment: str
    step: Step
    deployment: Deployment | None
    target: Target
    exit_code: int = field(default=0)


def next_step(identity: str, last: Deployment | None, worker: Worker, now: datetime) -> Step:
    """The one next step for an environment that should run `identity` ("" while it has no program)."""
    if last is not None and not last.phase.is_over:
        return _unfinished(last, worker)
    if not identity:
        return Step(Action.REST, "it has no program yet; `releasectl bump` pins one")
    if last is None:
        return Step(Action.RELEASE, "nothing was ever released here")
    if last.identity != identity:
        return Step(Action.RELEASE, "main says something new")
    return _settled(last, now)


def _unfinished(last: Deployment, worker: Worker) -> Step:
    if last.phase is Phase.VERIFYING:
        return Step(Action.PROVE, f"deployment {last.id} is applied and not proven yet")
    by_worker = {
        Worker.RUNNING: Step(Action.ADOPT, f"the engine of deployment {last.id} is still at work"),
        Worker.DONE: Step(Action.CONCLUDE, f"the engine of deployment {last.id} is done, its result is not recorded"),
        Worker.ELSEWHERE: Step(Action.GIVE_UP, f"deployment {last.id} is applied by {last.holder.host}"),
    }
    return by_worker.get(worker, Step(Action.GIVE_UP, f"deployment {last.id} was cut off while applying"))


def _settled(last: Deployment, now: datetime) -> Step:
    """The same release as last time: does it rest, or is it tried again?"""
    if last.phase is Phase.LIVE:
        return Step(Action.REST, f"it runs what main says, proven by deployment {last.id}")
    if last.phase is not Phase.ERRORED:
        return Step(Action.STALL, f"deployment {last.id} was {last.phase}: {last.message}")
    if last.attempt >= ATTEMPTS:
        return Step(Action.STALL, f"{last.attempt} attempts ended in an error, the last with: {last.message}")
    until = last.since + FIRST_WAIT * 3 ** (last.attempt - 1)
    if now < until:
        return Step(Action.WAIT, f"attempt {last.attempt} ended in an error: {last.message}", until=until)
    return Step(Action.RELEASE, f"attempt {last.attempt} ended in an error", attempt=last.attempt + 1)


def reconcile(environment: str, world: World, *, retry: bool = False, wait: bool = True) -> Standing:
    """Steps until the environment rests or stalls.

    `retry` tries a stalled or waiting release once more; without `wait` it returns where it would have to wait.
    """
    while True:
        standing = look(environment, world)
        step = standing.step
        if retry and step.action in (Action.STALL, Action.WAIT):
            step = Step(Action.RELEASE, "a person asked to try again")
        retry = False
        world.say(f"{environment}: {step.action}: {step.reason}")
        if step.action is Action.WAIT and wait and step.until:
            world.clock.sleep(max(0.0, (step.until - world.clock.now()).total_seconds()))
        elif step.action in (Action.REST, Action.STALL, Action.WAIT):
            return standing
        else:
            act(standing, step, world)


def look(environment: str, world: World) -> Standing:
    """Where an environment stands and what comes next; changes nothing."""
    wanted = target.read_target(world.desired, world.desired.fetch(), environment)
    last = next(iter(world.records.history(environment, 1)), None)
    worker = _worker(last, world) if last else Worker.NONE
    step = next_step(wanted.identity if wanted.is_created else "", last, worker, world.clock.now())
    return Standing(environment, step, last, wanted, exit_code=_exit_code(step, last))


def act(standing: Standing, step: Step, world: World) -> Deployment:
    """Do one step. Raises what a release raises before it changed anything, Busy, CutOff."""
    last = standing.deployment
    if step.action is Action.RELEASE or last is None:
        return deploy.release(standing.target, world, last=last, attempt=step.attempt)
    folder = work_folder(last, world)
    if step.action is Action.ADOPT:
        while world.engine.is_running(folder):
            world.clock.sleep(POLL)
        return last
    if step.action is Action.CONCLUDE:
        return _conclude(last, folder, world)
    if step.action is Action.PROVE:
        return deploy.prove(last, world)
    raise _given_up(last, step, folder)


def _conclude(last: Deployment, folder: Path, world: World) -> Deployment:
    try:
        result = world.engine.result(folder, "up")
    except ControllerError as error:
        return deploy.errored(last, error, world)
    return deploy.conclude(last, result, world) if result else last


def _given_up(last: Deployment, step: Step, folder: Path) -> ControllerError:
    if "cut off" not in step.reason:
        run = f" ({last.holder.run})" if last.holder.run else ""
        return Busy(
            f"reconciling {last.environment}: {step.reason}{run} since {last.since:%H:%M:%S} UTC", "Wait for it."
        )
    return CutOff(
        f"reconciling {last.environment}: {step.reason}; its engine ended without a result",
        f"Look at {folder / 'engine.err'} and at `pulumi stack export` for pending operations before anything else.",
    )


def work_folder(deployment: Deployment, world: World) -> Path:
    """Where the worker of a deployment works on this host."""
    return world.folder / deployment.environment / deployment.id


def _worker(last: Deployment, world: World) -> Worker:
    if last.phase is not Phase.APPLYING:
        return Worker.NONE
    if (last.holder.host, last.holder.boot) != (world.holder.host, world.holder.boot):
        return Worker.ELSEWHERE
    folder = work_folder(last, world)
    if (folder / "up.json").exists():
        return Worker.DONE
    return Worker.RUNNING if world.engine.is_running(folder) else Worker.GONE


def _exit_code(step: Step, last: Deployment | None) -> int:
    if step.action is Action.WAIT:
        return 4
    if step.action is not Action.STALL or last is None:
        return 0
    return 3 if last.phase is Phase.ERRORED else 1


def as_json(standing: Standing) -> Mapping[str, object]:
    """{environment, identity, action, reason, until, deployment, phase}: the shape that `--json` prints."""
    last = standing.deployment
    return {
        "environment": standing.environment,
        "identity": standing.target.identity,
        "action": standing.step.action,
        "reason": standing.step.reason,
        "until": standing.step.until.isoformat() if standing.step.until else None,
        "deployment": last.id if last else None,
        "phase": last.phase if last else None,
    }
