"""Where two values differ, and how deep a look goes."""

import json

import pytest

from releasectl.unequal import document, unequal

ENVIRONMENT = [{"name": "LEVEL", "value": "info"}, {"name": "RELEASE_DIGEST", "value": "a"}]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, [("x.a.b", 1, 2)], id="inside"),
        pytest.param({"a": 1}, {}, [("x.a", 1, None)], id="taken away"),
        pytest.param([{"a": 1}], [{"a": 1}, {"a": 2}], [("x[1]", None, {"a": 2})], id="one more"),
        pytest.param(["a", "b"], ["b", "a"], [], id="texts are a set"),
        pytest.param(
            ENVIRONMENT,
            [ENVIRONMENT[0], {"name": "NEW", "value": "1"}, {"name": "RELEASE_DIGEST", "value": "b"}],
            [("x.NEW", None, "1"), ("x.RELEASE_DIGEST", "a", "b")],
            id="an environment is a mapping, wherever a variable stands",
        ),
        pytest.param(ENVIRONMENT, ENVIRONMENT[::-1], [], id="in another order"),
        pytest.param(ENVIRONMENT, [], [("x.LEVEL", "info", None), ("x.RELEASE_DIGEST", "a", None)], id="all gone"),
        pytest.param(
            [{"name": "KEY", "valueFrom": "arn:a"}], [{"name": "KEY", "valueFrom": "arn:b"}],
            [("x.KEY", "arn:a", "arn:b")], id="secrets too",
        ),
        pytest.param(
            [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}], [{"name": "A", "value": "1"}],
            [("x[1]", {"name": "A", "value": "2"}, None)], id="a name that is there twice is no mapping",
        ),
        pytest.param(
            [{"name": "app", "image": "a", "cpu": 1}], [{"name": "app", "image": "b", "cpu": 1}],
            [("x[0].image", "a", "b")], id="containers have names and are no mapping",
        ),
    ],
)  # fmt: skip
def test_the_innermost_places_that_differ(before: object, after: object, found: object) -> None:
    assert list(unequal(before, after, "x")) == found


@pytest.mark.parametrize("text", ["plain", "{no document", "[secret]", "", None, 5])
def test_what_holds_no_document_is_what_it_is(text: object) -> None:
    assert document(text) is text


def test_a_text_that_holds_a_document_is_that_document() -> None:
    assert document(json.dumps([{"a": 1}])) == [{"a": 1}]
