"""What the runtimes tell EventBridge, as it arrives at a topic's subscriber."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import boto3
import pytest

from sandbox.runtimes.events import message
from tests.sandbox.conftest import Laptop, access, create, settled, source, until
from tests.sandbox.fleet import Fleet

Push = Callable[..., str]
EVENT = {"source": "aws.ecs", "resources": ["arn:one"], "detail": {"reason": 'he said "no"', "count": 2}}


class Rule:
    """A rule whose target is a topic with a queue behind it."""

    def __init__(self, laptop: Laptop, name: str, pattern: Mapping[str, object], **target: Any) -> None:
        keys = access(laptop.endpoint)
        topic = boto3.client("sns", **keys).create_topic(Name=name)["TopicArn"]
        self._queues: Any = boto3.client("sqs", **keys)
        self._queue = self._queues.create_queue(QueueName=name)["QueueUrl"]
        asked = self._queues.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        arn = asked["Attributes"]["QueueArn"]
        boto3.client("sns", **keys).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        rules = boto3.client("events", **keys)
        rules.put_rule(Name=name, EventPattern=json.dumps(pattern))
        wanted: Any = {"Id": "topic", "Arn": topic, **target}
        rules.put_targets(Rule=name, Targets=[wanted])
        self.messages: list[Any] = []

    def heard(self) -> Sequence[Any]:
        """All messages until now."""
        answer = self._queues.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for each in answer.get("Messages", ()):
            self.messages.append(json.loads(json.loads(each["Body"])["Message"]))
            self._queues.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])
        return self.messages


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    own = Fleet(laptop, service_name)
    yield own
    own.web.close()


def test_a_deployment_tells_its_beginning_and_its_end(fleet: Fleet, image: Push) -> None:
    rule = Rule(fleet.laptop, fleet.name, {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"],
                "resources": [{"suffix": f"/{fleet.name}"}]})  # fmt: skip
    service = fleet.stand(image())

    heard = until(rule.heard, lambda messages: len(messages) == 2)

    assert [event["detail"]["eventName"] for event in heard] == [
        "SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED",
    ]  # fmt: skip
    assert {event["detail"]["deploymentId"] for event in heard} == {service["deployments"][0]["id"]}
    assert [event["resources"] for event in heard] == [[service["serviceArn"]]] * 2


def test_a_failed_deployment_reaches_the_subscriber_once_and_nothing_else_does(fleet: Fleet, image: Push) -> None:
    arn = fleet.stand(image())["serviceArn"]
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Deployment State Change"],
        "resources": [arn],
        "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
    }
    rule = Rule(fleet.laptop, fleet.name, pattern)

    fleet.update(taskDefinition=fleet.define(image(CRASH="1")))
    fleet.ended()
    until(rule.heard, bool)
    fleet.update(taskDefinition=fleet.define(image(VERSION="two")))
    fleet.ended()

    heard = rule.heard()
    assert [event["detail"]["reason"] for event in heard] == ["ECS deployment circuit breaker: tasks failed to start."]
    assert heard[0]["detail"]["eventType"] == "ERROR"


def test_an_update_that_app_runner_rolled_back_is_told_as_failed(
    laptop: Laptop, image: Push, service_name: str
) -> None:
    pattern = {
        "source": ["aws.apprunner"],
        "detail-type": ["AppRunner Service Operation Status Change"],
        "detail": {"serviceName": [service_name]},
    }
    rule = Rule(laptop, service_name, pattern)
    arn = create(laptop.client, service_name, image())
    settled(laptop.client, arn)
    laptop.client.update_service(ServiceArn=arn, SourceConfiguration=source(image(SICK="1")))
    settled(laptop.client, arn)
    laptop.client.start_deployment(ServiceArn=arn)
    settled(laptop.client, arn)

    heard = until(rule.heard, lambda messages: len(messages) == 3)

    assert [event["detail"]["operationStatus"] for event in heard] == [
        "CreateServiceCompletedSuccessfully", "UpdateServiceFailed", "DeploymentCompletedSuccessfully",
    ]  # fmt: skip
    assert {tuple(event["resources"]) for event in heard} == {(arn,)}


def test_a_rule_that_is_switched_off_hears_nothing(fleet: Fleet, image: Push) -> None:
    pattern = {"source": ["aws.ecs"], "resources": [{"suffix": f"/{fleet.name}"}]}
    off, on = Rule(fleet.laptop, f"{fleet.name}-off", pattern), Rule(fleet.laptop, fleet.name, pattern)
    boto3.client("events", **access(fleet.laptop.endpoint)).disable_rule(Name=f"{fleet.name}-off")

    fleet.stand(image())
    until(on.heard, lambda messages: len(messages) == 2)

    assert off.heard() == []


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, EVENT),
        ({"Input": '{"fixed": 1}'}, {"fixed": 1}),
        ({"InputPath": "$.detail.reason"}, 'he said "no"'),
        ({"InputPath": "$.resources[0]"}, "arn:one"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"why": "$.detail.reason", "n": "$.detail.count", "arn": "$.resources[0]"},
                    "InputTemplate": '"<arn>: <why>, <n> times"',
                }
            },
            'arn:one: he said "no", 2 times',
        ),
    ],
)
def test_a_target_gets_what_it_asked_for(target: Mapping[str, Any], said: object) -> None:
    assert json.loads(message(target, EVENT)) == said
