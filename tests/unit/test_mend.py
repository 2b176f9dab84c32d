"""Looking for drift and taking it back, told as stories in a world of twins."""

import secrets
from pathlib import Path

import pytest

from releasectl import mend, reconcile
from releasectl.drift import Changed, Drift, NoRepair
from releasectl.errors import NotSettled
from releasectl.locks import Lock, StackLocked
from releasectl.mend import MovedOn, NotRunning, Unanswered
from releasectl.plan import Pending
from releasectl.record import Deployment, Kind, Phase, Worker
from tests.twins import ACCOUNT, REGION, REPOSITORY, RUNTIME, Died, Down, Scene, arn, digest, repository, step, urn

A, B = digest("A"), digest("B")
TOPIC = "aws:sns/topic:Topic"
GONE = Changed(TOPIC, urn("staging", TOPIC, "alerts"), True, {}, {}, {})
TAGGED = Changed(
    REPOSITORY, urn("staging", REPOSITORY, "web"), False, {"tags.a": "add"}, {}, {"outputs": {"tags": {"a": "b"}}}
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A is live in staging; B is in its registry."""
    scene = Scene(tmp_path)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.push(A, B)
    scene.pin(A)
    reconcile.reconcile("staging", scene.world)
    assert scene.phases() == ["live"]
    return scene


def look(scene: Scene) -> Drift:
    return mend.look("staging", scene.world, folder=scene.folder / secrets.token_hex(4))


def by_hand(scene: Scene) -> None:
    """Somebody makes B run."""
    scene.cloud.services[arn("staging", "web")].digest = B


def told(scene: Scene) -> list[str]:
    return [one.sentence for one in look(scene).all]


def mended(scene: Scene) -> Deployment:
    done = mend.mend("staging", scene.world, reason="tidy up").deployment
    assert done
    return done


def test_what_nobody_touched_is_no_drift(scene: Scene) -> None:
    assert (told(scene), look(scene).notes) == ([], ())


def test_an_environment_that_was_never_made_has_none(scene: Scene) -> None:
    assert mend.look("production", scene.world, folder=scene.folder / "look") == Drift("production")


def test_a_look_writes_nothing_and_names_the_deployment_since_which_it_looks(scene: Scene) -> None:
    by_hand(scene)
    scene.engine.changed += [GONE]
    before = dict(scene.records.files), dict(scene.desired.tips), list(scene.engine.ups)

    found = look(scene)

    assert [one.sentence for one in found.all] == [f"web runs {B}, pinned is {A}", "Topic alerts was deleted by hand"]
    assert found.deployment == scene.history()[-1].id
    assert (scene.records.files, scene.desired.tips, scene.engine.ups) == before


def test_it_looks_since_what_was_applied_and_says_that_main_is_newer(scene: Scene) -> None:
    scene.pin(B)

    [note] = look(scene).notes
    assert (told(scene), "main says something newer" in note) == ([], True)


def test_after_a_deployment_that_did_not_get_far_a_reader_is_warned(scene: Scene) -> None:
    scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    scene.pin(B)
    reconcile.reconcile("staging", scene.world, wait=False)

    [note] = look(scene).notes
    assert "is errored: what it did not finish looks like drift, too" in note


def test_while_something_is_under_way_nobody_can_tell(scene: Scene) -> None:
    scene.pin(B)
    scene.engine.controller_dies_in_next_up(Worker.GONE)
    with pytest.raises(Died):
        reconcile.reconcile("staging", scene.world)

    with pytest.raises(NotSettled, match="is applying"):
        look(scene)


def test_in_the_middle_of_somebodys_update_nobody_can_tell(scene: Scene) -> None:
    scene.locks.there.append(Lock("staging/1", "ann", "laptop", 4711, scene.clock.now()))

    with pytest.raises(StackLocked, match="ann@laptop"):
        look(scene)


def test_what_an_engine_died_over_is_settled_before_anything_is_taken_back(scene: Scene) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.pending += [Pending("updating", TOPIC, urn("staging", TOPIC, "alerts"))]

    assert mended(scene).phase is Phase.LIVE
    assert (scene.engine.settled, scene.engine.pending) == ([{}], [])


def test_a_service_that_gives_no_answer_is_no_drift_and_no_all_clear(scene: Scene) -> None:
    del scene.cloud.services[arn("staging", "web")]

    with pytest.raises(Unanswered, match="it is not there"):
        look(scene)


def test_a_service_that_does_not_say_whether_it_runs_is_no_all_clear(scene: Scene) -> None:
    scene.cloud.word = ("ACTIVE, 1 of 1 tasks run", None)

    with pytest.raises(Unanswered, match=r"does not say whether it runs \(ACTIVE, 1 of 1 tasks run\)"):
        look(scene)


@pytest.mark.parametrize(
    ("service", "remedy"),
    [
        pytest.param(
            arn("staging", "web"), f"resume-service --service-arn {arn('staging', 'web')}", id="App Runner"
        ),
        pytest.param(
            f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/rc-staging/rc-staging-web",
            "aws ecs update-service --cluster rc-staging --service rc-staging-web --desired-count 1", id="ECS",
        ),
    ],
)  # fmt: skip
def test_a_service_that_does_not_run_is_for_a_person_to_start(scene: Scene, service: str, remedy: str) -> None:
    scene.cloud.services[service] = scene.cloud.services[arn("staging", "web")]
    scene.engine.declared["web"] = {"service": service}
    scene.pin(A, restart="2026-11-21T12:00:00Z")
    reconcile.reconcile("staging", scene.world)
    scene.cloud.word = ("stopped", False)

    assert told(scene) == ["web is stopped, not running"]
    with pytest.raises(NotRunning, match="web is stopped") as caught:
        mend.mend("staging", scene.world)
    assert remedy in caught.value.remedy


def test_a_refresh_that_failed_is_no_all_clear(scene: Scene) -> None:
    scene.engine.no_way_back = ("Topic alerts: access denied",)

    with pytest.raises(Unanswered, match="access denied"):
        look(scene)


def test_a_way_back_that_cannot_be_planned_is_told_beside_the_drift_and_not_begun(scene: Scene) -> None:
    scene.engine.no_way_back, scene.engine.changed = ("Service web: it is protected",), [TAGGED]

    assert look(scene).problems == ("Service web: it is protected",)
    with pytest.raises(NoRepair, match="it is protected"):
        mended(scene)
    assert scene.phases() == ["live"]


def test_taking_it_back_is_a_deployment_of_the_same_release_with_its_sentences_as_the_reason(scene: Scene) -> None:
    by_hand(scene)
    scene.engine.changed += [TAGGED]

    done = mended(scene)

    assert (done.kind, done.phase, done.identity) == (Kind.DRIFT_FIX, Phase.LIVE, scene.history()[0].identity)
    assert done.reason == f"tidy up: web runs {B}, pinned is {A}; Repository web: tags.a was added: b"
    assert (scene.serves, told(scene)) == (A, [])


def test_without_drift_nothing_is_recorded_or_applied(scene: Scene) -> None:
    done = mend.mend("staging", scene.world)

    assert (done.deployment, done.drift and done.drift.all) == (None, ())
    assert (scene.phases(), len(scene.engine.ups)) == (["live"], 1)


def test_the_loop_never_begins_it(scene: Scene) -> None:
    by_hand(scene)
    scene.engine.changed += [TAGGED]
    reconcile.reconcile("staging", scene.world)

    assert (scene.phases(), scene.serves) == (["live"], B)


def test_the_loop_goes_on_with_one_whose_machinery_broke(scene: Scene) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    broken = mended(scene)
    scene.engine.changed += [GONE]
    reconcile.reconcile("staging", scene.world)

    assert broken.phase is Phase.ERRORED
    again = scene.history()[-1]
    assert (again.phase, again.kind, again.reason, again.attempt) == (Phase.LIVE, Kind.DRIFT_FIX, broken.reason, 2)
    assert scene.engine.changed == [], "with a refresh, as the first"


@pytest.mark.parametrize(
    "disruptive",
    [
        pytest.param(step("delete", TOPIC, "alerts"), id="delete"),
        pytest.param(step("replace", REPOSITORY, "web", "name"), id="replace"),
        pytest.param(step("update", RUNTIME, "web", "cpu", unprotects=True), id="a lifted protection"),
    ],
)
def test_what_would_take_something_away_is_refused(scene: Scene, disruptive: dict[str, object]) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.extra_steps = [disruptive]

    done = mended(scene)

    assert (done.phase, done.findings[0].rule) == (Phase.REFUSED, "plan-shape")
    assert len(scene.engine.ups) == 1


def test_what_no_release_may_change_a_drift_fix_changes_back(scene: Scene) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.extra_steps = [step("update", TOPIC, "alerts", "tags"), step("create", TOPIC, "orders")]

    assert mended(scene).phase is Phase.LIVE


def test_another_release_than_the_live_one_is_not_taken_back_to(scene: Scene) -> None:
    scene.pin(B)

    with pytest.raises(MovedOn, match="main says something newer"):
        mended(scene)


def test_what_is_not_live_is_not_taken_back_to(scene: Scene) -> None:
    scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    scene.pin(B)
    reconcile.reconcile("staging", scene.world, wait=False)

    with pytest.raises(MovedOn, match="is errored"):
        mended(scene)


def test_a_refused_drift_fix_says_nothing_against_the_release_that_is_live(scene: Scene) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.extra_steps = [step("delete", TOPIC, "alerts")]
    mended(scene)
    scene.engine.extra_steps = []

    assert reconcile.reconcile("staging", scene.world).step.action == "rest"
    assert mended(scene).phase is Phase.LIVE, "asked again, with nothing in the way"


def test_one_that_broke_and_is_then_refused_stalls(scene: Scene) -> None:
    scene.engine.changed += [TAGGED]
    scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    mended(scene)
    scene.engine.extra_steps = [step("delete", TOPIC, "alerts")]

    standing = reconcile.reconcile("staging", scene.world)

    assert (standing.step.action, scene.phases()) == ("stall", ["live", "errored", "refused"])
