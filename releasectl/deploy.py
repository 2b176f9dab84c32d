"""Walks one release through plan, apply, verify and record.

Comes in: a target and the world. Goes out: the deployment as it was recorded. The order is what makes it safe:
look, refuse if need be, write the intent, act, write what came of it, prove, write the verdict. Until the intent
is written an error changes nothing; after it, every end is recorded or left so that the next pass can find it.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from releasectl import apply, evidence, paging, plan, recover, target, verify
from releasectl.admission import Evidence, admit
from releasectl.drift import NoRepair, Refreshed
from releasectl.errors import ControllerError, Finding, Interrupted, Retry
from releasectl.evidence import Copy
from releasectl.outputs import Outputs, Service
from releasectl.outputs import read as read_outputs
from releasectl.record import Deployment, Ended, Kind, Moment, Phase, new_id
from releasectl.release import Pin
from releasectl.target import Target
from releasectl.verify import Health, Observation, Pinned, Proof
from releasectl.world import Session, World

KEPT = 10  # work folders of an environment, for whoever wants to read an engine's words


@dataclass(frozen=True)
class Asked:
    """Who asked for a drift fix, and why."""

    by: str
    reason: str


# What a refresh found -> who takes it back and why; raises to leave it.
Mending = Callable[[Refreshed], Asked]


class ProgramNotOnMain(ControllerError):
    """A release pins a program that nobody merged.

    Why: A program runs with the environment's credentials, so it has to be reviewed: its commit must be part of
    main.
    Do: Merge the change of `stacks/` first, then pin it: `releasectl bump --program`.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


def preview(wanted: Target, world: World, *, folder: Path) -> plan.Plan:
    """What `wanted` would change. Its program runs: the caller asked `check_program`. Raises what the engine raises."""
    prepare(wanted, world, folder)
    with open_session(wanted, world, folder, "preview") as session:
        return session.preview()


def release(
    wanted: Target,
    world: World,
    *,
    history: tuple[Deployment, ...],
    early: Evidence,
    attempt: int,
    mending: Mending | None = None,
    late: str = "",
) -> Deployment:
    """Make the environment run `wanted`; the deployment with its verdict. Raises only while nothing was changed.

    `history` is the environment's, newest first; `early` the evidence that needed no plan; `mending` is for a new
    drift fix: its reason is what it finds; `late` is what to say of its merge. Raises Interrupted and KeyboardInterrupt
    also later, once that is on record.
    """
    check_program(wanted, world)
    last = history[0] if history else None
    now = world.clock.now()
    identifier = new_id(now, last.id if last else "")
    folder = world.folder / wanted.environment / identifier
    # While somebody holds the stack its state is half of a truth, and so is a preview of it (measured).
    recover.free(wanted, history, world)
    recover.make_readable(wanted, world)
    world.say(f"{wanted.environment}: preparing the program at {wanted.release.program[:12]}")
    _forget_old(folder.parent)
    prepare(wanted, world, folder)
    with world.engine.hold(folder):
        with open_session(wanted, world, folder, identifier) as session:
            planned, asked = _planned_as(early.kind, session, wanted, world, last=last, mending=mending)
            world.say(f"{wanted.environment}: plan: {planned.sentence}")
            applied = evidence.newest_applied(history)
            known, copies = evidence.with_plan(early, wanted, planned, applied=applied, world=world)
            admission = admit(known, planned=True)
            for no in admission.nos:
                world.say(f"{wanted.environment}: {no}")
            deployment = _intent(wanted, planned, world, identifier=identifier, now=now, attempt=attempt)
            deployment = _asked_for(replace(deployment, kind=early.kind, late=late), asked)
            if admission.refused:
                return refuse(deployment, admission.refused, world, last)
            deployment = _with_baseline(deployment, last, world)
            world.records.open(deployment, last.id if last else "")
            deployment, result = _apply(deployment, copies, session, world, history=history)
        return conclude(deployment, result, world) if result else deployment


def _apply(
    deployment: Deployment,
    copies: tuple[Copy, ...],
    session: Session,
    world: World,
    *,
    history: tuple[Deployment, ...],
) -> tuple[Deployment, apply.Result | None]:
    """From the intent to the engine's result; None when our machinery broke, which is on record then."""
    outputs = read_outputs(deployment.outputs)
    try:
        _bring(copies, outputs, world)
        _shield(deployment, outputs, world)
        world.say(f"{deployment.environment}: applying")
        return deployment, _update(deployment, session, world, begun=recover.begun(deployment, history))
    except (Interrupted, KeyboardInterrupt):
        interrupted(deployment, world)
        raise
    except ControllerError as error:
        return errored(deployment, error, world), None


def _update(deployment: Deployment, session: Session, world: World, *, begun: datetime) -> apply.Result:
    """`pulumi up`, and once more for each create whose answer was lost."""
    region = read_outputs(deployment.outputs).region
    result = session.up(refresh=deployment.kind is Kind.DRIFT_FIX)
    adopted: set[str] = set()
    while fresh := recover.adopt(session, result, world, region=region, since=begun) - adopted:
        adopted |= fresh
        result = session.up()
    return result


def _planned(session: Session, wanted: Target, world: World) -> plan.Plan:
    """The plan, once nothing is pending that an engine died over: an update would make those objects twice."""
    planned = session.preview()
    if not planned.pending:
        return planned
    recover.settle(session, planned.pending, wanted.region, world, answers={})
    return session.preview()


def _planned_as(
    kind: Kind, session: Session, wanted: Target, world: World, *, last: Deployment | None, mending: Mending | None
) -> tuple[plan.Plan, Asked | None]:
    """The plan; of a drift fix also who asked for it, which for a further try of it is known from the first."""
    if kind is not Kind.DRIFT_FIX:
        return _planned(session, wanted, world), None
    found = session.drift()
    if found.repair.pending:
        recover.settle(session, found.repair.pending, wanted.region, world, answers={})
        found = session.drift()
    if found.problems:
        raise NoRepair(f"planning the way back: {found.problems[0]}", "Mend what it names by hand, then look again.")
    if mending:
        return found.repair, mending(found)
    return found.repair, Asked(last.by, last.reason) if last else None


def _asked_for(deployment: Deployment, asked: Asked | None) -> Deployment:
    return replace(deployment, by=asked.by, reason=asked.reason) if asked else deployment


def refuse_early(
    wanted: Target, world: World, *, last: Deployment | None, findings: tuple[Finding, ...], kind: Kind
) -> Deployment:
    """Record a no that needs no plan."""
    now = world.clock.now()
    identifier = new_id(now, last.id if last else "")
    deployment = _intent(wanted, plan.Plan(), world, identifier=identifier, now=now, attempt=1)
    return refuse(replace(deployment, kind=kind), findings, world, last)


def conclude(deployment: Deployment, result: apply.Result, world: World) -> Deployment:
    """The engine is done: write what it left, then prove it."""
    findings = apply.findings(result)
    message = "the engine failed" if findings else "the engine is done"
    outputs = result.plan.outputs or deployment.outputs
    moment = Moment(Phase.VERIFYING, world.clock.now(), message)
    deployment = world.records.add(deployment, moment, outputs=outputs, findings=findings, holder=world.holder)
    return prove(deployment, world)


def prove(deployment: Deployment, world: World) -> Deployment:
    """Ask what runs, judge, write the verdict, and tell people when it is not a good one."""
    try:
        outputs = read_outputs(deployment.outputs) if deployment.outputs else None
        proofs = _proofs(deployment, outputs, world) if outputs else ()
    except ControllerError as error:
        return errored(deployment, error, world)
    applied = [Health.DEGRADED] if deployment.findings else []
    health = verify.worst([*applied, *(proof.health for proof in proofs)])
    phase = {Health.HEALTHY: Phase.LIVE, Health.DEGRADED: Phase.FAILED, Health.UNKNOWN: Phase.ERRORED}[health]
    findings = (*deployment.findings, *(finding for proof in proofs for finding in proof.findings))
    deployment = world.records.add(
        deployment,
        Moment(phase, world.clock.now(), _verdict(phase, proofs, findings)),
        findings=findings,
        health={proof.service: proof.health for proof in proofs},
        serving={proof.service: proof.serving for proof in proofs},
        log={proof.service: proof.log for proof in proofs if proof.health is not Health.HEALTHY and proof.log},
    )
    paging.page(deployment, world)
    return deployment


def errored(deployment: Deployment, error: ControllerError, world: World) -> Deployment:
    """Our machinery broke after the intent was written; the next pass tries again."""
    message = f"{error.message} - {error.remedy}"
    deployment = world.records.add(deployment, Moment(Phase.ERRORED, world.clock.now(), message))
    paging.page(deployment, world)
    return deployment


def interrupted(deployment: Deployment, world: World) -> Deployment:
    """A signal stopped us: the next run goes on with the same release at once."""
    message = "interrupted: a signal stopped it; the next reconcile goes on"
    moment = Moment(Phase.ERRORED, world.clock.now(), message)
    return world.records.add(deployment, moment, ended=Ended.BY_SIGNAL)


def check_program(wanted: Target, world: World) -> None:
    """The pinned program is on main: nobody's branch runs with an environment's credentials."""
    program = wanted.release.program
    if not world.desired.is_ancestor(program, world.desired.fetch()):
        path = target.release_path(wanted.environment)
        raise ProgramNotOnMain(f"checking {path}: program {program} is not on main", "Pin a commit of main.")


def prepare(wanted: Target, world: World, folder: Path) -> None:
    """The program at its pinned commit, with this release's data in it: all that the worker reads."""
    folder.mkdir(parents=True, exist_ok=True)
    checkout = folder / "checkout"
    world.desired.export(wanted.release.program, checkout)
    for path, raw in wanted.files.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_bytes(raw)


def _forget_old(folder: Path) -> None:
    for old in sorted(folder.glob("*"), reverse=True)[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def open_session(wanted: Target, world: World, folder: Path, message: str) -> AbstractContextManager[Session]:
    """A worker in a folder that is prepared for `wanted`."""
    return world.engine.open(
        folder,
        wanted.environment,
        message=message,
        variables=wanted.variables,
        secrets_provider=wanted.secrets_provider,
        deadline=wanted.policy.deadline.total_seconds(),
    )


def _intent(
    wanted: Target, planned: plan.Plan, world: World, *, identifier: str, now: datetime, attempt: int
) -> Deployment:  # fmt: skip
    who, why, action = world.desired.why(wanted.commit, *wanted.files)
    return Deployment(
        id=identifier,
        environment=wanted.environment,
        identity=wanted.identity,
        settings=wanted.settings_identity,
        commit=wanted.commit,
        program=wanted.release.program,
        services=wanted.release.services,
        by=who,
        reason=why,
        action=action,
        holder=world.holder,
        phases=(Moment(Phase.APPLYING, now, planned.sentence),),
        attempt=attempt,
        watch=wanted.policy.watch.total_seconds(),
        plan={"identity": planned.identity, "counts": planned.counts, "sentence": planned.sentence},
        outputs=planned.outputs,
    )


def refuse(deployment: Deployment, findings: tuple[Finding, ...], world: World, last: Deployment | None) -> Deployment:
    """Record the no. What runs is unchanged, so the outputs stay those of the deployment before."""
    message = "; ".join(finding.message for finding in findings)
    moment = Moment(Phase.REFUSED, world.clock.now(), message)
    unchanged = last.outputs if last else {}
    refused = replace(deployment, phases=(moment,), findings=findings, outputs=unchanged)
    world.records.open(refused, last.id if last else "")
    return refused


def _with_baseline(deployment: Deployment, last: Deployment | None, world: World) -> Deployment:
    """How the services looked before: what was already red cannot judge this release.

    A further attempt keeps the baseline of the first: by now this very release may be what is red. It looks all the
    same, since a look waits for what an attempt that was cut off still has under way at AWS.
    """
    outputs = read_outputs(deployment.outputs)
    there = {name: one for name, one in outputs.services.items() if one.service and (one.url or one.private)}
    seen = _observe(there, outputs.region, world, watch=0)
    if last is not None and last.phase is Phase.ERRORED and last.identity == deployment.identity:
        return replace(deployment, before=last.before)
    return replace(deployment, before={name: replace(one, log=()) for name, one in seen.items()})


def _bring(copies: tuple[Copy, ...], outputs: Outputs, world: World) -> None:
    """The first act: images that were proven elsewhere come into this environment's own registry."""
    for copy in copies:
        target_repository = outputs.services[copy.service].repository
        world.say(f"{outputs.environment}: copying {copy.service} {copy.digest[:19]} from {copy.source}")
        world.registry.copy(copy.source_region, copy.source, outputs.region, target_repository, digest=copy.digest)


def _shield(deployment: Deployment, outputs: Outputs, world: World) -> None:
    for name, pin in _released(deployment.services):
        repository = outputs.services[name].repository
        if repository:
            world.registry.shield(outputs.region, repository, pin.digest)
        else:  # a drift fix brings it back
            world.say(f"{deployment.environment}: the registry of {name} comes back empty; push {pin.digest} again")


def keep(wanted: Target, last: Deployment | None, world: World) -> None:
    """What is pinned and has to wait is kept by its registry, however long that takes and whatever is built meanwhile.

    Where the registry cannot be asked, somebody is told, and the next pass asks again.
    """
    outputs = read_outputs(last.outputs) if last and last.outputs else None
    for name, pin in _released(wanted.release.services):
        repository = outputs.services[name].repository if outputs and name in outputs.services else ""
        if outputs is None or not repository:
            continue
        try:
            world.registry.shield(outputs.region, repository, pin.digest)
        except ControllerError as error:
            world.say(f"{wanted.environment}: keeping {name} {pin.digest[:19]} while it waits: {error.message}")


def _proofs(deployment: Deployment, outputs: Outputs, world: World) -> tuple[Proof, ...]:
    pins = dict(_released(deployment.services))
    declared = {name: outputs.services[name] for name in pins if name in outputs.services}
    world.say(f"{deployment.environment}: verifying {', '.join(declared) or 'nothing: no service has a digest yet'}")
    after = _observe(declared, outputs.region, world, watch=deployment.watch)
    return tuple(
        verify.prove(
            name,
            _pinned(pins[name], declared[name].repository, outputs.region, world),
            declared[name],
            before=deployment.before.get(name),
            after=observation,
        )
        for name, observation in after.items()
    )


def _pinned(pin: Pin, repository: str, region: str, world: World) -> Pinned:
    return Pinned(pin.digest, pin.commit, world.registry.images(region, repository, pin.digest) or (pin.digest,))


def _observe(services: Mapping[str, Service], region: str, world: World, *, watch: float) -> dict[str, Observation]:
    """All services at once: each is watched for the whole time. An interruption does not wait for that."""
    if not services:
        return {}
    pool = ThreadPoolExecutor(len(services))
    try:
        seen = pool.map(lambda service: world.live.observe(region, service, watch=watch), services.values())
        return dict(zip(services, seen, strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _released(services: Mapping[str, Pin]) -> Iterator[tuple[str, Pin]]:
    return ((name, pin) for name, pin in services.items() if pin.digest)


def _verdict(phase: Phase, proofs: tuple[Proof, ...], findings: tuple[Finding, ...]) -> str:
    if phase is Phase.LIVE:
        proven = ", ".join(f"{proof.service} runs {proof.serving}" for proof in proofs)
        return f"proven: {proven}" if proven else "the environment is there; no service has a digest yet"
    return "; ".join(finding.message for finding in findings)
