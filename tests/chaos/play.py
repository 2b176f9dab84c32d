"""Plays one story on a Ground: change, strike, let it come to rest, take the pictures.

Comes in: a story and a Ground at rest. Goes out: Played, all that the oracle needs. It waits as a person would, runs
`releasectl reconcile staging` as a schedule would, and judges nothing.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos import picture, processes, push_faults
from tests.chaos.ground import Ground
from tests.chaos.kills import Struck, Watch, strike
from tests.chaos.picture import Growth, Picture
from tests.chaos.processes import Run
from tests.chaos.proxy import Change as Asked
from tests.chaos.story import Change, Full, Http, Jump, Push, Story

PASSES = 6  # of the schedule, until it has to rest
PATIENCE = 150.0  # seconds for one run of the controller, its own back-off included
_RESTING = ("rest", "stall")
_OWN = '''"""The team's own resources: what the campaign made of them."""

import json

import pulumi
import pulumi_aws as aws

TRUST = {{"Effect": "Allow", "Principal": {{"Service": "ecs-tasks.amazonaws.com"}}, "Action": "sts:AssumeRole"}}


def own_resources(environment: str, *, parent: pulumi.Resource, topic: pulumi.Output[str]) -> None:
    """Topics and a role."""
    inside = pulumi.ResourceOptions(parent=parent)
    for number in range({count}):
        aws.sns.Topic(f"own-{seed}-{{number}}", name=f"own-{seed}-{{number}}", opts=inside)
    policy = json.dumps({{"Version": "2012-10-17", "Statement": [TRUST]}})
    aws.iam.Role("own-{seed}", name="own-{seed}", assume_role_policy=policy, opts=inside)
'''


@dataclass(frozen=True)
class Expected:
    """What has to run in the end; `rejected` is the digest that must be rejected, "" without one."""

    digest: str
    program: str
    rejected: str = ""


@dataclass(frozen=True)
class Pass:
    """One run of the controller after the faults were gone, or the healing of a stall."""

    code: int
    action: str
    reason: str


@dataclass(frozen=True)
class Played:
    """A story as it went. `missed` names the faults that came too late or could not be made."""

    story: Story
    expected: Expected
    before: Picture
    after: Picture
    growth: tuple[Growth, ...]
    continues: bool  # the branch's old tip is part of its new history
    asked: tuple[Asked, ...]  # changes of AWS that were accepted
    struck: Struck | None
    weather: tuple[str, ...]  # what the weather did
    missed: tuple[str, ...]
    helpless: tuple[Pass, ...]  # runs within an outage
    passes: tuple[Pass, ...]
    healed: Pass | None
    said: str
    hung: tuple[str, ...]
    began_up: tuple[str, ...]  # deployments whose engine began to apply
    seconds: float


def play(story: Story, ground: Ground) -> Played:
    """Play it. Raises CannotPlay when the campaign itself could not go on."""
    begun = time.monotonic()
    ground.brings(None)
    expected = _change(story, ground)
    before = picture.take(ground)
    asked, storms = len(ground.sky.changes), len(ground.sky.struck)
    cast = _Cast(story, ground)
    cast.play()
    if story.then:
        expected = _moved_on(story, ground, expected)
    weather = (*ground.sky.struck[storms:], *cast.weather)
    outage = isinstance(story.weather, Http) and story.weather.lasting
    helpless = _rest(cast, "outage", PASSES // 3) if outage else ()
    ground.brings(None)
    passes = _rest(cast, "pass", PASSES)
    healed = _pass(cast, "healing", "--retry") if passes[-1].action == "stall" else None
    _let_go(ground)
    after = picture.take(ground)
    ground.released = after.digest
    ground.taken_back = bool(expected.rejected) or (ground.taken_back and after.digest == before.digest)
    return Played(
        story, expected, before, after,
        growth=picture.grown(ground, before.tip, after.tip),
        continues=picture.is_ancestor(ground, before.tip, after.tip),
        asked=tuple(ground.sky.changes[asked:]),
        struck=cast.struck,
        weather=weather,
        missed=cast.missed(weather),
        helpless=helpless,
        passes=passes,
        healed=healed,
        said="\n".join(run.said for run in cast.runs),
        hung=tuple(cast.hung),
        began_up=_began_up(ground, before),
        seconds=round(time.monotonic() - begun, 1),
    )  # fmt: skip


def _change(story: Story, ground: Ground) -> Expected:
    """Bring the ground to where the story begins, and main to what it is about."""
    # A release is not taken back twice in a row without a person: between two bad ones there is a good one.
    again = story.change is Change.BAD_RELEASE and ground.taken_back
    if again or (story.change is not Change.FIRST_RELEASE and not ground.released):
        _pin(ground, ground.build().digest)
        ground.do("reconcile", "staging")
        ground.taken_back = False
    if story.change is Change.PROGRAM:
        _other_program(ground, str(story.seed), 1 + story.seed % 4)
    now = picture.take(ground)
    match story.change:
        case Change.PROGRAM:
            return Expected(now.digest, now.program)
        case Change.RESTART:
            ground.do("redeploy", "staging")
            return Expected(now.digest, now.program)
        case Change.BAD_RELEASE:
            bad = ground.build(WEB_FAIL="health").digest
            _pin(ground, bad)
            return Expected(now.digest, now.program, rejected=bad)
    good = ground.build().digest
    _pin(ground, good)
    return Expected(good, now.program)


def _moved_on(story: Story, ground: Ground, expected: Expected) -> Expected:
    """Somebody commits another change; what was rejected by then stays so."""
    rejected = expected.rejected if expected.rejected in picture.take(ground).rejected else ""
    if story.then is Change.RELEASE:
        good = ground.build().digest
        _pin(ground, good)
        return replace(expected, digest=good, rejected=rejected)
    _other_program(ground, f"then-{story.seed}", 1)
    now = picture.take(ground)
    return Expected(now.digest, now.program, rejected)


def _other_program(ground: Ground, name: str, topics: int) -> None:
    own = _OWN.format(seed=name, count=topics)
    ground.hand.commit({"stacks/own.py": own.encode()}, f"Own resources {name}")
    ground.do("bump", "--program")


def _pin(ground: Ground, digest: str) -> None:
    ground.do("bump", "web", digest, "--commit", ground.hand.source_commit, "--version", f"1.0.{ground.builds}")


class _Cast:
    """The controller, its rival, and what strikes them: one thread each."""

    def __init__(self, story: Story, ground: Ground) -> None:
        self.story, self.ground = story, ground
        self.runs: list[Run] = []
        self.hung: list[str] = []
        self.weather: list[str] = []
        self.struck: Struck | None = None
        self.skipped: list[str] = []

    def play(self) -> None:
        """From the start of the controller to the end of everybody."""
        watch = Watch(self.ground)
        self.ground.brings(self.story.weather)
        main = self._controller()
        acts: list[Callable[[], None]] = [lambda: self.wait(main)]
        if kill := self.story.kill:
            acts.append(lambda: setattr(self, "struck", strike(kill, self.ground, main, Watch(self.ground))))
        if self.story.rival:
            acts.append(lambda: self._rival(main, watch))
        if isinstance(self.story.weather, Full):
            acts.append(lambda: self._fill(main, Watch(self.ground)))
        threads = [threading.Thread(target=act, daemon=True) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if isinstance(self.story.weather, Push) and (count := push_faults.struck(self.ground.sandbox.remote)):
            self.weather.append(f"{self.story.weather.name} x {count}")
        if not (isinstance(self.story.weather, Http) and self.story.weather.lasting):
            self.ground.brings(None)

    def start(self, name: str, *arguments: str) -> Run:
        """One ordinary run of the command line."""
        run = self.ground.start(name, *arguments, story=self.story.seed)
        self.runs.append(run)
        return run

    def wait(self, run: Run) -> None:
        """Until it has ended; one that does not is told and ended."""
        try:
            run.process.wait(PATIENCE)
        except Exception:  # noqa: BLE001 - only a time-out can come here, and it is the finding itself
            self.hung.append(f"{run.err.stem} did not end within {PATIENCE:.0f} s")
            for process in processes.marked(run.mark):
                processes.send(process.pid, "KILL")
            run.process.wait(10)

    def missed(self, weather: tuple[str, ...]) -> tuple[str, ...]:
        """Faults of the story that struck nobody."""
        came_late = [self.story.kill.name] if self.story.kill and not self.struck else []
        calm = [self.story.weather.name] if self.story.weather and not weather and not self.skipped else []
        return (*came_late, *calm, *self.skipped)

    def _controller(self) -> Run:
        weather = self.story.weather
        if not isinstance(weather, Jump):
            return self.start("controller", "reconcile", "staging", "--json")
        script = Path(__file__).with_name("controller.py")
        argv = (sys.executable, "-P", str(script), str(weather.offset), str(weather.after), "staging")
        run = self.ground.start("controller", story=self.story.seed, argv=argv)
        self.runs.append(run)
        self.weather.append(f"{weather.name} {abs(weather.offset):.0f} s")
        return run

    def _rival(self, main: Run, watch: Watch) -> None:
        moment = self.story.rival
        if moment and watch.wait(moment, lambda: main.process.poll() is None):
            self.wait(self.start("rival", "reconcile", "staging", "--json"))

    def _fill(self, main: Run, watch: Watch) -> None:
        full = self.story.weather
        if not isinstance(full, Full) or not watch.wait(full.moment, lambda: main.process.poll() is None):
            return
        if self.ground.fills(full):
            self.weather.append(f"{full.name}, {full.left} bytes left")
        else:
            self.skipped.append(f"{full.name}: skipped, {self.ground.disks[full.place].unusable}")


def _rest(cast: _Cast, name: str, most: int) -> tuple[Pass, ...]:
    """Run it as a schedule does, until it says that it rests or stalls."""
    passes: list[Pass] = []
    for number in range(1, most + 1):
        passes.append(_pass(cast, f"{name}-{number}"))
        if passes[-1].action in _RESTING:
            break
        time.sleep(0.5)
    return tuple(passes)


def _pass(cast: _Cast, name: str, *more: str) -> Pass:
    run = cast.start(name, "reconcile", "staging", "--json", *more)
    cast.wait(run)
    said = _json(run.out.read_text())
    return Pass(run.process.returncode, said.get("action") or said.get("error", ""), _reason(said, run))


def _reason(said: dict[str, Any], run: Run) -> str:
    return str(said.get("reason") or said.get("message") or run.err.read_text()[-500:])


def _json(text: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return said


def _let_go(ground: Ground) -> None:
    """Processes of ours may need a moment to end once their work is done."""
    end = time.monotonic() + 10
    while processes.marked(str(ground.folder)) and time.monotonic() < end:
        time.sleep(0.05)


def _began_up(ground: Ground, before: Picture) -> tuple[str, ...]:
    known = {Path(path).stem for path in before.records}
    folders = [each for clone in ground.clones for each in (clone / ".git/releasectl/staging").glob("2*")]
    return tuple(each.name for each in folders if (each / "up.steps.jsonl").exists() and each.name not in known)
