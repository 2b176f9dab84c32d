"""Ignore rules: which resource and which property a rule means."""

import pytest

from releasectl.ignore import Rule, covers, is_path, overlaps, steps

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", "0", "c")),
        ('tags["a.b"]', ("tags", "a.b")),
        ("tags.*", ("tags", "*")),
        ("list[*].x", ("list", "*", "x")),
        ("", ()),
    ],
)
def test_a_path_is_taken_apart_as_the_engine_spells_it(path: str, parts: tuple[str, ...]) -> None:
    assert (steps(path), is_path(path)) == (parts, True)


@pytest.mark.parametrize("path", ["tags.team-*", "tags[", 'tags["a', "a]b"])
def test_what_the_engine_could_not_read_is_no_path(path: str) -> None:
    assert not is_path(path)


@pytest.mark.parametrize(
    ("resource", "path", "covered"),
    [
        pytest.param("web-latency", "threshold", True, id="a name"),
        pytest.param("web-*", "threshold", True, id="a glob over names"),
        pytest.param("*:MetricAlarm::*", "threshold", True, id="a glob over types"),
        pytest.param(f"{ALARM}::web-latency", "", True, id="every property"),
        pytest.param("web", "threshold", False, id="another name"),
        pytest.param("*:Topic::*", "threshold", False, id="another type"),
        pytest.param("web-latency", "period", False, id="another property"),
        pytest.param("web-latency", "threshold.inner", False, id="a property below"),
    ],
)
def test_a_rule_covers_what_it_names_and_nothing_else(resource: str, path: str, covered: bool) -> None:
    assert covers(Rule(resource, path, "why"), ALARM, "web-latency", "threshold") is covered


def test_a_rule_covers_all_below_its_property_and_a_star_is_one_whole_step() -> None:
    rule = Rule("*", "tags.*", "why")

    assert [covers(rule, ALARM, "x", path) for path in ("tags", "tags.a", 'tags["a.b"]', "tags.a.b", "name")] == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_two_paths_overlap_when_one_is_above_the_other() -> None:
    image = "source.image.identifier"

    assert [overlaps(Rule("*", path, ""), image) for path in ("", "source", "*.image", f"{image}.x", "health")] == [
        True, True, True, True, False,
    ]  # fmt: skip
