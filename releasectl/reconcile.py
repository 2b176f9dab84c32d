"""Reconcile: make an environment run what main says. Observe, decide, act, record, until it rests.

Comes in: the name of an environment and the world. Goes out: where it came to rest, with the reason. It adds no
decision to `next_step`; it works on the fetched tip of main, whatever commit woke it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from releasectl import deploy, evidence, target, way_back
from releasectl.admission import Evidence, admit
from releasectl.errors import ControllerError, Retry
from releasectl.evidence import LOOK_BACK
from releasectl.next_step import RESTING, Action, Situation, Step, Worker, admitted, next_step
from releasectl.proposals import Proposal
from releasectl.record import Deployment, Phase
from releasectl.target import Target
from releasectl.way_back import WayBack
from releasectl.world import World

POLL = 0.2


class Busy(ControllerError):
    """Another controller works on this environment."""

    retry = Retry.BACKOFF


class CutOff(ControllerError):
    """A deployment's engine ended without a result; what it left has to be looked at first."""


@dataclass(frozen=True)
class Standing:
    """Where an environment stands after a pass."""

    environment: str
    step: Step
    situation: Situation
    target: Target
    evidence: Evidence
    exit_code: int = 0

    @property
    def deployment(self) -> Deployment | None:
        """The newest deployment on record."""
        return self.situation.last


def reconcile(environment: str, world: World, *, retry: bool = False, wait: bool = True) -> Standing:
    """Steps until the environment rests, stalls or waits for something that is not ours.

    `retry` tries a stalled release once more; without `wait` it also returns where it would have to back off.
    """
    said_no = False
    while True:
        standing = look(environment, world)
        if retry and standing.step.action in (Action.STALL, Action.BACK_OFF):
            # Asked again, and still only what the gates let through.
            asked = admitted(standing.situation, "a person asked to try again")
            standing = replace(standing, step=asked, exit_code=_exit_code(asked, standing.deployment))
        retry, step = False, standing.step
        world.say(f"{environment}: {step.action}: {step.reason}")
        if step.action in RESTING or (step.action is Action.BACK_OFF and not wait):
            # A release that was taken back leaves a resting environment, and was a no all the same.
            return replace(standing, exit_code=standing.exit_code or int(said_no))
        if step.action is Action.BACK_OFF and step.until:
            world.clock.sleep(max(0.0, (step.until - world.clock.now()).total_seconds()))
        else:
            deployment = act(standing, step, world)
            said_no = said_no or (deployment is not None and deployment.phase in (Phase.FAILED, Phase.REFUSED))


def reconcile_all(world: World, *, wait: bool = True) -> Iterator[tuple[str, Standing | ControllerError]]:
    """Every environment, in the order of the pipeline; what is wrong with one stops no other."""
    pipeline = target.read_pipeline(world.desired, world.desired.fetch())
    for each in pipeline.environments:
        try:
            yield each.name, reconcile(each.name, world, wait=wait)
        except ControllerError as error:
            yield each.name, error


def look(environment: str, world: World) -> Standing:
    """Where an environment stands and what comes next; changes nothing."""
    wanted = target.read_target(world.desired, world.desired.fetch(), environment)
    history = world.records.history(environment, LOOK_BACK)
    known = evidence.before_plan(wanted, history, world, base=wanted.commit)
    situation = Situation(
        identity=wanted.identity if wanted.is_created else "",
        history=history,
        worker=_worker(history[0], world) if history else Worker.NONE,
        admission=admit(known, planned=False),
        way_back=_way_back(history, wanted, world),
        now=known.now,
        said_again=_said_again(history, wanted, world),
    )
    step = next_step(situation)
    return Standing(environment, step, situation, wanted, known, exit_code=_exit_code(step, situation.last))


def _said_again(history: tuple[Deployment, ...], wanted: Target, world: World) -> bool:
    """Was what main names refused, then edited away and back? A rejection that was lifted is no reason any more."""
    if not history or (history[0].phase, history[0].identity) != (Phase.REFUSED, wanted.identity):
        return False
    return bool(world.desired.commits(history[0].commit, wanted.commit, *wanted.files))


def _way_back(history: tuple[Deployment, ...], wanted: Target, world: World) -> WayBack:
    """Where to, unless the branch that proposes it is there already, or it would change nothing."""
    since = way_back.from_bad(history, wanted.identity)
    if not since:
        return WayBack(None, "nothing has to go back")
    found = way_back.find(since, wanted.policy.rollback)
    branch = rollback_branch(since[0])
    if found.good and wanted.policy.rollback == "pull-request" and world.desired.fetch(branch):
        return WayBack(None, f"branch {branch} proposes the way back")
    if found.good and not _proposal(wanted, since[0], found.good, world).files:
        return WayBack(None, "no edit of its files takes it back; a person has to release")
    return found


def _proposal(wanted: Target, bad: Deployment, good: Deployment, world: World) -> Proposal:
    settings = world.desired.read(good.commit, target.settings_path(wanted.environment))
    return way_back.propose(wanted, bad, good, settings=settings)


def rollback_branch(bad: Deployment) -> str:
    """Where a rollback is proposed when the pipeline wants a pull request."""
    return f"releasectl/rollback-{bad.environment}-{bad.id}"


def act(standing: Standing, step: Step, world: World) -> Deployment | None:
    """Do one step. Raises what a release raises before it changed anything, Busy, CutOff."""
    last = standing.deployment
    if step.action is Action.REFUSE:
        return _refuse(standing, world)
    if step.action is Action.RELEASE or last is None:
        return deploy.release(
            standing.target,
            world,
            history=standing.situation.history,
            early=standing.evidence,
            attempt=step.attempt,
        )
    if step.action is Action.ROLL_BACK:
        roll_back(standing, world)
        return last
    return _go_on(last, step, world)


def _go_on(last: Deployment, step: Step, world: World) -> Deployment:
    """With a deployment that somebody began."""
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


def _refuse(standing: Standing, world: World) -> Deployment:
    return deploy.refuse_early(
        standing.target,
        world,
        last=standing.deployment,
        findings=standing.situation.admission.refused,
        kind=standing.evidence.kind,
    )


def roll_back(standing: Standing, world: World) -> str:
    """Commit the way back, on main or on a branch as the pipeline says; the commit."""
    since = way_back.from_bad(standing.situation.history, standing.target.identity)
    good = standing.situation.way_back.good
    if not since or good is None:  # next_step asks for it only with both
        return ""
    policy = standing.target.policy.rollback
    branch = "main" if policy == "commit" else rollback_branch(since[0])
    made: list[Proposal] = []

    def change(tip: str) -> Mapping[str, bytes | None]:
        wanted = target.read_target(world.desired, tip, standing.environment)
        made.append(_proposal(wanted, since[0], good, world))
        return made[-1].files

    commit = world.desired.commit(branch, lambda: made[-1].message, change, start=standing.target.commit)
    world.say(f"{standing.environment}: {made[-1].reason} ({branch} {commit[:12]})")
    return commit


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
    if step.action in (Action.WAIT, Action.BACK_OFF):
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
