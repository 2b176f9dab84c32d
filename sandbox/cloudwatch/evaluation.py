"""The state of an alarm, from the data points in its evaluation range.

Comes in: data points, oldest first, and the alarm's rule. Goes out: a state, the reason in AWS's words, and the data
behind it; None where the state stays as it is. The rules are those of AWS's page "Configuring how CloudWatch alarms
treat missing data", and its tables are our tests. Nothing is asked, no time is read.
"""

import datetime
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, UNKNOWN)
# AWS takes more data points than it needs, "depends on the length of the period", and shows 5 for 3.
MORE = 2
_SHOWN = 5  # data points in a reason; AWS allows 1,023 characters
_KEPT = 20  # data points in the data of a reason; AWS allows 4,000 characters
_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
COMPARISONS = frozenset(_COMPARISONS)
# How a setting is called in a reason.
_TREATED = {"missing": "Missing", "ignore": "Ignore", "breaching": "Breaching", "notBreaching": "NonBreaching"}
TREATMENTS = frozenset(_TREATED)


@dataclass(frozen=True)
class Point:
    """One period of the evaluation range: when it began, and its value or None."""

    start: float
    value: float | None


@dataclass(frozen=True)
class Rule:
    """`datapoints` out of `periods` data points have to breach the threshold."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: str = "missing"

    def breached_by(self, value: float) -> bool:
        return _COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    state: str
    reason: str
    data: str


def judge(points: Sequence[Point], rule: Rule, now: float) -> Verdict | None:
    """The state that these data points make; None where AWS retains the current one."""
    real = [point for point in points if point.value is not None][-rule.periods :]
    breaching = [point for point in real if rule.breached_by(_value(point))]
    state = _state(points, rule, len(real), len(breaching))
    if state is None:
        return None
    shown = breaching if state == ALARM else [point for point in real if point not in breaching]
    return Verdict(state, _reason(state, rule, shown, len(real)), _data(points, rule, now))


def _state(points: Sequence[Point], rule: Rule, real: int, breaching: int) -> str | None:
    missing = rule.periods - real
    if not missing:
        return ALARM if breaching >= rule.datapoints else OK
    if rule.missing in ("breaching", "notBreaching"):
        counted = breaching + (missing if rule.missing == "breaching" else 0)
        return ALARM if counted >= rule.datapoints else OK
    if breaching >= rule.datapoints:
        return ALARM
    if breaching < real:
        return OK
    if rule.missing == "ignore":
        return None
    # Only breaching data points, too few of them. AWS waits for the next ones, but not for ever: the alarm goes off
    # when the oldest is as old as the number that it takes. Its text says so of any range, its tables only of these.
    return ALARM if _age_of_oldest(points) >= rule.datapoints else UNKNOWN


def _age_of_oldest(points: Sequence[Point]) -> int:
    """The newest data point is 1 old; 0 where there is none."""
    ages = [len(points) - at for at, point in enumerate(points) if point.value is not None]
    return max(ages, default=0)


def _reason(state: str, rule: Rule, shown: Sequence[Point], real: int) -> str:
    missing = rule.periods - real
    if state == UNKNOWN:
        return f"Insufficient Data: {_count(missing, 'datapoint')} {_were(missing)} unknown."
    treated = f"{_count(missing, 'missing datapoint')} {_were(missing)} treated as [{_TREATED[rule.missing]}]"
    if not real:
        return f"Threshold Crossed: no datapoints were received for {_count(rule.periods, 'period')} and {treated}."
    told = [treated] if missing else []
    if shown:
        values = ", ".join(_shown(point) for point in reversed(shown[-_SHOWN:]))
        out_of = f"{len(shown)} out of the last {rule.periods} datapoints [{values}]"
        told.insert(0, f"{out_of} {_were(len(shown))} {_crossing(state, rule)}")
    least = rule.datapoints if state == ALARM else rule.periods - rule.datapoints + 1
    way = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return f"Threshold Crossed: {' and '.join(told)} (minimum {_count(least, 'datapoint')} for {way} transition)."


def _crossing(state: str, rule: Rule) -> str:
    never = "" if state == ALARM else "not "
    return f"{never}{_COMPARISONS[rule.comparison][1]} the threshold ({float(rule.threshold)})"


def _shown(point: Point) -> str:
    began = datetime.datetime.fromtimestamp(point.start, datetime.UTC)
    return f"{_value(point)} ({began:%d/%m/%y %H:%M:%S})"


def _data(points: Sequence[Point], rule: Rule, now: float) -> str:
    real = [point for point in points if point.value is not None][-_KEPT:]
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": stamp(now),
            "startDate": stamp(points[0].start) if points else None,
            "recentDatapoints": [point.value for point in real],
            "threshold": rule.threshold,
            "evaluatedDatapoints": [
                {"timestamp": stamp(point.start), "value": point.value} for point in reversed(real[-rule.periods :])
            ],
        }
    )


def stamp(time: float) -> str:
    """A time as CloudWatch writes it in texts."""
    said = datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat(timespec="milliseconds")
    return said.replace("+00:00", "+0000")


def _value(point: Point) -> float:
    return float("nan") if point.value is None else float(point.value)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
