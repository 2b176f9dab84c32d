"""One look at one alarm: from metric data to a verdict.

Comes in: an alarm, the metric data, the time, and how long a minute is here. Goes out: a verdict, or None where the
state stays. Pure. Periods are aligned; the newest one is looked at only once it has ended and its data had some time
to come in, and a late value counts from the next look on, as on AWS.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.cloudwatch import expression
from sandbox.cloudwatch.alarm import Alarm, period_of, queries_of, rule_of, watched
from sandbox.cloudwatch.evaluation import MORE, Point, Verdict, judge
from sandbox.cloudwatch.metrics import Asked, Metrics, percentile_of
from sandbox.cloudwatch.series import Series, Value


@dataclass(frozen=True)
class Pace:
    """How many seconds stand for a minute of AWS."""

    minute: float

    def seconds(self, period: int) -> float:
        """How long a period of an alarm lasts here."""
        return period * self.minute / 60

    @property
    def grace(self) -> float:
        """How long after a period's end its data is waited for."""
        return self.minute / 4

    def next_look(self, now: float) -> float:
        """AWS looks once a minute."""
        return (math.floor((now - self.grace) / self.minute) + 1) * self.minute + self.grace


def look(alarm: Alarm, metrics: Metrics, pace: Pace, now: float) -> Verdict | None:
    """The state that the alarm should be in by now; None where it stays as it is."""
    rule, seconds = rule_of(alarm.settings), pace.seconds(period_of(alarm.settings))
    end = math.floor((now - pace.grace) / seconds)
    periods = range(end - rule.periods - MORE, end)
    if _too_few_samples(alarm.settings, metrics, seconds, periods[MORE:]):
        return None
    values = values_of(alarm.settings, metrics, seconds, periods)
    return judge([Point(at * seconds, values.get(at)) for at in periods], rule, now)


def values_of(settings: Mapping[str, Any], metrics: Metrics, seconds: float, periods: range) -> Series:
    """What is compared with the threshold. Raises ExpressionError."""
    queries, known = queries_of(settings), dict[str, Value]()

    def value(name: str) -> Value:
        if name not in known:
            asked = queries[name]
            if isinstance(asked, Asked):
                known[name] = metrics.series(asked, seconds, periods)
            else:
                known[name] = expression.evaluate(expression.parse(asked), value, periods)
        return known[name]

    found = value(watched(settings))
    if not isinstance(found, Mapping):
        kind = "an array of time series" if isinstance(found, tuple) else "a number"
        raise expression.ExpressionError(f"The expression gives {kind}, and an alarm needs a single time series.")
    return found


def remembered(alarm: Alarm, pace: Pace) -> float:
    """For how many seconds data matters to an alarm."""
    return (rule_of(alarm.settings).periods + MORE + 1) * pace.seconds(period_of(alarm.settings)) + pace.grace


def _too_few_samples(settings: Mapping[str, Any], metrics: Metrics, seconds: float, periods: range) -> bool:
    """Of a percentile, where the alarm is to wait for enough samples: AWS wants 10/(1-p), and 10/p below the median."""
    if settings.get("EvaluateLowSampleCountPercentile") != "ignore" or "ExtendedStatistic" not in settings:
        return False
    [asked] = [each for each in queries_of(settings).values() if isinstance(each, Asked)]
    counts = metrics.series(Asked(asked.metric, "SampleCount", asked.unit), seconds, periods)
    share = (percentile_of(asked.statistic) or 0) / 100
    edge = min(share, 1 - share)
    # No sample at all is missing data, which has a setting of its own.
    return bool(counts) and edge > 0 and sum(counts.values()) < 10 / edge - 1e-6
