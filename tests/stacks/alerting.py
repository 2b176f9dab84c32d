"""One service's alerting, declared by itself under the engine that records; and metric math, by AWS's rules.

Comes in: metrics, thresholds, who is told. Goes out: a `Recording`, and what an expression comes to.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.alarms import alarms, instances_alarm
from stacks.alert_settings import Alarms, Alerts
from stacks.dashboard import dashboard
from stacks.metrics import Metric, Metrics
from stacks.names import Place
from stacks.notifications import failed_deployments, topic
from tests.stacks.recording_engine import ACCOUNT, REGION, Properties, Recording, run_program

PLACE = Place("staging", "web")
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:release-controller-staging"
SECRET_MARK = "4dabf18193072939515e22adb298388d"


def metric(name: str, **dimensions: str) -> Metric:
    return Metric("AWS/Some", name, dimensions or {"Service": "web"})


ONE_DOOR = Metrics(
    requests=(metric("Requests"),),
    errors=(metric("Errors"),),
    latency=(metric("Latency"),),
    latency_per_second=1000,
    cpu=metric("Cpu"),
    memory=metric("Memory"),
    healthy=(),
    failures={"source": ["aws.some"], "resources": ["arn:of:web"], "detail": {"state": ["FAILED"]}},
)
TWO_DOORS = replace(
    ONE_DOOR,
    requests=(metric("Requests", Door="a"), metric("Requests", Door="b")),
    errors=(metric("Errors", Door="a"), metric("Errors", Door="b"), metric("Unserved")),
    latency=(metric("Latency", Door="a"), metric("Latency", Door="b")),
    latency_per_second=1,
    healthy=(metric("Healthy", Door="a"), metric("Healthy", Door="b")),
)


class Environment(pulumi.ComponentResource):
    """What the alerting of a service hangs on."""

    def __init__(self) -> None:
        super().__init__("release-controller:stacks:Environment", "staging")


class Runtime(pulumi.ComponentResource):
    """What it hung on before."""

    def __init__(self, parent: pulumi.Resource) -> None:
        super().__init__("release-controller:runtimes:AppRunner", "web", opts=pulumi.ResourceOptions(parent=parent))


def watched(
    metrics: Metrics = ONE_DOOR, thresholds: Alarms | None = None, *, moved: bool = False
) -> Recording:  # fmt: skip
    """Alarms, the rule of failed deployments and the dashboard of a service; `moved` from its runtime's component."""

    def declare() -> None:
        parent = Environment()
        service = aws.iam.Role("service", name="service", assume_role_policy="{}")  # any resource will do
        judged, formerly = thresholds or Alarms(), Runtime(parent) if moved else None
        made = alarms(PLACE, metrics, judged, topic=TOPIC, parent=parent, formerly=formerly)
        made |= instances_alarm(PLACE, metrics, judged, topic=TOPIC, parent=parent, after=[service])
        failed_deployments(PLACE, metrics.failures, topic=TOPIC, parent=parent)
        dashboard("staging", {"web": metrics}, alarms=list(made.values()), topic=TOPIC, parent=parent)

    return run(declare)


def told(alerts: Alerts, *, https: list[str] | None = None) -> Recording:
    """The topic and who reads it; `https` is what the engine decrypted."""

    def declare() -> None:
        if https is not None:
            config = {"release-controller:alerts": json.dumps({"https": https})}
            pulumi.runtime.set_all_config(config, ["release-controller:alerts"])
        parent = Environment()
        pulumi.export("topic", topic("staging", alerts, parent))

    return run(declare)


def run(program: Callable[[], object]) -> Recording:
    return run_program(program, stack="staging", told={})


def subscriptions(recording: Recording) -> dict[str, tuple[str, Any]]:
    return {
        one.name: (one.inputs["protocol"], one.inputs["endpoint"])
        for one in recording.registrations
        if one.key[0] == "TopicSubscription"
    }


def alarm(recording: Recording, about: str) -> Properties:
    return recording.one("MetricAlarm", f"web-{about}").inputs


def asked(alarm: Properties) -> str:
    """The expression that the alarm judges."""
    [query] = [query for query in alarm["metricQueries"] if query.get("returnData")]
    return str(query["expression"])


def series(alarm: Properties) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Each series that the alarm reads, by its identity: metric, statistic, dimensions."""
    return {
        query["id"]: (query["metric"]["metricName"], query["metric"]["stat"], query["metric"]["dimensions"])
        for query in alarm["metricQueries"]
        if "metric" in query
    }


@dataclass(frozen=True)
class Point:
    """One minute of a series; None is no data. An operation that lacks an operand has no result."""

    value: float | None

    def _with(self, other: "Point | float", operate: Callable[[float, float], float]) -> "Point":
        that = other if isinstance(other, Point) else Point(other)
        if self.value is None or that.value is None:
            return Point(None)
        try:
            return Point(operate(self.value, that.value))
        except ZeroDivisionError:
            return Point(None)

    def __rmul__(self, other: float) -> "Point":
        return self._with(other, lambda left, right: left * right)

    def __truediv__(self, other: "Point") -> "Point":
        return self._with(other, lambda left, right: left / right)

    def __ge__(self, other: float) -> "Point":
        return self._with(other, lambda left, right: float(left >= right))


def minute(expression: str, values: Mapping[str, float | None], *, strict: bool) -> float | None:
    """What an expression comes to in one minute.

    AWS does not say whether SUM and MAX of a list skip a series without data or are without data then: `strict` is the
    second. An expression that is right must be right under both.
    """

    def over(points: list[Point], reduce: Callable[[list[float]], float]) -> Point:
        known = [point.value for point in points if point.value is not None]
        return Point(None) if not known or (strict and len(known) < len(points)) else Point(reduce(known))

    def choose(condition: Point, then: Point | float, otherwise: Point | float) -> Point:
        if condition.value is None:
            return Point(None)
        chosen = then if condition.value else otherwise
        return chosen if isinstance(chosen, Point) else Point(chosen)

    functions: dict[str, Any] = {
        "IF": choose,
        "FILL": lambda point, instead: point if point.value is not None else Point(instead),
        "SUM": lambda points: over(points, sum),
        "MAX": lambda points: over(points, max),
        "__builtins__": {},
    }
    points = {name: Point(value) for name, value in values.items()}
    result: Point = eval(expression, functions, points)  # noqa: S307 - our own expression
    return result.value
