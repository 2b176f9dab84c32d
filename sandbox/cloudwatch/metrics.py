"""Metric data: what was put, by exact dimensions, and its statistics for aligned periods.

Comes in: requests of PutMetricData, questions for one statistic of one metric. Goes out: a series, in which a
period without data is not there. Time is always given; what is too old to matter is forgotten when it is asked to.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from sandbox.cloudwatch.refusal import Refusal
from sandbox.cloudwatch.series import Series

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")


@dataclass(frozen=True)
class Metric:
    """A metric is its namespace, its name and exactly these dimensions."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """One statistic of one metric, in one unit or in any."""

    metric: Metric
    statistic: str
    unit: str | None = None


@dataclass(frozen=True)
class Sample:
    """A value seen `count` times, or a set of values of which only the statistics are known."""

    time: float
    count: float
    total: float
    low: float
    high: float
    unit: str


def metric_of(named: Mapping[str, Any]) -> Metric:
    """The metric that a datum, an alarm or a query names."""
    dimensions = frozenset((one["Name"], one["Value"]) for one in named.get("Dimensions") or ())
    return Metric(named["Namespace"], named["MetricName"], dimensions)


def percentile_of(statistic: str) -> float | None:
    """0 to 100 for `p95` and its like, None for every other statistic."""
    found = _PERCENTILE.fullmatch(statistic)
    return float(found[1]) if found else None


class Metrics:
    """All samples that are kept."""

    def __init__(self) -> None:
        self._samples: dict[Metric, list[Sample]] = defaultdict(list)

    def add(self, samples: Iterable[tuple[Metric, Sample]]) -> None:
        for metric, sample in samples:
            self._samples[metric].append(sample)

    def series(self, asked: Asked, seconds: float, periods: range) -> Series:
        """The statistic in each of `periods`, which are numbered from the epoch and last `seconds` each."""
        found: dict[int, list[Sample]] = defaultdict(list)
        for sample in self._samples.get(asked.metric, ()):
            at = math.floor(sample.time / seconds)
            if at in periods and asked.unit in (None, sample.unit):
                found[at].append(sample)
        values = {at: statistic_of(samples, asked.statistic) for at, samples in found.items()}
        return {at: value for at, value in values.items() if value is not None}

    def forget(self, before: float) -> None:
        kept = {metric: [one for one in samples if one.time >= before] for metric, samples in self._samples.items()}
        self._samples = defaultdict(list, {metric: samples for metric, samples in kept.items() if samples})

    def kept(self) -> list[dict[str, Any]]:
        """Everything, for a file."""
        return [
            {
                "namespace": metric.namespace,
                "name": metric.name,
                "dimensions": sorted(metric.dimensions),
                "samples": [astuple(sample) for sample in samples],
            }
            for metric, samples in self._samples.items()
        ]

    def restore(self, kept: Iterable[Mapping[str, Any]]) -> None:
        """What `kept` gave."""
        for entry in kept:
            dimensions = frozenset((name, value) for name, value in entry["dimensions"])
            metric = Metric(entry["namespace"], entry["name"], dimensions)
            self._samples[metric] += [Sample(*sample) for sample in entry["samples"]]


def samples_of(request: Mapping[str, Any], now: float) -> list[tuple[Metric, Sample]]:
    """What a request of PutMetricData brings. Raises Refusal."""
    found: list[tuple[Metric, Sample]] = []
    for datum in request.get("MetricData") or ():
        if datum.get("Counts") and len(datum["Counts"]) != len(datum.get("Values") or ()):
            raise Refusal(
                "InvalidParameterValue", f"Values and Counts of {datum['MetricName']} differ in their number."
            )
        metric = metric_of({**datum, "Namespace": request["Namespace"]})
        found += [(metric, sample) for sample in _samples(datum, now)]
    return found


def statistic_of(samples: list[Sample], statistic: str) -> float | None:
    """One statistic of the samples of one period; None where there is none."""
    count = math.fsum(sample.count for sample in samples)
    if count <= 0:
        return None
    percentile = percentile_of(statistic)
    if percentile is not None:
        return _percentile(samples, count, percentile)
    total = math.fsum(sample.total for sample in samples)
    return {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count,
        "Minimum": min(sample.low for sample in samples),
        "Maximum": max(sample.high for sample in samples),
    }[statistic]


def _percentile(samples: list[Sample], count: float, percentile: float) -> float | None:
    """By linear interpolation between the nearest ranks; of statistic sets and negative values AWS gives none."""
    if any(sample.low != sample.high or sample.low < 0 for sample in samples):
        return None
    ordered = sorted((sample.low, sample.count) for sample in samples)
    rank = percentile / 100 * (count - 1)
    low, high = _ranked(ordered, math.floor(rank)), _ranked(ordered, math.ceil(rank))
    return low + (high - low) * (rank - math.floor(rank))


def _ranked(ordered: list[tuple[float, float]], rank: int) -> float:
    seen = 0.0
    for value, count in ordered:
        seen += count
        if rank < seen:
            return value
    return ordered[-1][0]


def _samples(datum: Mapping[str, Any], now: float) -> Iterator[Sample]:
    time, unit = datum.get("Timestamp", now), datum.get("Unit", "None")
    if (known := datum.get("StatisticValues")) is not None:
        count, total, low, high = (float(known[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        yield Sample(time, count, total, low, high, unit)
        return
    values = datum.get("Values") or [datum.get("Value", 0.0)]
    counts = datum.get("Counts") or [1.0] * len(values)
    for value, count in zip(map(float, values), map(float, counts), strict=True):
        yield Sample(time, count, value * count, value, value, unit)
