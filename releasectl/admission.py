"""Admission: may this release be applied now? Every gate as a plain function over evidence gathered before.

Comes in: Evidence. Goes out: an Admission: refused (no, until the file changes), waiting (no, until a time or an
event) and notes. The table GATES says which gate stops which kind of change; it is asked twice, as the check of a
pull request and again at apply. A gate that cannot be asked says no. Nothing here reads a file or asks anybody.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from releasectl.errors import Finding
from releasectl.freeze import Freeze
from releasectl.image_facts import ImageFacts
from releasectl.pipeline import Hold, Override, Rejection, hold_path
from releasectl.record import Deployment, Kind, Phase
from releasectl.release import Pin


class Answer(StrEnum):
    """How a gate says no. A note is told and stops nothing."""

    REFUSED = "refused"
    WAITING = "waiting"
    NOTE = "note"


@dataclass(frozen=True)
class Stay:
    """A time during which a digest ran, proven, in an environment; `until` is None while it still does."""

    since: datetime
    until: datetime | None = None

    def length(self, now: datetime) -> timedelta:
        """How long it was, or has been by now."""
        return (self.until or now) - self.since


@dataclass(frozen=True)
class Evidence:
    """All that the gates look at. What needs a plan (`unreadable`, `outside`, `images`) is empty before it."""

    environment: str
    kind: Kind
    identity: str
    now: datetime
    changed: Mapping[str, Pin] = field(default_factory=dict)  # services whose digest is new here
    unreadable: tuple[Finding, ...] = ()
    outside: tuple[Finding, ...] = ()
    rejections: Mapping[str, Rejection] = field(default_factory=dict)  # by path, of here and of earlier environments
    services: tuple[str, ...] = ()  # all of the release
    hold: Hold | None = None
    frozen: tuple[Freeze, datetime] | None = None
    previous: str = ""
    soak: timedelta = timedelta()
    stays: Mapping[str, tuple[Stay, ...]] = field(default_factory=dict)  # in the previous environment, by service
    untold: str = ""  # why the previous environment's record cannot be read
    demanded: tuple[str, ...] = ()  # the optional gates that the pipeline switches on
    images: Mapping[str, ImageFacts] = field(default_factory=dict)  # by service
    unsettled: Deployment | None = None
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class No:
    """One gate's no."""

    answer: Answer
    finding: Finding
    until: datetime | None = None

    def __str__(self) -> str:
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        return f"{self.answer} by {self.finding.rule}{until}: {self.finding.message}"


@dataclass(frozen=True)
class Admission:
    """What all gates said."""

    nos: tuple[No, ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        """Why it will not be applied until the file changes."""
        return tuple(no.finding for no in self.nos if no.answer is Answer.REFUSED)

    @property
    def waiting(self) -> tuple[No, ...]:
        """Why it is not applied now."""
        return tuple(no for no in self.nos if no.answer is Answer.WAITING)

    @property
    def until(self) -> datetime | None:
        """The earliest time at which nothing waits any more; None when an event has to come."""
        ends = [no.until for no in self.waiting]
        return None if not ends or None in ends else max(end for end in ends if end)


@dataclass(frozen=True)
class Gate:
    """One row of the table: whom it concerns, and what its no means for each kind of change."""

    name: str
    judge: Callable[[Evidence], Iterable[tuple[Finding, datetime | None]]]
    answers: Mapping[Kind, Answer]
    needs_plan: bool = False
    passable: bool = False  # an override may let one release pass


def admit(evidence: Evidence, *, planned: bool) -> Admission:
    """What every gate says; those that need a plan only when there is one."""
    asked = (gate for gate in GATES if planned or not gate.needs_plan)
    return Admission(tuple(no for gate in asked for no in _ask(gate, evidence)))


def _ask(gate: Gate, evidence: Evidence) -> Iterable[No]:
    answer = gate.answers.get(evidence.kind)
    if answer is None:
        return
    passed = _override(gate, evidence)
    for finding, until in gate.judge(evidence):
        if passed:
            message = f"{finding.message}; overridden until {passed.until:%Y-%m-%d %H:%M} UTC: {passed.reason}"
            yield No(Answer.NOTE, Finding(gate.name, finding.where, message, finding.remedy))
        else:
            yield No(answer, finding, until)


def _override(gate: Gate, evidence: Evidence) -> Override | None:
    """An override is for one release, for one gate, until its end."""
    return next(
        (
            override
            for override in evidence.overrides
            if gate.passable
            and (override.gate, override.identity) == (gate.name, evidence.identity)
            and evidence.now < override.until
        ),
        None,
    )


Judged = Iterable[tuple[Finding, datetime | None]]


def readable(evidence: Evidence) -> Judged:
    """Every pinned digest is in a registry that this environment may take it from."""
    return ((finding, None) for finding in evidence.unreadable)


def not_rejected(evidence: Evidence) -> Judged:
    """No new digest, and no rebuild of the same source commit, was rejected here or earlier."""
    for service, pin in evidence.changed.items():
        for path, rejection in evidence.rejections.items():
            mine = concerns(path, service, evidence.services)
            if mine and is_rejected(pin.digest, pin.commit, rejection):
                what = "this digest" if pin.digest == rejection.digest else f"a build of commit {pin.commit[:12]}"
                message = f"{service}: {what} was rejected: {rejection.reason}"
                yield Finding("rejected", path, message, f"Release another build, or delete {path} by a commit."), None


def concerns(path: str, service: str, services: Iterable[str]) -> bool:
    """Is a rejection's file one of this service, of all `services` of the release?

    Services of one repository are built from the same commits, so a rejection speaks for its own service alone; and
    names may hold dashes, so `my-web` is not one of `web` where both exist.
    """
    named = path.removesuffix(".yaml").rpartition("-")[0]
    fitting = [name for name in (service, *services) if named.endswith(f"-{name}")]
    return max(fitting, key=len, default="") == service


def is_rejected(digest: str, commit: str, rejection: Rejection) -> bool:
    """Is this build the rejected one, or made of the same source?"""
    return digest == rejection.digest or bool(commit and commit == rejection.commit)


def not_held(evidence: Evidence) -> Judged:
    """Nobody holds the environment."""
    if evidence.hold:
        path = hold_path(evidence.environment)
        hold, since = evidence.hold, f"{evidence.hold.at:%Y-%m-%d %H:%M}"
        message = f"{hold.by} holds {evidence.environment} since {since} UTC: {hold.reason}"
        yield Finding("hold", path, message, f"Lift it: releasectl hold {evidence.environment} --lift"), None


def not_frozen(evidence: Evidence) -> Judged:
    """No freeze window is in force."""
    if evidence.frozen:
        window, end = evidence.frozen
        message = f"{evidence.environment} is frozen until {end:%Y-%m-%d %H:%M} UTC: {window.reason}"
        yield Finding("freeze", "pipeline.yaml", message, "Wait for its end, or add an override for this release."), end


def proven(evidence: Evidence) -> Judged:
    """Every new digest was live in the previous environment for the whole soak, at any time."""
    if not evidence.previous:
        return
    for service, pin in evidence.changed.items():
        stays = evidence.stays.get(service, ())
        if any(stay.length(evidence.now) >= evidence.soak for stay in stays):
            continue
        yield _unproven(evidence, service, pin, stays)


def _unproven(
    evidence: Evidence, service: str, pin: Pin, stays: tuple[Stay, ...]
) -> tuple[Finding, datetime | None]:  # fmt: skip
    where = f"releases/{evidence.environment}.yaml services.{service}.digest"
    label = pin.version or pin.digest[:19]
    running = next((stay for stay in stays if stay.until is None), None)
    if running:
        end = running.since + evidence.soak
        message = (
            f"{service} {label} is live in {evidence.previous} since {running.since:%H:%M}, the soak is {evidence.soak}"
        )
        return Finding("soak", where, message, "Wait for its end, or add an override for this release."), end
    if stays:
        longest = max(stay.length(evidence.now) for stay in stays)
        message = (
            f"{service} {label} was live in {evidence.previous} for {longest} of {evidence.soak} and is not any more"
        )
        remedy = (
            f"Release it in {evidence.previous} again and hold that (releasectl hold {evidence.previous}), or override."
        )
        return Finding("soak", where, message, remedy), None
    if evidence.untold:
        message = f"whether {service} {label} was live in {evidence.previous} cannot be told: {evidence.untold}"
        return Finding("soak", where, message, f"See what is wrong: releasectl history {evidence.previous}"), None
    message = f"{service} {label} was never live in {evidence.previous}"
    return Finding("soak", where, message, f"Release it in {evidence.previous} first."), None


def built_from_main(evidence: Evidence) -> Judged:
    """Every new image says itself that it was built from the pinned commit. Not signed: see docs/not-verified.md."""
    if "provenance" not in evidence.demanded:
        return
    for service, pin in evidence.changed.items():
        revision = evidence.images[service].revision if service in evidence.images else ""
        if not revision or revision != pin.commit:
            says = f"says it was built from {revision}" if revision else "does not say what it was built from"
            message = f"{service}: the image {says}, pinned is commit {pin.commit or '(none)'}"
            yield Finding("provenance", pin.digest, message, "Pin the commit that the image was built from."), None


def not_vulnerable(evidence: Evidence) -> Judged:
    """No new image has a critical finding; a scan that nobody can read is no yes."""
    if "vulnerabilities" not in evidence.demanded:
        return
    for service, pin in evidence.changed.items():
        facts = evidence.images.get(service)
        if facts is None or facts.scan.status != "done":
            status = facts.scan.status if facts else "unknown"
            message = f"{service}: the scan of its image is {status}"
            yield Finding("vulnerabilities", pin.digest, message, "Wait for the scan, or look at it in ECR."), None
        elif critical := facts.scan.counts.get("CRITICAL", 0):
            message = f"{service}: {critical} critical findings in its image"
            yield Finding("vulnerabilities", pin.digest, message, "Release a build without them, or override."), None


def in_shape(evidence: Evidence) -> Judged:
    """A change of digests alone touches nothing but the image of a service."""
    return ((finding, None) for finding in evidence.outside)


def settled(evidence: Evidence) -> Judged:
    """Nothing is under way in the environment."""
    last = evidence.unsettled
    if last:
        message = f"deployment {last.id} is {last.phase}"
        yield Finding("settled", evidence.environment, message, "Wait for its end."), None


_ALL = (Kind.CHANGE, Kind.ROLLBACK, Kind.RESTART, Kind.DRIFT_FIX)


def _says(answer: Answer, *kinds: Kind) -> dict[Kind, Answer]:
    return dict.fromkeys(kinds, answer)


# The table of docs/architecture.md, row by row. A kind that a row does not name passes that gate unasked.
GATES = (
    Gate("digest-readable", readable, _says(Answer.REFUSED, *_ALL), needs_plan=True),
    Gate("rejected", not_rejected, _says(Answer.REFUSED, Kind.CHANGE)),
    Gate("hold", not_held, _says(Answer.WAITING, Kind.CHANGE, Kind.DRIFT_FIX), passable=True),
    Gate("freeze", not_frozen, _says(Answer.WAITING, Kind.CHANGE, Kind.RESTART, Kind.DRIFT_FIX), passable=True),
    Gate("soak", proven, _says(Answer.WAITING, Kind.CHANGE), passable=True),
    Gate(
        "provenance",
        built_from_main,
        _says(Answer.REFUSED, Kind.CHANGE) | _says(Answer.NOTE, Kind.ROLLBACK),
        needs_plan=True,
    ),
    Gate(
        "vulnerabilities",
        not_vulnerable,
        _says(Answer.REFUSED, Kind.CHANGE) | _says(Answer.NOTE, Kind.ROLLBACK),
        needs_plan=True,
        passable=True,
    ),
    Gate("plan-shape", in_shape, _says(Answer.REFUSED, *_ALL), needs_plan=True),
    Gate("settled", settled, _says(Answer.WAITING, Kind.CHANGE, Kind.RESTART, Kind.DRIFT_FIX)),
)


def stays(deployments: Iterable[Deployment], service: str, digest: str) -> tuple[Stay, ...]:
    """When `digest` ran, proven, according to an environment's deployments, newest first.

    A stay ends where a deployment with another digest began, whatever came of that one: from then on nobody knows.
    """
    found: list[Stay] = []
    since: datetime | None = None
    for deployment in reversed(list(deployments)):
        if deployment.phase is Phase.REFUSED or service not in deployment.services:
            continue
        runs = deployment.services[service].digest == digest
        if since and not runs:
            found.append(Stay(since, deployment.started))
            since = None
        elif runs and not since and deployment.phase is Phase.LIVE:
            since = deployment.since
    return (*found, Stay(since)) if since else tuple(found)
