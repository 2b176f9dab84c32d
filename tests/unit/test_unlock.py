"""What a person may set free, and what not even a person may."""

from dataclasses import replace
from pathlib import Path

import pytest

from releasectl import unlock
from releasectl.locks import Lock
from releasectl.next_step import Action
from releasectl.plan import Pending
from releasectl.reconcile import reconcile
from releasectl.record import Ended, Worker
from releasectl.unlock import NothingPending, StillAlive
from tests.twins import ELSEWHERE, HERE, RUNTIME, Died, Scene, digest, repository

A, B = digest("A"), digest("B")


@pytest.fixture
def live(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    reconcile("staging", scene.world)
    return scene


@pytest.fixture
def elsewhere(live: Scene) -> Scene:
    """B is applied by a controller of another host that was killed; nobody can prove that."""
    live.pin(B)
    live.holder = replace(ELSEWHERE, run="")
    live.all_die_in_next_up()
    with pytest.raises(Died):
        reconcile("staging", live.world)
    live.holder = HERE
    return live


def test_a_deployment_and_a_lock_that_a_person_calls_dead_are_set_free_and_the_release_goes_on(
    elsewhere: Scene,
) -> None:
    assert reconcile("staging", elsewhere.world).step.action is Action.WAIT
    told = unlock.run(unlock.look("staging", elsewhere.world), elsewhere.world)

    assert told is not None
    assert told.ended is Ended.BY_DEATH
    assert "releasectl took away ann@elsewhere (pid " in told.message
    assert elsewhere.locks.there == []
    assert reconcile("staging", elsewhere.world).step.action is Action.REST
    assert elsewhere.phases() == ["live", "errored", "live"]


def test_a_persons_own_lock_is_noted_with_the_newest_deployment_whose_verdict_stays(live: Scene) -> None:
    live.locks.there.append(Lock("staging/bob", "bob", "laptop", 777, live.clock.now()))
    unlock.run(unlock.look("staging", live.world), live.world)
    (noted,) = live.history()

    assert live.locks.there == []
    assert "bob@laptop (pid 777)" in noted.notes[0].message
    assert (str(noted.phase), len(noted.phases)) == ("live", 3)


@pytest.mark.parametrize("alive", ["lock", "controller", "engine"])
def test_what_lives_is_not_taken_away_by_anybody(live: Scene, alive: str) -> None:
    live.pin(B)
    if alive == "engine":
        live.engine.controller_dies_in_next_up(Worker.RUNNING)
    else:
        live.all_die_in_next_up()
    with pytest.raises(Died):
        reconcile("staging", live.world)
    if alive == "lock":
        live.locks.living.add(live.locks.there[0].where)
    if alive == "controller":
        live.engine.held.add(live.folder / "staging" / live.history()[-1].id)
    before = list(live.locks.there)

    with pytest.raises(StillAlive):
        unlock.run(unlock.look("staging", live.world), live.world)
    assert (live.locks.there, live.phases()) == (before, ["live", "applying"])


def test_where_nobody_holds_anything_there_is_nothing_to_do(live: Scene) -> None:
    assert unlock.look("staging", live.world).is_free


def test_a_person_answers_for_a_pending_create_that_nobody_can_look_up(live: Scene, tmp_path: Path) -> None:
    live.engine.pending += [Pending("creating", "team:own/type:Type", "urn:a"), Pending("creating", RUNTIME, "urn:b")]
    live.orphans.there[RUNTIME] = "arn:b"

    assert unlock.settle("staging", {"urn:a": "id-of-a"}, live.world, folder=tmp_path / "new") == ["urn:a", "urn:b"]
    assert live.engine.settled == [{"urn:a": "id-of-a", "urn:b": "arn:b"}]


def test_an_answer_for_what_is_not_pending_changes_nothing(live: Scene, tmp_path: Path) -> None:
    live.engine.pending += [Pending("creating", RUNTIME, "urn:b")]

    with pytest.raises(NothingPending, match="urn:a"):
        unlock.settle("staging", {"urn:a": ""}, live.world, folder=tmp_path / "new")
    assert live.engine.settled == []
