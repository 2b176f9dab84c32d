"""A story of the campaign: what changes, what strikes and when, from one number.

Comes in: a seed. Goes out: a frozen Story: a change to main, a kill, bad weather, a rival, each with its moment.
The same seed is the same story on every machine; only how long a machine takes between two moments is its own. It
starts nothing and knows no sandbox.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Change(StrEnum):
    """What a person or the bot commits to main at the beginning."""

    RELEASE = "release"
    RESTART = "restart"
    BAD_RELEASE = "bad release"  # never gets healthy: it has to take itself back
    PROGRAM = "program"  # other resources of the team's own
    FIRST_RELEASE = "first release"  # in a sandbox of its own, where staging runs nothing yet


class Point(StrEnum):
    """A moment that can be seen from outside."""

    START = "start"
    PREPARED = "prepared"  # a deployment's work folder is there
    PREVIEWED = "previewed"
    INTENT = "intent"  # the branch `deployments` has moved once
    LOCKED = "locked"  # the engine holds the stack
    STEP = "step"  # a line in `up.steps.jsonl`
    APPLIED = "applied"  # the engine's result is there
    VERIFYING = "verifying"  # the branch has moved twice
    VERDICT = "verdict"  # and three times
    ROLLED_BACK = "rolled back"  # main was moved by the controller


class Victim(StrEnum):
    """Who is killed."""

    CONTROLLER = "controller"
    WORKER = "worker"
    ENGINE = "engine"
    BOTH = "worker and engine"
    ALL = "everything"  # as when a runner dies


@dataclass(frozen=True)
class Moment:
    """`delay` seconds after the `nth` time of a point."""

    point: Point
    delay: float
    nth: int = 1

    def __str__(self) -> str:
        nth = f" {self.nth}" if self.nth > 1 else ""
        return f"{self.delay:.2f} s after {self.point}{nth}"


@dataclass(frozen=True)
class Kill:
    """`signals` go out one after the other, `pause` seconds apart."""

    victim: Victim
    signals: tuple[str, ...]  # KILL, TERM, INT
    moment: Moment
    pause: float = 0.5

    @property
    def name(self) -> str:
        """For counting."""
        return f"{' '.join(f'SIG{each}' for each in self.signals)} to {self.victim}"


@dataclass(frozen=True)
class Http:
    """Requests to AWS go wrong: `hits` in a row after the first `skip` that match."""

    kind: str  # cut, throttled, broken, slow, lost
    service: str  # app runner, aws (all the rest), any
    changes_only: bool
    skip: int
    hits: int
    seconds: float  # how late a slow answer is
    lasting: bool = False  # it goes on until the environment has come to rest

    @property
    def name(self) -> str:
        """For counting."""
        return f"outage: {self.kind}" if self.lasting else f"answers {self.kind}"


@dataclass(frozen=True)
class Push:
    """Pushes to the remote go wrong: `hits` in a row after the first `skip`."""

    kind: str  # refused, lost, slow
    skip: int
    hits: int

    @property
    def name(self) -> str:
        """For counting."""
        return f"push {self.kind}"


@dataclass(frozen=True)
class Full:
    """A disk that has `left` bytes from a moment on, until the controller has ended."""

    place: str  # state, work
    left: int
    moment: Moment

    @property
    def name(self) -> str:
        """For counting."""
        return f"disk full: {self.place}"


@dataclass(frozen=True)
class Jump:
    """The controller's clock is wrong by `offset` seconds, `after` seconds after its start."""

    offset: float
    after: float

    @property
    def name(self) -> str:
        """For counting."""
        return "clock ahead" if self.offset > 0 else "clock behind"


Weather = Http | Push | Full | Jump


@dataclass(frozen=True)
class Story:
    """One story."""

    seed: int
    change: Change
    kill: Kill | None = None
    weather: Weather | None = None
    rival: Moment | None = None
    then: Change | None = None  # main moves on after the kill, before anybody has looked

    @property
    def faults(self) -> tuple[str, ...]:
        """What strikes, by name."""
        return tuple(each.name for each in (self.kill, self.weather) if each)


_CHANGES = {
    Change.RELEASE: 6,
    Change.RESTART: 3,
    Change.BAD_RELEASE: 3,
    Change.PROGRAM: 4,
    Change.FIRST_RELEASE: 2,
}
_SIGNALS: dict[Victim, dict[tuple[str, ...], int]] = {
    Victim.CONTROLLER: {("KILL",): 6, ("TERM",): 3, ("INT",): 3, ("INT", "INT"): 2, ("TERM", "TERM"): 1},
    Victim.WORKER: {("KILL",): 2, ("TERM",): 1},
    Victim.ENGINE: {("KILL",): 4, ("TERM",): 1, ("INT",): 1},
    Victim.BOTH: {("KILL",): 1},
    Victim.ALL: {("KILL",): 4, ("TERM",): 1},
}
_VICTIMS = {Victim.CONTROLLER: 8, Victim.WORKER: 2, Victim.ENGINE: 4, Victim.BOTH: 2, Victim.ALL: 6}
_POINTS = {
    Point.START: 3,
    Point.PREPARED: 1,
    Point.PREVIEWED: 1,
    Point.INTENT: 3,
    Point.LOCKED: 3,
    Point.STEP: 4,
    Point.APPLIED: 2,
    Point.VERIFYING: 1,
    Point.VERDICT: 1,
}
_LATEST = {Point.START: 5.0, Point.LOCKED: 2.5, Point.VERIFYING: 1.5}  # else 0.3
_ENGINE_WORKS = (Point.LOCKED, Point.STEP, Point.INTENT)
_STEPS = {Change.PROGRAM: 6, Change.FIRST_RELEASE: 16}  # lines of an update; else 2
_HTTP = {"cut": 3, "throttled": 3, "broken": 3, "slow": 2, "lost": 4}
_WEATHER = {"http": 6, "push": 3, "full": 2, "jump": 2}


def story(seed: int) -> Story:
    """The story of a seed."""
    dice = Random(f"story {seed}")  # noqa: S311 - a story, not a secret
    change = _draw(dice, _CHANGES)
    kill = _kill(dice, change) if dice.random() < 0.8 else None
    weather = _weather(dice, change) if kill is None or dice.random() < 0.25 else None
    if change is Change.PROGRAM and kill and kill.victim is not Victim.CONTROLLER and dice.random() < 0.4:
        # What takes milliseconds here takes seconds elsewhere: only so can a kill fall into it.
        weather = Http("slow", "aws", changes_only=True, skip=0, hits=15, seconds=round(dice.uniform(0.5, 3), 2))
    rival = _moment(dice, change) if dice.random() < 0.3 else None
    then = dice.choice((Change.RELEASE, Change.PROGRAM)) if kill and dice.random() < 0.15 else None
    if change is Change.BAD_RELEASE or (isinstance(weather, Http) and weather.lasting):
        then = None  # what had to run in the end would be no longer clear; nobody commits in an outage
    return Story(seed, change, kill, weather, rival, then)


def _draw(dice: Random, weights: dict[T, int]) -> T:
    return dice.choices(list(weights), list(weights.values()))[0]


def _moment(dice: Random, change: Change, *points: Point) -> Moment:
    extra = {Point.ROLLED_BACK: 3} if change is Change.BAD_RELEASE else {}
    point = dice.choice(points) if points else _draw(dice, _POINTS | extra)
    nth = dice.randint(1, _STEPS.get(change, 2)) if point is Point.STEP else 1
    latest = _LATEST.get(point, 0.3)
    # Only where a service is deployed does a step take seconds, and there it is the first one.
    if change is Change.PROGRAM and point is Point.LOCKED:
        latest = 0.5
    elif change is not Change.PROGRAM and point is Point.STEP and nth == 1:
        latest = 2.5
    return Moment(point, round(dice.uniform(0, latest), 3), nth)


def _kill(dice: Random, change: Change) -> Kill:
    victim = _draw(dice, _VICTIMS)
    # A worker or an engine is not there at any moment.
    points = () if victim in (Victim.CONTROLLER, Victim.ALL) else _ENGINE_WORKS
    return Kill(
        victim, _draw(dice, _SIGNALS[victim]), _moment(dice, change, *points), round(dice.uniform(0.05, 1.5), 3)
    )


def _weather(dice: Random, change: Change) -> Weather:
    kind = _draw(dice, _WEATHER)
    if kind == "push":
        return Push(dice.choice(("refused", "lost", "slow")), dice.randint(0, 3), dice.randint(1, 2))
    if kind == "full":
        place = dice.choice(("state", "work"))
        left = dice.choice((0, 4096, 65536, 1 << 20))
        return Full(place, left, _moment(dice, change, Point.START, Point.PREPARED, Point.INTENT, Point.LOCKED))
    if kind == "jump":
        size = dice.choice((90.0, 3600.0, 86400.0))
        return Jump(size * dice.choice((-1, 1)), round(dice.choice((0.0, dice.uniform(0, 5))), 3))
    return _http(dice)


def _http(dice: Random) -> Http:
    kind = _draw(dice, _HTTP)
    lasting = kind in ("cut", "throttled", "broken") and dice.random() < 0.1
    return Http(
        kind,
        service=dice.choice(("app runner", "aws", "any")),
        changes_only=kind == "lost" or dice.random() < 0.3,
        skip=dice.randint(0, 6),
        hits=1_000_000 if lasting else dice.choice((1, 2, 3, 6, 15)),
        seconds=round(dice.uniform(0.5, 5), 2),
        lasting=lasting,
    )
