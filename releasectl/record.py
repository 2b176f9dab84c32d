"""Record: what happened, as lines that are only ever added. Lines <-> Deployment.

Comes in: one JSON object a line; the first says what was intended and by whom, later ones what came of it. Goes
out: the Deployment they add up to, and the path of its file on the branch `deployments`. Intent is written before
the effect, so a crash leaves a line that says where to look. It never forgets a line and never rewrites one.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from releasectl.errors import ControllerError, Finding, Stale
from releasectl.release import Pin
from releasectl.verify import Health, Observation

BRANCH = "deployments"
SCHEMA = 1


class Phase(StrEnum):
    """Where a deployment stands. Refused and failed are verdicts about the release; errored is our machinery."""

    APPLYING = "applying"
    VERIFYING = "verifying"
    LIVE = "live"
    REFUSED = "refused"
    FAILED = "failed"
    ERRORED = "errored"

    @property
    def is_over(self) -> bool:
        """Nothing of this deployment is still under way."""
        return self not in (Phase.APPLYING, Phase.VERIFYING)


class Kind(StrEnum):
    """What kind of change a release is, judged by what it pins and never by what its commit says."""

    CHANGE = "change"  # a bump, a promotion, a person's edit
    ROLLBACK = "rollback"  # back to what was live here
    RESTART = "restart"  # the same images again
    DRIFT_FIX = "drift-fix"  # the same release again, because the world moved away from it


class Ended(StrEnum):
    """What ended a deployment's attempt, where it was not the attempt itself."""

    BY_ITSELF = ""
    BY_SIGNAL = "interrupted"  # a person or a runner stopped it
    BY_DEATH = "cut-off"  # its controller and its engine died


class UnreadableRecord(ControllerError):
    """A file of the branch `deployments` is not what we wrote.

    Why: Somebody edited or shortened it, or a newer controller wrote it.
    Do: Look at its history, `git log origin/deployments -- FILE`, and put lost lines back as the message says.
    """


class RewrittenRecord(ControllerError):
    """The branch `deployments` is gone, or was rewritten: what was there is no longer part of it.

    Why: Somebody deleted it or pushed by force. Without it nobody knows what was proven, so nothing is released.
    Do: Choose one of the two ways in the message: put the branch back, or take the loss for good.
    """


@dataclass(frozen=True)
class Holder:
    """Who works on a deployment, so that another controller can tell whether it still lives."""

    host: str
    boot: str
    pid: int
    run: str = ""  # the CI run's URL, where there is one
    folder: str = ""  # where its deployments have their work folders on that host


class Worker(StrEnum):
    """What is known of those who work on a deployment that is not over."""

    NONE = "none"  # every deployment is over
    HELD = "held"  # its controller lives
    RUNNING = "running"  # its controller died, its engine still works
    DONE = "done"  # its engine left a result
    GONE = "gone"  # both are dead
    ELSEWHERE = "elsewhere"  # on another host; nobody can tell whether it lives


@dataclass(frozen=True)
class Moment:
    """One phase and when it began."""

    phase: Phase
    at: AwareDatetime
    message: str = ""


@dataclass(frozen=True)
class Deployment:
    """One attempt to make an environment run a release."""

    id: Annotated[str, Field(pattern=r"^\d{8}T\d{6}Z-[0-9a-f]{6}$")]
    environment: str
    identity: str
    commit: str  # the tip of main that was read
    program: str
    settings: str  # identity of the settings
    services: Mapping[str, Pin]
    by: str
    reason: str
    holder: Holder
    phases: Annotated[tuple[Moment, ...], Field(min_length=1)]
    attempt: int = 1
    ended: Ended = Ended.BY_ITSELF
    notes: tuple[Moment, ...] = ()  # what people did about it: a lock that was cleared by hand
    late: str = ""  # that its merge had started nothing
    kind: Kind = Kind.CHANGE
    action: str = ""  # what releasectl did to make the commit: bump, automatic-rollback; "" for a person
    watch: float = 0.0  # seconds over which the services have to be well
    plan: Mapping[str, Any] = field(default_factory=dict)  # {identity, counts, sentence}
    before: Mapping[str, Observation] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    serving: Mapping[str, str] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)  # each service's own proof
    log: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self.phases[-1].phase

    @property
    def message(self) -> str:
        """Why it stands there."""
        return self.phases[-1].message

    @property
    def started(self) -> datetime:
        """When its intent was written."""
        return self.phases[0].at

    @property
    def since(self) -> datetime:
        """When it came to where it stands."""
        return self.phases[-1].at

    @property
    def path(self) -> str:
        """Its file: `staging/2026/11/<id>.jsonl`. By the id and not by a clock: paths sort as ids do."""
        return f"{self.environment}/{self.id[:4]}/{self.id[4:6]}/{self.id}.jsonl"


_DEPLOYMENT = TypeAdapter(Deployment)
_VERSIONED = {SCHEMA: _DEPLOYMENT}  # a later schema is read by its own adapter; old records stay as they are


def new_id(now: datetime, last: str = "") -> str:
    """An id that sorts after `last` even when this host's clock is behind: `20261121T004000Z-3f9c1a`."""
    if last:
        now = max(now, datetime.strptime(last[:16], "%Y%m%dT%H%M%S%z") + timedelta(seconds=1))
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def as_data(deployment: Deployment) -> dict[str, Any]:
    """A deployment as plain JSON values: what a file's lines add up to, with its phase."""
    data: dict[str, Any] = _DEPLOYMENT.dump_python(deployment, mode="json")
    return {"schema": SCHEMA, **data}


def first_line(deployment: Deployment) -> bytes:
    """The line that opens a deployment's file."""
    return _line(as_data(deployment))


def next_line(moment: Moment | None, **facts: object) -> bytes:
    """A later line: one more phase, or none, and the facts that came with it (fields of Deployment)."""
    phases = {"phases": [moment]} if moment else {}
    return _line(TypeAdapter(dict[str, Any]).dump_python({**phases, **facts}, mode="json"))


def grown(deployment: Deployment, before: bytes | None, line: bytes) -> bytes:
    """The bytes of a deployment's file with one line more. Raises UnreadableRecord rather than add to what is broken.

    A file that is gone, or empty, begins again with all that is known of the deployment.
    Raises Stale when another controller wrote a phase of it that `deployment` does not know.
    """
    if not before:
        return first_line(deployment) + line
    there = read(deployment.path, before)
    if there.phases != deployment.phases:
        raise Stale(
            f"recording deployment {deployment.id}: by now it is {there.phase}: {there.message}",
            "Run the same command again.",
        )
    return before + b"\n" * (not before.endswith(b"\n")) + line


def read(path: str, raw: bytes) -> Deployment:
    """All lines of one file, added up. Raises UnreadableRecord."""
    merged: dict[str, Any] = {}
    number = 0
    try:
        for number, line in enumerate(raw.splitlines(), 1):  # noqa: B007 - told when something is wrong
            data = json.loads(line)
            grown = {key: [*merged.get(key, ()), *data.get(key, ())] for key in ("phases", "notes")}
            merged |= data | grown
        return _VERSIONED[merged.pop("schema", None)].validate_python(merged)
    except (ValueError, ValidationError, AttributeError, TypeError, KeyError, RecursionError) as error:
        cause = f"line {number}: {error}" if number else "it is empty"
        raise unreadable(path, cause) from error


def unreadable(path: str, cause: str, remedy: str = "") -> UnreadableRecord:
    """The error for a file of the branch."""
    looked_at = f"Look at what changed it: git log origin/{BRANCH} -- {path}"
    return UnreadableRecord(f"reading {path} on branch {BRANCH}: {cause}", f"{looked_at}{remedy}")


def newest(paths: Iterable[str], environment: str, count: int) -> tuple[str, ...]:
    """The newest `count` files of an environment, newest first; ids sort by time."""
    mine = (path for path in paths if path.startswith(f"{environment}/") and path.endswith(".jsonl"))
    return tuple(sorted(mine, reverse=True)[:count])


def _line(data: Mapping[str, object]) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
