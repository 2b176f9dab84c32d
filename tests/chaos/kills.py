"""Waits for a moment, and strikes.

Comes in: a Ground, a run of the controller, a kill with its moment. Goes out: what was struck, or that the run was
over before. Moments are seen from outside: files of work folders, the engine's lock, refs of the remote.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import processes
from tests.chaos.ground import Ground
from tests.chaos.processes import Process, Run
from tests.chaos.story import Kill, Moment, Point, Victim

POLL = 0.004  # seconds
_MOVES = {Point.INTENT: 1, Point.VERIFYING: 2, Point.VERDICT: 3}


class Watch:
    """What has happened since this was made, in both clones."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._before = set(self._folders())
        self._main = self._ref("main")
        self._moves = [self._ref("deployments")]

    def has_seen(self, moment: Moment) -> bool:
        """Is this moment's point reached?"""
        point = moment.point
        if point is Point.START:
            return True
        if point in _MOVES:
            return self._moved() >= _MOVES[point]
        if point is Point.ROLLED_BACK:
            return self._ref("main") != self._main
        if point is Point.LOCKED:
            return any(locks(self._ground))
        return any(_reached(folder, moment) for folder in self._folders() if folder not in self._before)

    def wait(self, moment: Moment, going_on: Callable[[], bool]) -> bool:
        """Wait for the moment and its delay; False when nothing goes on any more before."""
        while not self.has_seen(moment):
            if not going_on():
                return False
            time.sleep(POLL)
        end = time.monotonic() + moment.delay
        while time.monotonic() < end:
            if not going_on():
                return False
            time.sleep(min(POLL, max(0.0, end - time.monotonic())))
        return True

    def _moved(self) -> int:
        now = self._ref("deployments")
        if now != self._moves[-1]:
            self._moves.append(now)
        return len(self._moves) - 1

    def _folders(self) -> list[Path]:
        return [each for clone in self._ground.clones for each in (clone / ".git/releasectl/staging").glob("2*")]

    def _ref(self, branch: str) -> str:
        ref = self._ground.sandbox.remote / "refs" / "heads" / branch
        return ref.read_text().strip() if ref.exists() else ""


def locks(ground: Ground) -> list[Path]:
    """The engine's lock files."""
    return list((ground.folder / "state" / ".pulumi" / "locks").rglob("*.json"))


def _reached(folder: Path, moment: Moment) -> bool:
    match moment.point:
        case Point.PREVIEWED:
            return (folder / "preview.json").exists()
        case Point.APPLIED:
            return (folder / "up.json").exists()
        case Point.STEP:
            steps = folder / "up.steps.jsonl"
            return steps.exists() and steps.read_bytes().count(b"\n") >= moment.nth
    return True


@dataclass(frozen=True)
class Struck:
    """Who got a signal, and how long after the run's start."""

    victims: tuple[str, ...]
    after: float


def strike(kill: Kill, ground: Ground, run: Run, watch: Watch) -> Struck | None:
    """Wait and kill; None when it was over before."""
    begun = time.monotonic()

    def going_on() -> bool:
        return run.process.poll() is None or bool(processes.marked(run.mark))

    if not watch.wait(kill.moment, going_on):
        return None
    while not (victims := _victims(kill, ground, run)):
        if not going_on() or (kill.victim is Victim.CONTROLLER and run.process.poll() is not None):
            return None
        time.sleep(POLL)
    after = time.monotonic() - begun
    struck = [str(each) for each in victims if _signal(kill, each)]
    return Struck(tuple(struck), round(after, 3)) if struck else None


def _victims(kill: Kill, ground: Ground, run: Run) -> list[Process]:
    if kill.victim is Victim.CONTROLLER:
        return [Process(run.process.pid, ("releasectl",))] if run.process.poll() is None else []
    if kill.victim is Victim.ALL:
        return list(processes.marked(run.mark))
    # The rival's are as good: who comes first does the work.
    living = processes.marked(str(ground.folder))
    workers = [each for each in living if each.is_worker and kill.victim is not Victim.ENGINE]
    engines = [each for each in living if each.is_engine and kill.victim is not Victim.WORKER]
    if kill.victim is Victim.BOTH and not (workers and engines):
        return []
    return [*workers, *engines]


def _signal(kill: Kill, victim: Process) -> bool:
    """Every signal, with pauses. A Ctrl-C goes to the whole group, as a terminal sends it."""
    struck = False
    for number, name in enumerate(kill.signals):
        if number:
            time.sleep(kill.pause)
        group = name == "INT" and kill.victim is Victim.CONTROLLER
        struck = processes.send(victim.pid, name, group=group) or struck
    return struck
