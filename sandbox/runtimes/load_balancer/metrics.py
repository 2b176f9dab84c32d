"""The metrics of load balancers for one period, as AWS/ApplicationELB names them.

Comes in: tallies of target groups, and what load balancers answered themselves. Goes out: metric data with LoadBalancer
and TargetGroup (the ends of the ARNs). A count that is zero has no series, except the hosts. Requests for which there
was no target are the load balancer's errors and no requests, as on AWS.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sandbox.runtimes.front_door import Tally
from sandbox.runtimes.load_balancer.groups import Group
from sandbox.runtimes.telemetry import Datum, latency_data

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef

_NAMESPACE = "AWS/ApplicationELB"


def suffix(arn: str) -> str:
    """`app/web/0123` of a load balancer, `targetgroup/web/0123` of a target group."""
    return arn.rpartition(":")[2].removeprefix("loadbalancer/")


def group_data(balancer: str, group: Group) -> Iterator[Datum]:
    """Of one target group behind one load balancer, since the last call."""
    tally, group.tally = group.tally, Tally()
    dimensions: list[DimensionTypeDef] = [
        {"Name": "LoadBalancer", "Value": suffix(balancer)},
        {"Name": "TargetGroup", "Value": suffix(group.arn)},
    ]
    counts = {f"HTTPCode_Target_{status}XX_Count": tally.statuses[status] for status in (2, 3, 4, 5)}
    counts["RequestCount"] = tally.statuses.total()
    counts = {metric: count for metric, count in counts.items() if count}
    if group.states:
        counts |= {"HealthyHostCount": group.count("healthy"), "UnHealthyHostCount": group.count("unhealthy")}
    yield from _counted(counts, dimensions)
    for datum in latency_data("TargetResponseTime", dimensions, tally, unit="Seconds"):
        yield _NAMESPACE, datum


def balancer_data(balancer: str, own: Tally, requests: int) -> Iterator[Datum]:
    """Of the load balancer alone: what it was asked, and what it answered by itself."""
    counts = {f"HTTPCode_ELB_{status}XX_Count": own.statuses[status] for status in (3, 4, 5)}
    counts["RequestCount"] = requests
    dimensions: list[DimensionTypeDef] = [{"Name": "LoadBalancer", "Value": suffix(balancer)}]
    yield from _counted({metric: count for metric, count in counts.items() if count}, dimensions)


def _counted(counts: Mapping[str, int], dimensions: "list[DimensionTypeDef]") -> Iterator[Datum]:
    now = datetime.datetime.now(datetime.UTC)
    for metric, count in counts.items():
        yield _NAMESPACE, {
            "MetricName": metric, "Dimensions": dimensions, "Timestamp": now, "Value": count, "Unit": "Count",
        }  # fmt: skip
