"""Logs and metrics of the services, sent to CloudWatch as AWS's runtimes send them.

Comes in: lines of the runtimes' own, the log files of copies, sources of metrics. Goes out: log events and metric
data, in batches, through boto3 at the endpoint that it is given and at no other. What cannot be sent is kept for
the next time, up to a limit; a service never waits for its telemetry.
"""

import asyncio
import contextlib
import datetime
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.runtimes.aws import session
from sandbox.runtimes.front_door import Tally

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

_KEPT = 10_000  # log lines that wait for CloudWatch to come back
_BATCH = 1_000  # log events in one call; AWS takes 10,000 or 1 MB
_LONGEST = 64 * 1024  # bytes of one line
_DATA = 500  # metric data in one call; AWS takes 1,000 or 1 MB
_VALUES = 150  # as many values as one datum may hold
_log = logging.getLogger(__name__)
Datum: TypeAlias = "tuple[str, MetricDatumTypeDef]"  # with its namespace
Source: TypeAlias = "Callable[[], Iterable[Datum]]"


@dataclass
class _Tail:
    """How far a copy's log file has been read."""

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

    def __init__(self, endpoint: str, region: str, cloudwatch: str) -> None:
        self._logs = session(region).client("logs", endpoint_url=endpoint)
        self._cloudwatch = session(region).client("cloudwatch", endpoint_url=cloudwatch)
        self._lines: list[_Line] = []
        self._tails: dict[str, _Tail] = {}
        self._sources: dict[str, Source] = {}
        self._made: set[tuple[str, str]] = set()
        self._flushing = asyncio.Lock()

    def line(self, group: str, stream: str, text: str) -> None:
        """A line of a runtime's own."""
        _log.info("%s: %s", group, text)
        self._lines.append(_Line(group, stream, _now(), text))

    def follow(self, group: str, stream: str, copy_id: str, path: Path) -> None:
        """Send what a copy writes to its log file."""
        self._tails[copy_id] = _Tail(group, stream, path)

    def unfollow(self, copy_id: str) -> None:
        """The copy has ended: what it wrote last is sent with the next flush."""
        if copy_id in self._tails:
            self._tails[copy_id].ended = True

    async def has_group(self, group: str) -> bool:
        """Whether there is such a log group; when nobody can say, its lines wait and nobody is held up."""
        return await asyncio.to_thread(self._has_group, group)

    async def make_group(self, group: str) -> None:
        """Make a log group, unless it is there."""
        with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
            await asyncio.to_thread(self._logs.create_log_group, logGroupName=group)

    def watch(self, key: str, source: Source) -> None:
        """Ask `source` for its metrics once a period."""
        self._sources[key] = source

    def unwatch(self, key: str) -> None:
        self._sources.pop(key, None)

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
        """Send everybody's metrics since the last call. What cannot be sent is lost, as it is with AWS."""
        spaces: dict[str, list[MetricDatumTypeDef]] = defaultdict(list)
        for source in list(self._sources.values()):
            for namespace, datum in source():
                spaces[namespace].append(datum)
        for namespace, data in spaces.items():
            await asyncio.to_thread(self._send_metrics, namespace, data)

    def _has_group(self, group: str) -> bool:
        try:
            found = self._logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        except (BotoCoreError, ClientError) as error:
            _log.warning("looking for the log group %s: %s", group, error)
            return True
        return any(each["logGroupName"] == group for each in found)

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

    def _send_metrics(self, namespace: str, data: "list[MetricDatumTypeDef]") -> None:
        try:
            for start in range(0, len(data), _DATA):
                self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=data[start : start + _DATA])
        except (BotoCoreError, ClientError) as error:
            _log.warning("sending metrics: %s", error)


def latency_data(
    metric: str, dimensions: "Sequence[DimensionTypeDef]", tally: Tally, *, unit: Literal["Milliseconds", "Seconds"]
) -> "Iterator[MetricDatumTypeDef]":
    """The latencies of a tally, in as few pieces as AWS takes them."""
    scale = 1.0 if unit == "Milliseconds" else 0.001
    latencies = sorted(tally.latencies.items())
    now = datetime.datetime.now(datetime.UTC)
    for start in range(0, len(latencies), _VALUES):
        values, times = zip(*latencies[start : start + _VALUES], strict=True)
        yield {
            "MetricName": metric,
            "Dimensions": dimensions,
            "Timestamp": now,
            "Values": [round(value * scale, 6) for value in values],
            "Counts": times,
            "Unit": unit,
        }


def _now() -> int:
    return int(time.time() * 1000)
