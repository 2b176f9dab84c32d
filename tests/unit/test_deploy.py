"""One release through plan, apply, verify and record, told as stories in a world of twins."""

from pathlib import Path

import pytest

from releasectl import deploy, evidence
from releasectl.errors import ControllerError, Stale, UnknownCommit
from releasectl.evidence import LOOK_BACK
from releasectl.next_step import ATTEMPTS
from releasectl.record import Deployment, Phase
from releasectl.target import Target, read_target, settings_path
from tests.twins import IMAGE_PATH, RUNTIME, SETTINGS, Down, Scene, digest, release_file, repository, step

A, B = digest("A"), digest("B")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Nothing was ever released; the environment's registry has A and B."""
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    return scene


@pytest.fixture
def live(scene: Scene) -> Scene:
    """A is live in staging."""
    scene.pin(A)
    assert release(scene).phase is Phase.LIVE
    return scene


def wanted(scene: Scene) -> Target:
    return read_target(scene.desired, scene.desired.fetch(), "staging")


def release(scene: Scene, *, attempt: int = 1) -> Deployment:
    return released(scene, wanted(scene), attempt=attempt)


def released(
    scene: Scene, target: Target, *, history: tuple[Deployment, ...] | None = None, attempt: int = 1
) -> Deployment:
    """A release by what was known before it."""
    seen = scene.records.history("staging", LOOK_BACK) if history is None else history
    early = evidence.before_plan(target, seen, scene.world, base=target.commit)
    return deploy.release(target, scene.world, history=seen, early=early, attempt=attempt)


def down() -> Down:
    return Down("asking AWS: no answer", "Try again.")


# ---- the good end ----


def test_a_first_release_goes_live_and_the_record_says_what_who_and_why(scene: Scene) -> None:
    commit = scene.pin(A)
    deployment = release(scene)

    assert scene.serves == A
    assert [moment.phase for moment in deployment.phases] == [Phase.APPLYING, Phase.VERIFYING, Phase.LIVE]
    assert deployment.message == f"proven: web runs {A}"
    assert (deployment.commit, deployment.program, deployment.by) == (commit, scene.program, "Bo")
    assert deployment.reason == f"Pin {A[:12]}"
    assert deployment.plan["sentence"] == "1 create"
    assert deployment.serving == {"web": A}
    assert scene.history() == [deployment]
    assert scene.notifier.told == []


def test_an_environment_without_digests_is_made_and_proves_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.pin("")
    deployment = release(scene)

    assert (deployment.phase, deployment.serving) == (Phase.LIVE, {})
    assert "no service has a digest yet" in deployment.message


def test_the_pinned_digest_is_shielded_from_retention_before_it_runs(live: Scene) -> None:
    assert live.registry.shielded == {(repository("staging", "web"), A)}


def test_the_services_are_watched_for_as_long_as_the_pipeline_says(live: Scene) -> None:
    live.pin(B)
    release(live)

    assert live.live.watches == [5.0, 0, 5.0]


# ---- the bad ends that are verdicts ----


def test_a_silent_rollback_is_recorded_as_failed_with_what_still_serves_and_paged_once(live: Scene) -> None:
    live.cloud.bad.add(B)
    live.pin(B)
    deployment = release(live)

    assert live.serves == A
    assert deployment.phase is Phase.FAILED
    assert f"{A} still serves" in deployment.message
    assert deployment.serving == {"web": A}
    assert deployment.log == {"web": ("boom: no database",)}
    (page,) = live.notifier.told
    assert (page.subject, page.region) == ("staging: release failed", "eu-west-1")
    assert "boom: no database" in page.text


def test_a_first_release_that_never_gets_healthy_is_failed_by_the_engines_own_words(scene: Scene) -> None:
    scene.cloud.bad.add(A)
    scene.pin(A)
    deployment = release(scene)

    assert deployment.phase is Phase.FAILED
    assert "CREATE_FAILED" in deployment.message
    assert len(scene.notifier.told) == 1


def test_a_digest_that_serves_and_answers_badly_is_failed(live: Scene) -> None:
    live.cloud.red.add(B)
    live.pin(B)

    assert release(live).phase is Phase.FAILED


def test_a_page_that_cannot_be_sent_does_not_change_the_verdict(live: Scene) -> None:
    live.notifier.faults.append(down())
    live.cloud.bad.add(B)
    live.pin(B)

    assert release(live).phase is Phase.FAILED
    assert any("asking AWS: no answer" in line for line in live.said)


# ---- refused: nothing changes ----


def test_a_digest_that_the_registry_does_not_have_is_refused_and_nothing_changes(live: Scene) -> None:
    outputs = live.history()[-1].outputs
    live.pin(digest("never pushed"))
    deployment = release(live)

    assert deployment.phase is Phase.REFUSED
    assert [finding.rule for finding in deployment.findings] == ["digest-readable"]
    assert (live.engine.opened, live.engine.ups) == (["staging", "staging"], ["staging"])
    assert deployment.outputs == outputs
    assert live.cloud.updates == [("arn:aws:apprunner:eu-west-1:000000000000:service/staging-web/1", A)]


def test_a_digest_before_there_is_a_repository_is_refused_in_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.pin(A)
    deployment = release(scene)

    assert deployment.phase is Phase.REFUSED
    assert "a repository that is yet to be made" in deployment.message
    assert (deployment.outputs, scene.engine.ups) == ({}, [])


def test_a_released_service_is_not_taken_away_by_an_edit(live: Scene) -> None:
    live.pin("")
    deployment = release(live)

    assert (deployment.phase, deployment.findings[0].rule) == (Phase.REFUSED, "not-emptied")
    assert live.serves == A


def test_asking_a_second_time_does_not_take_a_released_service_away_either(live: Scene) -> None:
    live.pin("")
    release(live)
    live.pin("", restart="2026-11-21T12:00:00Z")

    assert release(live).phase is Phase.REFUSED


def test_a_change_outside_the_shape_of_a_release_is_refused(live: Scene) -> None:
    live.engine.extra_steps = [step("replace", RUNTIME, "web", "cpu")]
    live.pin(B)
    deployment = release(live)

    assert (deployment.phase, deployment.findings[0].rule) == (Phase.REFUSED, "plan-shape")
    assert live.serves == A


def test_asking_a_second_time_with_another_digest_does_not_get_round_the_shape(live: Scene) -> None:
    live.engine.extra_steps = [step("replace", RUNTIME, "web", "cpu")]
    live.pin(B)
    release(live)
    live.push(digest("C"))
    live.pin(digest("C"))

    assert release(live).phase is Phase.REFUSED
    assert live.serves == A


def test_a_release_that_changes_the_program_may_leave_the_shape(live: Scene) -> None:
    program = live.desired.merge({"stacks/__main__.py": b"# new"})
    live.engine.extra_steps = [step("replace", RUNTIME, "web", "cpu")]
    live.pin(B, program=program)

    assert release(live).phase is Phase.LIVE


def test_a_release_that_changes_the_settings_alone_may_leave_the_shape(live: Scene) -> None:
    live.engine.extra_steps = [step("delete", RUNTIME, "web"), step("create", "aws:ecs/service:Service", "web")]
    live.desired.merge({settings_path("staging"): SETTINGS + b"  x: another runtime\n"})

    assert release(live).phase is Phase.LIVE


def test_what_a_failed_release_left_undone_may_be_done_by_the_next_one(live: Scene) -> None:
    program = live.desired.merge({"stacks/__main__.py": b"# new"})
    live.cloud.bad.add(B)
    live.engine.extra_steps = [step("update", RUNTIME, "web", "cpu")]
    live.pin(B, program=program)
    release(live)
    live.push(digest("C"))
    live.pin(digest("C"), program=program)

    assert release(live).phase is Phase.LIVE


def test_a_protection_that_is_lifted_is_outside_of_every_shape(live: Scene) -> None:
    live.engine.extra_steps = [step("same", RUNTIME, "web", IMAGE_PATH, unprotects=True)]
    live.pin(B)

    assert release(live).phase is Phase.REFUSED


# ---- errors before the intent: nothing happened, nothing is recorded ----


def test_a_program_that_nobody_merged_never_runs(scene: Scene) -> None:
    stranger = scene.desired.merge({"stacks/__main__.py": b"steal()"}, branch="pull-request")
    scene.pin(A, program=stranger)

    with pytest.raises(deploy.ProgramNotOnMain) as caught:
        release(scene)
    assert stranger in caught.value.message
    assert (scene.engine.opened, scene.history()) == ([], [])


def test_a_program_that_does_not_exist_is_said_so(scene: Scene) -> None:
    scene.pin(A, program="e" * 40)

    with pytest.raises(UnknownCommit):
        release(scene)
    assert scene.history() == []


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(lambda scene: scene.engine.preview_faults.append(down()), id="preview"),
        pytest.param(lambda scene: scene.registry.faults.append(down()), id="registry"),
        pytest.param(lambda scene: scene.records.next_write_is_lost(), id="writing the intent"),
        pytest.param(lambda scene: scene.desired.faults.extend([down()]), id="git"),
    ],
)
def test_an_error_before_the_intent_leaves_no_record_and_changes_nothing(scene: Scene, order: object) -> None:
    scene.pin(A)
    target = wanted(scene)
    assert callable(order)
    order(scene)

    with pytest.raises(ControllerError, match="no answer"):
        released(scene, target)
    assert (scene.history(), scene.engine.ups, scene.cloud.updates) == ([], [], [])


def test_when_another_controller_was_first_the_engine_is_never_told_to_change_anything(live: Scene) -> None:
    live.pin(B)
    target, seen = wanted(live), live.records.history("staging", LOOK_BACK)
    other = Scene(live.folder / "other", desired=live.desired, records=live.records, registry=live.registry)

    def wins() -> None:
        other.engine.cloud.repositories.add(repository("staging", "web"))
        released(other, target, history=seen)

    live.records.before_next_open = wins
    with pytest.raises(Stale):
        released(live, target, history=seen)

    assert live.engine.ups == ["staging"]
    assert live.phases() == ["live", "live"]
    assert live.serves == A


# ---- errors after the intent: recorded ----


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(lambda scene: scene.engine.next_up_fails_with(down()), id="engine"),
        pytest.param(lambda scene: setattr(scene.cloud, "unreachable", True), id="no answer from the service"),
    ],
)
def test_an_error_after_the_intent_is_recorded_and_pages_nobody_yet(scene: Scene, order: object) -> None:
    scene.pin(A)
    assert callable(order)
    order(scene)
    deployment = release(scene)

    assert deployment.phase is Phase.ERRORED
    assert deployment == scene.history()[-1]
    assert scene.notifier.told == []


def test_the_third_error_pages(scene: Scene) -> None:
    scene.pin(A)
    scene.engine.next_up_fails_with(down())
    release(scene, attempt=ATTEMPTS)

    assert [page.subject for page in scene.notifier.told] == ["staging: release errored"]


def test_an_unknown_verdict_changes_nothing_that_runs(live: Scene) -> None:
    live.pin(B)
    live.cloud.unreachable = True
    deployment = release(live)

    assert deployment.phase is Phase.ERRORED
    assert live.serves == B
    assert "connection timed out" in deployment.message


def test_a_further_attempt_keeps_the_baseline_of_the_first(live: Scene) -> None:
    live.pin(B)
    live.cloud.red.add(B)
    live.engine.next_up_fails_with(down(), done=True)  # B serves by then, and is red
    first = release(live)
    second = release(live, attempt=2)

    assert first.before["web"].digest == A
    assert second.before == first.before
    assert second.phase is Phase.FAILED


def test_the_baseline_holds_no_log_lines_of_the_old_release(live: Scene) -> None:
    live.pin(B)

    assert release(live).before["web"].log == ()


def test_a_private_service_has_a_baseline_and_is_proven_by_its_runtime(live: Scene) -> None:
    live.engine.declared["web"] = {"url": "", "private": True}
    live.pin(B)
    deployment = release(live)

    assert deployment.phase is Phase.LIVE
    assert (deployment.before["web"].digest, deployment.before["web"].answers) == (A, ())


# ---- work folders ----


def test_the_worker_gets_the_pinned_program_with_todays_data_in_it(live: Scene) -> None:
    live.desired.merge({"stacks/__main__.py": b"# newer than what is pinned"})
    live.pin(B)
    deployment = release(live)
    checkout = live.folder / "staging" / deployment.id / "checkout"

    assert (checkout / "stacks/__main__.py").read_bytes() == b""
    assert (checkout / "releases/staging.yaml").read_bytes() == release_file(live.program, B)


def test_only_the_newest_work_folders_are_kept(live: Scene) -> None:
    for number in range(deploy.KEPT + 2):
        live.push(digest(f"{number}"))
        live.pin(digest(f"{number}"))
        release(live)
    left = sorted(path.name for path in (live.folder / "staging").iterdir())

    assert left == [deployment.id for deployment in live.history()[-deploy.KEPT :]]


def test_a_preview_opens_no_deployment_and_changes_nothing(live: Scene) -> None:
    live.pin(B)
    planned = deploy.preview(wanted(live), live.world, folder=live.folder / "preview")

    assert planned.sentence == "1 update"
    assert (live.phases(), live.serves) == (["live"], A)
