"""What a refresh and the running services found, sorted, once each, in sentences."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from releasectl import drift
from releasectl.drift import Changed, Difference, Refreshed
from releasectl.ignore import Rule
from releasectl.outputs import DriftRules, Service, Watched
from releasectl.plan import Plan
from releasectl.verify import Observation
from tests.twins import IMAGE_PATH, RUNTIME, arn, digest, repository, urn

A, B = digest("A"), digest("B")
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"
RULES = DriftRules((Watched("digest", RUNTIME, (IMAGE_PATH,)), Watched("alarm", ALARM)))
SERVICE = Service("app-runner", repository("staging", "web"), service=arn("staging", "web"))
SEEN = Observation(datetime(2026, 11, 21, tzinfo=UTC), status="RUNNING", serves=True, digest=A)


def changed(kind: str, called: str, recorded: dict[str, Any], found: dict[str, Any], **kinds: str) -> Changed:
    """A resource that a refresh found different."""
    paths = {path.replace("__", "."): how for path, how in kinds.items()}
    return Changed(
        kind, urn("staging", kind, called), False, paths, {"inputs": recorded, "outputs": recorded}, {"outputs": found}
    )


def image(pinned: str) -> dict[str, Any]:
    return {"sourceConfiguration": {"imageRepository": {"imageIdentifier": f"{SERVICE.repository}@{pinned}"}}}


def gone(kind: str, name: str) -> Changed:
    return Changed(kind, urn("staging", kind, name), True, {}, {}, {})


ANOTHER = replace(changed(RUNTIME, "web", image(A), image(B)), kinds={IMAGE_PATH: "update"})
LIVE = tuple(drift.of_service("web", (A,), SERVICE, replace(SEEN, digest=B)))


def sentences(*found: Changed, live: tuple[Difference, ...] = (), rules: DriftRules = RULES) -> list[str]:
    return [one.sentence for one in drift.sort(Refreshed(found), live, rules).all]


def said(recorded: object, found: object, how: str = "update") -> str:
    [sentence] = sentences(changed(TOPIC, "alerts", {"x": recorded}, {"x": found}, x=how))
    return sentence


@pytest.mark.parametrize(
    ("recorded", "found", "words"),
    [
        pytest.param(5, 9, "x is 9, recorded is 5", id="a number"),
        pytest.param(True, False, "x is false, recorded is true", id="a switch that is off is not removed"),
        pytest.param(None, "blue", "x was added: blue", id="added"),
        pytest.param("blue", None, "x was removed: blue", id="removed"),
        pytest.param(["a"], ["a", "b"], 'x is ["a", "b"], recorded is ["a"]', id="a list"),
        pytest.param('{"S": [{"A": 1}]}', '{"S": [{"A": 2}]}', "x: S[0].A is 2, recorded is 1", id="in a document"),
        pytest.param('{"A": ["a", "b"]}', '{"A": ["b"]}', "x: A was removed: a", id="a document's list of words"),
        pytest.param('{"A": 1, "B": 1}', '{"A": 2, "C": 3}', "x: A is 2, recorded is 1, and 2 more", id="several"),
        pytest.param("{no document", "x", "x is x, recorded is {no document", id="what only looks like one"),
        pytest.param("a", "b" * 200, f"x is {'b' * 87}..., recorded is a", id="long"),
    ],
)
def test_a_difference_is_a_sentence_that_says_what_where_and_how_it_was(
    recorded: object, found: object, words: str
) -> None:
    assert said(recorded, found) == f"Topic alerts: {words}"


def test_what_is_gone_was_deleted_by_hand() -> None:
    assert sentences(gone(TOPIC, "alerts")) == ["Topic alerts was deleted by hand"]


def test_the_same_digest_told_by_the_service_and_by_the_refresh_is_told_once_as_release_drift() -> None:
    found = drift.sort(Refreshed((ANOTHER,)), LIVE, RULES)

    assert [one.sentence for one in found.release] == [f"web runs {B}, pinned is {A}"]
    assert (found.infrastructure, found.release[0].path) == ((), IMAGE_PATH)


def test_a_digest_that_only_the_service_tells_is_told() -> None:
    assert sentences(live=LIVE) == [f"web runs {B}, pinned is {A}"]


def test_a_service_that_is_gone_runs_nothing_more() -> None:
    assert sentences(gone(RUNTIME, "web"), live=LIVE) == ["Service web was deleted by hand"]


def test_another_service_of_the_same_digest_is_another_fact() -> None:
    other = tuple(drift.of_service("api", (A,), SERVICE, replace(SEEN, digest=B)))

    assert len(sentences(ANOTHER, live=(*LIVE, *other))) == 2


def test_a_child_of_the_pinned_index_is_no_other_digest() -> None:
    assert list(drift.of_service("web", (A, B), SERVICE, replace(SEEN, digest=B))) == []


def test_a_service_that_does_not_run_is_release_drift() -> None:
    [paused] = drift.of_service("web", (A,), SERVICE, replace(SEEN, status="PAUSED", serves=False))

    assert (paused.sentence, paused.what) == ("web is PAUSED, not running", "running")


ECS, TARGET = "aws:ecs/service:Service", "aws:appautoscaling/target:Target"
ECS_RULES = DriftRules(
    (
        Watched("digest", ECS, ("taskDefinition",)),
        Watched("digest", "aws:ecs/expressGatewayService:ExpressGatewayService", ("primaryContainer.image",)),
        Watched("scale", TARGET, ("minCapacity", "maxCapacity")),
    )
)
TASK = "arn:aws:ecs:eu-west-1:000000000000:task-definition/staging-web:"
REVISED = changed(ECS, "web", {"taskDefinition": f"{TASK}4"}, {"taskDefinition": f"{TASK}5"}, taskDefinition="update")


def test_another_task_definition_is_told_by_the_digest_that_its_service_runs() -> None:
    found = drift.sort(Refreshed((REVISED,)), LIVE, ECS_RULES)

    assert [(one.what, one.sentence) for one in found.all] == [("digest", f"web runs {B}, pinned is {A}")]


def test_another_task_definition_with_the_same_image_is_release_drift_and_no_other_digest() -> None:
    found = drift.sort(Refreshed((REVISED,)), (), ECS_RULES)

    assert [(one.what, one.sentence) for one in found.release] == [
        ("revision", f"Service web: taskDefinition is {TASK}5, recorded is {TASK}4")
    ]


def test_an_express_service_names_its_image() -> None:
    kind = "aws:ecs/expressGatewayService:ExpressGatewayService"
    images = [{"primaryContainer": {"image": f"{SERVICE.repository}@{pinned}"}} for pinned in (A, B)]
    found = changed(kind, "web", *images, primaryContainer__image="update")

    assert sentences(found, live=LIVE, rules=ECS_RULES) == [f"web runs {B}, pinned is {A}"]


def test_the_scale_of_a_service_on_ecs_is_release_drift() -> None:
    found = drift.sort(
        Refreshed((changed(TARGET, "web", {"maxCapacity": 4}, {"maxCapacity": 9}, maxCapacity="update"),)),
        (),
        ECS_RULES,
    )

    assert [(one.what, one.sentence) for one in found.release] == [
        ("scale", "Target web: maxCapacity is 9, recorded is 4")
    ]


def test_a_service_of_ecs_that_is_gone_runs_nothing_more() -> None:
    assert sentences(gone(ECS, "web"), live=LIVE, rules=ECS_RULES) == ["Service web was deleted by hand"]


def test_a_service_of_ecs_without_tasks_does_not_run() -> None:
    [idle] = drift.of_service("web", (A,), SERVICE, replace(SEEN, status="ACTIVE, 0 of 0 tasks run", serves=False))

    assert idle.sentence == "web is ACTIVE, 0 of 0 tasks run, not running"


def test_the_program_says_what_counts_as_the_release() -> None:
    found = drift.sort(
        Refreshed(
            (
                changed(ALARM, "web-errors", {"threshold": 1}, {"threshold": 2}, threshold="update"),
                changed(RUNTIME, "web", {"tags": {}}, {"tags": {"a": "b"}}, tags__a="add"),
                gone(ALARM, "web-latency"),
            )
        ),
        (),
        RULES,
    )

    assert [(one.what, one.name) for one in found.release] == [("alarm", "web-errors"), ("alarm", "web-latency")]
    assert [(one.what, one.path) for one in found.infrastructure] == [("", "tags.a")]


def test_what_the_rules_ignore_is_no_drift_whether_the_provider_still_counts_it_or_not() -> None:
    rules = replace(RULES, ignore=(Rule("web-*", "threshold", "tuned by hand"),))
    counted = changed(ALARM, "web-errors", {"threshold": 1}, {"threshold": 2}, threshold="update")
    uncounted = changed(ALARM, "web-latency", {"threshold": 1}, {"threshold": 2, "arn": "new"})
    found = drift.sort(Refreshed((counted, uncounted)), (), rules)

    assert found.all == ()
    assert [(one.difference.name, one.difference.found, one.reason) for one in found.ignored] == [
        ("web-errors", 2, "tuned by hand"),
        ("web-latency", 2, "tuned by hand"),
    ]


def test_what_is_gone_is_told_whatever_is_ignored_of_it() -> None:
    rules = replace(RULES, ignore=(Rule("*", "", "nobody minds"),))

    assert sentences(gone(TOPIC, "alerts"), rules=rules) == ["Topic alerts was deleted by hand"]


def test_a_replacement_is_told_by_what_differs() -> None:
    found = changed(TOPIC, "alerts", {"name": "a"}, {"name": "b"}, name="update-replace")

    assert [one.kind for one in drift.differences(found)] == ["update"]


def test_a_value_is_that_of_the_inputs_and_of_the_outputs_where_they_have_none() -> None:
    state: dict[str, dict[str, Any]] = {"inputs": {"a": {"b.c": [1]}}, "outputs": {"d": 2}}

    assert [drift.value_at(state, path) for path in ('a["b.c"][0]', "d", "e", "a.b")] == [1, 2, None, None]


def test_the_report_says_all_of_it() -> None:
    rules = replace(RULES, ignore=(Rule("alerts", "tags.cost", "finance"),))
    topic = changed(TOPIC, "alerts", {"tags": {}}, {"tags": {"a": "b", "cost": "1"}}, tags__a="add", tags__cost="add")
    found = replace(
        drift.sort(Refreshed((ANOTHER, topic), Plan(), ("it is protected",)), LIVE, rules),
        environment="staging", deployment="d1", notes=("main says something newer than deployment d1",),
    )  # fmt: skip

    assert drift.text(found).splitlines() == [
        "staging: release drift since deployment d1",
        f"- web runs {B}, pinned is {A}",
        "staging: infrastructure drift since deployment d1",
        "- Topic alerts: tags.a was added: b",
        "1 differences are ignored by the settings; --json tells them",
        "the way back: no changes",
        "no way back: it is protected",
        "main says something newer than deployment d1",
    ]
    told = drift.as_json(found)
    assert told["notes"] == found.notes
    assert told["problems"] == ("it is protected",)


def test_no_drift_is_one_line() -> None:
    assert drift.text(replace(drift.Drift("staging"), deployment="d1")) == "staging: no drift since deployment d1"
    assert drift.text(drift.Drift("staging")) == "staging: no drift: nothing was ever applied there"
