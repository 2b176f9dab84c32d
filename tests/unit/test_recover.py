"""What dead controllers leave, in a world of twins: proven dead, set free, gone on with; what lives is left alone."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from releasectl.apply import Problem, Result
from releasectl.errors import Interrupted
from releasectl.locks import Lock, StackLocked
from releasectl.next_step import Action
from releasectl.plan import Pending, Plan
from releasectl.reconcile import Standing, reconcile, reconcile_all
from releasectl.record import Ended, Phase, Worker
from releasectl.recover import CannotTell
from tests.twins import ELSEWHERE, HERE, RUNTIME, START, Died, Down, Scene, digest, repository

A, B, C = digest("A"), digest("B"), digest("C")
RUN = ELSEWHERE.run


@pytest.fixture
def live(tmp_path: Path) -> Scene:
    """A is live in staging, whose registry has A, B and C."""
    scene = Scene(tmp_path)
    scene.push(A, B, C)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    assert run(scene).step.action is Action.REST
    return scene


@pytest.fixture
def dying(live: Scene) -> Scene:
    """B is pinned while A is live: the next pass will die while applying it."""
    live.pin(B)
    return live


def run(scene: Scene) -> Standing:
    return reconcile("staging", scene.world)


def die(scene: Scene, worker: Worker) -> None:
    scene.engine.controller_dies_in_next_up(worker)
    with pytest.raises(Died):
        run(scene)
    assert scene.history()[-1].phase is Phase.APPLYING


def down() -> Down:
    return Down("asking AWS: no answer", "Try again.")


# ---- the controller died ----


def test_a_worker_that_still_runs_is_adopted_and_waited_for(dying: Scene) -> None:
    die(dying, Worker.RUNNING)
    standing = run(dying)

    assert (standing.step.action, dying.serves) == (Action.REST, B)
    assert dying.phases() == ["live", "live"]
    assert dying.engine.ups == ["staging", "staging"]
    assert any("adopt" in line for line in dying.said)


def test_a_worker_that_was_done_is_concluded_without_applying_again(dying: Scene) -> None:
    die(dying, Worker.DONE)
    run(dying)

    assert dying.phases() == ["live", "live"]
    assert dying.engine.ups == ["staging", "staging"]


def test_a_worker_that_left_an_error_is_recorded_as_errored_and_tried_again(dying: Scene) -> None:
    die(dying, Worker.GONE)
    dying.engine._leave(dying.folder / "staging" / dying.history()[-1].id, down())
    run(dying)

    assert dying.phases() == ["live", "errored", "live"]


def test_a_worker_that_is_gone_without_a_result_is_recorded_as_cut_off_and_its_release_goes_on(dying: Scene) -> None:
    die(dying, Worker.GONE)
    dying.clock.slept.clear()
    run(dying)

    assert dying.phases() == ["live", "errored", "live"]
    cut_off, resumed = dying.history()[1:]
    assert cut_off.message.startswith("cut off: ")
    assert (cut_off.ended, cut_off.identity, resumed.attempt) == (Ended.BY_DEATH, resumed.identity, 2)
    assert dying.clock.slept == [], "it goes on at once"


def test_a_deployment_of_another_host_is_waited_for_with_the_command_that_helps(dying: Scene) -> None:
    dying.holder = replace(ELSEWHERE, run="")
    die(dying, Worker.DONE)
    dying.holder = HERE
    standing = run(dying)

    assert (standing.step.action, standing.exit_code) == (Action.WAIT, 4)
    assert "belongs to elsewhere" in standing.step.reason
    assert "releasectl unlock staging" in standing.step.reason
    assert dying.engine.ups == ["staging", "staging"]


@pytest.mark.parametrize(
    ("known", "action"),
    [
        pytest.param({RUN: None}, Action.WAIT, id="its run goes on"),
        pytest.param({RUN: START + timedelta(days=1)}, Action.REST, id="its run ended"),
        pytest.param({}, Action.WAIT, id="nobody can tell"),
    ],
)
def test_a_deployment_of_a_ci_run_is_taken_over_only_once_that_run_has_ended(
    dying: Scene, known: dict[str, datetime | None], action: Action
) -> None:
    dying.holder = ELSEWHERE
    die(dying, Worker.GONE)
    dying.holder = HERE
    dying.runs.known = known

    assert run(dying).step.action is action
    assert dying.phases() == (["live", "errored", "live"] if action is Action.REST else ["live", "applying"])


def test_after_a_reboot_the_folder_tells_that_nothing_lives(dying: Scene) -> None:
    dying.holder = replace(HERE, boot="boot-0")
    die(dying, Worker.DONE)
    dying.holder = HERE
    run(dying)

    assert dying.phases() == ["live", "live"]


def test_without_its_folder_a_deployment_of_this_host_is_nobodys_to_judge(dying: Scene) -> None:
    die(dying, Worker.GONE)
    shutil.rmtree(dying.folder)

    assert run(dying).step.action is Action.WAIT
    assert dying.phases() == ["live", "applying"]


def test_while_its_controller_lives_a_deployment_is_nobody_elses(dying: Scene) -> None:
    die(dying, Worker.GONE)
    dying.engine.held.add(dying.folder / "staging" / dying.history()[-1].id)
    standing = run(dying)

    assert (standing.step.action, standing.exit_code) == (Action.WAIT, 4)
    assert "another controller works on deployment" in standing.step.reason


def test_an_adopted_engine_that_takes_too_long_is_asked_to_stop(dying: Scene) -> None:
    die(dying, Worker.RUNNING)
    folder = dying.folder / "staging" / dying.history()[-1].id
    dying.engine.busy[folder] = (10**9, lambda: None)
    run(dying)

    assert dying.engine.stopped == [folder]
    assert dying.phases() == ["live", "errored", "live"]


def test_three_deaths_in_a_row_stall(dying: Scene) -> None:
    dying.pin(B)
    for _ in range(3):
        dying.all_die_in_next_up()
        with pytest.raises(Died):
            run(dying)
    standing = run(dying)

    assert standing.step.action is Action.STALL
    assert "cut off" in standing.step.reason
    assert dying.locks.there == []


def test_an_interrupted_release_goes_on_at_once_and_is_no_attempt(live: Scene) -> None:
    live.pin(B)
    for _ in range(4):
        live.engine.next_up_fails_with(Interrupted("updating: a signal", "Run it again."), done=True)
        with pytest.raises(Interrupted):
            run(live)
    live.clock.slept.clear()
    run(live)

    assert live.phases() == ["live", *["errored"] * 4, "live"]
    assert {one.attempt for one in live.history()} == {1}
    assert {one.ended for one in live.history()[1:-1]} == {Ended.BY_SIGNAL}
    assert live.clock.slept == []


def test_a_newer_release_waits_until_the_running_one_is_finished(dying: Scene) -> None:
    die(dying, Worker.RUNNING)
    dying.pin(C)
    run(dying)

    assert [deployment.services["web"].digest for deployment in dying.history()] == [A, B, C]
    assert dying.phases() == ["live", "live", "live"]
    assert [pinned for _, pinned in dying.cloud.updates] == [A, B, C]


def test_a_signal_is_meant_for_every_environment_of_a_pass(live: Scene) -> None:
    live.pin(B)
    live.pin(A, environment="production")
    live.engine.next_up_fails_with(Interrupted("updating: a signal", "Run it again."))

    with pytest.raises(Interrupted):
        list(reconcile_all(live.world))
    assert live.phases("production") == []


# ---- the stack is locked ----


def test_the_lock_of_our_own_dead_engine_is_taken_away_and_no_other(dying: Scene) -> None:
    dying.pin(B)
    dying.all_die_in_next_up()
    with pytest.raises(Died):
        run(dying)
    production = replace(dying.locks.there[0], where="production/1")
    dying.locks.there.append(production)
    run(dying)

    assert dying.phases() == ["live", "errored", "live"]
    assert dying.locks.there == [production]
    assert "its lock was taken away (ann@here (pid " in dying.history()[1].message


def test_a_persons_lock_is_waited_for_and_never_taken_away(live: Scene) -> None:
    bobs = Lock("staging/bob", "bob", HERE.host, 777, live.clock.now())
    live.locks.there.append(bobs)
    live.pin(B)

    with pytest.raises(StackLocked) as caught:
        run(live)
    assert caught.value.exit_code == 4
    assert "bob@here (pid 777) since 2026-11-21" in caught.value.message
    assert "releasectl unlock staging" in caught.value.remedy
    assert sum(live.clock.slept) >= 5 * 60
    assert (live.locks.there, live.locks.removed, live.phases()) == ([bobs], [], ["live"])


def test_without_waiting_a_lock_is_told_at_once(live: Scene) -> None:
    live.locks.there.append(Lock("staging/bob", "bob", "laptop", 777, live.clock.now()))
    live.pin(B)
    before = list(live.clock.slept)

    with pytest.raises(StackLocked):
        reconcile("staging", live.world, wait=False)
    assert live.clock.slept == before


def test_a_lock_that_goes_away_lets_the_release_go_on(live: Scene) -> None:
    live.locks.there.append(Lock("staging/bob", "bob", "laptop", 777, live.clock.now()))
    live.pin(B)
    live.clock.when_slept = live.locks.there.clear
    run(live)

    assert live.phases() == ["live", "live"]


def test_trying_again_is_not_forgotten_while_a_lock_is_waited_for(live: Scene) -> None:
    live.pin(B)
    for _ in range(3):
        live.engine.next_up_fails_with(down())
    assert run(live).step.action is Action.STALL
    live.locks.there.append(Lock("staging/bob", "bob", "laptop", 777, live.clock.now()))
    live.clock.when_slept = live.locks.there.clear

    assert reconcile("staging", live.world, retry=True).step.action is Action.REST


def test_a_lock_of_a_process_that_lives_is_not_ours_whatever_its_number(dying: Scene) -> None:
    dying.pin(B)
    dying.all_die_in_next_up()
    with pytest.raises(Died):
        run(dying)
    dying.locks.living.add(dying.locks.there[0].where)

    with pytest.raises(StackLocked):
        run(dying)
    assert dying.phases() == ["live", "errored"]


@pytest.mark.parametrize(
    ("minutes", "host", "taken"),
    [(1, "elsewhere", True), (1, "laptop", False), (-5, "elsewhere", False), (30, "elsewhere", False)],
    ids=["while it was under way", "from another host", "before it began", "after its run ended"],
)
def test_elsewhere_a_lock_is_ours_by_its_host_and_its_time(dying: Scene, minutes: int, host: str, taken: bool) -> None:
    dying.holder = ELSEWHERE
    die(dying, Worker.GONE)
    begun = dying.history()[-1].started
    lock = Lock("staging/1", "runner", host, 4242, begun + timedelta(minutes=minutes))
    dying.locks.there.append(lock)
    dying.runs.known = {RUN: begun + timedelta(minutes=10)}
    dying.holder = HERE

    if taken:
        assert run(dying).step.action is Action.REST
    else:
        with pytest.raises(StackLocked):
            run(dying)
    assert dying.locks.there == ([] if taken else [lock])


@pytest.mark.parametrize(
    ("seconds", "where", "taken"),
    [(60, "file:///state/1.json.tmp", True), (1, "file:///state/1.json.tmp", False), (60, "s3://bucket/1.json", False)],
    ids=["half-written", "just being written", "a riddle in a bucket"],
)
def test_a_lock_that_nobody_can_read_is_taken_away_once_nobody_can_be_writing_it(
    dying: Scene, seconds: int, where: str, taken: bool
) -> None:
    lock = Lock(where, "", "", 0, dying.clock.now() - timedelta(seconds=seconds))
    dying.locks.there.append(lock)
    dying.locks.everywhere = True

    if taken:
        assert run(dying).step.action is Action.REST
        assert dying.locks.there == []
    else:
        with pytest.raises(StackLocked):
            reconcile("staging", dying.world, wait=False)
        assert dying.locks.there == [lock]


# ---- what a dead engine had begun ----


def test_a_pending_create_is_looked_up_before_the_next_update(dying: Scene) -> None:
    dying.pin(B)
    dying.all_die_in_next_up(pending=Pending("creating", RUNTIME, "urn:web", {"serviceName": "staging-web"}))
    with pytest.raises(Died):
        run(dying)
    dying.orphans.there[RUNTIME] = "arn:web"
    run(dying)

    assert dying.engine.settled == [{"urn:web": "arn:web"}]
    assert dying.phases() == ["live", "errored", "live"]


def test_a_pending_create_that_made_nothing_is_forgotten_and_an_update_needs_no_look(dying: Scene) -> None:
    dying.pin(B)
    dying.all_die_in_next_up(pending=Pending("creating", RUNTIME, "urn:web"))
    with pytest.raises(Died):
        run(dying)
    dying.engine.pending.append(Pending("updating", "some:other/type:Type", "urn:other"))
    dying.orphans.there[RUNTIME] = None
    run(dying)

    assert dying.engine.settled == [{}]
    assert dying.phases() == ["live", "errored", "live"]


EXISTS = Problem("urn:web", "EntityAlreadyExists: Role with name web already exists.")
FAILED = Pending("creating", RUNTIME, "urn:web", {"serviceName": "staging-web"})


def test_a_create_whose_answer_was_lost_is_adopted_within_the_same_update(dying: Scene) -> None:
    dying.engine.next_up_says(Result(Plan(), (EXISTS,), (FAILED,)))
    dying.orphans.there[RUNTIME] = "arn:web"
    run(dying)

    assert dying.engine.settled == [{"urn:web": "arn:web"}]
    assert dying.phases() == ["live", "live"]


@pytest.mark.parametrize("kind", ["somebody else's", "a strange type"])
def test_what_was_there_before_is_somebody_elses_and_the_verdict_stands(dying: Scene, kind: str) -> None:
    dying.engine.next_up_says(Result(Plan(), (EXISTS,), (FAILED,)))
    if kind == "somebody else's":
        dying.orphans.there[RUNTIME] = "arn:web"
        dying.orphans.made = START - timedelta(days=1)
    run(dying)

    assert dying.engine.settled == []
    assert dying.phases()[:2] == ["live", "failed"]


def test_an_adoption_that_does_not_help_is_not_tried_for_ever(dying: Scene) -> None:
    for _ in range(2):
        dying.engine.next_up_says(Result(Plan(), (EXISTS,), (FAILED,)))
    dying.orphans.there[RUNTIME] = "arn:web"
    run(dying)

    assert len(dying.engine.settled) <= 2
    assert dying.phases()[:2] == ["live", "failed"]


def test_what_was_made_by_an_earlier_attempt_at_the_same_release_is_adopted_too(dying: Scene) -> None:
    dying.engine.next_up_fails_with(down())
    dying.engine.next_up_says(Result(Plan(), (EXISTS,), (FAILED,)))
    dying.orphans.there[RUNTIME] = "arn:web"
    dying.orphans.made = dying.clock.now() + timedelta(seconds=2)
    run(dying)

    assert dying.engine.settled == [{"urn:web": "arn:web"}]
    assert dying.phases() == ["live", "errored", "live"]


def test_a_pending_create_of_a_type_that_nobody_can_look_up_changes_nothing(dying: Scene) -> None:
    dying.pin(B)
    dying.all_die_in_next_up(pending=Pending("creating", "team:own/type:Type", "urn:own"))
    with pytest.raises(Died):
        run(dying)

    with pytest.raises(CannotTell):
        run(dying)
    assert (dying.engine.settled, dying.phases()) == ([], ["live", "errored"])
