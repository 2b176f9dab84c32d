"""The campaign: stories one after the other, on one or two Grounds at once, until enough kills have struck.

Comes in: a seed, how many kills, how many Grounds. Goes out: a Campaign. The story of number n has the seed SEED + n,
so one story is played again by its own seed. A Ground is used again while its stories end live; a broken one is kept.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releasectl.errors import ControllerError
from tests.chaos import ground, oracle
from tests.chaos.ground import CannotPlay, Ground
from tests.chaos.oracle import Verdict
from tests.chaos.play import Played, play
from tests.chaos.report import Campaign, Told
from tests.chaos.story import Change, Story, story

MOST = 2.0  # stories for each kill that is wanted: some kills come too late, some stories have none


@dataclass
class _Lane:
    """One Ground, and a new one when it is spent."""

    folder: Path
    disks: bool
    ground: Ground | None = None
    count: int = 0

    def tell(self, one: Story) -> Told:
        """Play a story and clean up after it."""
        stage = self._ready(one)
        try:
            played = play(one, stage)
            verdict = oracle.judge(played)
        except Exception as error:  # noqa: BLE001 - the campaign goes on, and tells that this story was not judged
            self._forget(keep=True)
            said = f"the campaign could not play on: {type(error).__name__}: {error}"
            return Told(one, "broken", (said,), (), (), "", bool(one.rival), 0, 0, 0.0, kept=stage.folder)
        spent = verdict.outcome == "broken"
        told = _told(played, verdict, stage.folder if spent else None)
        if spent:
            self._forget(keep=True)
        return told

    def close(self) -> None:
        """Nothing is left."""
        self._forget(keep=False)

    def _ready(self, one: Story) -> Ground:
        if self.ground and self.ground.released and one.change is Change.FIRST_RELEASE:
            self._forget(keep=False)
        if self.ground is None:
            self.count += 1
            self.ground = ground.opened(self.folder.with_name(f"{self.folder.name}-{self.count}"), disks=self.disks)
        return self.ground

    def _forget(self, *, keep: bool) -> None:
        if self.ground:
            self.ground.close(keep=keep)
        self.ground = None


def run(
    seed: int, kills: int, folder: Path, *, jobs: int = 2, disks: bool = True, tell: Callable[[Told], None]
) -> Campaign:  # fmt: skip
    """Play until `kills` have struck. `tell` hears of each story as it ends.

    A Ctrl-C ends it after the stories that are being played. Raises CannotPlay and the sandbox's errors when there is
    no place to play.
    """
    begun = time.monotonic()
    told: list[Told] = []
    numbers = iter(range(max(1, round(kills * MOST))))
    lock, stop = threading.Lock(), threading.Event()

    def next_story() -> Story | None:
        with lock:
            enough = stop.is_set() or sum(each.killed for each in told) >= kills
            number = None if enough else next(numbers, None)
            return None if number is None else story(seed + number)

    unplayable: list[Exception] = []

    def work(lane: _Lane) -> None:
        try:
            while one := next_story():
                ended = lane.tell(one)
                with lock:
                    told.append(ended)
                    tell(ended)
        except (CannotPlay, ControllerError) as error:
            unplayable.append(error)
            stop.set()
        finally:
            lane.close()

    lanes = [_Lane(folder / f"lane-{number}", disks) for number in range(1, jobs + 1)]
    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        # Sandboxes have processes and disks of their own: they are taken away, whatever happens.
        stop.set()
        for thread in threads:
            thread.join()
    if unplayable:
        raise unplayable[0]
    ordered = tuple(sorted(told, key=lambda each: each.story.seed))
    return Campaign(seed, kills, ordered, time.monotonic() - begun, is_cut_short=stop.is_set())


def _told(played: Played, verdict: Verdict, kept: Path | None) -> Told:
    one = played.story
    kill = [one.kill.name] if one.kill and played.struck else []
    weather = [one.weather.name] if one.weather and played.weather else []
    return Told(
        one,
        verdict.outcome,
        verdict.problems,
        struck=(*kill, *weather),
        missed=played.missed,
        detail="; ".join([*(played.struck.victims if played.struck else ()), *played.weather]),
        rival=bool(one.rival),
        attempts=oracle.attempts(played),
        passes=len(played.passes),
        seconds=played.seconds,
        kept=kept,
    )
