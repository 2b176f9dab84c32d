"""A real CloudWatch beside a real ministack: alarms by boto3 and by the older protocols, and a subscriber on HTTP."""

import http.server
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.serialize import create_serializer
from mypy_boto3_cloudwatch.client import CloudWatchClient
from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

from sandbox import process
from tests.sandbox.conftest import REGION, access, start_cloudwatch

MINUTE = 0.4  # seconds
SHARE = "IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)"
PATIENCE = 20.0


@pytest.fixture(scope="module")
def cloudwatch(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudWatchClient]:
    """A client of a running CloudWatch, in boto3's default protocol."""
    running = start_cloudwatch(ministack, tmp_path_factory.mktemp("cloudwatch") / "state", MINUTE)
    yield boto3.client("cloudwatch", **access(running.endpoint))
    running.stop()


@dataclass
class Subscriber:
    """An HTTP endpoint that confirms its subscription and keeps what it is told."""

    confirm: Callable[[str, str], object]
    url: str = ""
    told: "queue.SimpleQueue[dict[str, Any]]" = field(default_factory=queue.SimpleQueue)
    confirmed: threading.Event = field(default_factory=threading.Event)

    def next(self) -> tuple[str, dict[str, Any]]:
        """Subject and message of the next notification."""
        told = self.told.get(timeout=PATIENCE)
        return told["Subject"], json.loads(told["Message"])


@pytest.fixture
def subscriber(ministack: str) -> Iterator[Subscriber]:
    """It confirms by the API: the address in the message leads nowhere outside of ministack's own region."""
    sns = boto3.client("sns", **access(ministack))
    kept = Subscriber(lambda topic, token: sns.confirm_subscription(TopicArn=topic, Token=token))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            if said["Type"] == "SubscriptionConfirmation":
                kept.confirm(said["TopicArn"], said["Token"])
                kept.confirmed.set()
            else:
                kept.told.put(said)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kept.url = f"http://127.0.0.1:{server.server_port}/"
        yield kept
        server.shutdown()


@pytest.fixture
def topic(ministack: str, subscriber: Subscriber, service_name: str) -> Iterator[str]:
    """A topic whose subscriber has confirmed."""
    sns = boto3.client("sns", **access(ministack))
    arn = sns.create_topic(Name=service_name)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="http", Endpoint=subscriber.url)
    assert subscriber.confirmed.wait(PATIENCE)
    yield arn
    sns.delete_topic(TopicArn=arn)


def share(dimension: str) -> list[MetricDataQueryTypeDef]:
    """The error alarm as the program has it."""
    return [
        {"Id": "share", "Expression": SHARE, "Label": "5xx %", "ReturnData": True},
        summed("errors", "5xxStatusResponses", dimension),
        summed("requests", "Requests", dimension),
    ]


def summed(name: str, metric: str, dimension: str) -> MetricDataQueryTypeDef:
    dimensions = [{"Name": "ServiceName", "Value": dimension}]
    named: Any = {"Namespace": "AWS/AppRunner", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": named, "Period": 60, "Stat": "Sum"}, "ReturnData": False}


def put_share(client: CloudWatchClient, name: str, topic: str, **more: Any) -> None:
    client.put_metric_alarm(
        **{
            "AlarmName": name,
            "AlarmDescription": "more than 5 % of the answers are 5xx",
            "Metrics": share(name),
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 5.0,
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 3,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [topic],
            "OKActions": [topic],
            **more,
        }
    )


def traffic(client: CloudWatchClient, service: str, *, requests: int, errors: int, minutes: float) -> None:
    """So many requests and errors in each minute, for some minutes."""
    end = time.time() + minutes * MINUTE
    while (now := time.time()) < end:
        dimensions: Any = [{"Name": "ServiceName", "Value": service}]
        data: list[Any] = [{"MetricName": "Requests", "Value": requests, "Dimensions": dimensions, "Timestamp": now}]
        if errors:
            data.append({**data[0], "MetricName": "5xxStatusResponses", "Value": errors})
        client.put_metric_data(Namespace="AWS/AppRunner", MetricData=data)
        time.sleep(math.floor(now / MINUTE) * MINUTE + MINUTE * 1.1 - now)


def until(client: CloudWatchClient, name: str, state: str) -> dict[str, Any]:
    """The alarm, once it is in this state."""
    deadline = time.monotonic() + PATIENCE
    while True:
        alarm = state_of(client, name)
        if alarm["StateValue"] == state:
            return alarm
        assert time.monotonic() < deadline, alarm
        time.sleep(0.05)


def state_of(client: CloudWatchClient, name: str) -> dict[str, Any]:
    [alarm] = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(alarm)


def test_a_burst_of_errors_reaches_an_http_subscriber_once_and_so_does_its_end(
    cloudwatch: CloudWatchClient, subscriber: Subscriber, topic: str, service_name: str
) -> None:
    put_share(cloudwatch, service_name, topic)
    until(cloudwatch, service_name, "OK")
    traffic(cloudwatch, service_name, requests=40, errors=20, minutes=6)
    until(cloudwatch, service_name, "ALARM")
    traffic(cloudwatch, service_name, requests=40, errors=0, minutes=7)
    until(cloudwatch, service_name, "OK")
    traffic(cloudwatch, service_name, requests=40, errors=0, minutes=5)

    said = [subscriber.next() for _ in range(3)]

    assert [subject for subject, _ in said] == [
        f'{state}: "{service_name}" in EU (Ireland)' for state in ("OK", "ALARM", "OK")
    ]
    first, alarm, recovery = (message for _, message in said)
    assert [message["OldStateValue"] for message in (first, alarm, recovery)] == ["INSUFFICIENT_DATA", "OK", "ALARM"]
    assert alarm["AlarmDescription"] == "more than 5 % of the answers are 5xx"
    assert (alarm["Region"], alarm["AWSAccountId"]) == ("EU (Ireland)", "000000000000")
    assert alarm["NewStateReason"].startswith("Threshold Crossed: 3 out of the last 5 datapoints [50.0 (")
    assert "were greater than the threshold (5.0)" in alarm["NewStateReason"]
    assert alarm["Trigger"]["Metrics"][0] == {
        "Id": "share", "Expression": SHARE, "Label": "5xx %", "ReturnData": True
    }  # fmt: skip
    stat = alarm["Trigger"]["Metrics"][1]["MetricStat"]
    assert stat["Metric"]["Dimensions"] == [{"value": service_name, "name": "ServiceName"}]
    assert subscriber.told.empty()


def test_one_error_in_two_requests_pages_nobody_and_neither_does_silence(
    cloudwatch: CloudWatchClient, subscriber: Subscriber, topic: str, service_name: str
) -> None:
    put_share(cloudwatch, service_name, topic, OKActions=[])
    until(cloudwatch, service_name, "OK")
    traffic(cloudwatch, service_name, requests=2, errors=1, minutes=7)

    assert state_of(cloudwatch, service_name)["StateValue"] == "OK"
    assert subscriber.told.empty()


def test_errors_of_another_service_are_another_service_s(
    cloudwatch: CloudWatchClient, topic: str, service_name: str
) -> None:
    put_share(cloudwatch, service_name, topic)
    until(cloudwatch, service_name, "OK")
    traffic(cloudwatch, f"{service_name}-other", requests=40, errors=40, minutes=7)

    assert state_of(cloudwatch, service_name)["StateValue"] == "OK"


def test_an_alarm_is_told_as_it_was_put(cloudwatch: CloudWatchClient, service_name: str) -> None:
    queries = share(service_name)
    put_share(
        cloudwatch, service_name, "arn:aws:sns:eu-west-1:000000000000:no-topic", Tags=[{"Key": "a", "Value": "b"}]
    )

    alarm = state_of(cloudwatch, service_name)

    assert alarm["Metrics"] == queries
    assert not {"Statistic", "Period", "MetricName", "ExtendedStatistic"} & alarm.keys()
    assert (alarm["DatapointsToAlarm"], alarm["TreatMissingData"]) == (3, "notBreaching")
    tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    cloudwatch.tag_resource(ResourceARN=alarm["AlarmArn"], Tags=[{"Key": "c", "Value": "d"}])
    cloudwatch.untag_resource(ResourceARN=alarm["AlarmArn"], TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "c", "Value": "d"}]
    cloudwatch.delete_alarms(AlarmNames=[service_name])
    assert not cloudwatch.describe_alarms(AlarmNames=[service_name])["MetricAlarms"]
    with pytest.raises(ClientError) as gone:
        cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_edit_keeps_the_state_and_a_word_lasts_until_the_next_look(
    cloudwatch: CloudWatchClient, subscriber: Subscriber, topic: str, service_name: str
) -> None:
    put_share(cloudwatch, service_name, topic, OKActions=[])
    until(cloudwatch, service_name, "OK")

    cloudwatch.set_alarm_state(AlarmName=service_name, StateValue="ALARM", StateReason="somebody said so")
    put_share(cloudwatch, service_name, topic, OKActions=[], Threshold=9.0)

    _, message = subscriber.next()
    assert (message["NewStateReason"], message["Trigger"]["Threshold"]) == ("somebody said so", 5.0)
    until(cloudwatch, service_name, "OK")
    told = cloudwatch.describe_alarm_history(AlarmName=service_name, ScanBy="TimestampAscending")["AlarmHistoryItems"]
    summaries = [item["HistorySummary"] for item in told]
    assert summaries[:3] == [
        f'Alarm "{service_name}" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
    ]
    # The message may be sent before the edit or after it.
    assert set(summaries[3:5]) == {f'Alarm "{service_name}" updated', f"Successfully executed action {topic}"}
    assert summaries[5:] == ["Alarm updated from ALARM to OK"]


def test_actions_that_are_disabled_tell_nobody(
    cloudwatch: CloudWatchClient, subscriber: Subscriber, topic: str, service_name: str
) -> None:
    put_share(cloudwatch, service_name, topic, OKActions=[])
    cloudwatch.disable_alarm_actions(AlarmNames=[service_name])
    cloudwatch.set_alarm_state(AlarmName=service_name, StateValue="ALARM", StateReason="quietly")
    until(cloudwatch, service_name, "OK")
    cloudwatch.enable_alarm_actions(AlarmNames=[service_name])
    cloudwatch.set_alarm_state(AlarmName=service_name, StateValue="ALARM", StateReason="aloud")

    assert subscriber.next()[1]["NewStateReason"] == "aloud"


def test_a_topic_that_is_gone_is_told_in_the_history(cloudwatch: CloudWatchClient, service_name: str) -> None:
    gone = f"arn:aws:sns:{REGION}:000000000000:gone"
    put_share(cloudwatch, service_name, gone, OKActions=[])
    cloudwatch.set_alarm_state(AlarmName=service_name, StateValue="ALARM", StateReason="try")

    def failed() -> list[Any]:
        return cloudwatch.describe_alarm_history(AlarmName=service_name, HistoryItemType="Action")["AlarmHistoryItems"]

    [item] = eventually(failed)
    assert item["HistorySummary"] == f"Failed to execute action {gone}"
    assert "Topic does not exist" in item["HistoryData"] or "NotFound" in item["HistoryData"]


def test_a_composite_alarm_follows_its_children_and_names_them(
    cloudwatch: CloudWatchClient, subscriber: Subscriber, topic: str, service_name: str
) -> None:
    one, other, both = f"{service_name}-one", f"{service_name}-other", f"{service_name}-both"
    for name in (one, other):
        put_share(cloudwatch, name, topic, OKActions=[], AlarmActions=[])
        until(cloudwatch, name, "OK")
    rule = f'ALARM("{one}") AND NOT OK({other})'
    cloudwatch.put_composite_alarm(AlarmName=both, AlarmRule=rule, AlarmActions=[topic])

    def composite() -> Any:
        return cloudwatch.describe_alarms(AlarmNames=[both], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]

    assert (composite()["StateValue"], composite()["AlarmRule"]) == ("OK", rule)
    with pytest.raises(ClientError, match="depending on it"):
        cloudwatch.delete_alarms(AlarmNames=[one])
    cloudwatch.put_composite_alarm(AlarmName=both, AlarmRule=f"ALARM({one})", AlarmActions=[topic])
    cloudwatch.set_alarm_state(AlarmName=one, StateValue="ALARM", StateReason="a word")

    subject, message = subscriber.next()
    assert subject == f'ALARM: "{both}" in EU (Ireland)'
    assert message["TriggeringChildren"][0]["Arn"].endswith(f":alarm:{one}")
    cloudwatch.delete_alarms(AlarmNames=[one, both])


def test_alarms_and_what_is_still_to_be_sent_outlive_the_process(
    ministack: str, subscriber: Subscriber, topic: str, tmp_path: Path
) -> None:
    """Minutes of an hour: nothing is evaluated, so what happens here is what was asked for."""
    service_name = "kept"
    running = start_cloudwatch(ministack, tmp_path / "state", minute=3600)
    client: CloudWatchClient = boto3.client("cloudwatch", **access(running.endpoint))
    put_share(client, service_name, topic)
    client.set_alarm_state(AlarmName=service_name, StateValue="ALARM", StateReason="before")
    assert subscriber.next()[1]["NewStateReason"] == "before"
    before = state_of(client, service_name)
    running.process.kill()
    running.process.wait()
    message: Any = {"action": topic, "subject": "left", "text": json.dumps({"NewStateReason": "left"})}
    leave(tmp_path / "state" / "state.json", service_name, message)

    running = start_cloudwatch(ministack, tmp_path / "state", minute=3600)
    try:
        client = boto3.client("cloudwatch", **access(running.endpoint))
        assert state_of(client, service_name) == before
        assert subscriber.next() == ("left", {"NewStateReason": "left"})
    finally:
        running.stop()
    assert json.loads((tmp_path / "state" / "state.json").read_text())["outbox"] == []
    assert subscriber.told.empty()


def leave(file: Path, name: str, message: dict[str, Any]) -> None:
    """As a process leaves its file that died between a transition and its message."""
    content = json.loads(file.read_text())
    assert content["outbox"] == []
    content["outbox"] = [{**message, "alarm": content["alarms"][name]}]
    file.write_text(json.dumps(content))


REFUSED = [
    pytest.param({"Metrics": [{"Id": "e", "Expression": "RATE(m)", "ReturnData": True}]}, "one period", id="no metric"),
    pytest.param({"expression": "RATE(requests)"}, "Unsupported function 'RATE'", id="function"),
    pytest.param(
        {"expression": "requests +"}, "expected a number, an id or a function, found the end", id="unfinished"
    ),
    pytest.param({"expression": "requests / visits"}, "needs visits, which Metrics does not have", id="unknown id"),
    pytest.param({"expression": "share + requests"}, "needs itself", id="ring"),
    pytest.param({"expression": "SUM(requests)"}, "gives a number", id="a number"),
    pytest.param({"expression": "[requests, errors]"}, "gives an array", id="an array"),
    pytest.param({"expression": "FILL(20, 0)"}, "no FILL of a number", id="types"),
    pytest.param({"DatapointsToAlarm": 6}, "DatapointsToAlarm is greater", id="more of less"),
    pytest.param({"TreatMissingData": "panic"}, "TreatMissingData is not one of", id="treatment"),
    pytest.param({"EvaluationPeriods": 2000}, "more than a day", id="too long"),
    pytest.param({"ComparisonOperator": "GreaterThan"}, "enum value set", id="the model"),
    pytest.param({"ThresholdMetricId": "share"}, "does not evaluate ThresholdMetricId", id="not here"),
    pytest.param({"MetricName": "Requests"}, "exactly one of MetricName and Metrics", id="both kinds"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_cannot_be_evaluated_is_refused_and_changes_nothing(
    cloudwatch: CloudWatchClient, change: dict[str, Any], message: str
) -> None:
    if "expression" in change:
        queries = share("refused")
        queries[0]["Expression"] = change["expression"]
        change = {"Metrics": queries}

    with pytest.raises(ClientError) as refused:
        put_share(cloudwatch, "refused", "arn:aws:sns:eu-west-1:000000000000:t", **change)

    error = refused.value.response["Error"]
    assert error["Code"] in ("ValidationError", "InvalidParameterCombination")
    assert message in error["Message"]
    assert not cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"]


def test_older_clients_are_served_in_query_and_in_json(cloudwatch: CloudWatchClient, service_name: str) -> None:
    put_share(cloudwatch, service_name, "arn:aws:sns:eu-west-1:000000000000:t")
    with httpx.Client(base_url=cloudwatch.meta.endpoint_url, trust_env=False, timeout=10) as client:
        form = {"Action": "DescribeAlarms", "AlarmNames.member.1": service_name, "Version": "2010-08-01"}
        xml = client.post("/", data=form)
        target = {"X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarms"}
        as_json = client.post("/", json={"AlarmNames": [service_name]}, headers=target)
        form = {"Action": "SetAlarmState", "AlarmName": "none", "StateValue": "OK", "StateReason": "<&>"}
        refused = client.post("/", data=form)

    assert f"<member><AlarmName>{service_name}</AlarmName>" in xml.text
    assert "<Expression>IF(requests &gt;= 20" in xml.text
    [alarm] = as_json.json()["MetricAlarms"]
    assert alarm["Metrics"] == share(service_name)
    assert isinstance(alarm["StateUpdatedTimestamp"], float)
    assert refused.status_code == 404
    assert "<Code>ResourceNotFound</Code>" in refused.text


def test_an_alarm_that_is_put_in_query_is_the_same(cloudwatch: CloudWatchClient, service_name: str) -> None:
    wanted: dict[str, Any] = {
        "AlarmName": service_name,
        "ActionsEnabled": False,
        "AlarmActions": ["arn:aws:sns:eu-west-1:000000000000:t"],
        "Metrics": share(service_name),
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5.5,
        "EvaluationPeriods": 5,
    }
    operation = cloudwatch.meta.service_model.operation_model("PutMetricAlarm")
    form = create_serializer("query").serialize_to_request(wanted, operation)["body"]

    with httpx.Client(base_url=cloudwatch.meta.endpoint_url, trust_env=False, timeout=10) as client:
        client.post("/", data=form).raise_for_status()
        broken = client.post("/", data={**form, "EvaluationPeriods": "five"})

    alarm = state_of(cloudwatch, service_name)
    assert {key: alarm[key] for key in wanted} == wanted
    assert broken.status_code == 400
    assert "invalid literal for int()" in broken.text


def test_a_request_that_boto3_compresses_is_seen_and_passed_on(
    cloudwatch: CloudWatchClient, ministack: str, service_name: str
) -> None:
    dimensions: Any = [{"Name": "ServiceName", "Value": service_name}]
    data: Any = [{"MetricName": f"m{at}", "Dimensions": dimensions, "Value": 7.0} for at in range(400)]
    queries: Any = [{**summed("errors", "m399", service_name), "ReturnData": True}]
    missing = {"TreatMissingData": "missing", "EvaluationPeriods": 1, "DatapointsToAlarm": 1}
    put_share(cloudwatch, service_name, "arn:aws:sns:eu-west-1:000000000000:t", Metrics=queries, **missing)

    cloudwatch.put_metric_data(Namespace="AWS/AppRunner", MetricData=data)

    assert until(cloudwatch, service_name, "ALARM")["StateReason"].startswith("Threshold Crossed: 1 out of the last 1")
    behind = boto3.client("cloudwatch", **access(ministack))
    assert len(behind.list_metrics(Namespace="AWS/AppRunner", Dimensions=dimensions)["Metrics"]) == 400


def test_all_that_is_not_about_alarms_is_ministack_s(
    cloudwatch: CloudWatchClient, ministack: str, service_name: str
) -> None:
    body = json.dumps({"widgets": []})
    cloudwatch.put_dashboard(DashboardName=service_name, DashboardBody=body)
    traffic(cloudwatch, service_name, requests=3, errors=0, minutes=0.1)

    behind = boto3.client("cloudwatch", **access(ministack))
    assert behind.get_dashboard(DashboardName=service_name)["DashboardBody"] == body
    [metric] = behind.list_metrics(
        Namespace="AWS/AppRunner", Dimensions=[{"Name": "ServiceName", "Value": service_name}]
    )["Metrics"]
    assert metric["MetricName"] == "Requests"
    assert not behind.describe_alarms()["MetricAlarms"]
    with pytest.raises(ClientError) as missing:
        cloudwatch.get_dashboard(DashboardName="none")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_without_an_endpoint_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(process.SandboxBroken, match="AWS_ENDPOINT_URL is not set"):
        start_cloudwatch("", tmp_path / "state", MINUTE)


def eventually(look: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found
