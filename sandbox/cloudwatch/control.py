"""The operations on alarms: put, delete, set, enable, tag; what they describe is in `describing`.

Comes in: requests that botocore's model finds right. Goes out: answers, or a Refusal before anything changed. Alarms
are stored whole, as they were put; an edit keeps the state, and tags count only when an alarm is new.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.cloudwatch import composite, describing, history, validation
from sandbox.cloudwatch.alarm import COMPOSITE, METRIC, Alarm
from sandbox.cloudwatch.evaluation import Verdict
from sandbox.cloudwatch.refusal import Refusal, invalid, not_found
from sandbox.cloudwatch.store import Store
from sandbox.cloudwatch.transitions import Transitions

Request = Mapping[str, Any]
Operation = Callable[[Request], Mapping[str, Any]]


class Control:
    """`operations` by AWS's names."""

    def __init__(self, store: Store, transitions: Transitions, prefix: str, clock: Callable[[], float]) -> None:
        self._store = store
        self._transitions = transitions
        self._prefix = prefix  # of an alarm's ARN
        self._clock = clock
        self.operations: Mapping[str, Operation] = {
            "PutMetricAlarm": self._put_metric,
            "PutCompositeAlarm": self._put_composite,
            "DescribeAlarms": lambda request: describing.alarms(store.alarms, request),
            "DescribeAlarmsForMetric": lambda request: describing.for_metric(store.alarms, request),
            "DescribeAlarmHistory": lambda request: describing.items(store.history, request),
            "DeleteAlarms": self._delete,
            "SetAlarmState": self._set_state,
            "EnableAlarmActions": lambda request: self._enable(request, enabled=True),
            "DisableAlarmActions": lambda request: self._enable(request, enabled=False),
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._list_tags,
        }

    def serves(self, operation: str, request: Request) -> bool:
        """Whether it is about alarms; tags may be those of a dashboard."""
        return operation in self.operations and ":alarm:" in request.get("ResourceARN", ":alarm:")

    def _put_metric(self, request: Request) -> dict[str, Any]:
        validation.metric_alarm(request)
        self._put(METRIC, request)
        return {}

    def _put_composite(self, request: Request) -> dict[str, Any]:
        validation.only_here(request)
        try:
            rule = composite.parse(request["AlarmRule"])
        except composite.RuleError as error:
            raise invalid(str(error)) from error
        missing = [f"{self._prefix}{name}" for name in rule.names if name not in self._store.alarms]
        if missing:
            told = ", ".join(missing)
            raise invalid(f"Could not save the composite alarm as alarms [{told}] in the alarm rule do not exist")
        what = self._put(COMPOSITE, request)
        self._transitions.rules({request["AlarmName"]: what})
        return {}

    def _put(self, kind: str, request: Request) -> str:
        name, now = request["AlarmName"], self._clock()
        known = self._store.alarms.get(name)
        if known and known.kind != kind:
            raise invalid(f"'{name}' is a {known.kind} already.")
        settings = {key: value for key, value in request.items() if key != "Tags"}
        if known:
            alarm, what = replace(known, settings=settings, configured=now), "updated"
        else:
            alarm, what = Alarm(kind, f"{self._prefix}{name}", settings, configured=now, updated=now), "created"
            self._store.tags[name] = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()}
        self._store.alarms[name] = alarm
        self._store.note(history.configured(alarm, what, now))
        return what

    def _delete(self, request: Request) -> dict[str, Any]:
        names = dict.fromkeys(request["AlarmNames"])
        if unknown := [name for name in names if name not in self._store.alarms]:
            raise not_found(f"There are no alarms {', '.join(unknown)}; nothing was deleted.")
        for parent in self._store.alarms.values():
            if parent.kind == COMPOSITE and parent.name not in names:
                needed = [name for name in composite.parse(parent.settings["AlarmRule"]).names if name in names]
                if needed:
                    raise invalid(f"Cannot delete {needed[0]} as there are composite alarm(s) depending on it.")
        for name in names:
            self._store.note(history.configured(self._store.alarms.pop(name), "deleted", self._clock()))
            self._store.tags.pop(name, None)
        return {}

    def _set_state(self, request: Request) -> dict[str, Any]:
        """Until the next look, as on AWS."""
        name, data = request["AlarmName"], request.get("StateReasonData", "")
        if name not in self._store.alarms:
            raise not_found(f"There is no alarm '{name}'.")
        try:
            json.loads(data or "{}")
        except ValueError as error:
            raise Refusal("InvalidFormat", f"StateReasonData is no JSON: {error}") from error
        alarm, verdict = self._store.alarms[name], Verdict(request["StateValue"], request["StateReason"], data)
        if verdict.state != alarm.state:
            self._transitions.move(alarm, verdict, self._clock())
            if alarm.kind == METRIC:
                self._transitions.rules()
        return {}

    def _enable(self, request: Request, *, enabled: bool) -> dict[str, Any]:
        for name in request["AlarmNames"]:
            if alarm := self._store.alarms.get(name):
                settings = {**alarm.settings, "ActionsEnabled": enabled}
                self._store.alarms[name] = replace(alarm, settings=settings)
        return {}

    def _tag(self, request: Request) -> dict[str, Any]:
        self._tags(request).update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        return {}

    def _untag(self, request: Request) -> dict[str, Any]:
        tags = self._tags(request)
        for key in request["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, request: Request) -> dict[str, Any]:
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(self._tags(request).items())]}

    def _tags(self, request: Request) -> dict[str, str]:
        arn = request["ResourceARN"]
        name = arn.removeprefix(self._prefix)
        if name == arn or name not in self._store.alarms:
            raise Refusal("ResourceNotFoundException", f"There is no alarm {arn}.", 404)
        return self._store.tags.setdefault(name, {})
