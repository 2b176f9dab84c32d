"""DescribeAlarms, DescribeAlarmsForMetric and DescribeAlarmHistory: which alarms, in which order, how many at once.

Comes in: all alarms or all items, and a request. Goes out: the answer. Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sandbox.cloudwatch import composite, history
from sandbox.cloudwatch.alarm import COMPOSITE, METRIC, Alarm
from sandbox.cloudwatch.metrics import metric_of
from sandbox.cloudwatch.refusal import Refusal, invalid, not_found

T = TypeVar("T")
Request = Mapping[str, Any]
_SELECTIONS = ("AlarmNames", "AlarmNamePrefix", "ChildrenOfAlarmName", "ParentsOfAlarmName")


def alarms(known: Mapping[str, Alarm], request: Request) -> dict[str, Any]:
    """Without AlarmTypes AWS tells of metric alarms alone."""
    given = [name for name in _SELECTIONS if request.get(name)]
    if len(given) > 1:
        raise invalid(f"{' and '.join(given)} exclude each other.")
    types = request.get("AlarmTypes") or ([METRIC, COMPOSITE] if given and "Of" in given[0] else [METRIC])
    wanted = _selection(known, request)
    found = [
        alarm
        for name, alarm in sorted(known.items())
        if alarm.kind in types
        and wanted(name)
        and request.get("StateValue") in (None, alarm.state)
        and _does(alarm, request.get("ActionPrefix"))
    ]
    page, rest = _page(found, request, 50)
    return {
        "MetricAlarms": [alarm.told() for alarm in page if alarm.kind == METRIC],
        "CompositeAlarms": [alarm.told() for alarm in page if alarm.kind == COMPOSITE],
        **rest,
    }


def for_metric(known: Mapping[str, Alarm], request: Request) -> dict[str, Any]:
    """Alarms of exactly this metric; those of metric math are not found this way, as on AWS."""
    metric = metric_of(request)
    limits = [name for name in ("Statistic", "ExtendedStatistic", "Period", "Unit") if name in request]
    found = [
        alarm.told()
        for _, alarm in sorted(known.items())
        if "MetricName" in alarm.settings
        and metric_of(alarm.settings) == metric
        and all(alarm.settings.get(name) == request[name] for name in limits)
    ]
    return {"MetricAlarms": found}


def items(known: Sequence[history.Item], request: Request) -> dict[str, Any]:
    """The newest first, unless it is asked for otherwise."""
    found = [item for item in known if history.matches(item, request)]
    if request.get("ScanBy") != "TimestampAscending":
        found.reverse()
    page, rest = _page(found, request, 100)
    return {"AlarmHistoryItems": page, **rest}


def _does(alarm: Alarm, prefix: str | None) -> bool:
    return prefix is None or any(action.startswith(prefix) for action in alarm.all_actions())


def _selection(known: Mapping[str, Alarm], request: Request) -> Callable[[str], bool]:
    if names := request.get("AlarmNames"):
        return frozenset(names).__contains__
    if parent := request.get("ChildrenOfAlarmName"):
        return _children(_there(known, parent)).__contains__
    if child := request.get("ParentsOfAlarmName"):
        _there(known, child)
        return lambda name: child in _children(known[name])
    prefix = request.get("AlarmNamePrefix", "")
    return lambda name: name.startswith(prefix)


def _there(known: Mapping[str, Alarm], name: str) -> Alarm:
    if name not in known:
        raise not_found(f"There is no alarm '{name}'.")
    return known[name]


def _children(alarm: Alarm) -> tuple[str, ...]:
    return composite.parse(alarm.settings["AlarmRule"]).names if alarm.kind == COMPOSITE else ()


def _page(found: list[T], request: Request, most: int) -> tuple[list[T], dict[str, str]]:
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise Refusal("InvalidNextToken", f"'{token}' is no token of an earlier answer.")
    start, size = int(token), request.get("MaxRecords", most)
    rest = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return found[start : start + size], rest
