"""The loop in a world of twins: whatever happened before, one pass ends at rest, with a reason, or with an error."""

from datetime import timedelta
from pathlib import Path

import pytest

from releasectl.next_step import Action
from releasectl.pipeline import parse_rejection, rejection_path
from releasectl.reconcile import Standing, as_json, look, reconcile, rollback_branch
from releasectl.record import Kind
from releasectl.target import read_target
from releasectl.way_back import rejection
from tests.twins import BOT, PIPELINE, RUNTIME, Down, Scene, digest, release_file, repository, step

A, B, C = digest("A"), digest("B"), digest("C")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Nothing was ever released; the environment's registry has A, B and C."""
    scene = Scene(tmp_path)
    scene.push(A, B, C)
    scene.cloud.repositories.add(repository("staging", "web"))
    return scene


@pytest.fixture
def live(scene: Scene) -> Scene:
    """A is live in staging."""
    scene.pin(A)
    assert run(scene).step.action is Action.REST
    return scene


def run(scene: Scene, *, retry: bool = False, wait: bool = True) -> Standing:
    return reconcile("staging", scene.world, retry=retry, wait=wait)


def down() -> Down:
    return Down("asking AWS: no answer", "Try again.")


# ---- rest ----


def test_an_environment_without_a_program_rests_and_opens_nothing(scene: Scene) -> None:
    standing = run(scene)

    assert (standing.step.action, standing.exit_code, standing.deployment) == (Action.REST, 0, None)
    assert scene.engine.opened == []


def test_a_merged_release_goes_live_and_a_second_pass_does_nothing_and_opens_no_session(scene: Scene) -> None:
    scene.pin(A)
    first, before = run(scene), dict(scene.records.files)
    second = run(scene)

    assert first.deployment == second.deployment
    assert (first.step.action, first.exit_code) == (Action.REST, 0)
    assert scene.engine.opened == ["staging"]
    assert scene.records.files == before


def test_a_commit_that_changes_no_release_changes_nothing(live: Scene) -> None:
    live.desired.merge({"README.md": b"new", "releases/production.yaml": b""})

    assert run(live).step.action is Action.REST
    assert live.phases() == ["live"]


def test_a_restart_is_a_release_of_its_own(live: Scene) -> None:
    live.pin(A, restart="2026-11-21T12:00:00Z")
    run(live)

    assert live.phases() == ["live", "live"]
    assert len(live.cloud.updates) == 2


def test_going_back_is_a_release_as_any_other(live: Scene) -> None:
    for pinned in (B, A):
        live.pin(pinned)
        run(live)

    assert (live.serves, live.phases()) == (A, ["live"] * 3)


# ---- verdicts ----


def drift() -> dict[str, object]:
    """What a plan shows when somebody changed the cloud by hand."""
    return step("update", RUNTIME, "web", "cpu")


def test_a_refused_restart_is_taken_back_and_the_environment_rests(live: Scene) -> None:
    live.engine.extra_steps = [drift()]
    live.pin(A, restart="2026-11-21T12:00:00Z")
    standing = run(live)

    assert (standing.step.action, live.phases()) == (Action.REST, ["live", "refused"])
    assert standing.target.release.services["web"].restart == ""


def test_what_was_refused_may_be_pinned_again_once_its_rejection_is_lifted(live: Scene) -> None:
    path = rejection_path("staging", "web", B)
    live.desired.merge({path: rejection(B, "", reason="it leaks", deployment="")})
    live.pin(B)
    assert run(live).target.release.services["web"].digest == A
    live.pin(B)
    run(live)
    assert live.phases() == ["live", "refused", "refused"]
    live.desired.merge({path: None})
    live.pin(B)
    run(live)

    assert (live.phases()[3:], live.serves) == (["live"], B)


def test_a_refusal_that_no_edit_takes_back_waits_for_a_person(live: Scene) -> None:
    raw = release_file(live.program, A, service="other")
    live.desired.merge({"releases/staging.yaml": raw})
    standing = run(live)

    assert (standing.step.action, standing.exit_code) == (Action.STALL, 1)
    assert "a person has to release" in standing.step.reason


def test_after_a_refusal_main_may_name_again_what_failed_before_and_the_loop_rests(live: Scene) -> None:
    for letter in (B, C):
        live.cloud.bad.add(letter)
        live.pins(by=BOT, web=letter)
        run(live)
    assert live.phases() == ["live", "failed", "live", "failed"]
    live.pin(digest("nowhere"))
    run(live)
    live.pins(by=BOT, web=C)
    standing = run(live)

    assert (standing.step.action, live.phases()[4:]) == (Action.STALL, ["refused"])


@pytest.fixture
def off(live: Scene) -> Scene:
    """A is live, and the pipeline takes nothing back by itself."""
    live.desired.merge({"pipeline.yaml": live.pipeline.replace(b"rollback: commit", b'rollback: "off"')})
    return live


def test_a_silent_rollback_is_taken_back_rejected_and_paged_once(live: Scene) -> None:
    live.cloud.bad.add(B)
    live.pin(B)
    standings = [run(live) for _ in range(3)]

    assert [(standing.step.action, standing.exit_code) for standing in standings] == [
        (Action.REST, 1), (Action.REST, 0), (Action.REST, 0),
    ]  # fmt: skip
    assert live.phases() == ["live", "failed", "live"]
    assert [page.subject for page in live.notifier.told] == ["staging: release failed", "staging: rolled back"]
    assert all(f"web {A[:19]} is active since" in page.text for page in live.notifier.told)
    assert standings[0].target.release.services["web"].digest == live.serves == A
    path = rejection_path("staging", "web", B)
    raw = live.desired.read(live.desired.fetch(), path)
    assert raw is not None
    assert parse_rejection(path, raw).deployment == live.history()[1].id
    assert live.history()[-1].kind is Kind.ROLLBACK


def test_the_way_back_is_not_on_the_way_of_what_was_merged_meanwhile(live: Scene) -> None:
    live.cloud.bad.add(B)
    live.pin(B)
    live.desired.before_next_push = lambda: live.pin(C)
    run(live)

    assert [deployment.services["web"].digest for deployment in live.history()] == [A, B, C]
    assert live.desired.read(live.desired.fetch(), rejection_path("staging", "web", B))
    assert live.serves == C


def test_where_a_pull_request_takes_back_one_branch_proposes_it_and_main_waits_for_a_person(live: Scene) -> None:
    pipeline = live.pipeline.replace(b"rollback: commit", b"rollback: pull-request")
    live.desired.merge({"pipeline.yaml": pipeline})
    live.cloud.bad.add(B)
    live.pin(B)
    main = live.desired.fetch()
    standings = [run(live) for _ in range(2)]
    branch = rollback_branch(live.history()[-1])
    proposed = read_target(live.desired, live.desired.fetch(branch), "staging")

    assert [(standing.step.action, standing.exit_code) for standing in standings] == [(Action.STALL, 1)] * 2
    assert branch in standings[0].step.reason
    assert live.desired.fetch() == main
    assert proposed.release.services["web"].digest == A


def test_where_nothing_is_taken_back_a_silent_rollback_stalls_pages_once_and_is_never_tried_again(off: Scene) -> None:
    off.cloud.bad.add(B)
    off.pin(B)
    standings = [run(off) for _ in range(3)]

    assert {(standing.step.action, standing.exit_code) for standing in standings} == {(Action.STALL, 1)}
    assert (off.phases(), len(off.notifier.told)) == (["live", "failed"], 1)


def test_git_does_not_go_on_naming_what_was_refused(live: Scene) -> None:
    live.pin(digest("nowhere"))
    refused = run(live)
    live.pin(B)
    better = run(live)

    assert (refused.step.action, refused.exit_code) == (Action.REST, 1)
    assert refused.target.release.services["web"].digest == A
    assert better.step.action is Action.REST
    assert live.phases() == ["live", "refused", "live"]


def test_a_refused_release_is_not_asked_again_until_main_says_something_else(off: Scene) -> None:
    off.pin(digest("nowhere"))
    run(off)
    standing = run(off)
    off.pin(B)
    better = run(off)

    assert (standing.step.action, standing.exit_code) == (Action.STALL, 1)
    assert better.step.action is Action.REST
    assert off.phases() == ["live", "refused", "live"]


def test_a_person_may_ask_for_one_more_try(off: Scene) -> None:
    off.pin(digest("late"))
    run(off)
    off.push(digest("late"))
    standing = run(off, retry=True)

    assert (standing.step.action, off.phases()) == (Action.REST, ["live", "refused", "live"])


def test_one_more_try_is_no_way_round_a_hold(off: Scene) -> None:
    off.pin(digest("late"))
    run(off)
    off.push(digest("late"))
    off.desired.merge({"releases/holds/staging.yaml": b'by: "ops"\nreason: "wait"\nat: "2026-11-21T00:00:00Z"\n'})
    tried = len(off.engine.ups)

    standing = run(off, retry=True)

    assert (standing.step.action, standing.exit_code) == (Action.WAIT, 4)
    assert len(off.engine.ups) == tried


def test_a_further_try_that_ends_the_same_way_is_one_try_only(off: Scene) -> None:
    off.pin(digest("nowhere"))
    run(off)
    run(off, retry=True)

    assert off.phases() == ["live", "refused", "refused"]


# ---- errors of our machinery ----


def test_an_error_after_the_intent_is_tried_again_after_10_and_30_seconds_then_stalls_and_pages_once(
    live: Scene,
) -> None:
    live.pin(B)
    for _ in range(3):
        live.engine.next_up_fails_with(down())
    standing = run(live)

    assert live.clock.slept == [10.0, 30.0]
    assert (standing.step.action, standing.exit_code) == (Action.STALL, 3)
    assert live.phases() == ["live", "errored", "errored", "errored"]
    assert [deployment.attempt for deployment in live.history()] == [1, 1, 2, 3]
    assert len(live.notifier.told) == 1

    run(live)
    assert len(live.notifier.told) == 1


def test_the_second_attempt_may_succeed_and_nobody_is_paged(live: Scene) -> None:
    live.pin(B)
    live.engine.next_up_fails_with(down())
    standing = run(live)

    assert (standing.step.action, live.phases()) == (Action.REST, ["live", "errored", "live"])
    assert (live.serves, live.notifier.told) == (B, [])


def test_what_waits_is_kept_by_its_registry_meanwhile(live: Scene) -> None:
    live.desired.merge({"releases/holds/staging.yaml": b'by: "ops"\nreason: "wait"\nat: "2026-11-21T00:00:00Z"\n'})
    live.pin(B)

    assert run(live).step.action is Action.WAIT
    assert B in {pushed for _, pushed in live.registry.shielded}


def test_a_registry_that_cannot_be_asked_is_told_and_the_release_waits_all_the_same(live: Scene) -> None:
    live.desired.merge({"releases/holds/staging.yaml": b'by: "ops"\nreason: "wait"\nat: "2026-11-21T00:00:00Z"\n'})
    live.pin(B)
    live.registry.faults.append(down())

    assert run(live).step.action is Action.WAIT
    assert any("while it waits" in line for line in live.said)


def test_who_does_not_want_to_wait_is_told_until_when(live: Scene) -> None:
    live.pin(B)
    live.engine.next_up_fails_with(down())
    standing = run(live, wait=False)

    assert (standing.step.action, standing.exit_code) == (Action.BACK_OFF, 4)
    assert as_json(standing)["until"] == "2026-11-21T12:00:10+00:00"
    assert live.clock.slept == []


def test_an_unknown_verdict_never_rolls_back_and_pages_only_when_it_stalls(live: Scene) -> None:
    live.cloud.unreachable = True
    live.pin(B)
    told = []
    for _ in range(3):
        run(live, wait=False)
        told.append(len(live.notifier.told))
        live.clock.sleep(30)

    assert told == [0, 0, 1]
    assert (live.serves, live.phases()) == (B, ["live", "errored", "errored", "errored"])
    assert len(live.cloud.updates) == 2


def test_the_third_try_is_still_judged_by_the_baseline_of_the_first(live: Scene) -> None:
    live.cloud.red.add(B)
    live.pin(B)
    for _ in range(2):
        live.engine.next_up_fails_with(down(), done=True)
    run(live)

    assert live.phases() == ["live", "errored", "errored", "failed", "live"]
    assert {deployment.before["web"].digest for deployment in live.history()[1:4]} == {A}


def test_an_error_before_the_intent_ends_the_pass_and_the_next_pass_begins_anew(live: Scene) -> None:
    live.pin(B)
    live.engine.preview_faults.append(down())
    with pytest.raises(Down):
        run(live)
    assert live.phases() == ["live"]

    run(live)
    assert live.phases() == ["live", "live"]


@pytest.mark.parametrize(
    "after",
    [pytest.param(1, id="the outcome's line"), pytest.param(2, id="the verdict's line")],
)
def test_a_line_that_did_not_reach_the_remote_is_written_by_the_next_pass(live: Scene, after: int) -> None:
    live.pin(B)
    live.records.next_write_is_lost(after=after)
    with pytest.raises(Down):
        run(live)
    run(live)

    assert live.phases() == ["live", "live"]
    assert live.engine.ups == ["staging", "staging"]


# ---- looking ----


def test_looking_changes_nothing(live: Scene) -> None:
    live.pin(B)
    before = dict(live.records.files)
    standing = look("staging", live.world)

    assert (standing.step.action, standing.target.release.services["web"].digest) == (Action.RELEASE, B)
    assert (live.records.files, live.engine.opened, live.clock.slept) == (before, ["staging"], [])


def test_a_standing_is_told_as_json(live: Scene) -> None:
    assert as_json(run(live)) == {
        "environment": "staging",
        "identity": live.history()[0].identity,
        "action": "rest",
        "reason": f"it runs what main says, proven by deployment {live.history()[0].id}",
        "until": None,
        "deployment": live.history()[0].id,
        "phase": "live",
    }


# ---- merges that started nothing ----


def late(scene: Scene) -> list[str]:
    """What the deployments on record say of their merges, oldest first."""
    reconcile("staging", scene.world, prompt=True)
    return [one.late for one in reversed(scene.records.history("staging", 20))]


def test_a_merge_that_started_nothing_is_deployed_and_told_to_people(live: Scene) -> None:
    live.pin(B)
    live.clock.time += timedelta(minutes=16)

    assert late(live) == ["", "its merge at 2026-11-21 12:00 UTC had started no deployment; a later pass found it"]
    (page,) = live.notifier.told
    assert page.subject == "staging: release live, later than it should"
    assert "had started no deployment" in page.text
    assert late(live)[2:] == [], "asked again, nothing"


def test_a_merge_in_time_is_told_to_nobody(live: Scene) -> None:
    live.pin(B)
    live.clock.time += timedelta(minutes=14)

    assert (late(live), live.notifier.told) == (["", ""], [])


def test_who_expects_no_run_for_a_merge_misses_none(live: Scene) -> None:
    live.pin(B)
    live.clock.time += timedelta(days=1)
    run(live)

    assert live.records.history("staging", 1)[0].late == ""


def test_what_a_hold_kept_waiting_was_not_missed(live: Scene) -> None:
    hold = b'by: "Ann"\nreason: "x"\nat: "2026-11-21T12:00:00Z"\n'
    live.desired.merge({"releases/holds/staging.yaml": hold})
    live.pin(B)
    assert late(live) == [""]
    live.clock.time += timedelta(hours=1)
    live.desired.merge({"releases/holds/staging.yaml": None})

    assert late(live) == ["", ""]


def test_what_a_freeze_kept_waiting_was_not_missed(tmp_path: Path) -> None:
    window = b"freeze: [{days: [sat], start: '11:00', end: '14:00', zone: UTC, reason: x}], name: staging"
    scene = Scene(tmp_path, pipeline=PIPELINE.replace(b"name: staging", window, 1))
    scene.push(A)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    assert late(scene) == []
    scene.clock.time += timedelta(hours=2, minutes=10)

    assert late(scene) == [""]


def test_another_attempt_of_what_was_begun_was_not_missed(live: Scene) -> None:
    live.records.next_write_is_lost(after=1)
    live.pin(B)
    with pytest.raises(Down):
        run(live)
    live.clock.time += timedelta(hours=1)

    assert [one for one in late(live) if one] == []


def test_what_was_merged_while_another_deployment_ran_counts_from_its_end(live: Scene) -> None:
    live.pin(B)
    live.clock.time += timedelta(hours=1)
    run(live)
    live.pin(A)
    live.clock.time += timedelta(minutes=15)

    assert late(live)[-1] == ""
