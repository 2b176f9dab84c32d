"""An alarm: its settings as they were put, whole, and the state that it is in.

Comes in: requests of PutMetricAlarm and PutCompositeAlarm that were found valid. Goes out: what DescribeAlarms says,
and the rule, the queries and the period that evaluation needs. A value; a new state is a new Alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox.cloudwatch.evaluation import ALARM, OK, UNKNOWN, Rule, Verdict
from sandbox.cloudwatch.metrics import Asked, metric_of

METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"
_ACTIONS = {ALARM: "AlarmActions", OK: "OKActions", UNKNOWN: "InsufficientDataActions"}
_LISTS = (*_ACTIONS.values(), "Dimensions")


@dataclass(frozen=True)
class Alarm:
    """`kind` is AWS's word; `settings` is the request without tags; times are seconds since the epoch."""

    kind: str
    arn: str
    settings: Mapping[str, Any]
    configured: float
    updated: float
    state: str = UNKNOWN
    reason: str = "Unchecked: Initial alarm creation"
    data: str = ""

    @property
    def name(self) -> str:
        return str(self.settings["AlarmName"])

    @property
    def acts(self) -> bool:
        """Whether its actions are enabled."""
        return bool(self.settings.get("ActionsEnabled", True))

    def actions(self, state: str) -> list[str]:
        """What is done when it comes into `state`."""
        return list(self.settings.get(_ACTIONS[state]) or ())

    def all_actions(self) -> list[str]:
        return [action for state in _ACTIONS for action in self.actions(state)]

    def moved(self, verdict: Verdict, now: float) -> "Alarm":
        """The alarm in another state."""
        return replace(self, state=verdict.state, reason=verdict.reason, data=verdict.data, updated=now)

    def told(self) -> dict[str, Any]:
        """As DescribeAlarms tells it."""
        lists = _LISTS[:3] if self.kind == COMPOSITE or "Metrics" in self.settings else _LISTS
        told: dict[str, Any] = {
            **{name: [] for name in lists},
            "ActionsEnabled": True,
            **self.settings,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated,
            "StateTransitionedTimestamp": self.updated,
        }
        return told | ({"StateReasonData": self.data} if self.data else {})


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """How many data points have to breach which threshold."""
    periods = settings["EvaluationPeriods"]
    return Rule(
        comparison=settings["ComparisonOperator"],
        threshold=settings["Threshold"],
        periods=periods,
        datapoints=settings.get("DatapointsToAlarm", periods),
        missing=settings.get("TreatMissingData", "missing"),
    )


def queries_of(settings: Mapping[str, Any]) -> dict[str, Asked | str]:
    """What is asked, by id: a statistic or an expression. An alarm of one metric has one query."""
    if "Metrics" not in settings:
        statistic = settings.get("Statistic") or settings["ExtendedStatistic"]
        return {"metric": Asked(metric_of(settings), statistic, settings.get("Unit"))}
    return {query["Id"]: _query(query) for query in settings["Metrics"]}


def watched(settings: Mapping[str, Any]) -> str:
    """The id of the query whose data points are compared with the threshold."""
    if "Metrics" not in settings:
        return "metric"
    [query] = [query for query in settings["Metrics"] if query.get("ReturnData", True)]
    return str(query["Id"])


def period_of(settings: Mapping[str, Any]) -> int:
    """Seconds, as AWS has them."""
    if "Metrics" not in settings:
        return int(settings["Period"])
    return int(next(query["MetricStat"]["Period"] for query in settings["Metrics"] if "MetricStat" in query))


def _query(query: Mapping[str, Any]) -> Asked | str:
    if "Expression" in query:
        return str(query["Expression"])
    stat = query["MetricStat"]
    return Asked(metric_of(stat["Metric"]), stat["Stat"], stat.get("Unit"))
