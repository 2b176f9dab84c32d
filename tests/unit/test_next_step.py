"""Every rule of the loop, as one table: where an environment stands, and the one next step."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from releasectl.reconcile import Action, Worker, next_step
from releasectl.record import Deployment, Moment, Phase
from releasectl.release import Pin
from tests.twins import HERE, START, digest

SAME, OTHER = "5" * 64, "6" * 64


def deployment(phase: Phase, *, attempt: int = 1, at: datetime = START, identity: str = SAME) -> Deployment:
    """A deployment that stands in `phase` since `at`."""
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity=identity, commit="c" * 40, program="b" * 40,
        settings="", services={"web": Pin(digest("A"), "", "", "")}, by="Bo", reason="Pin A", holder=HERE,
        phases=(Moment(Phase.APPLYING, START), Moment(phase, at, "because")), attempt=attempt,
    )  # fmt: skip


UNFINISHED = {
    (Phase.APPLYING, Worker.RUNNING): Action.ADOPT,
    (Phase.APPLYING, Worker.DONE): Action.CONCLUDE,
    (Phase.APPLYING, Worker.GONE): Action.GIVE_UP,
    (Phase.APPLYING, Worker.ELSEWHERE): Action.GIVE_UP,
    (Phase.APPLYING, Worker.NONE): Action.GIVE_UP,
    **{(Phase.VERIFYING, worker): Action.PROVE for worker in Worker},
}
SETTLED = {Phase.LIVE: Action.REST, Phase.REFUSED: Action.STALL, Phase.FAILED: Action.STALL}


@pytest.mark.parametrize("wanted", [SAME, OTHER, ""], ids=["same", "another", "no program"])
@pytest.mark.parametrize(("stands", "action"), UNFINISHED.items(), ids=[f"{p}-{w}" for p, w in UNFINISHED])
def test_what_is_under_way_is_ended_first_whatever_main_says_by_now(
    stands: tuple[Phase, Worker], action: Action, wanted: str
) -> None:
    phase, worker = stands

    assert next_step(wanted, deployment(phase), worker, START).action is action


@pytest.mark.parametrize(("phase", "action"), SETTLED.items(), ids=list(SETTLED))
def test_a_verdict_stands_until_main_says_something_else(phase: Phase, action: Action) -> None:
    much_later = START + timedelta(days=400)

    assert next_step(SAME, deployment(phase), Worker.NONE, much_later).action is action
    assert next_step(OTHER, deployment(phase), Worker.NONE, START).action is Action.RELEASE


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_over])
def test_without_a_program_an_environment_rests(phase: Phase) -> None:
    assert next_step("", deployment(phase), Worker.NONE, START).action is Action.REST
    assert next_step("", None, Worker.NONE, START).action is Action.REST


def test_what_was_never_released_is_released() -> None:
    step = next_step(SAME, None, Worker.NONE, START)

    assert (step.action, step.attempt) == (Action.RELEASE, 1)


@pytest.mark.parametrize(
    ("attempt", "seconds", "action", "next_attempt"),
    [
        pytest.param(1, 0, Action.WAIT, 1, id="first, at once"),
        pytest.param(1, 9.999, Action.WAIT, 1, id="first, just before 10 s"),
        pytest.param(1, 10, Action.RELEASE, 2, id="first, at 10 s"),
        pytest.param(2, 10, Action.WAIT, 1, id="second, at 10 s"),
        pytest.param(2, 29.999, Action.WAIT, 1, id="second, just before 30 s"),
        pytest.param(2, 30, Action.RELEASE, 3, id="second, at 30 s"),
        pytest.param(3, 0, Action.STALL, 1, id="third"),
        pytest.param(3, 10**6, Action.STALL, 1, id="third, days later"),
        pytest.param(4, 10**6, Action.STALL, 1, id="more than three"),
    ],
)
def test_broken_machinery_is_tried_again_after_10_and_30_seconds_and_then_stalls(
    attempt: int, seconds: float, action: Action, next_attempt: int
) -> None:
    now = START + timedelta(seconds=seconds)
    step = next_step(SAME, deployment(Phase.ERRORED, attempt=attempt), Worker.NONE, now)

    assert (step.action, step.attempt) == (action, next_attempt)


def test_a_wait_says_until_when() -> None:
    step = next_step(SAME, deployment(Phase.ERRORED, attempt=2), Worker.NONE, START)

    assert step.until == START + timedelta(seconds=30)


def test_the_wait_counts_from_the_error_and_not_from_the_start() -> None:
    errored = deployment(Phase.ERRORED, at=START + timedelta(minutes=20))

    assert next_step(SAME, errored, Worker.NONE, START + timedelta(minutes=20)).action is Action.WAIT


def test_a_new_release_does_not_wait_for_the_errors_of_the_old_one() -> None:
    step = next_step(OTHER, deployment(Phase.ERRORED, attempt=3), Worker.NONE, START)

    assert (step.action, step.attempt) == (Action.RELEASE, 1)


@pytest.mark.parametrize(
    ("last", "worker", "words"),
    [
        pytest.param(Phase.APPLYING, Worker.ELSEWHERE, "applied by elsewhere", id="elsewhere"),
        pytest.param(Phase.APPLYING, Worker.GONE, "was cut off while applying", id="gone"),
        pytest.param(Phase.APPLYING, Worker.RUNNING, "still at work", id="running"),
        pytest.param(Phase.FAILED, Worker.NONE, "was failed: because", id="failed"),
        pytest.param(Phase.REFUSED, Worker.NONE, "was refused: because", id="refused"),
        pytest.param(Phase.LIVE, Worker.NONE, "proven by deployment 20261121T120000Z-000001", id="live"),
        pytest.param(Phase.ERRORED, Worker.NONE, "ended in an error: because", id="errored"),
    ],
)
def test_each_step_says_why(last: Phase, worker: Worker, words: str) -> None:
    stands = replace(deployment(last), holder=replace(HERE, host="elsewhere"))

    assert words in next_step(SAME, stands, worker, START).reason
