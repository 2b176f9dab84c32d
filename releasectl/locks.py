"""Locks: who holds an environment's stack, and whose lock may be taken away.

Comes in: a lock as the state's backend keeps it, and the deployments on record. Goes out: whether the lock was left
by the engine of one of them, and the error that names a holder that may live. It reads and removes nothing itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from releasectl.errors import ControllerError, Retry
from releasectl.record import Deployment

DEBRIS = timedelta(seconds=5)
PRECISION = timedelta(seconds=1)  # records and locks are written by clocks that need not agree better


@dataclass(frozen=True)
class Lock:
    """One lock of a stack. What a damaged one does not say is empty; then `at` is when it was written."""

    where: str  # path or URL of the lock itself
    user: str
    host: str
    pid: int  # the engine's
    at: datetime

    def __str__(self) -> str:
        who = f"{self.user}@{self.host} (pid {self.pid})" if self.host else f"a lock that cannot be read ({self.where})"
        return f"{who} since {self.at:%Y-%m-%d %H:%M:%S} UTC"


def is_debris(lock: Lock, now: datetime) -> bool:
    """Is it nobody's: a file that a full disk or a kill left half-written?

    An engine writes its lock in milliseconds and goes on only once that has succeeded, so one that cannot be read
    after a while keeps everybody out and nobody in. In a bucket objects are whole; there it is a riddle for a person.
    """
    return not lock.host and lock.where.startswith("file:") and now - lock.at > DEBRIS


class StackLocked(ControllerError):
    """Somebody else updates this stack, or died while doing so.

    Why: The state has a lock that no dead deployment of ours left, such as that of a person's own `pulumi up`.
    Do: Wait for that update to end; if its process is dead, run `releasectl unlock ENVIRONMENT`.
    """

    exit_code = 4
    retry = Retry.BACKOFF


def locked(environment: str, held: Iterable[Lock]) -> StackLocked:
    """The error that names every holder."""
    return StackLocked(
        f"locking the stack of {environment}: {'; '.join(map(str, held))} holds it",
        f"Wait for that update to end. If its process is dead: releasectl unlock {environment}",
    )


def was_taken_during(lock: Lock, deployment: Deployment, ended: datetime) -> bool:
    """Was it taken on the deployment's host while that deployment was under way, until its run `ended`?

    No other engine could have had the stack's lock at that time.
    """
    during = deployment.started - PRECISION <= lock.at <= ended + PRECISION
    return lock.host == deployment.holder.host and during
