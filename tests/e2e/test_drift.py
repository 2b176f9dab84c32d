"""What somebody changes, adds or deletes by hand is told once, in a sentence, and taken back when asked."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.conftest import Story

NAME = "release-controller-staging-web"
TOPIC = "release-controller-staging"
RULES = """
  release-controller:drift:
    ignore:
      - {resource: "*::web-latency", property: threshold, reason: tuned by whoever is on call}
      - {resource: "*", property: tags.cost, reason: the finance tool tags everything}
"""


@dataclass(frozen=True)
class Hand:
    """Somebody with the AWS console."""

    story: Story
    other: str  # a digest that is in the registry and not pinned

    def __getattr__(self, service: str) -> Any:
        return self.story.client(service)

    @property
    def topic(self) -> str:
        return self.arn("sns", TOPIC)

    @property
    def service(self) -> str:
        return str(self.apprunner.list_services()["ServiceSummaryList"][0]["ServiceArn"])

    @property
    def scaling(self) -> str:
        found = self.apprunner.list_auto_scaling_configurations(AutoScalingConfigurationName="staging-web")
        return str(found["AutoScalingConfigurationSummaryList"][0]["AutoScalingConfigurationArn"])

    @property
    def subscription(self) -> str:
        return str(self.sns.list_subscriptions_by_topic(TopicArn=self.topic)["Subscriptions"][0]["SubscriptionArn"])

    def arn(self, service: str, name: str) -> str:
        return f"arn:aws:{service}:eu-west-1:000000000000:{name}"

    def tag(self, key: str, value: str) -> None:
        """On everything that has tags."""
        pair = {"Key": key, "Value": value}
        self.ecr.tag_resource(resourceArn=self.arn("ecr", f"repository/{NAME}"), tags=[pair])
        self.sns.tag_resource(ResourceArn=self.topic, Tags=[pair])
        self.iam.tag_role(RoleName=f"{NAME}-access", Tags=[pair])
        self.apprunner.tag_resource(ResourceArn=self.service, Tags=[pair])
        self.apprunner.tag_resource(ResourceArn=self.scaling, Tags=[pair])
        self.cloudwatch.tag_resource(ResourceARN=self.arn("cloudwatch", f"alarm:{NAME}-latency"), Tags=[pair])

    def alarm(self, **changed: Any) -> None:
        """Change the latency alarm, which is always put whole."""
        found = self.cloudwatch.describe_alarms(AlarmNames=[f"{NAME}-latency"])["MetricAlarms"][0]
        known = self.cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
        kept = {key: value for key, value in found.items() if key in known and key != "Statistic"}
        self.cloudwatch.put_metric_alarm(**{**kept, **changed})

    def lifecycle(self, edit: Callable[[list[Any]], object]) -> None:
        told = json.loads(self.ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])
        edit(told["rules"])
        self.ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=json.dumps(told))

    def topic_policy(self, edit: Callable[[list[Any]], object]) -> None:
        told = json.loads(self.sns.get_topic_attributes(TopicArn=self.topic)["Attributes"]["Policy"])
        edit(told["Statement"])
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="Policy", AttributeValue=json.dumps(told))

    def role_policy(self, edit: Callable[[list[Any]], object]) -> None:
        place = {"RoleName": f"{NAME}-access", "PolicyName": "pull-the-image"}
        told = self.iam.get_role_policy(**place)["PolicyDocument"]
        edit(told["Statement"])
        self.iam.put_role_policy(**place, PolicyDocument=json.dumps(told))

    def run(self, digest: str) -> None:
        """Another image, as the console does it; returns when it serves."""
        source = self.apprunner.describe_service(ServiceArn=self.service)["Service"]["SourceConfiguration"]
        image = source["ImageRepository"]
        image["ImageIdentifier"] = f"{image['ImageIdentifier'].partition('@')[0]}@{digest}"
        self.apprunner.update_service(ServiceArn=self.service, SourceConfiguration=source)
        self.settle()

    def settle(self) -> str:
        while (status := self.apprunner.describe_service(ServiceArn=self.service)["Service"]["Status"]) == (
            "OPERATION_IN_PROGRESS"
        ):
            pass
        return str(status)


@pytest.fixture(scope="module")
def hand(story: Story) -> Hand:
    """Staging with everything that the program can declare, live; and an image that nobody released."""
    settings = story.read("Pulumi.staging.yaml").decode().replace("email: []", "email: [team@example.com]")
    settings = re.sub(r"^encryptionsalt", f"{RULES.lstrip(chr(10))}encryptionsalt", settings, flags=re.MULTILINE)
    story.commit({"Pulumi.staging.yaml": settings.encode()}, "Somebody reads the alerts")
    story.release_new("1.0.0")
    return Hand(story, story.build_new("1.1.0").digest)


@dataclass(frozen=True)
class Check:
    """One `drift`, and whether it left everything as it was."""

    code: int
    told: Any
    untouched: bool

    def of(self, kind: str, name: str) -> list[Any]:
        """What it tells of one resource."""
        everything = self.told["release"] + self.told["infrastructure"]
        return [one for one in everything if one["type"].endswith(f":{kind}") and one["name"] == name]


def check(story: Story) -> Check:
    before = story.everything()
    said = story.releasectl("drift", "staging", "--json")
    assert said.code in (0, 1), said.err
    return Check(said.code, said.json, story.everything() == before)


@pytest.fixture(scope="module")
def changed(hand: Hand) -> Check:
    """Every resource changed by hand; the tags, where nothing else can be."""
    hand.run(hand.other)
    hand.ecr.put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": False})
    hand.lifecycle(lambda rules: rules[2]["selection"].update(countNumber=3))
    hand.sns.tag_resource(ResourceArn=hand.topic, Tags=[{"Key": "environment", "Value": "hand"}])
    hand.topic_policy(lambda statements: statements[1]["Action"].remove("sns:Subscribe"))
    trust = hand.iam.get_role(RoleName=f"{NAME}-instance")["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"]["Service"] = "build.apprunner.amazonaws.com"
    hand.iam.update_assume_role_policy(RoleName=f"{NAME}-instance", PolicyDocument=json.dumps(trust))
    hand.role_policy(lambda statements: statements[0]["Action"].remove("ecr:DescribeImages"))
    hand.apprunner.tag_resource(ResourceArn=hand.scaling, Tags=[{"Key": "environment", "Value": "hand"}])
    hand.alarm(Threshold=9.0, EvaluationPeriods=3)
    hand.tag("cost", "4711")
    return check(hand.story)


def test_nothing_is_told_of_what_nobody_touched(hand: Hand) -> None:
    found = check(hand.story)

    assert (found.code, found.told["release"], found.told["infrastructure"]) == (0, [], [])


def test_show(changed: Check) -> None:
    print(json.dumps(changed.told, indent=1))
    assert 0
