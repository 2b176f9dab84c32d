"""What the gates look at: the kind of a change by what it pins, rejections by their place, holds as main has them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from releasectl import evidence
from releasectl.admission import Evidence, Stay, admit, stays
from releasectl.evidence import Copy, changed_pins, kind_of
from releasectl.image_facts import ImageFacts
from releasectl.next_step import Action
from releasectl.pipeline import Rejection, hold_path, override_path, rejection_path
from releasectl.plan import from_steps
from releasectl.reconcile import reconcile
from releasectl.record import Deployment, Kind, Moment, Phase
from releasectl.release import Pin
from releasectl.target import Target, read_target, release_path, settings_path
from releasectl.way_back import rejection
from tests.twins import BOT, HERE, PIPELINE, REGION, SETTINGS, START, Desired, Scene, digest, releases_file, repository

A, B, C = digest("A"), digest("B"), digest("C")
PROGRAM, NEW_PROGRAM = "b" * 40, "d" * 40
MORE = SETTINGS + b"  x: 1\n"
LATER = "2026-11-21T12:00:00Z"
Pins = Mapping[str, str]


def wanted(pins: Pins, *, program: str = PROGRAM, settings: bytes = SETTINGS, restart: str = "") -> Target:
    """Staging, as a commit pins it."""
    git = Desired()
    release = releases_file(program, {name: Pin(pinned, "", "", restart) for name, pinned in pins.items()})
    files = {"pipeline.yaml": PIPELINE, release_path("staging"): release, settings_path("staging"): settings}
    return read_target(git, git.merge(files), "staging")


def deployment(phase: Phase, target: Target, *, kind: Kind = Kind.CHANGE) -> Deployment:
    """What came of a target."""
    return Deployment(
        id="20261121T120000Z-000001", environment="staging", identity=target.identity, commit=target.commit,
        program=target.release.program, settings=target.settings_identity, services=target.release.services, by="Bo",
        reason="Pin", holder=HERE, phases=(Moment(phase, START),), kind=kind,
    )  # fmt: skip


WEB_A, WEB_B = wanted({"web": A}), wanted({"web": B})
LIVE_A, LIVE_B = deployment(Phase.LIVE, WEB_A), deployment(Phase.LIVE, WEB_B)
REJECTED_A = {rejection_path("staging", "web", A): Rejection(A, "", "bad", "")}

# ---- the kind of a change ----

KINDS = [
    ("the first release", wanted({"web": A}), [], Kind.CHANGE),
    ("a new digest", wanted({"web": B}), [LIVE_A], Kind.CHANGE),
    ("what was live", wanted({"web": A}), [LIVE_B, LIVE_A], Kind.ROLLBACK),
    ("what was live, long ago", wanted({"web": A}), [LIVE_B] * 9 + [LIVE_A], Kind.ROLLBACK),
    ("what was live, restarted", wanted({"web": A}, restart=LATER), [LIVE_B, LIVE_A], Kind.ROLLBACK),
    ("back from a failed one", wanted({"web": A}), [deployment(Phase.FAILED, WEB_B), LIVE_A], Kind.ROLLBACK),
    ("what failed before", wanted({"web": B}), [LIVE_A, deployment(Phase.FAILED, WEB_B)], Kind.CHANGE),
    ("what was refused before", wanted({"web": B}), [deployment(Phase.REFUSED, WEB_B), LIVE_A], Kind.CHANGE),
    ("what was live, with a new program", wanted({"web": A}, program=NEW_PROGRAM), [LIVE_B, LIVE_A], Kind.CHANGE),
    ("a new program alone", wanted({"web": A}, program=NEW_PROGRAM), [LIVE_A], Kind.CHANGE),
    ("new settings alone", wanted({"web": A}, settings=MORE), [LIVE_A], Kind.CHANGE),
    ("new settings and a restart", wanted({"web": A}, settings=MORE, restart=LATER), [LIVE_A], Kind.CHANGE),
    ("what was live, with new settings", wanted({"web": A}, settings=MORE), [LIVE_B, LIVE_A], Kind.CHANGE),
    (
        "what was live, with the settings of today", wanted({"web": A}, settings=MORE),
        [deployment(Phase.LIVE, wanted({"web": B}, settings=MORE)), LIVE_A], Kind.ROLLBACK,
    ),
    (
        "a restart of settings that were never proven", wanted({"web": A}, settings=MORE, restart=LATER),
        [deployment(Phase.ERRORED, wanted({"web": A}, settings=MORE)), LIVE_A], Kind.CHANGE,
    ),
    ("a restart", wanted({"web": A}, restart=LATER), [LIVE_A], Kind.RESTART),
    (
        "a restart after one that broke", wanted({"web": A}, restart=LATER),
        [deployment(Phase.ERRORED, wanted({"web": A}, restart=LATER), kind=Kind.RESTART), LIVE_A], Kind.RESTART,
    ),
    (
        "a restart of what was never proven", wanted({"web": B}, restart=LATER),
        [deployment(Phase.ERRORED, WEB_B), LIVE_A], Kind.CHANGE,
    ),
    ("a further try", WEB_B, [deployment(Phase.ERRORED, WEB_B), LIVE_A], Kind.CHANGE),
    (
        "a further try of a rollback", WEB_A, [deployment(Phase.ERRORED, WEB_A, kind=Kind.ROLLBACK), LIVE_B, LIVE_A],
        Kind.ROLLBACK,
    ),
    ("a mixture that never ran", wanted({"web": A, "api": B}), [
        deployment(Phase.LIVE, wanted({"web": B, "api": B})), deployment(Phase.LIVE, wanted({"web": A, "api": A})),
    ], Kind.CHANGE),
    ("a new service", wanted({"web": A, "api": ""}), [LIVE_A], Kind.CHANGE),
]  # fmt: skip


@pytest.mark.parametrize(("target", "history", "kind"), [pytest.param(*rest, id=name) for name, *rest in KINDS])
def test_a_change_is_of_the_kind_that_its_pins_show(target: Target, history: list[Deployment], kind: Kind) -> None:
    assert kind_of(target, tuple(history), {}) is kind


@pytest.mark.parametrize(
    "history",
    [
        pytest.param((LIVE_B, LIVE_A), id="at first"),
        pytest.param((deployment(Phase.ERRORED, WEB_A, kind=Kind.ROLLBACK), LIVE_B, LIVE_A), id="at a further try"),
    ],
)
def test_what_was_live_and_is_rejected_by_now_is_no_way_back(history: tuple[Deployment, ...]) -> None:
    assert kind_of(WEB_A, history, REJECTED_A) is Kind.CHANGE


def test_no_word_of_a_commit_makes_a_change_a_rollback(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.push(A, B)
    scene.cloud.repositories.add(repository("staging", "web"))
    scene.pin(A)
    reconcile("staging", scene.world)
    raw = releases_file(scene.program, {"web": Pin(B, "", "", "")})
    words = "Roll back staging\n\nRelease-Action: automatic-rollback\n"
    scene.desired.merge({release_path("staging"): raw, **held()}, by="Eve", subject=words)
    standing = reconcile("staging", scene.world)

    assert (standing.evidence.kind, standing.step.action) == (Kind.CHANGE, Action.WAIT)


# ---- what changed ----


@pytest.mark.parametrize(
    ("pins", "good", "changed"),
    [
        pytest.param({"web": A}, None, {"web"}, id="nothing was ever good"),
        pytest.param({"web": A, "api": A}, LIVE_A, {"api"}, id="a service that was not there"),
        pytest.param({"web": A, "api": ""}, LIVE_A, set(), id="a service without a digest"),
        pytest.param({"web": B}, LIVE_A, {"web"}, id="another digest"),
        pytest.param({"web": A}, LIVE_A, set(), id="the same digest"),
    ],
)
def test_what_has_to_be_admitted_is_what_differs_from_the_last_good_release(
    pins: Pins, good: Deployment | None, changed: set[str]
) -> None:
    assert set(changed_pins(wanted(pins), good)) == changed


def test_a_failed_release_does_not_make_its_digest_known() -> None:
    history = (deployment(Phase.FAILED, WEB_B), deployment(Phase.REFUSED, WEB_B), LIVE_A)

    assert set(changed_pins(WEB_B, evidence.newest_live(history))) == {"web"}
    assert evidence.newest_applied(history[1:]) == LIVE_A


# ---- what main says beside the release ----

LANES = b"""\
schema: 1
environments:
  - {name: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
  - {name: stag, promotes_from: staging, soak: 0s, gates: [], rollback: commit, watch: 5s}
  - {name: production, promotes_from: staging, soak: 1h, gates: [], rollback: commit, watch: 5s}
  - {name: production-eu, promotes_from: production, soak: 0s, gates: [], rollback: commit, watch: 5s}
services:
  web: {repository: "", path: service}
"""


def held(environment: str = "staging") -> dict[str, bytes]:
    return {hold_path(environment): b'by: Ann\nreason: an incident\nat: "2026-11-21T11:00:00Z"\n'}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Four environments and two services; A is live in staging."""
    scene = Scene(tmp_path, services=("web", "api"), pipeline=LANES)
    release = scene.desired.read(scene.program, release_path("staging"))
    assert release is not None
    for environment in ("stag", "production-eu"):
        scene.desired.merge({release_path(environment): release, settings_path(environment): SETTINGS})
    for service in ("web", "api"):
        scene.push(A, B, C, service=service)
    for environment in ("staging", "production"):
        scene.cloud.repositories |= {repository(environment, "web"), repository(environment, "api")}
    scene.pins(web=A, api=A)
    reconcile("staging", scene.world)
    return scene


def gathered(scene: Scene, environment: str, *, base: str = "", commit: str = "") -> Evidence:
    tip = scene.desired.fetch()
    target = read_target(scene.desired, commit or tip, environment)
    history = scene.records.history(environment, evidence.LOOK_BACK)
    return evidence.before_plan(target, history, scene.world, base=base or tip)


@pytest.mark.parametrize(
    ("path", "counts_for"),
    [
        pytest.param(
            rejection_path("staging", "web", B), {"staging", "stag", "production", "production-eu"}, id="the first"
        ),
        pytest.param(rejection_path("stag", "web", B), {"stag"}, id="beside the lane"),
        pytest.param(rejection_path("production", "web", B), {"production", "production-eu"}, id="the third"),
        pytest.param(rejection_path("production-eu", "web", B), {"production-eu"}, id="the last"),
        pytest.param(rejection_path("production", "db", B), set(), id="a service that nobody has"),
        pytest.param(rejection_path("nowhere", "web", B), set(), id="an environment that nobody has"),
        pytest.param(f"releases/rejected/old/{Path(rejection_path('staging', 'web', B)).name}", set(), id="put away"),
    ],
)
def test_a_rejection_counts_in_its_environment_and_in_those_after_it(
    scene: Scene, path: str, counts_for: set[str]
) -> None:
    scene.desired.merge({path: rejection(B, "", reason="bad", deployment="")})
    environments = ("staging", "stag", "production", "production-eu")

    assert {name for name in environments if path in gathered(scene, name).rejections} == counts_for


def test_a_rejection_of_one_service_says_nothing_about_another_built_from_the_same_commit(scene: Scene) -> None:
    commit = "c" * 40
    raw = releases_file(scene.program, {"web": Pin(B, "", commit, ""), "api": Pin(C, "", commit, "")})
    path = rejection_path("staging", "web", B)
    scene.desired.merge({release_path("staging"): raw, path: rejection(B, commit, reason="bad", deployment="")})
    reconcile("staging", scene.world)

    assert [finding.message.partition(":")[0] for finding in scene.history()[-1].findings] == ["web"]


def test_holds_rejections_and_overrides_count_as_main_has_them_whatever_a_proposal_says(scene: Scene) -> None:
    rejected = {rejection_path("production", "web", B): rejection(B, "", reason="bad", deployment="")}
    main = scene.desired.merge({**held("production"), **rejected})
    scene.pins("production", web=B, api=A)
    lifted = dict.fromkeys((*held("production"), *rejected))
    identity = read_target(scene.desired, scene.desired.fetch(), "production").identity
    override = f'gate: soak\nidentity: {identity}\nreason: mine\nuntil: "2026-11-22T00:00:00Z"\n'.encode()
    proposal = scene.desired.merge({**lifted, override_path("production", "soak"): override}, branch="pull-request")
    at_base = gathered(scene, "production", base=main, commit=proposal)
    merged = gathered(scene, "production", base=proposal, commit=proposal)

    assert at_base.hold
    assert (list(at_base.rejections), at_base.overrides) == (list(rejected), ())
    assert (merged.hold, merged.rejections, [each.gate for each in merged.overrides]) == (None, {}, ["soak"])


def test_what_the_previous_environment_proved_is_told_for_each_service(scene: Scene) -> None:
    scene.pins("production", web=A, api=B)
    found = gathered(scene, "production")
    since = scene.history()[-1].since

    assert (found.previous, found.soak) == ("staging", timedelta(hours=1))
    assert found.stays == {"web": (Stay(since),), "api": ()}
    assert gathered(scene, "staging").stays == {}
    assert stays(scene.records.history("staging", 9), "web", A) == (Stay(since),)


def test_a_damaged_record_of_the_previous_environment_proves_nothing_and_does_not_stop_a_way_back(scene: Scene) -> None:
    scene.pins("production", web=A, api=B)
    path = next(path for path in scene.records.files if path.startswith("staging/"))
    scene.records.files[path] = b"<<<<<<< HEAD\n"
    found = gathered(scene, "production")
    change, rollback = (admit(replace(found, kind=kind), planned=False) for kind in (Kind.CHANGE, Kind.ROLLBACK))

    assert {no.finding.rule for no in change.nos} == {"soak"}
    assert f"cannot be told: reading {path}" in change.nos[0].finding.message
    assert change.nos[0].finding.remedy == "See what is wrong: releasectl history staging"
    assert rollback.nos == ()


# ---- with a plan ----


def planned(
    scene: Scene, environment: str = "production", *, gates: bytes = b"[]"
) -> tuple[Evidence, tuple[Copy, ...]]:
    """Evidence with the plan that the environment's program has now."""
    scene.desired.merge({"pipeline.yaml": LANES.replace(b"gates: []", b"gates: " + gates)})
    early = gathered(scene, environment)
    target = read_target(scene.desired, scene.desired.fetch(), environment)
    services = {
        name: {
            "runtime": "app-runner", "repository": repository(environment, name), "digest": pin.digest, "image": "",
            "service": "", "url": "", "health_path": "/", "version_path": "", "alarms": [],
        }
        for name, pin in target.release.services.items()
    }  # fmt: skip
    outputs = {"environment": environment, "region": REGION, "topic": "", "services": services, "shape": []}
    applied = evidence.newest_applied(scene.records.history(environment, 9))
    return evidence.with_plan(early, target, from_steps([], outputs), applied=applied, world=scene.world)


def test_an_image_that_only_the_previous_environment_has_is_to_be_copied(scene: Scene) -> None:
    scene.pins("production", web=A, api=B)
    scene.push(A, environment="production", service="web")
    found, copies = planned(scene)

    assert copies == (Copy("api", B, REGION, repository("staging", "api")),)
    assert found.unreadable == ()


def test_an_image_that_nobody_has_is_unreadable_and_both_places_are_named(scene: Scene) -> None:
    scene.pins("production", web=digest("nowhere"), api=A)
    found, copies = planned(scene)

    assert [copy.service for copy in copies] == ["api"]
    (finding,) = found.unreadable
    assert finding.where == "releases/production.yaml services.web.digest"
    assert repository("production", "web") in finding.message
    assert repository("staging", "web") in finding.message


def test_what_an_image_says_is_asked_where_the_image_is_and_only_if_a_gate_wants_it(scene: Scene) -> None:
    scene.registry.known = {A: ImageFacts("a" * 40), B: ImageFacts("b" * 40)}
    scene.pins("production", web=A, api=B)
    scene.push(A, environment="production", service="web")

    assert planned(scene)[0].images == {}
    assert planned(scene, gates=b"[provenance]")[0].images == {
        "web": ImageFacts("a" * 40), "api": ImageFacts("b" * 40),
    }  # fmt: skip


def test_a_promotion_copies_before_it_applies_and_a_further_one_does_not(scene: Scene) -> None:
    scene.desired.merge({"pipeline.yaml": LANES.replace(b"1h", b"0s")})
    scene.pins("production", web=A, api=A)
    reconcile("production", scene.world)
    scene.pins("staging", by=BOT, web=B)
    reconcile("staging", scene.world)
    scene.pins("production", web=B)
    reconcile("production", scene.world)

    assert scene.phases("production") == ["live", "live"]
    assert scene.registry.copied == [
        (repository("staging", service), repository("production", service), pinned)
        for service, pinned in (("web", A), ("api", A), ("web", B))
    ]


def test_a_first_service_beside_a_live_one_is_no_emptied_one() -> None:
    assert not list(evidence.emptied(wanted({"web": A, "api": ""}), LIVE_A))
    assert [finding.rule for finding in evidence.emptied(wanted({"api": B}), LIVE_A)] == ["not-emptied"]
    assert not list(evidence.emptied(WEB_B, replace(LIVE_A, services={})))
