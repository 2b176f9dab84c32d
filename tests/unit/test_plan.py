"""A preview as data: the same plan has the same identity, and a release may change only what its shape allows."""

import itertools
import json
from typing import Any

import pytest

from releasectl import apply
from releasectl.apply import Problem, Result
from releasectl.outputs import UNKNOWN, Allowed
from releasectl.plan import Plan, beyond_repair, from_steps, outside
from tests.twins import IMAGE_PATH, REPOSITORY, RUNTIME, step, urn

SHAPE = (Allowed(RUNTIME, ("create", "update"), (IMAGE_PATH, "tags")), Allowed(REPOSITORY, ("create",)))
UPDATE = step("update", RUNTIME, "web", IMAGE_PATH)
STEPS = [
    step("create", REPOSITORY, "web"),
    UPDATE,
    step("update", RUNTIME, "api"),
    step("replace", RUNTIME, "x", "name"),
]


def changed(original: dict[str, Any], **parts: object) -> dict[str, Any]:
    """A step whose only property is another one."""
    return original | {"properties": [original["properties"][0] | parts]}


def test_the_order_in_which_the_engine_told_its_steps_does_not_count() -> None:
    identities = {from_steps(order, {}).identity for order in itertools.permutations(STEPS)}

    assert len(identities) == 1


def test_outputs_and_untouched_resources_do_not_count() -> None:
    assert from_steps([*STEPS, step("same", RUNTIME, "x")], {"a": 1}).identity == from_steps(STEPS, {}).identity


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([], id="nothing"),
        pytest.param([changed(UPDATE, after="newer")], id="another value"),
        pytest.param([changed(UPDATE, before="older")], id="another value before"),
        pytest.param([changed(UPDATE, path="cpu")], id="another property"),
        pytest.param([changed(UPDATE, kind="update-replace")], id="another kind of change"),
        pytest.param([UPDATE | {"operation": "replace"}], id="another operation"),
        pytest.param([UPDATE | {"urn": urn("production", RUNTIME, "web")}], id="another resource"),
        pytest.param([UPDATE | {"unprotects": True}], id="a lifted protection"),
        pytest.param([UPDATE, step("same", RUNTIME, "api", unprotects=True)], id="a protection lifted elsewhere"),
    ],
)
def test_whatever_would_do_something_else_has_another_identity(other: list[dict[str, object]]) -> None:
    assert from_steps(other, {}).identity != from_steps([UPDATE], {}).identity


def test_a_plan_says_what_disrupts_first() -> None:
    steps = [
        step("create", REPOSITORY, "a"), step("create", REPOSITORY, "b"), step("update", RUNTIME, "c"),
        step("replace", RUNTIME, "d"), step("delete", RUNTIME, "e"),
    ]  # fmt: skip

    assert from_steps(steps, {}).sentence == "1 delete, 1 replace, 2 create, 1 update"
    assert from_steps(steps, {}).counts == {"create": 2, "delete": 1, "replace": 1, "update": 1}
    assert Plan().sentence == "no changes"


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(UPDATE, id="the image"),
        pytest.param(step("update", RUNTIME, "web", f"{IMAGE_PATH}.x"), id="below an allowed property"),
        pytest.param(step("update", RUNTIME, "web", "tags[0]"), id="an item of an allowed property"),
        pytest.param(step("create", RUNTIME, "web", "cpu"), id="a create has every property"),
        pytest.param(step("create", REPOSITORY, "web"), id="a create without properties"),
        pytest.param(step("same", RUNTIME, "web"), id="nothing"),
    ],
)
def test_changes_of_the_shape_are_allowed(inside: dict[str, object]) -> None:
    assert outside(from_steps([inside], {}), SHAPE) == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(step("update", RUNTIME, "web", IMAGE_PATH, "cpu"), f"({IMAGE_PATH}, cpu)", id="a property more"),
        pytest.param(step("update", RUNTIME, "web", "tagsets"), "(tagsets)", id="it only begins like an allowed one"),
        pytest.param(step("replace", RUNTIME, "web", IMAGE_PATH), f"replace {RUNTIME} `web`", id="replace"),
        pytest.param(step("delete", RUNTIME, "web"), f"delete {RUNTIME} `web`", id="delete"),
        pytest.param(step("update", REPOSITORY, "web"), f"update {REPOSITORY}", id="an operation of another type"),
        pytest.param(step("create", "aws:iam/role:Role", "web"), "create aws:iam/role:Role", id="an unknown type"),
        pytest.param(step("same", RUNTIME, "web", unprotects=True), f"same {RUNTIME}", id="protection lifted"),
        pytest.param(
            step("update", RUNTIME, "web", IMAGE_PATH, unprotects=True), "update", id="protection lifted by the way"
        ),
    ],
)  # fmt: skip
def test_whatever_is_outside_the_shape_is_a_finding_about_the_resource(wrong: dict[str, Any], words: str) -> None:
    (finding,) = outside(from_steps([UPDATE, wrong] if wrong["type"] != RUNTIME else [wrong], {}), SHAPE)

    assert finding.rule == "plan-shape"
    assert finding.where == wrong["urn"]
    assert words in finding.message


TASK = "aws:ecs/taskDefinition:TaskDefinition"
TASK_SHAPE = (
    Allowed(
        TASK, ("create", "replace"),
        ("containerDefinitions[0].image", "containerDefinitions[0].environment.RELEASE_DIGEST"),
    ),
)  # fmt: skip


def container(image: str = "old", **variables: str) -> str:
    """A task definition's text; the engine tells it whole."""
    environment = [{"name": name, "value": value} for name, value in sorted(variables.items())]
    return json.dumps([{"name": "app", "image": image, "cpu": 256, "environment": environment}])


def revision(before: object, after: object, path: str = "containerDefinitions") -> dict[str, Any]:
    prop = {"path": path, "kind": "update-replace", "before": before, "after": after}
    return step("replace", TASK, "web") | {"properties": [prop]}


def test_a_text_that_holds_a_document_is_compared_inside() -> None:
    before, after = container(RELEASE_DIGEST="a", LEVEL="info"), container("new", RELEASE_DIGEST="b", LEVEL="info")

    assert outside(from_steps([revision(before, after)], {}), TASK_SHAPE) == ()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param(container("new", LEVEL="debug"), "environment.LEVEL", id="another variable"),
        pytest.param(container("new"), "environment.LEVEL", id="a variable less"),
        pytest.param(container("new", LEVEL="info").replace("256", "512"), "[0].cpu", id="another size"),
        pytest.param(UNKNOWN, "(containerDefinitions)", id="not known yet"),
        pytest.param("[secret]", "(containerDefinitions)", id="a secret"),
        pytest.param(None, "(containerDefinitions)", id="nothing"),
        pytest.param(container(LEVEL="info").replace(", ", ","), "(containerDefinitions)", id="only written otherwise"),
    ],
)
def test_what_is_inside_and_not_allowed_and_what_cannot_be_looked_into_is_outside(after: object, words: str) -> None:
    (finding,) = outside(from_steps([revision(container(LEVEL="info"), after)], {}), TASK_SHAPE)

    assert words in finding.message


def test_a_list_of_names_and_values_is_compared_by_name() -> None:
    express = "aws:ecs/expressGatewayService:ExpressGatewayService"
    before = [{"name": "LEVEL", "value": "info"}, {"name": "RELEASE_DIGEST", "value": "a"}]
    after = [
        {"name": "LEVEL", "value": "debug"},
        {"name": "NEW", "value": "1"},
        {"name": "RELEASE_DIGEST", "value": "b"},
    ]
    path = "primaryContainer.environments"
    prop = {"path": path, "kind": "update", "before": before, "after": after}
    planned = from_steps([step("update", express, "web") | {"properties": [prop]}], {})
    (finding,) = outside(planned, (Allowed(express, ("update",), (f"{path}.RELEASE_DIGEST",)),))

    assert f"({path}.LEVEL, {path}.NEW, {path}.RELEASE_DIGEST)" in finding.message
    assert outside(planned, (Allowed(express, ("update",), (path,)),)) == ()


def test_a_drift_fix_may_revise_and_not_replace() -> None:
    shape = [{"type": TASK, "operations": ["replace"], "properties": []}]
    steps = [revision("a", "b"), step("replace", RUNTIME, "web", "name")]

    assert [one.where for one in beyond_repair(from_steps(steps, {"shape": shape}), ())] == [
        urn("staging", RUNTIME, "web")
    ]


def test_a_replacement_of_another_property_is_outside() -> None:
    (finding,) = outside(from_steps([revision("256", "512", "cpu")], {}), TASK_SHAPE)

    assert "replace aws:ecs/taskDefinition:TaskDefinition `web` (cpu)" in finding.message


def test_what_every_release_replaces_is_revised_and_does_not_cry_wolf() -> None:
    shape = [{"type": TASK, "operations": ["create", "replace"], "properties": []}]
    planned = from_steps([revision("a", "b"), step("update", RUNTIME, "web")], {"shape": shape})

    assert planned.sentence == "1 revise, 1 update"
    assert (planned.counts, [planned.word(one) for one in planned.changes]) == (
        {"replace": 1, "update": 1},
        ["update", "revise"],
    )


@pytest.mark.parametrize("shape", [None, UNKNOWN, [{"type": TASK}], [{"type": TASK, "operations": ["create"]}]])
def test_without_such_a_word_of_the_program_a_replacement_is_one(shape: object) -> None:
    assert from_steps([revision("a", "b"), UPDATE], {"shape": shape}).sentence == "1 replace, 1 update"


def test_without_a_shape_nothing_is_allowed() -> None:
    assert len(outside(from_steps(STEPS, {}), ())) == len(STEPS)


def test_a_resource_that_failed_is_a_finding_and_a_good_update_has_none() -> None:
    failed = Result(Plan(), (Problem("urn:web", "CREATE_FAILED"), Problem("urn:api", "no")))

    assert [(one.where, one.message) for one in apply.findings(failed)] == [
        ("urn:web", "CREATE_FAILED"),
        ("urn:api", "no"),
    ]
    assert apply.findings(Result(Plan())) == ()
