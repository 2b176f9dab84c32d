"""The metrics of services for one period, as AWS/ECS names them.

Comes in: what a service's task uses, in per cent of what it may use. Goes out: metric data with both dimensions,
ClusterName and ServiceName. What was not measured has no series.
"""

import datetime
from collections.abc import Iterator, Mapping

from sandbox.runtimes.ecs.values import Service
from sandbox.runtimes.telemetry import Datum


def usage_data(service: Service, usage: Mapping[str, float]) -> Iterator[Datum]:
    """CPUUtilization and MemoryUtilization."""
    now = datetime.datetime.now(datetime.UTC)
    for metric, percent in usage.items():
        yield (
            "AWS/ECS",
            {
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "ClusterName", "Value": service.cluster.rpartition("/")[2]},
                    {"Name": "ServiceName", "Value": service.name},
                ],
                "Timestamp": now,
                "Value": percent,
                "Unit": "Percent",
            },
        )
