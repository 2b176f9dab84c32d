"""Reconcile: make an environment run what main says. Observe, decide, act, record, until it rests.

Comes in: the name of an environment and the world. Goes out: where it came to rest, with the reason. It adds no
decision to `next_step`; it works on the fetched tip of main, whatever commit woke it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from releasectl import deploy, evidence, missed, recover, target, way_back
from releasectl.admission import Evidence, admit
from releasectl.errors import ControllerError, Interrupted, Retry, UnknownCommit
from releasectl.evidence import LOOK_BACK
from releasectl.locks import StackLocked
from releasectl.next_step import RESTING, Action, Situation, Step, admitted, next_step
from releasectl.proposals import Proposal
from releasectl.record import Deployment, Phase, Worker
from releasectl.target import Target
from releasectl.way_back import WayBack
from releasectl.world import World

POLL = 0.2
LOCK_POLL = 5.0  # seconds
LOCK_PATIENCE = 5 * 60.0  # seconds to wait for somebody else's update of the stack; then a later run asks again
GRACE = timedelta(minutes=10)  # for an adopted engine that was asked to stop


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


def reconcile(
    environment: str, world: World, *, retry: bool = False, wait: bool = True, prompt: bool = False
) -> Standing:  # fmt: skip
    """Steps until the environment rests, stalls or waits for something that is not ours.

    `retry` tries a stalled release once more; without `wait` it also returns where it would have to back off, and
    raises StackLocked at once. `prompt` says that each merge should start a run: one that did not is told.
    """
    said_no, patience = False, LOCK_PATIENCE if wait else 0.0
    while True:
        standing = look(environment, world)
        if retry and standing.step.action in (Action.STALL, Action.BACK_OFF):
            # Asked again, and still only what the gates let through.
            asked = admitted(standing.situation, "a person asked to try again")
            standing = replace(standing, step=asked, exit_code=_exit_code(asked, standing.deployment))
        step = standing.step
        world.say(f"{environment}: {step.action}: {step.reason}")
        if step.action is Action.WAIT:
            deploy.keep(standing.target, standing.deployment, world)
        if step.action in RESTING or (step.action is Action.BACK_OFF and not wait):
            # A release that was taken back leaves a resting environment, and was a no all the same.
            return replace(standing, exit_code=standing.exit_code or int(said_no))
        if step.action is Action.BACK_OFF and step.until:
            world.clock.sleep(max(0.0, (step.until - world.clock.now()).total_seconds()))
            continue
        try:
            deployment = act(standing, step, world, late=_missed(standing, step, world) if prompt else "")
        except StackLocked as error:
            if patience <= 0:
                raise
            world.say(f"{environment}: {error.message}; waiting")
            world.clock.sleep(LOCK_POLL)
            patience -= LOCK_POLL
            continue
        except ControllerError as error:
            if error.retry is not Retry.AT_ONCE:
                raise
            world.say(f"{environment}: {error.message}; looking again")
            continue
        retry = False  # one step was done as asked; waiting for somebody else is none
        said_no = said_no or (deployment is not None and deployment.phase in (Phase.FAILED, Phase.REFUSED))


def reconcile_all(
    world: World, *, wait: bool = True, prompt: bool = False
) -> Iterator[tuple[str, Standing | ControllerError]]:
    """Every environment, in the order of the pipeline; what is wrong with one stops no other."""
    pipeline = target.read_pipeline(world.desired, world.desired.fetch())
    for each in pipeline.environments:
        try:
            yield each.name, reconcile(each.name, world, wait=wait, prompt=prompt)
        except Interrupted:  # it was meant for all
            raise
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
        worker=recover.presence(history[0], world) if history else Worker.NONE,
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
    try:
        return bool(world.desired.commits(history[0].commit, wanted.commit, *wanted.files))
    except UnknownCommit:  # main was rewritten since: the gates judge anew
        return True


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


def act(standing: Standing, step: Step, world: World, *, late: str = "") -> Deployment | None:
    """Do one step. Raises what a release raises before it changed anything."""
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
            late=late,
        )
    if step.action is Action.ROLL_BACK:
        roll_back(standing, world)
        return last
    with world.engine.hold(recover.work_folder(last, world)) as alone:
        return _go_on(standing, last, step, world) if alone else last


def _missed(standing: Standing, step: Step, world: World) -> str:
    """What to say of a merge that started nothing, before what it brought is released after all."""
    wanted = standing.target
    merged = world.desired.landed(wanted.commit, *wanted.files)
    ready = world.desired.landed(wanted.commit, *missed.gate_paths(wanted))
    if step.action is not Action.RELEASE or merged is None or ready is None:
        return ""
    said = missed.missed(wanted, standing.evidence, standing.deployment, merged=merged.at, ready=ready.at)
    if said:
        world.say(f"{wanted.environment}: {said}")
    return said


def _go_on(standing: Standing, last: Deployment, step: Step, world: World) -> Deployment:
    """With a deployment that somebody began and that nobody but us works on."""
    if step.action is Action.ADOPT:
        return _adopt(standing, last, world)
    if step.action is Action.CONCLUDE:
        return _conclude(last, world)
    if step.action is Action.PROVE:
        return deploy.prove(last, world)
    return recover.cut_off(last, standing.target, world)


def _adopt(standing: Standing, last: Deployment, world: World) -> Deployment:
    """Wait for the engine of a dead controller; one that takes longer than an update may is asked to stop."""
    folder = recover.work_folder(last, world)
    deadline = last.since + standing.target.policy.deadline
    while world.engine.is_running(folder):
        if world.clock.now() > deadline:
            world.say(f"{last.environment}: the engine of deployment {last.id} takes too long; asking it to stop")
            world.engine.stop(folder)
            deadline = world.clock.now() + GRACE
        world.clock.sleep(POLL)
    return last


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


def _conclude(last: Deployment, world: World) -> Deployment:
    try:
        result = world.engine.result(recover.work_folder(last, world), "up")
    except Interrupted:
        return deploy.interrupted(last, world)
    except ControllerError as error:
        return deploy.errored(last, error, world)
    return deploy.conclude(last, result, world) if result else last


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
