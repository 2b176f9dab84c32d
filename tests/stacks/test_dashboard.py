"""The dashboard of an environment: complete, in its place, and the same text for the same input."""

import json
from typing import Any

from stacks.dashboard import HEIGHT, STATUS_HEIGHT, WIDTH, dashboard
from stacks.metrics import Metrics
from tests.stacks.alerting import ONE_DOOR, TOPIC, TWO_DOORS, Environment, run
from tests.stacks.recording_engine import ACCOUNT, REGION, Properties


def declared(services: dict[str, Metrics], *alarms: str) -> Properties:
    recording = run(lambda: dashboard("staging", services, alarms=alarms, topic=TOPIC, parent=Environment()))
    return recording.one("Dashboard", "environment").inputs


def widgets(services: dict[str, Metrics], *alarms: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(declared(services, *alarms)["dashboardBody"])["widgets"]
    return found


def test_the_dashboard_is_called_after_the_environment() -> None:
    assert declared({"web": ONE_DOOR})["dashboardName"] == "release-controller-staging"


def test_every_service_has_a_row_that_fills_the_page_and_overlaps_nothing() -> None:
    found = widgets({"web": ONE_DOOR, "api": TWO_DOORS}, "web-errors", "api-errors")
    cells = [
        (column, line)
        for one in found
        for column in range(one["x"], one["x"] + one["width"])
        for line in range(one["y"], one["y"] + one["height"])
    ]

    assert len(cells) == len(set(cells)) == WIDTH * (STATUS_HEIGHT + 2 * HEIGHT)
    assert max(column for column, _ in cells) < WIDTH
    titles = [one["properties"]["title"] for one in found]
    assert titles == [
        "Alarms",
        "api: requests and 5xx",
        "api: latency",
        "api: CPU and memory",
        "api: healthy instances",
        "web: requests and 5xx",
        "web: latency",
        "web: CPU and memory",
    ]


def test_the_state_of_every_alarm_is_shown_by_its_arn() -> None:
    status = widgets(
        {"web": ONE_DOOR}, "release-controller-staging-web-latency", "release-controller-staging-web-errors"
    )[0]

    assert status["type"] == "alarm"
    assert status["properties"]["alarms"] == [
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:release-controller-staging-web-errors",
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:release-controller-staging-web-latency",
    ]


def test_without_alarms_there_is_no_empty_list_of_them_which_aws_would_refuse() -> None:
    assert {one["type"] for one in widgets({"web": ONE_DOOR})} == {"metric"}


def test_a_graph_draws_every_series_with_all_its_dimensions() -> None:
    [requests, latency, used, healthy] = [one["properties"] for one in widgets({"web": TWO_DOORS})]

    assert requests["metrics"][0] == ["AWS/Some", "Requests", "Door", "a", {"label": "requests", "stat": "Sum"}]
    assert [line[1] for line in requests["metrics"]] == ["Requests", "Requests", "Errors", "Errors", "Unserved"]
    assert {line[-1]["stat"] for line in latency["metrics"]} == {"p95"}
    assert latency["yAxis"]["left"]["label"] == "s"
    assert [line[1] for line in used["metrics"]] == ["Cpu", "Memory"]
    assert {line[-1]["stat"] for line in healthy["metrics"]} == {"Maximum"}
    assert {graph["region"] for graph in (requests, latency, used, healthy)} == {REGION}


def test_the_same_services_in_another_order_are_the_same_text() -> None:
    one = declared({"web": ONE_DOOR, "api": TWO_DOORS}, "a", "b")
    other = declared({"api": TWO_DOORS, "web": ONE_DOOR}, "b", "a")

    assert one["dashboardBody"] == other["dashboardBody"]
