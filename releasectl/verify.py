"""Verify: is what runs what is pinned, and is it well? Observations -> Proof.

Comes in: the pin, what the program declares, what the running service said before and after apply. Goes out: for
each service healthy, degraded (newly, by this release) or unknown, with findings. `pulumi up` succeeds while a
runtime has quietly rolled back, so nothing here trusts it. What was red before cannot judge; what cannot be asked is
unknown, and so is a word that nobody here knows: never a yes, never a reason to roll back. It asks nobody itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from releasectl.errors import Finding
from releasectl.outputs import Service

TOLERATED = 0.1  # share of bad answers that a switch of instances may cost

# How runtimes say that an operation went well, is not over, or did not bring what was asked for.
_WELL = ("SUCCEEDED", "SUCCESSFUL")
UNDER_WAY = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED")
GOING_BACK = ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
_BADLY = ("FAILED", "STOPPED", "ROLLBACK_SUCCEEDED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")


class Health(StrEnum):
    """Ordered from good to bad by `WORST`."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"


WORST = (Health.HEALTHY, Health.UNKNOWN, Health.DEGRADED)


@dataclass(frozen=True)
class Operation:
    """The runtime's newest operation on the service, in the runtime's own words; `reason` says why it failed."""

    id: str
    type: str
    status: str
    reason: str = ""

    @property
    def is_over(self) -> bool:
        """Has it come to an end, as far as anybody here knows its word?"""
        return self.status in _WELL + _BADLY

    @property
    def has_failed(self) -> bool | None:
        """Does what it was asked for not run, for sure? None while it is under way, or for a word nobody here knows."""
        known = {**dict.fromkeys(_WELL, False), **dict.fromkeys(_BADLY + GOING_BACK, True)}
        return known.get(self.status)


@dataclass(frozen=True)
class Answer:
    """One health check from outside: `status` is None when there was no answer at all."""

    status: int | None
    cause: str = ""

    @property
    def is_well(self) -> bool:
        """2xx and 3xx are well; redirects happen on front pages."""
        return self.status is not None and self.status < 400


@dataclass(frozen=True)
class Observation:
    """What one service said of itself at one time. Fields stay empty where `unasked` says why.

    `status` is the runtime's own word, `serves` what it means: instances run and are well as far as the runtime
    checks that. None is for what it does not say.
    """

    at: datetime
    status: str = ""
    digest: str = ""
    operation: Operation | None = None
    answers: tuple[Answer, ...] = ()
    version: Mapping[str, str] | None = None
    alarms: Mapping[str, str] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    serves: bool | None = None
    private: bool = False

    @property
    def is_well(self) -> bool | None:
        """Do the answers from outside look well? None when nothing answered or nothing was asked.

        Nobody asks a private service from outside: how it is, its runtime says.
        """
        if self.private:
            return self.serves
        answered = [answer for answer in self.answers if answer.status is not None]
        if not answered:
            return None
        bad = sum(not answer.is_well for answer in self.answers)
        return bad <= TOLERATED * len(self.answers) and self.answers[-1].is_well


@dataclass(frozen=True)
class Pinned:
    """What the release says of one service; `images` are the digest and, for an index, its children."""

    digest: str
    commit: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class Proof:
    """The verdict about one service."""

    service: str
    health: Health
    serving: str
    findings: tuple[Finding, ...] = ()
    log: tuple[str, ...] = ()


def prove(name: str, pinned: Pinned, declared: Service, *, before: Observation | None, after: Observation) -> Proof:
    """Judge one service; all findings, the worst health."""
    ran = _ran(pinned, declared, before, after)
    rolled_back = any(health is Health.DEGRADED for health, _ in ran)
    judged = [
        *_asked(declared, after),
        *ran,
        # After a rollback everything names the old image: that is said once, not three times.
        *([] if rolled_back else _serves(pinned, declared, after)),
        *_answers(declared, before, after),
        *_alarms(declared, before, after),
    ]
    health = worst(health for health, _ in judged)
    return Proof(name, health, after.digest, tuple(finding for _, finding in judged), after.log)


def worst(healths: Iterable[Health]) -> Health:
    """The worst of many; of none: healthy."""
    return max(healths, key=WORST.index, default=Health.HEALTHY)


Judged = tuple[Health, Finding]


def _asked(declared: Service, after: Observation) -> list[Judged]:
    return [
        (Health.UNKNOWN, Finding("proof", declared.service, cause, "Run `releasectl reconcile` again to ask anew."))
        for cause in after.unasked
    ]


def _ran(pinned: Pinned, declared: Service, before: Observation | None, after: Observation) -> list[Judged]:
    """How did the operation that this release started end?"""
    operation = after.operation
    if operation is None or (before and before.operation and before.operation.id == operation.id):
        return []
    if operation.has_failed is False:
        return []
    if operation.has_failed is None:
        message = f"{operation.type} is still {operation.status}"
        remedy = "Wait, then reconcile again."
        if operation.status not in UNDER_WAY:
            message = f"{operation.type} is {operation.status}, a word that this controller does not know"
            remedy = "Look at the service in the console; update the controller."
        return [(Health.UNKNOWN, Finding("proof", declared.service, message, remedy))]
    how = "ended" if operation.is_over else "is"
    why = f"did not stay: {operation.reason}" if operation.reason else "never got healthy"
    message = f"{operation.type} {how} {operation.status}: {pinned.digest} {why}{_still(after)}"
    return [(Health.DEGRADED, Finding("proof", declared.service, message, "Read the instance's last log lines."))]


def _still(after: Observation) -> str:
    return f"; {after.digest} still serves" if after.digest and after.serves else ""


def _serves(pinned: Pinned, declared: Service, after: Observation) -> list[Judged]:
    """Do the runtime, the stack and the service itself name the pinned image?"""
    version = after.version or {}
    named = {
        "the runtime": after.digest,
        "the stack's output": declared.image.rpartition("@")[2],
        f"{declared.version_path}": version.get("digest", ""),
    }
    wrong = [f"{who} says {what}" for who, what in named.items() if what and what not in pinned.images]
    if pinned.commit and version.get("commit") and version["commit"] != pinned.commit:
        wrong.append(f"{declared.version_path} says commit {version['commit']}, pinned is {pinned.commit}")
    if not after.digest and not after.unasked:
        wrong.append("the runtime names no image")
    remedy = "Look for a deployment made by hand: `releasectl status`."
    return [
        (Health.UNKNOWN, Finding("proof", declared.service, f"pinned is {pinned.digest}, {text}", remedy))
        for text in wrong
    ]


def _answers(declared: Service, before: Observation | None, after: Observation) -> list[Judged]:
    if after.private:
        return _word(declared, before, after)
    where = f"{declared.url}{declared.health_path}"
    if after.is_well:
        return []
    if after.is_well is None:
        cause = after.answers[-1].cause if after.answers else "nothing was asked"
        return [(Health.UNKNOWN, Finding("health", where, f"no answer: {cause}", "Check that this host can reach it."))]
    bad = sum(not answer.is_well for answer in after.answers)
    message = f"{bad} of {len(after.answers)} health checks were bad, the last {_last_bad(after)}"
    if before and before.is_well is False:
        return [(Health.UNKNOWN, _red_before(where, message))]
    return [(Health.DEGRADED, Finding("health", where, message, "Read the instance's last log lines."))]


def _word(declared: Service, before: Observation | None, after: Observation) -> list[Judged]:
    """Of a private service the runtime's own word is all that there is."""
    if after.serves:
        return []
    if after.serves is None:
        message = f"the service is private, and its runtime does not say how it is ({after.status or 'nothing'})"
        remedy = "Run `releasectl reconcile` again to ask anew."
        return [(Health.UNKNOWN, Finding("health", declared.service, message, remedy))]
    message = f"the service is private, and its runtime says {after.status}"
    if before and before.is_well is False:
        return [(Health.UNKNOWN, _red_before(declared.service, message))]
    return [(Health.DEGRADED, Finding("health", declared.service, message, "Read the instance's last log lines."))]


def _red_before(where: str, message: str) -> Finding:
    before = "it was so before this release, which therefore cannot be judged"
    return Finding("health", where, f"{message}; {before}", "Mend the service, then reconcile again.")


def _last_bad(after: Observation) -> str:
    bad = [answer for answer in after.answers if not answer.is_well][-1]
    return f"with status {bad.status}" if bad.status is not None else bad.cause


def _alarms(declared: Service, before: Observation | None, after: Observation) -> list[Judged]:
    rang = {name for name, state in before.alarms.items() if state == "ALARM"} if before else set()
    return [
        (Health.DEGRADED, Finding("alarm", name, "went to ALARM after this release", "Read the alarm's history."))
        for name, state in sorted(after.alarms.items())
        if state == "ALARM" and name not in rang and name in declared.alarms
    ]
