"""What AWS refuses of PutMetricAlarm and PutCompositeAlarm beside what its model says.

Comes in: a request that the model finds right. Goes out: nothing, or a Refusal that says what is wrong. What AWS takes
and this CloudWatch would not evaluate is refused as well, by name: an alarm that nobody evaluates is worse than none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.cloudwatch import expression
from sandbox.cloudwatch.alarm import period_of
from sandbox.cloudwatch.evaluation import COMPARISONS, TREATMENTS
from sandbox.cloudwatch.expression import ExpressionError
from sandbox.cloudwatch.metrics import Metrics, percentile_of
from sandbox.cloudwatch.refusal import Refusal, invalid
from sandbox.cloudwatch.watching import values_of

_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_STATISTICS = frozenset({"SampleCount", "Average", "Sum", "Minimum", "Maximum"})
_OF_ONE_METRIC = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_NOT_HERE = (
    "ActionConfiguration", "ActionsSuppressor", "ActionsSuppressorExtensionPeriod", "ActionsSuppressorWaitPeriod",
    "EvaluationCriteria", "EvaluationInterval", "EvaluationWindow", "ThresholdMetricId", "WarmUpConfiguration",
)  # fmt: skip
_QUERIES = 20
_DAY = 86400


def metric_alarm(request: Mapping[str, Any]) -> None:
    """Raises Refusal."""
    for problem in _problems(request):
        raise problem


def only_here(request: Mapping[str, Any]) -> None:
    """Refuses what this CloudWatch does not have."""
    given = [name for name in _NOT_HERE if request.get(name) is not None]
    if given:
        raise invalid(f"The sandbox's CloudWatch does not evaluate {', '.join(given)}; leave it out to try the rest.")


def _problems(request: Mapping[str, Any]) -> Iterator[Refusal]:
    only_here(request)
    yield from _required(request)
    if ("MetricName" in request) == ("Metrics" in request):
        yield Refusal("InvalidParameterCombination", "An alarm has exactly one of MetricName and Metrics.")
    yield from _of_queries(request) if "Metrics" in request else _of_one_metric(request)
    yield from _numbers(request)
    yield from _expression(request)


def _required(request: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in ("ComparisonOperator", "EvaluationPeriods", "Threshold"):
        if request.get(name) is None:
            yield Refusal("MissingParameter", f"The parameter {name} is required.")
    if request["ComparisonOperator"] not in COMPARISONS:
        yield invalid(
            f"{request['ComparisonOperator']} compares with an anomaly band, which the sandbox does not have."
        )
    if request.get("TreatMissingData", "missing") not in TREATMENTS:
        allowed = ", ".join(sorted(TREATMENTS))
        yield invalid(f"Option {request['TreatMissingData']} for TreatMissingData is not one of {allowed}.")
    if request.get("EvaluateLowSampleCountPercentile", "evaluate") not in ("evaluate", "ignore"):
        yield invalid("EvaluateLowSampleCountPercentile is 'evaluate' or 'ignore'.")


def _of_one_metric(request: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in ("Namespace", "Period"):
        if request.get(name) is None:
            yield Refusal("MissingParameter", f"The parameter {name} is required.")
    if ("Statistic" in request) == ("ExtendedStatistic" in request):
        yield Refusal("InvalidParameterCombination", "An alarm has exactly one of Statistic and ExtendedStatistic.")
    extended = request.get("ExtendedStatistic", "p50")
    if percentile_of(extended) is None:
        yield invalid(f"The value {extended} for parameter ExtendedStatistic is not supported: here it is p0 to p100.")


def _of_queries(request: Mapping[str, Any]) -> Iterator[Refusal]:
    given = [name for name in _OF_ONE_METRIC if request.get(name)]
    if given:
        yield Refusal("InvalidParameterCombination", f"Metrics excludes {', '.join(given)}.")
    queries: Sequence[Mapping[str, Any]] = request["Metrics"]
    if not 0 < len(queries) <= _QUERIES:
        yield invalid(f"Metrics has 1 to {_QUERIES} entries, not {len(queries)}.")
    for query in queries:
        yield from _query(query)
    names = [query["Id"] for query in queries]
    if len(set(names)) < len(names):
        yield invalid("The values for id in Metrics are not unique.")
    returned = [query["Id"] for query in queries if query.get("ReturnData", True)]
    if len(returned) != 1:
        yield invalid(f"Exactly one element of the metrics list should return data, not {len(returned)}.")
    periods = {query["MetricStat"]["Period"] for query in queries if "MetricStat" in query}
    if len(periods) != 1:
        yield invalid(f"The metrics of an alarm have one period, not {len(periods)}.")


def _query(query: Mapping[str, Any]) -> Iterator[Refusal]:
    name = query["Id"]
    if not _ID.fullmatch(name):
        yield invalid(f"The value '{name}' for Id begins with a small letter and has letters, digits and underscores.")
    if ("Expression" in query) == ("MetricStat" in query):
        yield invalid(f"The metric query '{name}' has exactly one of Expression and MetricStat.")
    if "AccountId" in query:
        yield invalid(f"The metric query '{name}' has an AccountId, and the sandbox has one account.")
    if "MetricStat" not in query:
        return
    stat = query["MetricStat"]
    for part in ("Namespace", "MetricName"):
        if not stat["Metric"].get(part):
            yield Refusal("MissingParameter", f"The metric query '{name}' has no {part}.")
    if stat["Stat"] not in _STATISTICS and percentile_of(stat["Stat"]) is None:
        yield invalid(f"The value {stat['Stat']} for Stat of '{name}' is not supported: a statistic, or p0 to p100.")


def _numbers(request: Mapping[str, Any]) -> Iterator[Refusal]:
    period, periods = period_of(request), request["EvaluationPeriods"]
    if period not in (10, 20, 30) and period % 60:
        yield invalid(f"Period {period} is neither 10, 20, 30 nor a multiple of 60.")
    if period * periods > (_DAY if period < 3600 else 7 * _DAY):
        yield invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
    if request.get("DatapointsToAlarm", 1) > periods:
        yield invalid("DatapointsToAlarm is greater than EvaluationPeriods.")


def _expression(request: Mapping[str, Any]) -> Iterator[Refusal]:
    """Each expression is read; the whole is tried with no data at all, which shows what it gives."""
    try:
        _check_names({query["Id"]: query.get("Expression") for query in request.get("Metrics", ())})
        values_of(request, Metrics(), 60.0, range(1))
    except ExpressionError as error:
        yield invalid(f"Invalid metrics list: {error}")


def _check_names(expressions: Mapping[str, str | None]) -> None:
    needs = {
        name: frozenset[str]() if text is None else expression.ids(expression.parse(text))
        for name, text in expressions.items()
    }
    for name, wanted in needs.items():
        if unknown := sorted(wanted - needs.keys()):
            raise ExpressionError(f"The expression '{name}' needs {', '.join(unknown)}, which Metrics does not have.")
        if name in _reached(needs, name):
            raise ExpressionError(f"The expression '{name}' needs itself.")


def _reached(needs: Mapping[str, frozenset[str]], start: str) -> set[str]:
    """Every id that an id needs, also by way of others."""
    found, waiting = set[str](), list(needs[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return found
