"""Plans, deployments and environments in words, as a person reads them on a terminal."""

from pathlib import Path

import pytest

from releasectl import report
from releasectl.outputs import DnsRecord, Domain, Former, Service
from releasectl.plan import from_steps
from releasectl.reconcile import Standing, look, reconcile
from releasectl.verify import Answer, Observation
from tests.twins import IMAGE_PATH, REPOSITORY, RUNTIME, START, Down, Scene, digest, repository, step

A, B = digest("A"), digest("B")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    return scene


def run(scene: Scene, pinned: str, *, wait: bool = True) -> Standing:
    scene.pin(pinned)
    return reconcile("staging", scene.world, wait=wait)


def test_a_plan_says_its_identity_what_it_does_and_every_property() -> None:
    planned = from_steps(
        [
            step("create", REPOSITORY, "api", "name"),
            step("update", RUNTIME, "web", IMAGE_PATH, "tags"),
            step("same", RUNTIME, "db", unprotects=True),
        ],
        {},
    )

    assert report.plan(planned).splitlines() == [
        f"plan {planned.identity[:12]}: 1 create, 1 same, 1 update",
        f"  same     {RUNTIME} db (protection lifted)",
        f"  update   {RUNTIME} web",
        f"             {IMAGE_PATH}: old -> new",
        "             tags: old -> new",
        f"  create   {REPOSITORY} api",
    ]


def test_what_belongs_into_the_dns_and_what_runs_beside_is_told() -> None:
    records = (DnsRecord("_x.app.example.com", "CNAME", "_y.acm"), DnsRecord("app.example.com", "CNAME", "lb.aws"))
    old = Former("app-runner", "arn:old", "https://old")
    services = {
        "web": Service("fargate", "r", domain=Domain("app.example.com", "lb.aws", records)),
        "api": Service("fargate", "r", leaving=old, domain=Domain("a.b", "lb")),
        "job": Service("fargate", "r", leaving=Former("app-runner", "arn:old"), domain=Domain("not.known")),
        "old": Service("app-runner", "r", leaving=Former("fargate")),
    }

    assert report.besides(services) == [
        "web needs in the DNS: _x.app.example.com CNAME _y.acm",
        "web needs in the DNS: app.example.com CNAME lb.aws",
        "api also runs on app-runner at https://old, until `leaving` is taken out of the settings",
        "api needs in the DNS: a.b CNAME lb",
        "job also runs on app-runner, until `leaving` is taken out of the settings",
    ]


def test_long_values_are_cut_and_say_so() -> None:
    long = step("update", RUNTIME, "web", "tags")
    properties = [{"path": "tags", "kind": "update", "before": "x" * 90, "after": "y" * 91}]
    line = report.plan(from_steps([long | {"properties": properties}], {})).splitlines()[-1]

    assert line.endswith(f"{'x' * 90} -> {'y' * 87}...")


def test_a_failed_deployment_tells_verdict_origin_findings_and_last_words(scene: Scene) -> None:
    run(scene, A)
    scene.cloud.bad.add(B)
    run(scene, B)
    failed = scene.history()[1]
    lines = report.deployment(failed).splitlines()

    assert lines[0].startswith("staging failed: UPDATE_SERVICE ended ROLLBACK_SUCCEEDED")
    assert lines[1] == f"deployment {failed.id} of {failed.commit[:12]}, by Bo: Pin {B[:12]}"
    assert lines[2].startswith("- arn:aws:apprunner")
    assert lines[-2:] == ["last log lines of web:", "  boom: no database"]


def test_two_looks_at_the_same_state_read_the_same(scene: Scene) -> None:
    standing = run(scene, A)
    first = (report.explain(standing), report.status(standing, {}))
    scene.clock.sleep(3600)
    again = look("staging", scene.world)

    assert (report.explain(again), report.status(again, {})) == first


def test_history_is_a_table_newest_first(scene: Scene) -> None:
    run(scene, A)
    run(scene, digest("nowhere"))
    lines = report.history(scene.records.history("staging", 9)).splitlines()

    assert lines[0].split() == ["started", "phase", "deployment", "pins", "why"]
    assert [line.split()[2] for line in lines[1:]] == ["refused", "live"]
    assert lines[2].endswith(f"web {A[:19]}  Bo: Pin {A[:12]}")
    assert lines[0].index("deployment") == lines[1].index(scene.history()[-1].id)


def test_a_deployment_without_digests_pins_nothing_yet(scene: Scene) -> None:
    run(scene, "")

    assert "nothing yet" in report.history(scene.records.history("staging", 1))


def test_explain_tells_each_phase_in_order_and_what_comes_next(scene: Scene) -> None:
    scene.engine.next_up_fails_with(Down("asking AWS: no answer", "Try again."))
    standing = run(scene, A, wait=False)

    assert report.explain(standing, "releasectl reconcile staging").splitlines() == [
        "staging",
        "  2026-11-21 12:00:00  applying: 1 create",
        "  2026-11-21 12:00:00  errored: asking AWS: no answer - Try again.",
        "  next: back-off, not before 12:00:10 UTC: attempt 1 ended in an error: asking AWS: no answer - Try again.",
        "  releasectl reconcile staging",
    ]


def test_explain_knows_an_environment_that_was_never_released(scene: Scene) -> None:
    assert report.explain(look("staging", scene.world)).splitlines()[1:] == [
        "  nothing was ever released here",
        "  next: rest: it has no program yet; `releasectl bump` pins one",
    ]


@pytest.mark.parametrize(
    ("seen", "runs", "health"),
    [
        pytest.param({}, "-", "-", id="not asked"),
        pytest.param({"web": Observation(START, digest=A, answers=(Answer(200),))}, A[:19], "healthy", id="healthy"),
        pytest.param({"web": Observation(START, digest=B, answers=(Answer(500),))}, B[:19], "degraded", id="degraded"),
        pytest.param({"web": Observation(START)}, "-", "unknown", id="unknown"),
    ],
)
def test_status_compares_what_is_pinned_with_what_runs(
    scene: Scene, seen: dict[str, Observation], runs: str, health: str
) -> None:
    assert report.status(run(scene, A), seen) == [("staging", "web", A[:19], runs, health, "rest")]


def test_a_table_is_as_wide_as_it_has_to_be_and_has_no_spaces_at_the_end() -> None:
    assert report.table(("a", "long head"), [("wider", "x"), ("y", "")]).splitlines() == [
        "a      long head",
        "wider  x",
        "y",
    ]
