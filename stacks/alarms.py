"""The alarms on a running App Runner service: share of 5xx answers, and p95 latency.

Comes in: the service's metric dimensions, thresholds and the topic. Goes out: the alarms' names. Both alarms
judge three minutes of five, because metrics arrive late and waking up or switching over causes short bursts, and
both take silence for good: no traffic is no fault. Verification reads these alarms by name.
"""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from stacks.names import Place
from stacks.settings import Alarms

NAMESPACE = "AWS/AppRunner"
MINUTE = 60
# Under 20 requests a minute a single error is a large share. The 5xx series does not exist in minutes without an
# error, so it is filled with 0; the requests are not filled, so that no traffic stays "missing".
ERROR_SHARE = "IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)"

Dimensions = Mapping[str, pulumi.Input[str]]


def errors_alarm(
    place: Place, threshold: Alarms, *, dimensions: Dimensions, topic: pulumi.Input[str], parent: pulumi.Resource
) -> str:
    """Too large a share of 5xx answers. `dimensions` are ServiceName and ServiceID, or it never sees data."""
    name = f"{place.name}-errors"
    aws.cloudwatch.MetricAlarm(
        f"{place.service}-errors",
        name=name,
        alarm_description=f"{place.name}: more than {threshold.errors_percent:g} % of the answers are 5xx",
        metric_queries=[
            aws.cloudwatch.MetricAlarmMetricQueryArgs(
                id="share", expression=ERROR_SHARE, label="5xx %", return_data=True
            ),
            _sum("errors", "5xxStatusResponses", dimensions),
            _sum("requests", "Requests", dimensions),
        ],
        comparison_operator="GreaterThanThreshold",
        threshold=threshold.errors_percent,
        evaluation_periods=5,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return name


def latency_alarm(
    place: Place, threshold: Alarms, *, dimensions: Dimensions, topic: pulumi.Input[str], parent: pulumi.Resource
) -> str:
    """Too slow for one request in twenty. App Runner measures in milliseconds."""
    name = f"{place.name}-latency"
    aws.cloudwatch.MetricAlarm(
        f"{place.service}-latency",
        name=name,
        alarm_description=f"{place.name}: p95 latency above {threshold.latency_p95_ms} ms",
        namespace=NAMESPACE,
        metric_name="RequestLatency",
        dimensions=dimensions,
        extended_statistic="p95",
        evaluate_low_sample_count_percentiles="ignore",
        period=MINUTE,
        comparison_operator="GreaterThanThreshold",
        threshold=threshold.latency_p95_ms,
        evaluation_periods=5,
        datapoints_to_alarm=3,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return name


def _sum(identity: str, metric: str, dimensions: Dimensions) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=identity,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=NAMESPACE, metric_name=metric, period=MINUTE, stat="Sum", dimensions=dimensions
        ),
    )
