"""Logs and metrics of the services, sent to CloudWatch as App Runner sends them.

Comes in: lifecycle messages, the log files of instances, the tallies of front doors. Goes out: log events and metric
data, in batches, through boto3 at the endpoint that it is given and at no other. What cannot be sent is kept for
the next time, up to a limit; a service never waits for its telemetry.
"""

import asyncio
import contextlib
import datetime
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sandbox.app_runner.front_door import FrontDoor

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

_KEPT = 10_000  # log lines that wait for CloudWatch to come back
_BATCH = 1_000  # log events in one call; AWS takes 10,000 or 1 MB
_LONGEST = 64 * 1024  # bytes of one line
_log = logging.getLogger(__name__)


@dataclass
class _Tail:
    """How far an instance's log file has been read."""

    group: str
    stream: str
    path: Path
    offset: int = 0
    ended: bool = False

    def new_lines(self) -> list[str]:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = len(data) if self.ended or len(data) > _LONGEST else data.rfind(b"\n") + 1
        self.offset += whole
        return [line[:_LONGEST].decode(errors="replace") for line in data[:whole].splitlines()]


@dataclass(frozen=True)
class _Line:
    group: str
    stream: str
    time: int
    text: str


class Telemetry:
    """One for all services. `flush` sends the logs, `report` the metrics."""

    def __init__(self, endpoint: str, region: str) -> None:
        session = boto3.Session(
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the sandbox's
        )
        self._logs = session.client("logs", endpoint_url=endpoint)
        # By way of what evaluates alarms, where there is one: it has to see the data.
        metrics = os.environ.get("AWS_ENDPOINT_URL_CLOUDWATCH", endpoint)
        self._cloudwatch = session.client("cloudwatch", endpoint_url=metrics)
        self._lines: list[_Line] = []
        self._tails: dict[str, _Tail] = {}
        self._doors: dict[tuple[str, str], FrontDoor] = {}
        self._made: set[tuple[str, str]] = set()
        self._flushing = asyncio.Lock()

    def event(self, group: str, text: str) -> None:
        """A line of a service's lifecycle, for its `/service` log group."""
        _log.info("%s: %s", group, text)
        self._lines.append(_Line(f"{group}/service", "events", _now(), f"[AppRunner] {text}"))

    def follow(self, group: str, instance_id: str, path: Path) -> None:
        """Send what an instance writes to its log file, to the `/application` log group."""
        self._tails[instance_id] = _Tail(f"{group}/application", f"instance/{instance_id}", path)

    def unfollow(self, instance_id: str) -> None:
        """The instance has ended: what it wrote last is sent with the next flush."""
        if instance_id in self._tails:
            self._tails[instance_id].ended = True

    def watch(self, name: str, service_id: str, door: FrontDoor) -> None:
        self._doors[name, service_id] = door

    def unwatch(self, name: str, service_id: str) -> None:
        self._doors.pop((name, service_id), None)

    async def flush(self) -> None:
        """Send every log line that there is now."""
        async with self._flushing:
            for instance_id, tail in list(self._tails.items()):
                lines = await asyncio.to_thread(tail.new_lines)
                self._lines += [_Line(tail.group, tail.stream, _now(), line) for line in lines]
                if tail.ended:
                    self._tails.pop(instance_id)
            lines_now, self._lines = self._lines, []
            unsent = await asyncio.to_thread(self._send_lines, lines_now)
            self._lines = (unsent + self._lines)[-_KEPT:]

    async def report(self) -> None:
        """Send each service's metrics since the last call. What cannot be sent is lost, as it is with AWS."""
        for (name, service_id), door in list(self._doors.items()):
            await asyncio.to_thread(self._send_metrics, list(metric_data(name, service_id, door)))

    def _send_lines(self, lines: list[_Line]) -> list[_Line]:
        streams: dict[tuple[str, str], list[_Line]] = defaultdict(list)
        for line in lines:
            streams[line.group, line.stream].append(line)
        unsent: list[_Line] = []
        for (group, stream), its_lines in streams.items():
            try:
                self._send_stream(group, stream, its_lines)
            except (BotoCoreError, ClientError) as error:
                _log.warning("sending logs to %s: %s", group, error)
                unsent += its_lines
        return unsent

    def _send_stream(self, group: str, stream: str, lines: list[_Line]) -> None:
        if (group, stream) not in self._made:
            taken = self._logs.exceptions.ResourceAlreadyExistsException
            with contextlib.suppress(taken):
                self._logs.create_log_group(logGroupName=group)
            with contextlib.suppress(taken):
                self._logs.create_log_stream(logGroupName=group, logStreamName=stream)
            self._made.add((group, stream))
        for start in range(0, len(lines), _BATCH):
            events: list[InputLogEventTypeDef] = [
                {"timestamp": line.time, "message": line.text or " "} for line in lines[start : start + _BATCH]
            ]
            self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def _send_metrics(self, data: "list[MetricDatumTypeDef]") -> None:
        try:
            self._cloudwatch.put_metric_data(Namespace="AWS/AppRunner", MetricData=data)
        except (BotoCoreError, ClientError) as error:
            _log.warning("sending metrics: %s", error)


def metric_data(name: str, service_id: str, door: FrontDoor) -> "Iterator[MetricDatumTypeDef]":
    """The service-level metrics of one period, taken from the door. Dimensions are ServiceName and ServiceID, both.

    A status class that never occurred has no series. An idle service has no active instance.
    """
    tally = door.take_tally()
    requests = tally.statuses.total()
    counts = {f"{status}xxStatusResponses": tally.statuses[status] for status in (2, 4, 5)}
    counts = {metric: count for metric, count in (counts | {"Requests": requests}).items() if count}
    counts["ActiveInstances"] = 1 if requests and door.target else 0
    dimensions: list[DimensionTypeDef] = [
        {"Name": "ServiceName", "Value": name},
        {"Name": "ServiceID", "Value": service_id},
    ]
    now = datetime.datetime.now(datetime.UTC)
    for metric, count in counts.items():
        yield {"MetricName": metric, "Dimensions": dimensions, "Timestamp": now, "Value": count, "Unit": "Count"}
    latencies = sorted(tally.latencies.items())
    for start in range(0, len(latencies), 150):  # as many values as one datum may hold
        values, times = zip(*latencies[start : start + 150], strict=True)
        yield {
            "MetricName": "RequestLatency",
            "Dimensions": dimensions,
            "Timestamp": now,
            "Values": values,
            "Counts": times,
            "Unit": "Milliseconds",
        }


def _now() -> int:
    return int(time.time() * 1000)
