"""What is written to the record is shown as it is written; what is not taken there fails and slows nothing."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from releasectl.beside import Beside
from releasectl.mirror import LONGEST, Mirrored, state, wanted, words
from releasectl.next_step import Action
from releasectl.reconcile import Standing, reconcile
from releasectl.record import Deployment, Ended, Holder, Kind, Moment, Phase
from releasectl.release import Pin
from tests.twins import HERE, START, Down, Scene, digest, repository
from tests.twins.forge import Mirror

A, B = digest("A"), digest("B")


def deployment(phase: Phase, message: str = "why", **more: object) -> Deployment:
    kept = Deployment(
        id="20261121T120001Z-3f9c1a", environment="staging", identity="i", commit="c" * 40, program="", settings="",
        services={"web": Pin(A, "1.4.0", "", "")}, by="Bo", reason="Pin", holder=HERE,
        phases=(Moment(phase, START, message),),
        outputs={"services": {"inner": {"url": "https://a", "private": True}, "web": {"url": "https://shop.example"}}},
    )  # fmt: skip
    return replace(kept, **more)  # type: ignore[arg-type]  # a test's own words


STATES = {
    Phase.APPLYING: "in_progress",
    Phase.VERIFYING: "in_progress",
    Phase.LIVE: "success",
    Phase.REFUSED: "failure",
    Phase.FAILED: "failure",
    Phase.ERRORED: "error",
}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_state_and_words(phase: Phase) -> None:
    assert state(deployment(phase)) == STATES[phase]
    assert "web 1.4.0" in words(deployment(phase))


def test_one_that_was_stopped_is_queued_until_the_next_one_begins() -> None:
    stopped = deployment(Phase.ERRORED, ended=Ended.BY_SIGNAL)

    assert (state(stopped), state(stopped, is_newest=False)) == ("queued", "inactive")
    assert words(stopped) == "interrupted, the next pass goes on: web 1.4.0"


def test_a_live_one_has_the_address_of_the_first_public_service_and_no_other_has() -> None:
    assert wanted(deployment(Phase.LIVE)).url == "https://shop.example"
    assert wanted(deployment(Phase.FAILED)).url == ""
    assert wanted(deployment(Phase.LIVE, outputs={"services": {"web": {"url": "javascript:alert(1)"}}})).url == ""
    assert wanted(deployment(Phase.LIVE, outputs={})).url == ""


def test_the_run_is_the_log_and_nothing_that_is_no_address() -> None:
    run = "https://github.com/team/shop/actions/runs/7"

    assert wanted(deployment(Phase.LIVE, holder=Holder("h", "b", 1, run))).log == run
    assert wanted(deployment(Phase.LIVE, holder=Holder("h", "b", 1, "ftp://x"))).log == ""


def test_words_of_others_are_one_line_that_fits_and_shows_what_cannot_be_seen() -> None:
    said = words(deployment(Phase.FAILED, "boom\n\x1b[31m\u202e" + "x" * 500))

    assert len(said) == LONGEST
    assert said.startswith("failed: web 1.4.0: boom \\x1b[31m\\u202exxx")
    assert said.endswith("…")


def test_a_way_back_says_that_it_is_one() -> None:
    assert words(deployment(Phase.LIVE, kind=Kind.ROLLBACK)) == "rolled back, live and proven: web 1.4.0"


# ---- passes ----


class Watched:
    """Passes over staging whose record is mirrored, each as a new process would make it."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.page = scene, Mirror()

    def run(self, environment: str = "staging") -> Standing:
        beside = Beside(self.scene.said.append)
        mirrored = Mirrored(self.scene.records, self.page, beside, self.scene.said.append, environment)
        standing = reconcile(environment, replace(self.scene.world, records=mirrored))
        mirrored.finish(environment, standing.situation.history)
        assert beside.wait(10)
        return standing

    @property
    def states(self) -> list[str]:
        """How each is shown, oldest first."""
        return [one.state for one in self.page.shown.values()]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    return Watched(scene)


def down() -> Down:
    return Down("showing a deployment of staging: unreachable", "Wait.")


def test_a_release_is_shown_from_its_intent_to_its_verdict(watched: Watched) -> None:
    watched.run()

    assert [told for _, told in watched.page.told] == ["in_progress", "in_progress", "success"]
    assert [one.key for one in watched.page.shown.values()] == [watched.scene.records.history("staging", 1)[0].id]


def test_a_pass_with_nothing_to_do_asks_one_question(watched: Watched) -> None:
    watched.run()
    told, before = list(watched.page.told), watched.page.asked
    watched.run()

    assert (watched.page.told, watched.page.asked - before) == (told, 1)


def test_a_failure_and_the_way_back_of_the_same_run_are_a_failure_and_a_success(watched: Watched) -> None:
    watched.run()
    watched.scene.cloud.bad.add(B)
    watched.scene.pin(B)
    watched.run()

    assert watched.states == ["success", "failure", "success"]
    assert list(watched.page.shown.values())[-1].description.startswith("rolled back")


@pytest.mark.parametrize("good", range(8))
def test_whatever_call_fails_the_release_goes_on_and_the_page_is_right_in_the_end(watched: Watched, good: int) -> None:
    watched.page.faults = [*[None] * good, down()]
    standing = watched.run()
    said = [line for line in watched.scene.said if "unreachable" in line]

    assert (standing.step.action, watched.scene.phases()) == (Action.REST, ["live"])
    assert watched.states == ["success"]
    assert len(said) <= 1


def test_while_nothing_is_taken_it_is_said_once_and_the_next_pass_sets_all_of_it_right(watched: Watched) -> None:
    watched.run()
    watched.scene.cloud.bad.add(B)
    watched.scene.pin(B)
    watched.page.faults = [down() for _ in range(99)]
    watched.run()
    assert watched.states == ["success"]
    assert sum("unreachable" in line for line in watched.scene.said) == 1
    watched.page.faults = []
    before = watched.page.asked
    watched.run()

    assert watched.states == ["success", "failure", "success"]
    assert watched.page.asked - before < 12


def test_one_that_was_stopped_gives_way_to_the_next(watched: Watched) -> None:
    watched.scene.engine.up_faults.append(stop)
    with pytest.raises(KeyboardInterrupt):
        watched.run()
    watched.run()

    assert watched.states == ["inactive", "success"]


def stop(_folder: Path, _effect: Callable[[], object]) -> None:
    raise KeyboardInterrupt


def test_what_another_workflow_made_inactive_stays_so(watched: Watched) -> None:
    watched.run()
    [(number, one)] = watched.page.shown.items()
    watched.page.shown[number] = replace(one, state="inactive", description="")
    watched.run()

    assert watched.states == ["inactive"]


def test_only_the_environment_of_the_pass_is_shown(watched: Watched) -> None:
    watched.run()
    before = watched.page.asked
    mirrored = Mirrored(watched.scene.records, watched.page, Beside(print), print, "production")
    mirrored.history("staging", 5)

    assert mirrored.beside.wait(5)
    assert watched.page.asked == before


# ---- beside ----


def test_nobody_waits_for_what_is_done_beside_and_it_is_done_in_order() -> None:
    let, done, beside = threading.Event(), list[int](), Beside(print)
    beside.later(partial(wait_for, let))
    for number in range(3):
        beside.later(lambda number=number: done.append(number))  # type: ignore[misc]
    assert not beside.wait(0.01)
    assert done == []
    let.set()

    assert beside.wait(10)
    assert done == [0, 1, 2]


def wait_for(event: threading.Event) -> None:
    assert event.wait(10)


def test_what_goes_wrong_beside_is_said_and_stops_nothing() -> None:
    said, done = list[str](), list[int]()
    beside = Beside(said.append)

    def refused() -> None:
        raise down()

    beside.later(refused)
    beside.later(partial(list[int]().__getitem__, 0))  # type: ignore[arg-type]  # what it gives is of no use
    beside.later(lambda: done.append(1))

    assert beside.wait(10)
    assert said == [
        "showing a deployment of staging: unreachable",
        "beside the release: IndexError: list index out of range",
    ]
    assert done == [1]


def test_where_nothing_was_asked_nothing_is_waited_for() -> None:
    assert Beside(print).wait(0)
