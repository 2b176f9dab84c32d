"""CloudWatch: metric alarm, of one metric or of metric math.

Comes in: properties by the provider's names. Goes out: calls to the `cloudwatch` API. PutMetricAlarm always takes the
whole alarm, so create and update are the same call.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag_by_arn, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update
from sandbox.provider.values import Properties

# The provider's name -> the API's, where the value is the same on both sides.
_SAME = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "comparisonOperator": "ComparisonOperator",
    "datapointsToAlarm": "DatapointsToAlarm",
    "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    "evaluationPeriods": "EvaluationPeriods",
    "extendedStatistic": "ExtendedStatistic",
    "insufficientDataActions": "InsufficientDataActions",
    "metricName": "MetricName",
    "namespace": "Namespace",
    "okActions": "OKActions",
    "period": "Period",
    "statistic": "Statistic",
    "threshold": "Threshold",
    "thresholdMetricId": "ThresholdMetricId",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}
_METRIC = {"metricName": "MetricName", "namespace": "Namespace"}
_STAT = {"period": "Period", "stat": "Stat", "unit": "Unit"}
_QUERY = {
    "id": "Id",
    "expression": "Expression",
    "label": "Label",
    "period": "Period",
    "accountId": "AccountId",
}


def _put(client: Client, inputs: Properties, **more: Any) -> None:
    client.put_metric_alarm(
        AlarmName=inputs["name"],
        **_renamed(inputs, _SAME),
        **given(
            Dimensions=_dimensions(inputs) if inputs.get("dimensions") else None,
            Metrics=[_query(query) for query in inputs.get("metricQueries") or []] or None,
        ),
        **more,
    )


def _renamed(values: Properties, names: dict[str, str]) -> dict[str, Any]:
    return {there: values[here] for here, there in names.items() if values.get(here) not in (None, "")}


def _back(values: dict[str, Any], names: dict[str, str]) -> Properties:
    return {here: values[there] for here, there in names.items() if values.get(there) not in (None, "")}


def _dimensions(values: Properties) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in (values.get("dimensions") or {}).items()]


def _query(query: Properties) -> dict[str, Any]:
    wire = _renamed(query, _QUERY) | {"ReturnData": bool(query.get("returnData"))}
    if metric := query.get("metric"):
        named = _renamed(metric, _METRIC) | {"Dimensions": _dimensions(metric)}
        wire["MetricStat"] = _renamed(metric, _STAT) | {"Metric": named}
    return wire


def _query_back(wire: dict[str, Any]) -> Properties:
    query = _back(wire, _QUERY) | {"returnData": bool(wire.get("ReturnData"))}
    if stat := wire.get("MetricStat"):
        dimensions = {one["Name"]: one["Value"] for one in stat["Metric"].get("Dimensions", [])}
        query["metric"] = _back(stat, _STAT) | _back(stat["Metric"], _METRIC) | {"dimensions": dimensions}
    return query


def _create(client: Client, inputs: Properties) -> str:
    _put(client, inputs, Tags=tag_list(inputs.get("tags")))
    return str(inputs["name"])


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags"}:
        _put(client, update.news)
    retag_by_arn(client, update)


def _read(client: Client, name: str, _known: Properties) -> Properties | None:
    alarms = client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    if not alarms:
        return None
    [alarm] = alarms
    arn = alarm["AlarmArn"]
    return _back(alarm, _SAME) | {
        "arn": arn,
        "name": name,
        "dimensions": {one["Name"]: one["Value"] for one in alarm.get("Dimensions", [])},
        "metricQueries": [_query_back(query) for query in alarm.get("Metrics", [])],
        "tags": tag_map(client.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    }


def _delete(client: Client, name: str, _known: Properties) -> None:
    found(client.delete_alarms, AlarmNames=[name])


TYPES = (
    ResourceType(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        title="CloudWatch Metric Alarm",
        service="cloudwatch",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "region"}),
        auto_named=True,
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        computed=frozenset({"evaluateLowSampleCountPercentiles", "region"}),
        unsupported=frozenset({"evaluationCriteria", "evaluationInterval", "evaluationWindow", "warmUpConfiguration"}),
    ),
)
