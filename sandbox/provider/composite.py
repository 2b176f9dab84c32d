"""CloudWatch: composite alarm and dashboard. `cloudwatch` has the metric alarm.

Comes in: properties by the provider's names. Goes out: calls to the `cloudwatch` API. Both are put whole, so create
and update are the same call.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag_by_arn, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update, json_document
from sandbox.provider.values import Properties

_SAME = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "alarmRule": "AlarmRule",
    "insufficientDataActions": "InsufficientDataActions",
    "okActions": "OKActions",
}
_SUPPRESSOR = {
    "alarm": "ActionsSuppressor",
    "extensionPeriod": "ActionsSuppressorExtensionPeriod",
    "waitPeriod": "ActionsSuppressorWaitPeriod",
}


def _renamed(values: Properties, names: dict[str, str]) -> dict[str, Any]:
    return {there: values[here] for here, there in names.items() if values.get(here) not in (None, "")}


def _put(client: Client, inputs: Properties, **more: Any) -> None:
    suppressor = _renamed(inputs.get("actionsSuppressor") or {}, _SUPPRESSOR)
    client.put_composite_alarm(AlarmName=inputs["alarmName"], **_renamed(inputs, _SAME), **suppressor, **more)


def _create(client: Client, inputs: Properties) -> str:
    _put(client, inputs, **given(Tags=tag_list(inputs.get("tags")) or None))
    return str(inputs["alarmName"])


def _read(client: Client, name: str, _known: Properties) -> Properties | None:
    alarms = client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    if not alarms:
        return None
    told = alarms[0]
    arn = told["AlarmArn"]
    suppressor = {here: told[there] for here, there in _SUPPRESSOR.items() if told.get(there) is not None}
    return {here: told[there] for here, there in _SAME.items() if there in told} | {
        "actionsSuppressor": suppressor if told.get("ActionsSuppressor") else None,
        "alarmName": name,
        "arn": arn,
        "tags": tag_map(client.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    }


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags"}:
        _put(client, update.news)
    retag_by_arn(client, update)


def _delete(client: Client, name: str, _known: Properties) -> None:
    found(client.delete_alarms, AlarmNames=[name])


def _put_dashboard(client: Client, inputs: Properties) -> str:
    name = str(inputs["dashboardName"])
    answer = client.put_dashboard(DashboardName=name, DashboardBody=inputs["dashboardBody"])
    for message in answer.get("DashboardValidationMessages", []):
        raise Failed(f"putting CloudWatch Dashboard ({name}): {message.get('DataPath')}: {message.get('Message')}")
    return name


def _update_dashboard(client: Client, update: Update) -> None:
    _put_dashboard(client, update.news)


def _read_dashboard(client: Client, name: str, _known: Properties) -> Properties | None:
    told = found(client.get_dashboard, DashboardName=name)
    return told and {
        "dashboardArn": told["DashboardArn"],
        "dashboardBody": told["DashboardBody"],
        "dashboardName": name,
    }


def _delete_dashboard(client: Client, name: str, _known: Properties) -> None:
    found(client.delete_dashboards, DashboardNames=[name])


TYPES = (
    ResourceType(
        token="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        title="CloudWatch Composite Alarm",
        service="cloudwatch",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"alarmName", "actionsEnabled", "region"}),
        # Its name is required, so it can only be a name that was given.
        delete_first=True,
        name="alarmName",
        defaults={"actionsEnabled": True},
        computed=frozenset({"region"}),
    ),
    ResourceType(
        token="aws:cloudwatch/dashboard:Dashboard",
        title="CloudWatch Dashboard",
        service="cloudwatch",
        create=_put_dashboard,
        read=_read_dashboard,
        update=_update_dashboard,
        delete=_delete_dashboard,
        replaces=frozenset({"dashboardName", "region"}),
        name="dashboardName",
        computed=frozenset({"region"}),
        spellings={"dashboardBody": json_document},
    ),
)
