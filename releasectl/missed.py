"""Missed: was a release merged, and nothing began it? A push that starts no run leaves no red light anywhere.

Comes in: when it was merged, since when nothing but a run was lacking, what the gates look at. Goes out: a sentence
about it, or "". It counts from the newest change of anything that a gate reads, from the end of the deployment
before, and asks the gates what they would have said in time: what had to wait was not missed. It stops nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from releasectl.active import told
from releasectl.admission import Evidence, admit
from releasectl.pipeline import hold_path
from releasectl.record import Deployment
from releasectl.target import PIPELINE, Target

PROMPT = timedelta(minutes=15)  # after a merge; by then a run has long begun


@dataclass(frozen=True)
class Landed:
    """A commit of main's own line, and when it came there."""

    commit: str
    at: datetime


def gate_paths(wanted: Target) -> tuple[str, ...]:
    """Files and folders whose change may have let a release through that waited."""
    folders = ("releases/overrides", "releases/rejected")
    return (*wanted.files, hold_path(wanted.environment), *folders, PIPELINE)


def missed(
    wanted: Target, evidence: Evidence, last: Deployment | None, *, merged: datetime, ready: datetime
) -> str:  # fmt: skip
    """What to say of a release that is about to begin; "" when it is in time, waited, or was begun before."""
    if last is not None:
        if last.identity == wanted.identity:
            return ""
        ready = max(ready, last.since)
    in_time = ready + PROMPT
    if evidence.now <= in_time:
        return ""
    then = replace(evidence, now=in_time, frozen=wanted.policy.frozen(in_time))
    if admit(then, planned=False).waiting:
        return ""
    return f"its merge at {told(merged)} had started no deployment; a later pass found it"
