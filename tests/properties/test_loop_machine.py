"""Two environments, two services, people, bots, clocks and breakage, in any order: what always holds.

An oracle of its own judges each update at the moment the engine is told to make it, from git and the records alone:
it asks neither the gates nor the way back. More examples: LOOP_EXAMPLES=2000.
"""

import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from releasectl.edit import edit
from releasectl.errors import ControllerError
from releasectl.next_step import RESTING, Action
from releasectl.pipeline import hold_path, override_path, rejection_path
from releasectl.reconcile import Standing, reconcile
from releasectl.record import Deployment, Phase, Worker
from releasectl.release import Pin, parse_release
from releasectl.target import Target, read_target, release_path, settings_path
from releasectl.verify import Health
from releasectl.way_back import rejection
from tests.twins import (
    BOT,
    RUNTIME,
    SETTINGS,
    Died,
    Down,
    Scene,
    arn,
    digest,
    releases_file,
    repository,
    step,
)

STAGING, PRODUCTION = "staging", "production"
ENVIRONMENTS = (STAGING, PRODUCTION)
LANE = {STAGING: (STAGING,), PRODUCTION: (PRODUCTION, STAGING)}
SOAK = timedelta(seconds=60)
STEPS = 150  # of one pass, as lines that it says; the longest good one has some sixty
MACHINES = ("bump", "automatic-rollback")


def build(service: str, number: int) -> Pin:
    """Builds of a service: 4 is made of the same source as 3, 5 was never pushed."""
    return Pin(digest(f"{service}{number}"), f"1.{number}", f"{min(number, 3) if number < 5 else 5}" * 40, "")


def pipeline(frozen: Mapping[str, str]) -> bytes:
    """The pipeline, with a frozen day for some environments."""
    windows = {
        name: f'[{{start: "{frozen[name]}", end: "{frozen[name]}", zone: UTC, reason: stock-taking}}]'
        if name in frozen
        else "[]"
        for name in ENVIRONMENTS
    }
    lines = [
        "schema: 1",
        "environments:",
        f"  - {{name: staging, soak: 0s, gates: [], rollback: commit, watch: 5s, freeze: {windows[STAGING]}}}",
        "  - {name: production, promotes_from: staging, soak: 60s, gates: [], rollback: commit, watch: 5s,",
        f"     freeze: {windows[PRODUCTION]}}}",
        'services: {web: {repository: "", path: service}, api: {repository: "", path: api}}',
    ]
    return "\n".join(lines).encode() + b"\n"


def digests(pins: Mapping[str, Pin]) -> dict[str, str]:
    """Digests by service."""
    return {name: pin.digest for name, pin in pins.items()}


class Lines(list[str]):
    """What a pass says. A pass that says too much does not come to rest."""

    def append(self, line: str) -> None:
        super().append(line)
        assert len(self) < STEPS, "\n".join(["a pass that never rests:", *self[-12:]])


environments = st.sampled_from(ENVIRONMENTS)
services = st.sampled_from(["web", "api"])
numbers = st.integers(1, 5)
passes = st.booleans()


class Loop(RuleBasedStateMachine):
    """The project in a world of twins."""

    @initialize(created=st.booleans())
    def begin(self, created: bool) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="loop-")
        self.frozen: dict[str, str] = {}
        self.scene = Scene(Path(self.home.name), services=("web", "api"), pipeline=pipeline({}))
        self.scene.said = Lines()
        self.by_hand: set[str] = set()
        self.changes = 0
        for environment, service in itertools.product(ENVIRONMENTS, ("web", "api")):
            self.scene.cloud.repositories.add(repository(environment, service))
            for number in range(1, 5 if environment == STAGING else 1):
                self.scene.push(build(service, number).digest, environment=environment, service=service)
        self.scene.engine.before_up = self.judge
        if created:
            for environment in ENVIRONMENTS:
                raw = releases_file(self.scene.program, {name: build(name, 1) for name in ("web", "api")})
                self.scene.desired.merge({release_path(environment): raw})
                self.reconcile(environment)
                self.scene.clock.sleep(SOAK.total_seconds())
            self.reconcile(PRODUCTION)
            assert self.scene.phases(PRODUCTION) == ["live"]

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()

    # ---- what people and bots do ----

    @rule(service=services, number=numbers, bad=st.booleans(), then=passes)
    def the_bot_bumps(self, service: str, number: int, bad: bool, then: bool) -> None:
        if bad:
            self.scene.cloud.bad |= {build(service, number).digest}
        self.pin(STAGING, {service: build(service, number)}, by=BOT)
        self.then(STAGING, then)

    @rule(then=passes)
    def somebody_promotes(self, then: bool) -> None:
        live = [one for one in self.scene.history(STAGING) if one.phase is Phase.LIVE]
        if live:
            self.pin(PRODUCTION, live[-1].services, program=live[-1].program)
        self.then(PRODUCTION, then)

    @rule(environment=environments, service=services, number=numbers, then=passes)
    def somebody_pins(self, environment: str, service: str, number: int, then: bool) -> None:
        self.pin(environment, {service: build(service, number)})
        self.then(environment, then)

    @rule(environment=environments, service=services, then=passes)
    def somebody_restarts(self, environment: str, service: str, then: bool) -> None:
        self.changes += 1
        minute = f"2026-11-21T{self.changes // 60:02}:{self.changes % 60:02}:00Z"
        self.write(environment, {("services", service, "restart"): minute})
        self.then(environment, then)

    @rule(environment=environments, then=passes)
    def somebody_changes_settings(self, environment: str, then: bool) -> None:
        self.changes += 1
        raw = SETTINGS + f"  n: {self.changes % 3}\n".encode()
        self.scene.desired.merge({settings_path(environment): raw}, by="Bo", subject="Settings")
        self.then(environment, then)

    @rule(environment=environments, then=passes)
    def somebody_pins_a_new_program(self, environment: str, then: bool) -> None:
        self.changes += 1
        program = self.scene.desired.merge({"stacks/__main__.py": b"# %d" % self.changes})
        self.write(environment, {("program",): program})
        self.then(environment, then)

    @rule(environment=environments)
    def somebody_holds_or_lifts(self, environment: str) -> None:
        held = self.main(hold_path(environment))
        raw = None if held else b'by: Ann\nreason: wait\nat: "2026-11-21T11:00:00Z"\n'
        self.scene.desired.merge({hold_path(environment): raw})

    @rule(environment=environments)
    def somebody_freezes_today_or_thaws(self, environment: str) -> None:
        today = f"{self.scene.clock.now():%Y-%m-%d}"
        if self.frozen.pop(environment, "") != today:
            self.frozen[environment] = today
        self.scene.desired.merge({"pipeline.yaml": pipeline(self.frozen)})

    @rule(environment=environments, service=services, number=numbers)
    def somebody_rejects_or_forgives(self, environment: str, service: str, number: int) -> None:
        pin = build(service, number)
        path = rejection_path(environment, service, pin.digest)
        raw = None if self.main(path) else rejection(pin.digest, pin.commit, reason="by hand", deployment="")
        self.scene.desired.merge({path: raw})
        (self.by_hand.discard if raw is None else self.by_hand.add)(path)

    @rule(environment=environments, gate=st.sampled_from(["hold", "freeze", "soak"]), seconds=st.integers(-9, 99))
    def somebody_overrides(self, environment: str, gate: str, seconds: int) -> None:
        until = self.scene.clock.now() + timedelta(seconds=seconds)
        raw = f'gate: {gate}\nidentity: {self.target(environment).identity}\nreason: now\nuntil: "{until:%FT%TZ}"\n'
        self.scene.desired.merge({override_path(environment, gate): raw.encode()})

    # ---- what the world does ----

    @rule(service=services, number=numbers)
    def a_build_gets_bad_or_good(self, service: str, number: int) -> None:
        self.scene.cloud.bad ^= {build(service, number).digest}

    @rule(service=services, number=numbers)
    def a_build_answers_badly_or_well(self, service: str, number: int) -> None:
        self.scene.cloud.red ^= {build(service, number).digest}

    @rule()
    def the_services_cannot_be_asked_or_can(self) -> None:
        self.scene.cloud.unreachable = not self.scene.cloud.unreachable

    @rule(environment=environments)
    def somebody_changes_the_cloud_by_hand_or_changes_it_back(self, environment: str) -> None:
        drift = step("update", RUNTIME, "web", "cpu", environment=environment)
        self.scene.engine.extra_steps = [] if self.scene.engine.extra_steps else [drift]

    @rule(done=st.booleans())
    def the_engine_will_break(self, done: bool) -> None:
        self.scene.engine.next_up_fails_with(Down("updating: no answer", "Try again."), done=done)

    @rule(worker=st.sampled_from([Worker.RUNNING, Worker.DONE]))
    def the_controller_will_die_after_its_intent(self, worker: Worker) -> None:
        self.scene.engine.controller_dies_in_next_up(worker)

    @rule()
    def the_controller_and_its_engine_will_die(self) -> None:
        self.scene.all_die_in_next_up()

    @rule(after=st.integers(0, 2))
    def a_line_will_be_lost(self, after: int) -> None:
        self.scene.records.next_write_is_lost(after=after)

    @rule(service=services, number=numbers, environment=environments)
    def somebody_will_be_first(self, service: str, number: int, environment: str) -> None:
        self.scene.desired.before_next_push = lambda: self.pin(environment, {service: build(service, number)})

    @rule(seconds=st.sampled_from([1, 9, 30, 61, 61, 86400]))
    def time_passes(self, seconds: int) -> None:
        self.scene.clock.sleep(seconds)

    # ---- what the controller does ----

    @rule(environment=environments, wait=st.booleans())
    def a_pass(self, environment: str, wait: bool) -> None:
        self.reconcile(environment, wait=wait)

    @rule()
    def everything_calms_down_and_comes_to_rest(self) -> None:
        for faults in (self.scene.engine.up_faults, self.scene.records.faults):
            faults.clear()
        self.scene.cloud.unreachable = False
        self.scene.desired.before_next_push = None
        for environment in ENVIRONMENTS:
            standing = self.reconcile(environment)
            again = self.reconcile(environment)
            assert standing
            assert again
            assert standing.step.action in RESTING
            assert again.step == standing.step
            self.rests(environment, standing)

    def rests(self, environment: str, standing: Standing) -> None:
        """What has to be so where nothing is under way."""
        applied = [one for one in self.scene.history(environment) if one.phase is not Phase.REFUSED]
        last = self.scene.history(environment)[-1:]
        if standing.step.action is Action.REST and applied:
            for name, pin in standing.target.release.services.items():
                assert not pin.digest or self.scene.cloud.services[arn(environment, name)].digest == pin.digest
        named = bool(last) and last[0].identity == standing.target.identity and standing.step.action is not Action.WAIT
        if named and last[0].phase is Phase.REFUSED:
            # Git names what was refused only where there was nothing good to go back to.
            assert not applied or applied[-1].phase is not Phase.LIVE, standing.step.reason

    # ---- what always holds ----

    @invariant()
    def at_most_one_deployment_of_an_environment_is_unfinished_and_it_is_the_newest(self) -> None:
        for history in self.histories():
            assert all(one.phase.is_over for one in history[:-1])

    @invariant()
    def what_is_live_is_not_applied_again(self) -> None:
        for history in self.histories():
            applied = [one for one in history if one.phase is not Phase.REFUSED]
            for earlier, later in itertools.pairwise(applied):
                assert earlier.phase is not Phase.LIVE or earlier.identity != later.identity

    @invariant()
    def nothing_is_rejected_without_its_own_failed_proof(self) -> None:
        if not hasattr(self, "scene"):
            return
        failures = {
            (rejection_path(one.environment, name, one.services[name].digest), one.id)
            for history in self.histories()
            for one in history
            if one.phase is Phase.FAILED
            for name, health in one.health.items()
            if health is Health.DEGRADED
        }
        for path, found in self.rejections():
            assert path in self.by_hand or (path, found["deployment"]) in failures

    @invariant()
    def two_releases_in_a_row_are_never_taken_back_unless_a_person_or_a_good_one_came_between(self) -> None:
        for history in self.histories():
            applied = [one for one in history if one.phase is not Phase.REFUSED]
            backs = [index for index, one in enumerate(applied) if one.action == "automatic-rollback"]
            for first, second in itertools.pairwise(backs):
                between = applied[first + 1 : second]
                if between:  # without: further tries of the same way back
                    assert any(one.action not in MACHINES or one.phase is Phase.LIVE for one in between)

    # ---- the oracle ----

    def judge(self, environment: str, folder: Path) -> None:
        """May the engine do this now? Asked at the very moment it is told to."""
        path = release_path(environment)
        raw = (folder / "checkout" / path).read_bytes()
        assert raw == self.main(path), "applied is not what main names"
        assert (folder / "checkout" / settings_path(environment)).read_bytes() == self.main(settings_path(environment))
        if self.scene.engine.extra_steps:
            applied = self.applied(environment)
            only_digests = bool(applied) and not self.more_than_digests(environment, applied[-1])
            assert not only_digests or applied[-1].phase is not Phase.LIVE, "outside of the shape of a release"
        no = self.why_not(environment)
        assert not no, f"{environment} applied though {no}"

    def why_not(self, environment: str) -> str:
        """Why what main names must not be applied, "" if it may."""
        wanted, live = self.target(environment), self.proven(environment)
        before = digests(live[-1].services) if live else {}
        new = {name: pin for name, pin in wanted.release.services.items() if pin.digest != before.get(name, "")}
        missing = [name for name, pin in wanted.release.services.items() if pin.digest == build(name, 5).digest]
        if missing:
            return f"nobody has {missing}"
        if self.is_way_back(environment, wanted):
            return ""
        restart = bool(live) and not new and not self.more_than_digests(environment, live[-1])
        return self.stopped(environment, restart=restart) or self.unproven(environment, new)

    def stopped(self, environment: str, *, restart: bool) -> str:
        """By a person or a date."""
        now = self.scene.clock.now()
        frozen = self.frozen.get(environment) == f"{now:%Y-%m-%d}"
        if frozen and not self.overridden(environment, "freeze", now):
            return "it is frozen"
        held = self.main(hold_path(environment)) and not restart
        return "it is held" if held and not self.overridden(environment, "hold", now) else ""

    def unproven(self, environment: str, new: Mapping[str, Pin]) -> str:
        """By a digest that is rejected, or was not live long enough in the environment before."""
        now = self.scene.clock.now()
        passed = environment == STAGING or self.overridden(environment, "soak", now)
        for name, pin in new.items():
            if self.is_rejected(environment, name, pin):
                return f"{name} is rejected"
            if not passed and not self.soaked(name, pin.digest, now):
                return f"{name} is not proven in staging"
        return ""

    def is_way_back(self, environment: str, wanted: Target) -> bool:
        """Was this live here, with these settings or before those of now, and is it not what runs, nor rejected?"""
        live, last = self.proven(environment), self.applied(environment)[-1:]
        pins, program = digests(wanted.release.services), wanted.release.program
        if not live or self.rejected_digests(environment) & set(pins.values()):
            return False
        differs = digests(last[0].services) != pins
        kept = {last[0].settings} if differs else set()
        if last == live[-1:] and not differs and not self.more_than_digests(environment, last[0]):
            return False  # no more than a restart
        return any(
            (digests(one.services), one.program) == (pins, program)
            and wanted.settings_identity in {one.settings} | kept
            for one in live
        )

    def more_than_digests(self, environment: str, before: Deployment) -> bool:
        wanted = self.target(environment)
        return (before.program, before.settings) != (wanted.release.program, wanted.settings_identity)

    def soaked(self, service: str, pinned: str, now: datetime) -> bool:
        """Did staging run this digest, proven, for the soak without another one beginning?"""
        ran = self.applied(STAGING)
        for index, one in enumerate(ran):
            if one.phase is Phase.LIVE and one.services[service].digest == pinned:
                ends = (later.started for later in ran[index:] if later.services[service].digest != pinned)
                if next(ends, now) - one.since >= SOAK:
                    return True
        return False

    def is_rejected(self, environment: str, service: str, pin: Pin) -> bool:
        return any(
            path.startswith(tuple(f"releases/rejected/{each}-{service}-" for each in LANE[environment]))
            and (found["digest"] == pin.digest or found["commit"] == pin.commit)
            for path, found in self.rejections()
        )

    def rejected_digests(self, environment: str) -> set[str]:
        lane = tuple(f"releases/rejected/{each}-" for each in LANE[environment])
        return {found["digest"] for path, found in self.rejections() if path.startswith(lane)}

    def overridden(self, environment: str, gate: str, now: datetime) -> bool:
        found = yaml.safe_load(self.main(override_path(environment, gate)) or b"{}")
        mine = found.get("identity") == self.target(environment).identity
        return mine and now < datetime.fromisoformat(found["until"])

    # ---- small change ----

    def applied(self, environment: str) -> list[Deployment]:
        """Deployments that changed something, oldest first, without the one that is about to."""
        return [
            one
            for one in self.scene.history(environment)
            if one.phase is not Phase.REFUSED and one.phase is not Phase.APPLYING
        ]

    def proven(self, environment: str) -> list[Deployment]:
        return [one for one in self.applied(environment) if one.phase is Phase.LIVE]

    def rejections(self) -> Iterator[tuple[str, dict[str, str]]]:
        tip = self.scene.desired.tips["main"]
        for path in self.scene.desired.list(tip, "releases/rejected"):
            yield path, yaml.safe_load(self.main(path))

    def histories(self) -> list[list[Deployment]]:
        return [self.scene.history(environment) for environment in ENVIRONMENTS] if hasattr(self, "scene") else []

    def main(self, path: str) -> bytes:
        return self.scene.desired.read(self.scene.desired.tips["main"], path) or b""

    def target(self, environment: str) -> Target:
        return read_target(self.scene.desired, self.scene.desired.tips["main"], environment)

    def pin(self, environment: str, pins: Mapping[str, Pin], *, by: str = "Bo", program: str = "") -> None:
        now = parse_release("", self.main(release_path(environment)))
        edits: dict[tuple[str, ...], str] = {("program",): program or now.program or self.scene.program}
        for name, pin in pins.items():
            values = {"digest": pin.digest, "version": pin.version, "commit": pin.commit}
            edits |= {("services", name, key): value for key, value in values.items()}
        self.write(environment, edits, by=by)

    def write(self, environment: str, edits: Mapping[tuple[str, ...], str], *, by: str = "Bo") -> None:
        path = release_path(environment)
        words = "Bump\n\nRelease-Action: bump\n" if by == BOT else "Edit"
        raw = edit(path, self.main(path), edits)
        if raw != self.main(path):
            self.scene.desired.merge({path: raw}, by=by, subject=words)

    def then(self, environment: str, comes_a_pass: bool) -> None:
        """What CI does after a merge; with a controller that polls, other things may happen before."""
        if comes_a_pass:
            self.reconcile(environment)

    def reconcile(self, environment: str, *, wait: bool = True) -> Standing | None:
        self.scene.said.clear()
        try:
            return reconcile(environment, self.scene.world, wait=wait)
        except (ControllerError, Died):
            return None


Loop.TestCase.settings = settings(
    max_examples=int(os.environ.get("LOOP_EXAMPLES", "80")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLoop = Loop.TestCase
