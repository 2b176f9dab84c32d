"""The alarms on a running service: 5xx share, p95 latency, CPU, memory, no healthy instance.

Comes in: the service's metrics, its thresholds and the topic. Goes out: what each alarm is about, and its name; a
threshold of 0 declares none. They judge three minutes of five, because metrics arrive late and switching over causes
short bursts, and take silence for good: no traffic is no fault. The names stay whatever runtime the service is on, so
the same alarm is changed and never deleted. Verification and deployments read them by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.alert_settings import Alarms
from stacks.metrics import Metric, Metrics
from stacks.names import Place

MINUTE = 60
# A metric of an alarm's own words: the provider's arguments that say what is measured.
Watched = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """One alarm as data. `means` says what happened, `do` what to do about it."""

    about: str
    means: str
    do: str
    watched: Watched
    threshold: float
    comparison: str = "GreaterThanThreshold"
    silence: str = "notBreaching"
    minutes: int = 5  # of which three have to be bad


def alarms(
    place: Place,
    metrics: Metrics,
    thresholds: Alarms,
    *,
    topic: pulumi.Input[str],
    parent: pulumi.Resource,
    formerly: pulumi.Resource | None = None,
) -> dict[str, pulumi.Output[str]]:
    """Those on answers and on size, by what they are about; they may be there before the service is.

    `formerly` is the component whose children they were in stacks of before, so that they are not made anew.
    """
    options = pulumi.ResourceOptions(parent=parent, aliases=[pulumi.Alias(parent=formerly)] if formerly else None)
    return {rule.about: _declare(place, rule, topic, options) for rule in rules(place, metrics, thresholds)}


def instances_alarm(
    place: Place,
    metrics: Metrics,
    thresholds: Alarms,
    *,
    topic: pulumi.Input[str],
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
) -> dict[str, pulumi.Output[str]]:
    """The one that takes silence for bad: made `after` the service serves, or a first release would set it off."""
    if not (thresholds.instances and metrics.healthy):
        return {}
    options = pulumi.ResourceOptions(parent=parent, depends_on=list(after))
    return {"instances": _declare(place, no_instance(metrics), topic, options)}


def rules(place: Place, metrics: Metrics, thresholds: Alarms) -> Iterator[Rule]:
    """What the thresholds ask for, without the one on instances."""
    back = f"If a release began it, `releasectl rollback {place.environment}`"
    if thresholds.errors_percent:
        yield Rule(
            "errors",
            f"more than {thresholds.errors_percent:g} % of the requests end with a 5xx",
            f"{back}; else read the service's log.",
            share(metrics, thresholds.minimum_requests),
            thresholds.errors_percent,
        )
    if thresholds.latency_p95_ms:
        yield Rule(
            "latency",
            f"one request in twenty takes longer than {thresholds.latency_p95_ms} ms (p95)",
            f"{back}; else look at what the service waits for, and at its CPU.",
            slowest(metrics, thresholds.minimum_requests),
            thresholds.latency_p95_ms / 1000 * metrics.latency_per_second,
        )
    for about, metric, percent in (
        ("cpu", metrics.cpu, thresholds.cpu_percent),
        ("memory", metrics.memory, thresholds.memory_percent),
    ):
        if percent:
            yield Rule(
                about,
                f"its instances use more than {percent:g} % of their {about.replace('cpu', 'CPU')}",
                f"{back}; else raise `{about}` or `scaling.max` in Pulumi.{place.environment}.yaml.",
                plain(metric, "Average"),
                percent,
            )


def no_instance(metrics: Metrics) -> Rule:
    """Three bad minutes at a stretch, silence included: one good answer is enough to be sure that somebody serves."""
    return Rule(
        "instances",
        "no instance is healthy, or nobody can tell",
        "Users get errors now: read the log of the last instances, then roll back or mend what they lack at start.",
        serving(metrics),
        1,
        comparison="LessThanThreshold",
        silence="breaching",
        minutes=3,
    )


def share(metrics: Metrics, minimum: int) -> Watched:
    """The share of 5xx in percent, 0 below `minimum` requests a minute: one error of two requests is a large share.

    A series of errors does not exist in minutes without one, so it is filled. A lone series of requests is not, so that
    no traffic stays "missing".
    """
    errors = _added("errors", metrics.errors, filled=True)
    requests = _added("requests", metrics.requests)
    expression = f"IF({requests} >= {minimum}, 100 * {errors} / {requests}, 0)"
    counted = (*_series("errors", metrics.errors, "Sum"), *_series("requests", metrics.requests, "Sum"))
    return _math(expression, "5xx %", counted)


def slowest(metrics: Metrics, minimum: int) -> Watched:
    """The p95 of the slowest door, 0 below `minimum` requests a minute.

    CloudWatch's own guard (`evaluate_low_sample_count_percentiles`) asks for 200 requests: quiet services are never
    judged by it.
    """
    names = _names("latency", metrics.latency)
    latency = names[0] if len(names) == 1 else f"MAX([{', '.join(f'FILL({name}, 0)' for name in names)}])"
    expression = f"IF({_added('requests', metrics.requests)} >= {minimum}, {latency}, 0)"
    measured = (*_series("latency", metrics.latency, "p95"), *_series("requests", metrics.requests, "Sum"))
    return _math(expression, "p95", measured)


def serving(metrics: Metrics) -> Watched:
    """How many instances are healthy behind all doors; "Maximum", because each part of a load balancer counts."""
    if len(metrics.healthy) == 1:
        return plain(metrics.healthy[0], "Maximum")
    counted = _series("healthy", metrics.healthy, "Maximum")
    return _math(_added("healthy", metrics.healthy), "healthy instances", counted)


def plain(metric: Metric, statistic: str) -> Watched:
    """One metric as it is."""
    return {
        "namespace": metric.namespace,
        "metric_name": metric.name,
        "dimensions": metric.dimensions,
        "statistic": statistic,
        "period": MINUTE,
    }


def _declare(
    place: Place, rule: Rule, topic: pulumi.Input[str], options: pulumi.ResourceOptions
) -> pulumi.Output[str]:  # fmt: skip
    bad = "3 of the last 5 minutes" if rule.minutes == 5 else f"{rule.minutes} minutes at a stretch"
    alarm = aws.cloudwatch.MetricAlarm(
        f"{place.service}-{rule.about}",
        name=f"{place.name}-{rule.about}",
        alarm_description=f"{place.service} in {place.environment}: {rule.means}, in {bad}. {rule.do} "
        f"More: docs/alerting.md, {rule.about}.",
        comparison_operator=rule.comparison,
        threshold=rule.threshold,
        evaluation_periods=rule.minutes,
        datapoints_to_alarm=3,
        treat_missing_data=rule.silence,
        alarm_actions=[topic],
        ok_actions=[topic],
        tags=place.tags,
        opts=options,
        **rule.watched,
    )
    return alarm.name


def _math(expression: str, label: str, series: Sequence[aws.cloudwatch.MetricAlarmMetricQueryArgs]) -> Watched:
    asked = aws.cloudwatch.MetricAlarmMetricQueryArgs(id="asked", expression=expression, label=label, return_data=True)
    return {"metric_queries": [asked, *series]}


def _added(word: str, metrics: Sequence[Metric], *, filled: bool = False) -> str:
    """One series by its name, several as their sum, each of them filled, or a silent one would silence them all."""
    names = _names(word, metrics)
    if len(names) == 1:
        return f"FILL({names[0]}, 0)" if filled else names[0]
    return f"SUM([{', '.join(f'FILL({name}, 0)' for name in names)}])"


def _names(word: str, metrics: Sequence[Metric]) -> list[str]:
    return [word] if len(metrics) == 1 else [f"{word}{position}" for position, _ in enumerate(metrics, 1)]


def _series(word: str, metrics: Sequence[Metric], stat: str) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    return [
        aws.cloudwatch.MetricAlarmMetricQueryArgs(
            id=name,
            metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=metric.dimensions,
                period=MINUTE,
                stat=stat,
            ),
        )
        for name, metric in zip(_names(word, metrics), metrics, strict=True)
    ]
