"""States of alarms: AWS's tables of missing data, M out of N, percentiles, and whole alarms over made-up minutes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cloudwatch import composite, validation
from sandbox.cloudwatch.alarm import METRIC, Alarm
from sandbox.cloudwatch.composite import RuleError
from sandbox.cloudwatch.evaluation import ALARM, OK, UNKNOWN, Point, Rule, judge
from sandbox.cloudwatch.metrics import Metrics, samples_of, statistic_of
from sandbox.cloudwatch.refusal import Refusal
from sandbox.cloudwatch.watching import Pace, look

KEEP = None
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
SHARE = "IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)"
NOW = 1_800_000_000.0
AWS = Pace(60)


def state(points: str, missing: str, datapoints: int, periods: int = 3) -> str | None:
    """The state for data points as AWS writes them: 0 within the threshold, X beyond it, - missing; newest last."""
    found = [Point(at * 60, {"0": 0.0, "X": 9.0, "-": None}[mark]) for at, mark in enumerate(points.replace(" ", ""))]
    verdict = judge(found, Rule("GreaterThanThreshold", 1, periods, datapoints, missing), NOW)
    return verdict.state if verdict else None


@pytest.mark.parametrize(
    ("points", "states"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (UNKNOWN, KEEP, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, KEEP, ALARM, OK)),
        # From the text below the tables: AWS waits for the next data point.
        ("- - - - X", (UNKNOWN, KEEP, ALARM, OK)),
        ("- - - X -", (UNKNOWN, KEEP, ALARM, OK)),
        ("- - X - 0", (OK, OK, OK, OK)),
    ],
)
def test_3_out_of_3_is_aws_s_first_table(points: str, states: Sequence[str | None]) -> None:
    assert tuple(state(points, missing, 3) for missing in TREATMENTS) == states


@pytest.mark.parametrize(
    ("points", "states"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, KEEP, ALARM, OK)),
        ("- - - - X", (UNKNOWN, KEEP, ALARM, OK)),
        ("X X 0 0 0", (OK, OK, OK, OK)),
        ("X X 0 0 -", (OK, OK, OK, OK)),
    ],
)
def test_2_out_of_3_is_aws_s_second_table(points: str, states: Sequence[str | None]) -> None:
    assert tuple(state(points, missing, 2) for missing in TREATMENTS) == states


marks = st.lists(st.sampled_from("0X-"), min_size=7, max_size=7).map("".join)


@given(marks, st.integers(1, 5), st.sampled_from(TREATMENTS))
def test_one_more_breaching_data_point_never_ends_an_alarm(points: str, datapoints: int, missing: str) -> None:
    worse = points.replace("0", "X", 1)
    if state(points, missing, datapoints, 5) == ALARM:
        assert state(worse, missing, datapoints, 5) == ALARM


@given(marks, st.integers(1, 5))
def test_treating_missing_data_as_breaching_is_the_strictest_and_as_not_breaching_the_mildest(
    points: str, datapoints: int
) -> None:
    found = {missing: state(points, missing, datapoints, 5) for missing in TREATMENTS}
    if found["notBreaching"] == ALARM:
        assert set(found.values()) == {ALARM}
    if found["breaching"] == OK:
        assert set(found.values()) == {OK}


@pytest.mark.parametrize(
    ("comparison", "value", "breaches"),
    [
        ("GreaterThanThreshold", 5.0, False),
        ("GreaterThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 5.0, False),
        ("LessThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 4.0, True),
        ("GreaterThanThreshold", 6.0, True),
    ],
)
def test_a_threshold_is_compared_as_it_says(comparison: str, value: float, breaches: bool) -> None:
    verdict = judge([Point(0, value)], Rule(comparison, 5, 1, 1), NOW)

    assert verdict
    assert verdict.state == (ALARM if breaches else OK)


@pytest.mark.parametrize(
    ("points", "missing", "reason"),
    [
        pytest.param(
            [9, 9, 9],
            "missing",
            "Threshold Crossed: 3 out of the last 3 datapoints [9.0 (01/01/70 00:02:00), 9.0 (01/01/70 00:01:00), "
            "9.0 (01/01/70 00:00:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM "
            "transition).",
            id="alarm",
        ),
        pytest.param(
            [9, 0, 0],
            "missing",
            "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (01/01/70 00:02:00), 0.0 (01/01/70 00:01:00)] were "
            "not greater than the threshold (1.0) (minimum 2 datapoints for ALARM -> OK transition).",
            id="ok",
        ),
        pytest.param(
            [None, None, None],
            "notBreaching",
            "Threshold Crossed: no datapoints were received for 3 periods and 3 missing datapoints were treated as "
            "[NonBreaching].",
            id="nothing",
        ),
        pytest.param(
            [None, None, 0],
            "breaching",
            "Threshold Crossed: 2 missing datapoints were treated as [Breaching] (minimum 2 datapoints for OK -> ALARM "
            "transition).",
            id="missing ones alone",
        ),
        pytest.param(
            [None, 9, 9],
            "breaching",
            "Threshold Crossed: 2 out of the last 3 datapoints [9.0 (01/01/70 00:02:00), 9.0 (01/01/70 00:01:00)] were "
            "greater than the threshold (1.0) and 1 missing datapoint was treated as [Breaching] (minimum 2 datapoints "
            "for OK -> ALARM transition).",
            id="both",
        ),
        pytest.param([None, None, None], "missing", "Insufficient Data: 3 datapoints were unknown.", id="unknown"),
    ],
)
def test_the_reason_is_in_aws_s_words(points: list[float | None], missing: str, reason: str) -> None:
    found = [Point(at * 60, value) for at, value in enumerate(points)]

    verdict = judge(found, Rule("GreaterThanThreshold", 1, 3, 2, missing), NOW)

    assert verdict
    assert verdict.reason == reason
    assert json.loads(verdict.data)["threshold"] == 1


class Minutes:
    """Metric data minute by minute, and an alarm that is looked at after each."""

    def __init__(self, settings: Mapping[str, Any], pace: Pace = AWS) -> None:
        validation.metric_alarm(settings)
        self.pace = pace
        self.metrics = Metrics()
        self.start = NOW - NOW % pace.minute
        self.alarm = Alarm(METRIC, "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a", settings, 0, 0)

    def minute(self, **data: Any) -> str:
        """One minute with these data; the state after it. A list is many values."""
        middle, self.start = self.start + self.pace.minute / 2, self.start + self.pace.minute
        for name, value in data.items():
            values = {"Values": value} if isinstance(value, list) else {"Value": value}
            datum = {"MetricName": name, "Dimensions": DIMENSIONS, "Timestamp": middle, **values}
            self.metrics.add(samples_of({"Namespace": "App", "MetricData": [datum]}, middle))
        now = self.start + self.pace.grace
        verdict = look(self.alarm, self.metrics, self.pace, now)
        if verdict and verdict.state != self.alarm.state:
            self.alarm = self.alarm.moved(verdict, now)
        return self.alarm.state

    def states(self, count: int, **data: Any) -> list[str]:
        return [self.minute(**data) for _ in range(count)]


DIMENSIONS = [{"Name": "Service", "Value": "web"}]


def errors(**more: Any) -> dict[str, Any]:
    """The program's alarm on the share of errors: 3 out of 5 minutes over 5 %."""
    return {
        "AlarmName": "errors",
        "Metrics": [
            {"Id": "share", "Expression": SHARE, "ReturnData": True},
            *(
                {
                    "Id": name,
                    "MetricStat": {
                        "Metric": {"Namespace": "App", "MetricName": name, "Dimensions": DIMENSIONS},
                        "Period": 60,
                        "Stat": "Sum",
                    },
                    "ReturnData": False,
                }
                for name in ("requests", "errors")
            ),
        ],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.0,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "TreatMissingData": "notBreaching",
        **more,
    }


def latency(statistic: str = "p95", **more: Any) -> dict[str, Any]:
    """The program's alarm on p95, which waits for enough samples."""
    return {
        "AlarmName": "latency",
        "Namespace": "App",
        "MetricName": "latency",
        "Dimensions": DIMENSIONS,
        "ExtendedStatistic": statistic,
        "EvaluateLowSampleCountPercentile": "ignore",
        "Period": 60,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 500.0,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "TreatMissingData": "notBreaching",
        **more,
    }


@pytest.mark.parametrize("pace", [AWS, Pace(2), Pace(0.4)])
def test_a_sustained_share_of_errors_pages_in_its_third_minute_and_its_end_is_told(pace: Pace) -> None:
    play = Minutes(errors(), pace)

    assert play.states(3, requests=100, errors=1) == [OK, OK, OK]
    assert play.states(4, requests=100, errors=30) == [OK, OK, ALARM, ALARM]
    assert play.states(4, requests=100) == [ALARM, ALARM, OK, OK]


def test_quiet_traffic_does_not_page() -> None:
    play = Minutes(errors())

    assert set(play.states(6)) == {OK}
    assert set(play.states(10, requests=2, errors=1)) == {OK}
    assert set(play.states(10, requests=19, errors=19)) == {OK}


def test_a_short_burst_does_not_page() -> None:
    play = Minutes(errors())

    assert play.states(2, requests=100, errors=100) == [OK, OK]
    assert set(play.states(6, requests=100)) == {OK}


def test_silence_after_a_burst_is_recovery() -> None:
    """No traffic is no data point, so the old ones are looked at as long as they are in the evaluation range."""
    play = Minutes(errors())
    play.states(3, requests=100, errors=100)

    assert play.states(7) == [ALARM] * 4 + [OK] * 3


def test_a_new_alarm_waits_for_data_unless_missing_data_is_something() -> None:
    assert Minutes(errors(TreatMissingData="missing")).minute() == UNKNOWN
    assert Minutes(errors(TreatMissingData="ignore")).minute() == UNKNOWN
    assert Minutes(errors(TreatMissingData="breaching")).minute() == ALARM
    assert Minutes(errors()).minute() == OK


def test_data_of_before_the_alarm_counts() -> None:
    play = Minutes(errors())
    play.states(5, requests=100, errors=50)
    late = Minutes(errors())
    late.metrics, late.start = play.metrics, play.start

    assert late.minute(requests=100, errors=50) == ALARM


def test_a_late_value_counts_from_the_next_look_on() -> None:
    play = Minutes(errors(EvaluationPeriods=1, DatapointsToAlarm=1))
    assert play.minute(requests=100) == OK
    datum = {"MetricName": "errors", "Dimensions": DIMENSIONS, "Timestamp": play.start - 30, "Value": 50.0}
    play.metrics.add(samples_of({"Namespace": "App", "MetricData": [datum]}, play.start))

    verdict = look(play.alarm, play.metrics, AWS, play.start + AWS.grace)

    assert verdict
    assert verdict.state == ALARM


def test_a_period_is_aligned_and_not_looked_at_before_its_end() -> None:
    play = Minutes(latency(ExtendedStatistic="p50", Period=120, EvaluationPeriods=1, DatapointsToAlarm=1))
    play.start -= play.start % 120

    assert play.minute(latency=[1.0] * 300) == OK
    assert play.minute(latency=[900.0] * 900) == ALARM


@pytest.mark.parametrize(
    ("values", "states"),
    [
        pytest.param([100.0] * 90 + [900.0] * 10, [OK, OK, ALARM], id="one in ten is slow"),
        pytest.param([100.0] * 99 + [900.0], [OK, OK, OK], id="one in a hundred is slow"),
    ],
)
def test_p95_is_that_of_the_slowest_one_in_twenty(values: list[float], states: list[str]) -> None:
    play = Minutes(latency())
    play.states(2, latency=[100.0] * 150)

    assert play.states(3, latency=values) == states


def test_a_percentile_of_few_samples_is_not_judged_when_that_is_asked_for() -> None:
    """p95 needs 10 / (1 - 0.95) = 200 samples in its five minutes."""
    few = [900.0] * 39

    assert Minutes(latency()).states(5, latency=few) == [UNKNOWN] * 5
    assert ALARM in Minutes(latency(EvaluateLowSampleCountPercentile="evaluate")).states(5, latency=few)
    assert Minutes(latency()).states(5, latency=[900.0] * 40)[-1] == ALARM
    assert Minutes(latency("p5")).states(5, latency=[900.0] * 40)[-1] == ALARM
    assert Minutes(latency()).states(2) == [OK, OK]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("Sum", 60),
        ("Average", 12),
        ("Minimum", 1),
        ("Maximum", 40),
        ("SampleCount", 5),
        ("p0", 1),
        ("p50", 8),
        ("p75", 8),
        ("p90", 27.2),
        ("p100", 40),
    ],
)
def test_statistics_of_values_that_were_seen_several_times(statistic: str, value: float) -> None:
    datum = {"MetricName": "m", "Values": [8.0, 40.0, 1.0, 3.0], "Counts": [2.0, 1.0, 1.0, 1.0]}
    found = samples_of({"Namespace": "App", "MetricData": [datum]}, NOW)

    assert statistic_of([sample for _, sample in found], statistic) == pytest.approx(value)


def test_of_a_set_of_statistics_there_is_no_percentile() -> None:
    known = {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 4}
    [(_, sample)] = samples_of({"Namespace": "App", "MetricData": [{"MetricName": "m", "StatisticValues": known}]}, NOW)

    assert statistic_of([sample], "p95") is None
    assert statistic_of([sample], "Average") == 2.5
    assert statistic_of([], "Sum") is None


def test_values_and_counts_belong_together() -> None:
    datum = {"MetricName": "m", "Values": [8.0, 4.0], "Counts": [2.0]}
    with pytest.raises(Refusal, match="differ in their number"):
        samples_of({"Namespace": "App", "MetricData": [datum]}, NOW)


def test_a_unit_that_is_asked_for_is_the_only_one() -> None:
    play = Minutes(latency(Unit="Milliseconds", EvaluateLowSampleCountPercentile="evaluate"))
    assert set(play.states(5, latency=[900.0] * 50)) == {OK}


@pytest.mark.parametrize(
    ("rule", "names", "holds"),
    [
        ("ALARM(a)", ("a",), True),
        ('OK("b") AND NOT ALARM(b)', ("b",), True),
        ("INSUFFICIENT_DATA(c) AND (ALARM(b) OR ALARM(a))", ("c", "b", "a"), True),
        ("ALARM(a) AND ALARM(b)", ("a", "b"), False),
        ("ALARM(b) OR ALARM(b) AND ALARM(a)", ("b", "a"), False),
        ("NOT (OK(a) OR OK(b))", ("a", "b"), False),
        ("TRUE", (), True),
        ("FALSE OR TRUE", (), True),
        ("ALARM(arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a)", ("a",), True),
    ],
)
def test_a_composite_rule_joins_the_states_of_alarms(rule: str, names: tuple[str, ...], holds: bool) -> None:
    read = composite.parse(rule)

    assert read.names == names
    assert read.holds({"a": ALARM, "b": OK, "c": UNKNOWN}) is holds


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("", "found the end"),
        ("ALARM", "expected '(', found the end"),
        ("ALARM()", "expected the name of an alarm, found ')' at position 7"),
        ("ALARM(a", "expected ')', found the end"),
        ("ALARM(a) ALARM(b)", "expected AND or OR, found 'ALARM' at position 10"),
        ("ALARM(a) AND", "found the end"),
        ("PAGE(a)", "found 'PAGE' at position 1"),
        ('ALARM("a', "a quote at position 7 has no end"),
        ("NOT " * 60 + "TRUE", "more than 50 levels"),
    ],
)
def test_a_rule_that_cannot_be_read_is_told_with_its_place(rule: str, says: str) -> None:
    with pytest.raises(RuleError) as wrong:
        composite.parse(rule)

    assert says in str(wrong.value)
