"""What CloudWatch knows of one service, in the words of its runtime, for alarms and dashboard alike.

Comes in: nothing. Goes out: the series that a runtime writes, as data: where each is, what its unit is, and which event
tells of a failed deployment. It never judges: how much is too much is in the settings, and how it is asked in `alarms`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

# What EventBridge matches, by its own keys: `source`, `detail-type`, `resources`, `detail`.
EventPattern = Mapping[str, pulumi.Input[object] | Sequence[pulumi.Input[object]]]


@dataclass(frozen=True)
class Metric:
    """One series of CloudWatch: without every one of its dimensions it is another series, or none."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Metrics:
    """The series of one service. Several in one field are one service behind several doors."""

    requests: tuple[Metric, ...]  # Sum each, added up
    errors: tuple[Metric, ...]  # 5xx, Sum each, added up
    latency: tuple[Metric, ...]  # p95 each, the highest counts
    latency_per_second: float  # what one second is in the metric's unit: 1000 (App Runner) or 1 (load balancer)
    cpu: Metric  # percent, Average
    memory: Metric  # percent, Average
    healthy: tuple[Metric, ...]  # instances that serve; added up; () where the runtime has no such word
    failures: EventPattern  # a failed deployment or a rollback
