"""Whatever happens, in whatever order: the loop knows one next step, comes to rest, and never applies twice.

The machine below plays people who merge, builds that break, machinery that fails, controllers that die, and time,
against a simulated world; its invariants hold after each of their acts.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from releasectl.admission import Admission, Answer, No
from releasectl.errors import ControllerError, Finding
from releasectl.next_step import RESTING, Action, Situation, Step, next_step
from releasectl.reconcile import Standing, act, look, reconcile
from releasectl.record import Deployment, Moment, Phase, Worker
from releasectl.release import Pin
from releasectl.way_back import WayBack
from tests.twins import HERE, Died, Down, Scene, digest, repository

# More than any sequence below needs: what is under way, its three attempts, the newest release's three, a way back's.
PASSES = 15
ALLOWED = {
    None: {Phase.APPLYING, Phase.REFUSED},
    Phase.APPLYING: {Phase.VERIFYING, Phase.ERRORED},
    Phase.VERIFYING: {Phase.LIVE, Phase.FAILED, Phase.ERRORED},
    Phase.LIVE: set(),
    Phase.REFUSED: set(),
    Phase.FAILED: set(),
    Phase.ERRORED: set(),
}
times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - aware by UTC
identities = st.sampled_from(["", "1" * 64, "2" * 64])
deployments = st.builds(
    Deployment,
    id=st.just("20261121T120000Z-000001"),
    environment=st.just("staging"),
    identity=identities,
    commit=st.just("c" * 40),
    program=st.just("b" * 40),
    settings=st.just(""),
    services=st.just({"web": Pin(digest("A"), "", "", "")}),
    by=st.text(),
    reason=st.text(),
    holder=st.just(HERE),
    phases=st.lists(st.builds(Moment, st.sampled_from(Phase), times, st.text()), min_size=1, max_size=4).map(tuple),
    attempt=st.integers(1, 5),
)


findings = st.builds(Finding, st.just("hold"), st.text(), st.text(), st.text())
admissions = st.builds(
    Admission, st.lists(st.builds(No, st.sampled_from(Answer), findings, st.none() | times), max_size=3).map(tuple)
)
situations = st.builds(
    Situation,
    identity=identities,
    history=st.lists(deployments, max_size=3).map(tuple),
    worker=st.sampled_from(Worker),
    admission=admissions,
    way_back=st.builds(WayBack, st.none() | deployments, st.text()),
    now=times,
)


@given(situation=situations)
def test_there_is_always_exactly_one_next_step(situation: Situation) -> None:
    step, last = next_step(situation), situation.last

    assert step.reason or situation.admission.nos
    if step.action is Action.BACK_OFF:
        assert step.until is not None
        assert step.until > situation.now
    if step.action is Action.RELEASE:
        assert situation.identity
        assert not situation.admission.refused
        assert not situation.admission.waiting
        assert last is None or (last.phase.is_over and (last.identity, last.phase) != (situation.identity, Phase.LIVE))
    if step.action is Action.ROLL_BACK:
        assert situation.way_back.good
    if last is not None and not last.phase.is_over:
        assert step.action in (Action.ADOPT, Action.CONCLUDE, Action.PROVE, Action.RECOVER, Action.WAIT)


def down() -> Down:
    return Down("asking the outside: no answer", "Try again.")


FAULTS: dict[str, Callable[[Scene], object]] = {
    "the preview breaks": lambda scene: scene.engine.preview_faults.append(down()),
    "the engine breaks before the effect": lambda scene: scene.engine.next_up_fails_with(down()),
    "the engine breaks after the effect": lambda scene: scene.engine.next_up_fails_with(down(), done=True),
    "the controller dies, its worker runs on": lambda scene: scene.engine.controller_dies_in_next_up(Worker.RUNNING),
    "the controller dies, its worker is done": lambda scene: scene.engine.controller_dies_in_next_up(Worker.DONE),
    "the controller and its engine die": lambda scene: scene.all_die_in_next_up(),
    "the intent is lost": lambda scene: scene.records.next_write_is_lost(),
    "the outcome is lost": lambda scene: scene.records.next_write_is_lost(after=1),
    "the verdict is lost": lambda scene: scene.records.next_write_is_lost(after=2),
    "the registry does not answer": lambda scene: scene.registry.faults.append(down()),
    "git does not answer": lambda scene: scene.desired.faults.append(down()),
    "nobody can be told": lambda scene: scene.notifier.faults.append(down()),
}
DIGESTS = [digest(letter) for letter in "ABCD"]


class Loop(RuleBasedStateMachine):
    """Passes of the loop in a world in which anything may happen between and during them."""

    @initialize()
    def begin(self) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="loop-")
        self.scene = Scene(Path(self.home.name))
        self.scene.push(*DIGESTS[:3])  # the fourth is in no registry
        self.scene.cloud.repositories.add(repository("staging", "web"))
        self.lives: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.home.cleanup()

    @rule(pinned=st.sampled_from(["", *DIGESTS]), restart=st.sampled_from(["", "2026-11-21T12:00:00Z"]))
    def somebody_merges(self, pinned: str, restart: str) -> None:
        self.scene.pin(pinned, restart=restart)

    @rule(bad=st.sets(st.sampled_from(DIGESTS), max_size=2), red=st.sets(st.sampled_from(DIGESTS), max_size=1))
    def some_builds_are_bad(self, bad: set[str], red: set[str]) -> None:
        self.scene.cloud.bad, self.scene.cloud.red = bad, red

    @rule(unreachable=st.booleans())
    def the_network_changes(self, unreachable: bool) -> None:
        self.scene.cloud.unreachable = unreachable

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def something_will_break(self, fault: str) -> None:
        FAULTS[fault](self.scene)

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.scene.clock.time += timedelta(seconds=seconds)

    @rule(seconds=st.integers(1, 7200))
    def the_next_controllers_clock_is_behind(self, seconds: int) -> None:
        self.scene.clock.time -= timedelta(seconds=seconds)

    @rule()
    def one_step(self) -> None:
        self._try(self._step)

    @rule(retry=st.booleans())
    def a_pass_that_does_not_wait(self, retry: bool) -> None:
        self._try(lambda: reconcile("staging", self.scene.world, retry=retry, wait=False))

    @rule()
    def faults_stop_and_it_comes_to_rest(self) -> None:
        for faults in (
            self.scene.engine.preview_faults, self.scene.engine.up_faults, self.scene.records.faults,
            self.scene.registry.faults, self.scene.desired.faults, self.scene.notifier.faults,
        ):  # fmt: skip
            faults.clear()
        opened = len(self.scene.engine.opened)
        standing = reconcile("staging", self.scene.world)
        again = reconcile("staging", self.scene.world)

        assert standing.step.action in (Action.REST, Action.STALL)
        assert again.step == standing.step
        assert len(self.scene.engine.opened) <= opened + PASSES
        if standing.step.action is Action.REST and standing.deployment and standing.target.is_created:
            pinned = standing.target.release.services["web"].digest
            assert not pinned or pinned == self.scene.serves

    @invariant()
    def at_most_one_deployment_is_unfinished_and_it_is_the_newest(self) -> None:
        unfinished = [deployment for deployment in self._history() if not deployment.phase.is_over]
        assert unfinished == [deployment for deployment in self._history()[-1:] if not deployment.phase.is_over]

    @invariant()
    def every_change_of_phase_is_one_that_is_allowed(self) -> None:
        for deployment in self._history():
            before: Phase | None = None
            for moment in deployment.phases:
                assert moment.phase in ALLOWED[before], f"{before} -> {moment.phase}"
                before = moment.phase

    @invariant()
    def what_is_live_is_not_applied_again(self) -> None:
        history = self._history()
        for earlier, later in itertools.pairwise(history):
            assert earlier.phase is not Phase.LIVE or earlier.identity != later.identity

    @invariant()
    def only_digests_of_the_registry_ever_ran(self) -> None:
        if hasattr(self, "scene"):
            assert {pinned for _, pinned in self.scene.cloud.updates} <= set(DIGESTS[:3])

    @invariant()
    def nothing_changed_without_a_record_of_the_intent(self) -> None:
        intended = {
            deployment.services["web"].digest for deployment in self._history() if deployment.phase is not Phase.REFUSED
        }
        if hasattr(self, "scene"):
            assert {pinned for _, pinned in self.scene.cloud.updates} <= intended

    def _history(self) -> list[Deployment]:
        return self.scene.history() if hasattr(self, "scene") else []

    def _step(self) -> None:
        standing: Standing = look("staging", self.scene.world)
        step: Step = standing.step
        if step.action not in (*RESTING, Action.BACK_OFF):
            act(standing, step, self.scene.world)

    @staticmethod
    def _try(what: Callable[[], object]) -> None:
        with contextlib.suppress(ControllerError, Died):
            what()


Loop.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLoop = Loop.TestCase
