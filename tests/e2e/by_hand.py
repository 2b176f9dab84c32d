"""A person who changes, adds to and deletes resources of every type of the program behind everybody's back."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import image
from sandbox.image import Image
from sandbox.registry import Registry
from tests.e2e.conftest import Story

NAME = "release-controller-staging-web"
TOPIC = "release-controller-staging"
RULES = """
  release-controller:drift:
    ignore:
      - {resource: "*::web-latency", property: threshold, reason: tuned by whoever is on call}
      - {resource: "*", property: tags.cost, reason: the finance tool tags everything}
      - {resource: "*:Role::web-instance", property: "tags.*", reason: the security team tags roles}
      - {resource: "*::web-errors", property: "", reason: another team watches errors}
"""


OWN = b"""
import json

import pulumi
import pulumi_aws as aws

EXPIRE = {"countType": "imageCountMoreThan", "countNumber": 5, "tagStatus": "any"}


def own_resources(environment: str, *, parent: pulumi.Resource, topic: pulumi.Output[str]) -> None:
    options = pulumi.ResourceOptions(parent=parent, protect=True)
    tools = aws.ecr.Repository("tools", name="tools", opts=options)
    rule = {"rulePriority": 1, "selection": EXPIRE, "action": {"type": "expire"}}
    aws.ecr.LifecyclePolicy("tools", repository=tools.name, policy=json.dumps({"rules": [rule]}), opts=options)
"""
SAME = ("identity", "program", "settings", "services")
EXPIRE_ALL = {
    "rulePriority": 11,
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"},
}


@dataclass(frozen=True)
class Hand:
    """Somebody with the AWS console."""

    story: Story
    builds: tuple[Image, ...]

    @property
    def other(self) -> str:
        """A digest that is in the registry and was never pinned."""
        return self.builds[1].digest

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
        kept = {key: value for key, value in found.items() if key in known}
        self.cloudwatch.put_metric_alarm(**{**kept, **changed})

    def lifecycle(self, edit: Callable[[list[Any]], None], name: str = NAME) -> None:
        told = json.loads(self.ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
        edit(told["rules"])
        self.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(told))

    def topic_policy(self, edit: Callable[[list[Any]], None]) -> None:
        told = json.loads(self.sns.get_topic_attributes(TopicArn=self.topic)["Attributes"]["Policy"])
        edit(told["Statement"])
        self.sns.set_topic_attributes(TopicArn=self.topic, AttributeName="Policy", AttributeValue=json.dumps(told))

    def role_policy(self, edit: Callable[[list[Any]], None]) -> None:
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

    def push(self, built: Image) -> None:
        """What was built before, once more into the registry."""
        image.push(built, Registry(self.story.sandbox.variables["AWS_ENDPOINT_URL"]), NAME, [])

    def settle(self) -> str:
        while (status := self.apprunner.describe_service(ServiceArn=self.service)["Service"]["Status"]) == (
            "OPERATION_IN_PROGRESS"
        ):
            time.sleep(0.05)
        return str(status)
