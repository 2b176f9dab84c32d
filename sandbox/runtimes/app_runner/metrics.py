"""The service-level metrics of one period, as App Runner names them.

Comes in: a tally of requests and the copy that serves. Goes out: metric data with both dimensions, ServiceName and
ServiceID. A status class that never occurred has no series. An idle service has no active instance.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.runtimes.front_door import Tally
from sandbox.runtimes.instance import Instance
from sandbox.runtimes.telemetry import Datum, latency_data
from sandbox.runtimes.usage import Meter

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef

_NAMESPACE = "AWS/AppRunner"


class Gauge:
    """What one service counts; `serving` is the copy of the moment."""

    def __init__(self, name: str, service_id: str) -> None:
        self.tally = Tally()
        self.serving: Instance | None = None
        self._dimensions: list[DimensionTypeDef] = [
            {"Name": "ServiceName", "Value": name},
            {"Name": "ServiceID", "Value": service_id},
        ]
        self._cpus, self._megabytes = 1.0, 2048.0
        self._meter: Meter | None = None

    def sizes(self, instance: Mapping[str, Any]) -> None:
        """What a copy may use from now on."""
        cpu, memory = str(instance["Cpu"]), str(instance["Memory"])
        self._cpus = float(cpu.removesuffix(" vCPU")) if cpu.endswith("vCPU") else int(cpu) / 1024
        self._megabytes = float(memory.removesuffix(" GB")) * 1024 if memory.endswith("GB") else float(memory)

    def read(self) -> Iterator[Datum]:
        """The metrics since the last call."""
        tally, self.tally = self.tally, Tally()
        requests = tally.statuses.total()
        counts = {f"{status}xxStatusResponses": tally.statuses[status] for status in (2, 4, 5)}
        counts = {metric: count for metric, count in (counts | {"Requests": requests}).items() if count}
        counts["ActiveInstances"] = 1 if requests and self.serving else 0
        now = datetime.datetime.now(datetime.UTC)
        for metric, value, unit in [
            *((metric, float(count), "Count") for metric, count in counts.items()),
            *((metric, value, "Percent") for metric, value in self._usage().items()),
        ]:
            yield _NAMESPACE, {
                "MetricName": metric, "Dimensions": self._dimensions, "Timestamp": now, "Value": value,
                "Unit": "Percent" if unit == "Percent" else "Count",
            }  # fmt: skip
        for datum in latency_data("RequestLatency", self._dimensions, tally, unit="Milliseconds"):
            yield _NAMESPACE, datum

    def _usage(self) -> dict[str, float]:
        if self.serving is None:
            self._meter = None
        elif self._meter is None or self._meter.pid != self.serving.pid:
            self._meter = Meter(self.serving.pid, self._cpus, self._megabytes)
        return self._meter.read() if self._meter else {}
