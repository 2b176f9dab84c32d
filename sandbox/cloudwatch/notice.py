"""What an alarm says to an SNS topic when it changes its state.

Comes in: the alarm before and after. Goes out: subject and message as AWS writes them; the message is JSON in a text,
and old spellings such as `dimensions` with small letters are AWS's own. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import botocore.session

from sandbox.cloudwatch.alarm import COMPOSITE, Alarm
from sandbox.cloudwatch.evaluation import stamp

_LONGEST_SUBJECT = 100  # characters, by SNS
_COMPARED = ("Period", "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "Threshold")


@lru_cache
def region_name(region: str) -> str:
    """`EU (Ireland)` for eu-west-1: messages still say EU where AWS's list of regions says Europe."""
    for partition in botocore.session.get_session().get_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            name: str = partition["regions"][region]["description"]
            return name.replace("Europe ", "EU ", 1)
    return region


def subject(alarm: Alarm) -> str:
    where = f" in {region_name(region_of(alarm.arn))}"
    start = f'{alarm.state}: "'
    space = _LONGEST_SUBJECT - len(start) - len(where) - 1
    name = alarm.name if len(alarm.name) <= space else f"{alarm.name[: space - 3]}..."
    return f'{start}{name}"{where}'


def message(before: Alarm, after: Alarm, children: Mapping[str, Alarm]) -> str:
    """`children` are the alarms that a composite one asks for."""
    settings = after.settings
    said: dict[str, Any] = {
        "AlarmName": after.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": after.arn.split(":")[4],
        "AlarmConfigurationUpdatedTimestamp": stamp(after.configured),
        "NewStateValue": after.state,
        "NewStateReason": after.reason,
        "StateChangeTime": stamp(after.updated),
        "Region": region_name(region_of(after.arn)),
        "AlarmArn": after.arn,
        "OldStateValue": before.state,
        **{name: settings.get(name) or [] for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }
    if after.kind == COMPOSITE:
        triggering = [child for child in children.values() if child.state == after.state]
        said |= {"AlarmRule": settings["AlarmRule"], "TriggeringChildren": [_child(child) for child in triggering]}
    else:
        said["Trigger"] = _trigger(settings)
    return json.dumps(said)


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def _child(child: Alarm) -> dict[str, Any]:
    return {"Arn": child.arn, "State": {"Value": child.state, "Timestamp": stamp(child.updated)}}


def _trigger(settings: Mapping[str, Any]) -> dict[str, Any]:
    trigger = {name: settings[name] for name in _COMPARED if name in settings}
    trigger["TreatMissingData"] = settings.get("TreatMissingData", "missing")
    trigger["EvaluateLowSampleCountPercentile"] = settings.get("EvaluateLowSampleCountPercentile", "")
    if "Metrics" in settings:
        return {**trigger, "Metrics": [_query(query) for query in settings["Metrics"]]}
    kind = "Statistic" if "Statistic" in settings else "ExtendedStatistic"
    statistic = settings[kind]
    return {
        "MetricName": settings["MetricName"],
        "Namespace": settings["Namespace"],
        "StatisticType": kind,
        kind: statistic.upper() if kind == "Statistic" else statistic,
        "Unit": settings.get("Unit"),
        "Dimensions": _dimensions(settings.get("Dimensions") or ()),
        **trigger,
    }


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: query[name] for name in ("Id", "Expression", "Label") if name in query}
    if stat := query.get("MetricStat"):
        metric = {**stat["Metric"], "Dimensions": _dimensions(stat["Metric"].get("Dimensions") or ())}
        told["MetricStat"] = {**stat, "Metric": metric}
    return {**told, "ReturnData": query.get("ReturnData", True)}


def _dimensions(given: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{"value": one["Value"], "name": one["Name"]} for one in given]
