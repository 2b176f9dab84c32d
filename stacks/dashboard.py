"""The environment's dashboard: the state of every alarm, and a row of graphs for each service.

Comes in: the metrics of each service, the alarms' names, the topic, whose ARN says which region and account this is.
Goes out: one dashboard, whose text is the same for the same input, so that a plan shows only what really changes.
It judges nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks import names
from stacks.metrics import Metric, Metrics

WIDTH, HEIGHT = 24, 6  # of the page; of a row of graphs
STATUS_HEIGHT = 3
Widget = dict[str, Any]


def dashboard(
    environment: str,
    services: Mapping[str, Metrics],
    *,
    alarms: Sequence[pulumi.Input[str]],
    topic: pulumi.Input[str],
    parent: pulumi.Resource,
) -> None:
    """Declares it. What AWS calls a load balancer or a service is known only when it is there, so the text is, too."""
    known = pulumi.Output.all(
        topic, pulumi.Output.all(*alarms), pulumi.Output.from_input({name: _plain(services[name]) for name in services})
    )
    aws.cloudwatch.Dashboard(
        "environment",
        dashboard_name=names.dashboard_name(environment),
        dashboard_body=known.apply(lambda values: body(values[0], alarms=values[1], services=values[2])),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def body(topic: str, *, alarms: Iterable[str], services: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the dashboard; services and alarms in the order of their names."""
    _, partition, _, region, account, _ = topic.split(":")
    prefix = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
    status = _status([f"{prefix}{alarm}" for alarm in sorted(alarms)])
    top = STATUS_HEIGHT if status else 0
    rows = [
        widget
        for position, service in enumerate(sorted(services))
        for widget in _row(service, services[service], region=region, top=top + position * HEIGHT)
    ]
    return json.dumps({"widgets": [*status, *rows]}, sort_keys=True)


def _plain(metrics: Metrics) -> dict[str, Any]:
    """The series with their dimensions, which are not known before `up`, in lists and texts alone."""
    return {
        "requests": [_series(metric, "Sum", "requests") for metric in metrics.requests],
        "errors": [_series(metric, "Sum", "5xx") for metric in metrics.errors],
        "latency": [_series(metric, "p95", "p95") for metric in metrics.latency],
        "unit": "ms" if metrics.latency_per_second == 1000 else "s",
        "used": [_series(metrics.cpu, "Average", "CPU %"), _series(metrics.memory, "Average", "memory %")],
        "healthy": [_series(metric, "Maximum", "healthy") for metric in metrics.healthy],
    }


def _series(metric: Metric, stat: str, label: str) -> list[Any]:
    """As a dashboard writes it: namespace, name, each dimension and its value, how to draw it."""
    where = [part for key in sorted(metric.dimensions) for part in (key, metric.dimensions[key])]
    return [metric.namespace, metric.name, *where, {"stat": stat, "label": label}]


def _status(arns: list[str]) -> list[Widget]:
    if not arns:
        return []
    properties = {"title": "Alarms", "alarms": arns}
    return [{"type": "alarm", "x": 0, "y": 0, "width": WIDTH, "height": STATUS_HEIGHT, "properties": properties}]


def _row(service: str, plain: Mapping[str, Any], *, region: str, top: int) -> list[Widget]:
    """Requests and 5xx, latency, size, and instances where the runtime tells of them."""
    graphs = [
        (f"{service}: requests and 5xx", "a minute", [*plain["requests"], *plain["errors"]]),
        (f"{service}: latency", plain["unit"], plain["latency"]),
        (f"{service}: CPU and memory", "%", plain["used"]),
        (f"{service}: healthy instances", "instances", plain["healthy"]),
    ]
    drawn = [graph for graph in graphs if graph[2]]
    width = WIDTH // len(drawn)
    return [
        {
            "type": "metric",
            "x": position * width,
            "y": top,
            "width": width,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "region": region,
                "view": "timeSeries",
                "period": 60,
                "metrics": metrics,
                "yAxis": {"left": {"label": unit, "min": 0, "showUnits": False}},
            },
        }
        for position, (title, unit, metrics) in enumerate(drawn)
    ]
