"""The next step: every rule of the loop, pure and total.

Comes in: a Situation: what should run, what happened, what the gates and the way back say, one `now`. Goes out: the
one Step that comes next, with its reason; `explain` reads it too. It observes nothing and does nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releasectl.admission import Admission
from releasectl.evidence import newest_applied
from releasectl.record import Deployment, Ended, Kind, Phase, Worker
from releasectl.way_back import WayBack

ATTEMPTS = 3  # of a release whose machinery broke; then it stalls and pages
FIRST_WAIT = timedelta(seconds=10)  # then three times as long after each attempt


class Action(StrEnum):
    """What to do next."""

    REST = "rest"  # it runs what it should
    STALL = "stall"  # a verdict: nothing changes until a file does
    WAIT = "wait"  # until a time or an event
    BACK_OFF = "back-off"  # until our machinery is tried again
    REFUSE = "refuse"  # a gate says no for good
    ROLL_BACK = "roll-back"  # take it back by a commit
    RELEASE = "release"
    ADOPT = "adopt"  # an engine of ours still works: wait for it
    CONCLUDE = "conclude"  # the engine is done, its result is not written yet
    PROVE = "prove"  # applied, not proven
    RECOVER = "recover"  # all who worked on it are dead: set free what they held


RESTING = (Action.REST, Action.STALL, Action.WAIT)


@dataclass(frozen=True)
class Situation:
    """All that the next step depends on. `identity` is "" while the environment has no program."""

    identity: str
    history: tuple[Deployment, ...]  # newest first
    worker: Worker
    admission: Admission
    way_back: WayBack
    now: datetime
    said_again: bool = False  # main says once more what was refused, by a commit after the refusal

    @property
    def last(self) -> Deployment | None:
        """The newest deployment on record."""
        return self.history[0] if self.history else None


@dataclass(frozen=True)
class Step:
    """The next step and why; `attempt` and `until` where they mean something."""

    action: Action
    reason: str
    attempt: int = 1
    until: datetime | None = None


def next_step(situation: Situation) -> Step:
    """The one next step."""
    last = situation.last
    if last is not None and not last.phase.is_over:
        return _unfinished(last, situation.worker)
    if not situation.identity:
        return Step(Action.REST, "it has no program yet; `releasectl bump` pins one")
    refused = last if last and last.phase is Phase.REFUSED and not situation.said_again else None
    applied = newest_applied(situation.history)
    if refused and refused.identity == situation.identity and not _is_only_a_fix(refused, applied):
        return _taken_back(refused, situation.way_back)
    if applied is None:
        return admitted(situation, "nothing was ever released here")
    if applied.identity != situation.identity:
        return admitted(situation, "main says something new")
    return _settled(applied, situation)


def _is_only_a_fix(refused: Deployment, applied: Deployment | None) -> bool:
    """A no to taking drift back says nothing against the release, which is live."""
    return refused.kind is Kind.DRIFT_FIX and applied is not None and applied.phase is Phase.LIVE


def _unfinished(last: Deployment, worker: Worker) -> Step:
    run = f" ({last.holder.run})" if last.holder.run else ""
    where = f"{last.holder.host}{run}, {last.phase} since {last.since:%H:%M:%S} UTC"
    if worker is Worker.HELD:
        return Step(Action.WAIT, f"another controller works on deployment {last.id}: pid {last.holder.pid} on {where}")
    if last.phase is Phase.VERIFYING:
        return Step(Action.PROVE, f"deployment {last.id} is applied and not proven yet")
    if worker is Worker.ELSEWHERE:
        look = f"if it is dead: releasectl unlock {last.environment}"
        return Step(Action.WAIT, f"deployment {last.id} belongs to {where}; {look}")
    by_worker = {
        Worker.RUNNING: Step(Action.ADOPT, f"the engine of deployment {last.id} is still at work"),
        Worker.DONE: Step(Action.CONCLUDE, f"the engine of deployment {last.id} is done, its result is not recorded"),
    }
    return by_worker.get(worker, Step(Action.RECOVER, f"deployment {last.id} was cut off: who worked on it is dead"))


def admitted(situation: Situation, reason: str, attempt: int = 1) -> Step:
    """Release, unless a gate says no."""
    admission = situation.admission
    if admission.refused:
        return Step(Action.REFUSE, "; ".join(finding.message for finding in admission.refused))
    if admission.waiting:
        return Step(Action.WAIT, "; ".join(no.finding.message for no in admission.waiting), until=admission.until)
    return Step(Action.RELEASE, reason, attempt=attempt)


def _settled(applied: Deployment, situation: Situation) -> Step:
    """The same release as the last that was applied: does it rest, go back, or is it tried again?"""
    if applied.phase is Phase.LIVE:
        return Step(Action.REST, f"it runs what main says, proven by deployment {applied.id}")
    if applied.phase is Phase.FAILED:
        return _taken_back(applied, situation.way_back)
    return _again(applied, situation)


def _again(applied: Deployment, situation: Situation) -> Step:
    """Our machinery broke, or was stopped."""
    if applied.ended is Ended.BY_SIGNAL:
        # Somebody stopped it, so nothing is broken: it goes on at once and is no further attempt.
        return admitted(situation, f"deployment {applied.id} was interrupted", applied.attempt)
    if applied.attempt >= ATTEMPTS:
        return Step(Action.STALL, f"{applied.attempt} attempts ended in an error, the last with: {applied.message}")
    if applied.ended is Ended.BY_DEATH:
        return admitted(situation, f"deployment {applied.id} was cut off", applied.attempt + 1)
    until = applied.since + FIRST_WAIT * 3 ** (applied.attempt - 1)
    if situation.now < until:
        return Step(Action.BACK_OFF, f"attempt {applied.attempt} ended in an error: {applied.message}", until=until)
    return admitted(situation, f"attempt {applied.attempt} ended in an error", applied.attempt + 1)


def _taken_back(last: Deployment, way_back: WayBack) -> Step:
    if way_back.good:
        return Step(Action.ROLL_BACK, f"deployment {last.id} was {last.phase}; back to deployment {way_back.good.id}")
    return Step(Action.STALL, f"deployment {last.id} was {last.phase}: {last.message}; {way_back.reason}")
