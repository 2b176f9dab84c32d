"""Every rule of the loop, as one table: where an environment stands, and the one next step."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from releasectl.admission import Admission, Answer, No
from releasectl.errors import Finding
from releasectl.next_step import Action, Situation, Step, next_step
from releasectl.record import Deployment, Moment, Phase, Worker
from releasectl.release import Pin
from releasectl.way_back import WayBack
from tests.twins import HERE, START, digest

SAME, OTHER = "5" * 64, "6" * 64


def deployment(phase: Phase, *, attempt: int = 1, at: datetime = START, identity: str = SAME) -> Deployment:
    """A deployment that stands in `phase` since `at`."""
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity=identity, commit="c" * 40, program="b" * 40,
        settings="", services={"web": Pin(digest("A"), "", "", "")}, by="Bo", reason="Pin A", holder=HERE,
        phases=(Moment(Phase.APPLYING, START), Moment(phase, at, "because")), attempt=attempt,
    )  # fmt: skip


NO_WAY = WayBack(None, "there is nothing to go back to")
REFUSED = No(Answer.REFUSED, Finding("rejected", "a file", "it was rejected", "Release another."))


def waiting(until: datetime | None) -> No:
    return No(Answer.WAITING, Finding("freeze", "pipeline.yaml", "it is frozen", "Wait."), until)


def step(
    wanted: str,
    *history: Deployment,
    worker: Worker = Worker.NONE,
    nos: tuple[No, ...] = (),
    way_back: WayBack = NO_WAY,
    now: datetime = START,
) -> Step:
    return next_step(Situation(wanted, history, worker, Admission(nos), way_back, now))


UNFINISHED: dict[tuple[Phase, Worker], Action] = {
    (Phase.APPLYING, Worker.RUNNING): Action.ADOPT,
    (Phase.APPLYING, Worker.DONE): Action.CONCLUDE,
    (Phase.APPLYING, Worker.GONE): Action.RECOVER,
    (Phase.APPLYING, Worker.HELD): Action.WAIT,
    (Phase.APPLYING, Worker.ELSEWHERE): Action.WAIT,
    **{(Phase.VERIFYING, worker): Action.PROVE for worker in Worker if worker is not Worker.HELD},
    (Phase.VERIFYING, Worker.HELD): Action.WAIT,
}
SETTLED = {Phase.LIVE: Action.REST, Phase.REFUSED: Action.STALL, Phase.FAILED: Action.STALL}


@pytest.mark.parametrize("wanted", [SAME, OTHER, ""], ids=["same", "another", "no program"])
@pytest.mark.parametrize(("stands", "action"), UNFINISHED.items(), ids=[f"{p}-{w}" for p, w in UNFINISHED])
def test_what_is_under_way_is_ended_first_whatever_main_says_by_now(
    stands: tuple[Phase, Worker], action: Action, wanted: str
) -> None:
    phase, worker = stands

    assert step(wanted, deployment(phase), worker=worker, nos=(REFUSED,)).action is action


@pytest.mark.parametrize(("phase", "action"), SETTLED.items(), ids=list(SETTLED))
def test_a_verdict_stands_until_main_says_something_else(phase: Phase, action: Action) -> None:
    much_later = START + timedelta(days=400)

    assert step(SAME, deployment(phase), now=much_later).action is action
    assert step(OTHER, deployment(phase)).action is Action.RELEASE


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase.is_over])
def test_without_a_program_an_environment_rests(phase: Phase) -> None:
    assert step("", deployment(phase)).action is Action.REST
    assert step("").action is Action.REST


def test_what_was_never_released_is_released() -> None:
    first = step(SAME)

    assert (first.action, first.attempt) == (Action.RELEASE, 1)


@pytest.mark.parametrize(
    ("attempt", "seconds", "action", "next_attempt"),
    [
        pytest.param(1, 0, Action.BACK_OFF, 1, id="first, at once"),
        pytest.param(1, 9.999, Action.BACK_OFF, 1, id="first, just before 10 s"),
        pytest.param(1, 10, Action.RELEASE, 2, id="first, at 10 s"),
        pytest.param(2, 10, Action.BACK_OFF, 1, id="second, at 10 s"),
        pytest.param(2, 29.999, Action.BACK_OFF, 1, id="second, just before 30 s"),
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
    found = step(SAME, deployment(Phase.ERRORED, attempt=attempt), now=now)

    assert (found.action, found.attempt) == (action, next_attempt)


def test_a_step_that_backs_off_says_until_when() -> None:
    found = step(SAME, deployment(Phase.ERRORED, attempt=2))

    assert found.until == START + timedelta(seconds=30)


def test_the_wait_counts_from_the_error_and_not_from_the_start() -> None:
    errored = deployment(Phase.ERRORED, at=START + timedelta(minutes=20))

    assert step(SAME, errored, now=START + timedelta(minutes=20)).action is Action.BACK_OFF


def test_a_new_release_does_not_wait_for_the_errors_of_the_old_one() -> None:
    found = step(OTHER, deployment(Phase.ERRORED, attempt=3))

    assert (found.action, found.attempt) == (Action.RELEASE, 1)


@pytest.mark.parametrize(
    ("last", "worker", "words"),
    [
        pytest.param(Phase.APPLYING, Worker.ELSEWHERE, "belongs to elsewhere", id="elsewhere"),
        pytest.param(Phase.APPLYING, Worker.GONE, "was cut off", id="gone"),
        pytest.param(Phase.APPLYING, Worker.RUNNING, "still at work", id="running"),
        pytest.param(Phase.FAILED, Worker.NONE, "was failed: because", id="failed"),
        pytest.param(Phase.REFUSED, Worker.NONE, "was refused: because", id="refused"),
        pytest.param(Phase.LIVE, Worker.NONE, "proven by deployment 20261121T120000Z-000001", id="live"),
        pytest.param(Phase.ERRORED, Worker.NONE, "ended in an error: because", id="errored"),
    ],
)
def test_each_step_says_why(last: Phase, worker: Worker, words: str) -> None:
    stands = replace(deployment(last), holder=replace(HERE, host="elsewhere"))

    assert words in step(SAME, stands, worker=worker).reason


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.REFUSED])
def test_a_verdict_with_a_way_back_is_taken_back_whatever_the_gates_say(phase: Phase) -> None:
    good = replace(deployment(Phase.LIVE, identity=OTHER), id="20261121T110000Z-000000")
    back = step(SAME, deployment(phase), good, way_back=WayBack(good, "it failed"), nos=(REFUSED, waiting(None)))

    assert back.action is Action.ROLL_BACK
    assert back.reason == f"deployment 20261121T120000Z-000001 was {phase}; back to deployment {good.id}"


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.ERRORED])
def test_what_is_well_or_unknown_is_never_taken_back(phase: Phase) -> None:
    good = deployment(Phase.LIVE, identity=OTHER)

    assert step(SAME, deployment(phase, attempt=3), good, way_back=WayBack(good, "")).action is not Action.ROLL_BACK


@pytest.mark.parametrize(
    "history",
    [
        pytest.param((), id="a first release"),
        pytest.param((deployment(Phase.LIVE, identity=OTHER),), id="a new release"),
        pytest.param((deployment(Phase.ERRORED, at=START - timedelta(hours=1)),), id="a further attempt"),
        pytest.param((deployment(Phase.REFUSED, identity=OTHER),), id="after a refusal"),
    ],
)
def test_gates_stand_before_every_release(history: tuple[Deployment, ...]) -> None:
    end = START + timedelta(hours=2)
    waits = step(SAME, *history, nos=(waiting(end),))

    assert step(SAME, *history).action is Action.RELEASE
    assert (waits.action, waits.reason, waits.until) == (Action.WAIT, "it is frozen", end)
    assert step(SAME, *history, nos=(waiting(None),)).until is None
    assert step(SAME, *history, nos=(waiting(end), REFUSED)).action is Action.REFUSE


def test_a_refused_release_does_not_hide_what_runs() -> None:
    refused, live = deployment(Phase.REFUSED, identity=OTHER), deployment(Phase.LIVE)

    assert step(SAME, refused, live).action is Action.REST


def test_a_refusal_is_asked_anew_only_when_main_said_it_again() -> None:
    again = Situation(SAME, (deployment(Phase.REFUSED),), Worker.NONE, Admission(), NO_WAY, START, said_again=True)

    assert next_step(again).action is Action.RELEASE
    assert next_step(replace(again, admission=Admission((REFUSED,)))).action is Action.REFUSE
    assert next_step(replace(again, said_again=False)).action is Action.STALL
