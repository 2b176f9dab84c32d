"""The history of alarms: what was configured, which states they had, what was done about it.

Comes in: an alarm and what happened to it. Goes out: items as DescribeAlarmHistory tells them. Pure.
"""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.cloudwatch.alarm import METRIC, Alarm

KEPT = 1000  # items; AWS keeps 30 days
_LONGEST = 1000  # characters of an error; AWS allows 4,095 for all of an item's data
_SUMMARY = 255  # characters
Item = dict[str, Any]


def configured(alarm: Alarm, what: str, now: float) -> Item:
    """`what` is created, updated or deleted."""
    told = _item(alarm, now, "ConfigurationUpdate", {"version": "1.0", "type": what.removesuffix("d").capitalize()})
    return told | {"HistorySummary": f'Alarm "{alarm.name}" {what}'[:_SUMMARY]}


def moved(before: Alarm, after: Alarm) -> Item:
    why = {"stateReasonData": json.loads(after.data)} if after.data else {}
    data = {"version": "1.0", "oldState": _state(before), "newState": _state(after) | why}
    told = _item(after, after.updated, "StateUpdate", data)
    return told | {"HistorySummary": f"Alarm updated from {before.state} to {after.state}"}


def acted(alarm: Alarm, action: str, now: float, problem: str = "") -> Item:
    """An action was executed, or why it was not."""
    data = {"actionState": "Failed" if problem else "Succeeded", "notificationResource": action}
    summary = f"Failed to execute action {action}" if problem else f"Successfully executed action {action}"
    told = _item(alarm, now, "Action", data | ({"error": problem[:_LONGEST]} if problem else {}))
    return told | {"HistorySummary": summary[:_SUMMARY]}


def matches(item: Item, asked: Mapping[str, Any]) -> bool:
    """Whether DescribeAlarmHistory asks for it."""
    return (
        asked.get("AlarmName") in (None, item["AlarmName"])
        and asked.get("HistoryItemType") in (None, item["HistoryItemType"])
        and item["AlarmType"] in (asked.get("AlarmTypes") or (METRIC,))
        and asked.get("StartDate", 0) <= item["Timestamp"] <= asked.get("EndDate", float("inf"))
    )


def _state(alarm: Alarm) -> dict[str, Any]:
    return {"stateValue": alarm.state, "stateReason": alarm.reason}


def _item(alarm: Alarm, now: float, kind: str, data: Mapping[str, Any]) -> Item:
    return {
        "AlarmName": alarm.name,
        "AlarmType": alarm.kind,
        "Timestamp": now,
        "HistoryItemType": kind,
        "HistoryData": json.dumps(data),
    }
