"""The alarms of a service: what they ask, when they would go off, and that they stay when the runtime does not."""

from dataclasses import replace
from typing import Any

import pytest

from stacks.alert_settings import Alarms
from tests.stacks.alerting import (
    ONE_DOOR,
    TOPIC,
    TWO_DOORS,
    alarm,
    asked,
    minute,
    series,
    watched,
)
from tests.stacks.recording_engine import Recording

BOTH = pytest.mark.parametrize("strict", [False, True], ids=["gaps are skipped", "gaps spread"])


def about(recording: Recording) -> set[str]:
    keys = recording.declared()
    return {name.removeprefix("web-") for kind, name in keys if kind == "MetricAlarm"}


def test_a_service_has_an_alarm_for_each_thing_that_its_runtime_tells() -> None:
    assert about(watched(ONE_DOOR)) == {"errors", "latency", "cpu", "memory"}
    assert about(watched(TWO_DOORS)) == {"errors", "latency", "cpu", "memory", "instances"}


@pytest.mark.parametrize(
    ("off", "gone"),
    [
        pytest.param({"errors_percent": 0}, "errors", id="errors"),
        pytest.param({"latency_p95_ms": 0}, "latency", id="latency"),
        pytest.param({"cpu_percent": 0}, "cpu", id="cpu"),
        pytest.param({"memory_percent": 0}, "memory", id="memory"),
        pytest.param({"instances": False}, "instances", id="instances"),
    ],
)
def test_a_threshold_of_0_is_no_such_alarm(off: dict[str, Any], gone: str) -> None:
    assert about(watched(TWO_DOORS)) - about(watched(TWO_DOORS, Alarms(**off))) == {gone}


@pytest.mark.parametrize(
    ("requests", "errors", "share"),
    [
        pytest.param(1000, 20, 2, id="the share in percent"),
        pytest.param(1000, None, 0, id="no series of errors is no error"),
        pytest.param(2, 1, 0, id="one error of two requests"),
        pytest.param(19, 19, 0, id="too little traffic to judge"),
        pytest.param(20, 20, 100, id="just enough traffic"),
        pytest.param(None, None, None, id="silence"),
    ],
)
@BOTH
def test_the_share_of_errors_is_judged_when_there_is_traffic(
    requests: float | None, errors: float | None, share: float | None, *, strict: bool
) -> None:
    expression = asked(alarm(watched(), "errors"))

    assert minute(expression, {"requests": requests, "errors": errors}, strict=strict) == share


@pytest.mark.parametrize(
    ("requests", "errors", "share"),
    [
        pytest.param((60, 40), (1, 1, 2), 4, id="added up"),
        pytest.param((100, None), (2, None, None), 2, id="one door is idle"),
        pytest.param((None, 100), (None, None, 2), 2, id="the load balancer itself answers"),
        pytest.param((10, 9), (9, 9, 0), 0, id="too little traffic"),
        pytest.param((15, 15), (None, None, None), 0, id="no errors at all"),
    ],
)
@BOTH
def test_a_service_behind_two_doors_is_judged_as_one(
    requests: tuple[float | None, ...], errors: tuple[float | None, ...], share: float, *, strict: bool
) -> None:
    expression = asked(alarm(watched(TWO_DOORS), "errors"))
    values = {f"requests{at}": value for at, value in enumerate(requests, 1)}
    values |= {f"errors{at}": value for at, value in enumerate(errors, 1)}

    assert minute(expression, values, strict=strict) == share


@BOTH
def test_silence_behind_two_doors_sets_nothing_off(*, strict: bool) -> None:
    expressions = [asked(alarm(watched(TWO_DOORS), kind)) for kind in ("errors", "latency")]
    values = dict.fromkeys(
        ("requests1", "requests2", "errors1", "errors2", "errors3", "latency1", "latency2"), None
    )  # fmt: skip

    assert [minute(expression, values, strict=strict) or 0 for expression in expressions] == [0, 0]


@pytest.mark.parametrize(
    ("requests", "latency", "slowest"),
    [
        pytest.param((50, 50), (0.2, 1.5), 1.5, id="the slower door counts"),
        pytest.param((50, None), (0.2, None), 0.2, id="one door is idle"),
        pytest.param((1, None), (9.0, None), 0, id="one slow request"),
    ],
)
@BOTH
def test_the_slowest_door_counts_when_there_is_traffic(
    requests: tuple[float | None, ...], latency: tuple[float | None, ...], slowest: float, *, strict: bool
) -> None:
    expression = asked(alarm(watched(TWO_DOORS), "latency"))
    values = {f"requests{at}": value for at, value in enumerate(requests, 1)}
    values |= {f"latency{at}": value for at, value in enumerate(latency, 1)}

    assert minute(expression, values, strict=strict) == slowest


@BOTH
def test_one_door_is_as_slow_as_it_says(*, strict: bool) -> None:
    expression = asked(alarm(watched(), "latency"))

    assert minute(expression, {"requests": 20, "latency": 740}, strict=strict) == 740
    assert minute(expression, {"requests": 19, "latency": 740}, strict=strict) == 0
    assert minute(expression, {"requests": None, "latency": None}, strict=strict) is None


def test_how_much_traffic_is_enough_is_a_setting() -> None:
    recording = watched(ONE_DOOR, Alarms(minimum_requests=3))

    assert minute(asked(alarm(recording, "errors")), {"requests": 3, "errors": 3}, strict=True) == 100
    assert minute(asked(alarm(recording, "latency")), {"requests": 3, "latency": 7}, strict=True) == 7


@pytest.mark.parametrize(("metrics", "threshold"), [(ONE_DOOR, 750), (TWO_DOORS, 0.75)], ids=["ms", "s"])
def test_the_threshold_of_latency_is_in_the_unit_of_the_metric(metrics: Any, threshold: float) -> None:
    made = alarm(watched(metrics, Alarms(latency_p95_ms=750)), "latency")

    assert made["threshold"] == threshold
    assert {found[1] for name, found in series(made).items() if name.startswith("latency")} == {"p95"}


@BOTH
def test_no_healthy_instance_behind_any_door_is_an_alarm_and_so_is_silence(*, strict: bool) -> None:
    made = alarm(watched(TWO_DOORS), "instances")

    def healthy(first: float | None, second: float | None) -> float | None:
        return minute(asked(made), {"healthy1": first, "healthy2": second}, strict=strict)

    assert (made["comparisonOperator"], made["threshold"]) == ("LessThanThreshold", 1)
    assert made["treatMissingData"] == "breaching"
    assert healthy(2, None) == 2
    assert healthy(0, 1) == 1
    assert healthy(0, None) == 0
    assert not healthy(None, None)
    assert (made["evaluationPeriods"], made["datapointsToAlarm"]) == (3, 3)


def test_one_door_tells_by_itself_how_many_instances_are_healthy() -> None:
    made = alarm(watched(replace(ONE_DOOR, healthy=TWO_DOORS.healthy[:1])), "instances")

    assert (made["metricName"], made["statistic"], made["dimensions"]) == ("Healthy", "Maximum", {"Door": "a"})
    assert "metricQueries" not in made


def test_the_alarm_on_instances_waits_until_the_service_is_there() -> None:
    recording = watched(TWO_DOORS)
    awaited = recording.one("MetricAlarm", "web-instances").dependencies

    assert any(urn.endswith("iam/role:Role::service") for urn in awaited)


@pytest.mark.parametrize("kind", ["errors", "latency", "cpu", "memory"])
def test_three_of_five_minutes_have_to_be_bad_and_silence_is_good(kind: str) -> None:
    made = alarm(watched(), kind)

    assert (made["evaluationPeriods"], made["datapointsToAlarm"]) == (5, 3)
    assert made["treatMissingData"] == "notBreaching"
    assert made["comparisonOperator"] == "GreaterThanThreshold"


@pytest.mark.parametrize(("kind", "metric"), [("cpu", "Cpu"), ("memory", "Memory")])
def test_cpu_and_memory_are_averages_of_a_minute(kind: str, metric: str) -> None:
    made = alarm(watched(ONE_DOOR, Alarms(cpu_percent=70, memory_percent=70)), kind)

    assert (made["metricName"], made["statistic"], made["period"]) == (metric, "Average", 60)
    assert made["dimensions"] == {"Service": "web"}
    assert made["threshold"] == 70


def test_every_series_is_read_with_all_its_dimensions() -> None:
    made = alarm(watched(TWO_DOORS), "errors")

    assert series(made) == {
        "requests1": ("Requests", "Sum", {"Door": "a"}),
        "requests2": ("Requests", "Sum", {"Door": "b"}),
        "errors1": ("Errors", "Sum", {"Door": "a"}),
        "errors2": ("Errors", "Sum", {"Door": "b"}),
        "errors3": ("Unserved", "Sum", {"Service": "web"}),
    }


def test_an_alarm_tells_the_topic_when_it_starts_and_when_it_is_over_and_says_what_to_do() -> None:
    recording = watched(TWO_DOORS)
    made = {name: one.inputs for one in recording.registrations for kind, name in [one.key] if kind == "MetricAlarm"}

    assert len(made) == 5
    for name, inputs in made.items():
        assert inputs["alarmActions"] == inputs["okActions"] == [TOPIC], name
        assert inputs["name"] == f"release-controller-staging-{name}"
        assert "web in staging: " in inputs["alarmDescription"]
        assert f"docs/alerting.md, {name.removeprefix('web-')}." in inputs["alarmDescription"]
        assert len(inputs["alarmDescription"]) <= 1024
        assert inputs["tags"]["service"] == "web"


def test_another_runtime_changes_the_alarms_and_makes_none_anew() -> None:
    before, after = watched(ONE_DOOR), watched(TWO_DOORS)

    for kind in about(before):
        old, new = before.one("MetricAlarm", f"web-{kind}"), after.one("MetricAlarm", f"web-{kind}")
        assert (old.parent, old.inputs["name"]) == (new.parent, new.inputs["name"])
        assert old.parent.endswith("release-controller:stacks:Environment::staging")


def test_alarms_of_stacks_of_before_are_found_below_their_runtime() -> None:
    recording = watched(moved=True)

    for kind in about(recording):
        [alias] = recording.one("MetricAlarm", f"web-{kind}").aliases
        assert "release-controller:runtimes:AppRunner$aws:cloudwatch/metricAlarm:MetricAlarm" in alias
        assert alias.endswith(f"::web-{kind}")
