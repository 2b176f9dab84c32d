"""ECS Express Mode on the laptop: one call makes everything, an update is a canary, and it may turn back quietly."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import HOST, Laptop, until
from tests.sandbox.fleet import ROLE, Fleet

Push = Callable[..., str]


class Express(Fleet):
    """A fleet whose service is one of Express Mode."""

    def made(self, image: str, **members: Any) -> Any:
        """Begins to create the service `name`."""
        given: Any = {
            "executionRoleArn": ROLE,
            "infrastructureRoleArn": ROLE,
            "cpu": "256",
            "memory": "512",
            "healthCheckPath": "/healthz",
            "primaryContainer": {"image": image, "containerPort": 8080},
        }
        return self.ecs.create_express_gateway_service(serviceName=self.name, **{**given, **members})["service"]

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:eu-west-1:000000000000:service/default/{self.name}"

    def newest(self) -> Any:
        briefs = self.ecs.list_service_deployments(service=self.arn)["serviceDeployments"]
        arns = [briefs[0]["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    def changed(self, **members: Any) -> Any:
        return self.ecs.update_express_gateway_service(serviceArn=self.arn, **members)["service"]

    def described(self) -> Any:
        return self.ecs.describe_express_gateway_service(serviceArn=self.arn)["service"]

    def stands(self, image: str) -> str:
        """The address of a service that runs `image`, settled."""
        self.made(image)
        assert self.ended()["status"] == "SUCCESSFUL"
        return f"https://{self.described()['activeConfigurations'][0]['ingressPaths'][0]['endpoint']}/"


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Express]:
    """A fleet of the test's own."""
    own = Express(laptop, service_name)
    yield own
    own.web.close()


def test_one_call_makes_a_service_that_serves_over_https(fleet: Express, image: Push) -> None:
    pinned = image()

    created = fleet.made(pinned)
    rollout = fleet.ended()
    described = fleet.described()

    configuration = described["activeConfigurations"][0]
    endpoint = configuration["ingressPaths"][0]["endpoint"]
    assert (created["status"]["statusCode"], created["currentDeployment"]) == (
        "ACTIVE",
        rollout["serviceDeploymentArn"],
    )
    assert rollout["status"] == "SUCCESSFUL"
    assert "currentDeployment" not in described
    assert fleet.web.get(f"https://{endpoint}/").text == "one"
    assert configuration["scalingTarget"] == {
        "minTaskCount": 1, "maxTaskCount": 20, "autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 60,
    }  # fmt: skip
    assert fleet.digest(configuration["serviceRevisionArn"]) == pinned.rpartition("@")[2]


def test_what_it_manages_is_told_and_really_there(fleet: Express, image: Push) -> None:
    fleet.stands(image())

    revision = fleet.newest()["targetServiceRevision"]["arn"]
    found = fleet.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
    managed = found["ecsManagedResources"]
    path = managed["ingressPaths"][0]

    groups = [group["arn"] for group in path["targetGroups"]]
    assert len(groups) == 2
    described = fleet.elb.describe_load_balancers(LoadBalancerArns=[path["loadBalancer"]["arn"]])["LoadBalancers"][0]
    assert described["DNSName"] == path["endpoint"]
    rules = fleet.elb.describe_rules(ListenerArn=path["listener"]["arn"])["Rules"]
    assert path["rule"]["arn"] in [rule["RuleArn"] for rule in rules]
    health = [fleet.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] for arn in groups]
    assert [[each["TargetHealth"]["State"] for each in targets] for targets in health] == [["healthy"], []]
    alarms = fleet.laptop.cloudwatch.describe_alarms(AlarmNames=[managed["metricAlarms"][0]["arn"].rpartition(":")[2]])
    assert len(alarms["MetricAlarms"]) == 1
    group = managed["logGroups"][0]["logGroupName"]
    assert [event["message"] for event in fleet.laptop.logs.filter_log_events(logGroupName=group)["events"]] == [
        "hello from one"
    ]
    definition = fleet.ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    assert [each["name"] for each in definition["containerDefinitions"]] == ["Main"]


def test_an_update_is_a_canary_that_becomes_the_whole(fleet: Express, image: Push) -> None:
    url = fleet.stands(image())

    updated = fleet.changed(primaryContainer={"image": image(VERSION="two"), "containerPort": 8080})
    until(lambda: fleet.newest().get("lifecycleStage"), lambda stage: stage == "PRODUCTION_TRAFFIC_SHIFT")
    weights = fleet.newest()["targetServiceRevision"]["requestedProductionTrafficWeight"]
    rollout = fleet.ended()

    assert updated["targetConfiguration"]["primaryContainer"]["image"] == image(VERSION="two")
    assert (weights, rollout["status"]) == (5.0, "SUCCESSFUL")
    assert fleet.web.get(url).text == "two"
    assert len(fleet.described()["activeConfigurations"]) == 1


def test_an_update_that_does_not_become_healthy_is_rolled_back_quietly(fleet: Express, image: Push) -> None:
    good = image()
    url = fleet.stands(good)

    fleet.changed(primaryContainer={"image": image(SICK="1"), "containerPort": 8080})
    answers = fleet.meanwhile(lambda: fleet.web.get(url).text)
    service = fleet.described()

    assert fleet.newest()["status"] == "ROLLBACK_SUCCESSFUL"
    assert answers == {"one"}
    assert service["status"]["statusCode"] == "ACTIVE"
    assert service["activeConfigurations"][0]["primaryContainer"]["image"] == good


@pytest.mark.nightly  # a busy machine asks too seldom for an alarm to see the share of errors
def test_an_update_that_answers_with_errors_is_rolled_back_by_its_alarm(fleet: Express, image: Push) -> None:
    url = fleet.stands(image())
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            fleet.web.get(url)

    caller = threading.Thread(target=ask)
    caller.start()
    fleet.changed(primaryContainer={"image": image(VERSION="bad", FAULTY="1"), "containerPort": 8080})
    rollout = fleet.ended()
    done.set()
    caller.join()

    assert rollout["status"] == "ROLLBACK_SUCCESSFUL"
    assert rollout["alarms"]["triggeredAlarmNames"][0].startswith(f"ecs-express-{fleet.name}")
    assert fleet.web.get(url).text == "one"


def test_a_change_of_the_scaling_alone_is_no_deployment(fleet: Express, image: Push) -> None:
    fleet.stands(image())
    before = fleet.newest()["serviceDeploymentArn"]

    fleet.changed(scalingTarget={"minTaskCount": 2, "maxTaskCount": 4})

    assert fleet.newest()["serviceDeploymentArn"] == before
    assert fleet.ecs.describe_services(services=[fleet.name])["services"][0]["runningCount"] == 2


def test_a_name_that_is_there_is_refused(fleet: Express, image: Push) -> None:
    fleet.made(image())

    with pytest.raises(fleet.ecs.exceptions.InvalidParameterException, match="not idempotent"):
        fleet.made(image())


@pytest.mark.parametrize(
    ("members", "code", "said"),
    [
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found"),
        ({"cpu": "256", "memory": "4096"}, "ClientException", "No Fargate configuration exists"),
        ({"cpuArchitecture": "PDP11"}, "InvalidParameterException", "enum value set"),
        ({"scalingTarget": {"minTaskCount": 5, "maxTaskCount": 2}}, "InvalidParameterException", "less than or equal"),
    ],
)
def test_what_aws_would_not_accept_is_refused_and_leaves_nothing(
    fleet: Express, members: dict[str, Any], code: str, said: str
) -> None:
    before = fleet.elb.describe_load_balancers()["LoadBalancers"]

    with pytest.raises(ClientError, match=said) as caught:
        fleet.made(f"{HOST}/team/web@sha256:{'0' * 64}", **members)

    assert caught.value.response["Error"]["Code"] == code
    assert fleet.elb.describe_load_balancers()["LoadBalancers"] == before


def test_a_deleted_service_takes_its_surroundings_with_it(fleet: Express, image: Push) -> None:
    fleet.stands(image())
    revision = fleet.newest()["targetServiceRevision"]["arn"]
    found = fleet.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
    path = found["ecsManagedResources"]["ingressPaths"][0]

    deleted = fleet.ecs.delete_express_gateway_service(serviceArn=fleet.arn)["service"]
    until(fleet.described, lambda service: service["status"]["statusCode"] == "INACTIVE")

    assert deleted["status"]["statusCode"] == "DRAINING"
    arns = [group["arn"] for group in path["targetGroups"]]
    until(lambda: [each["TargetGroupArn"] for each in fleet.elb.describe_target_groups()["TargetGroups"]],
          lambda left: not set(arns) & set(left))  # fmt: skip
    with pytest.raises(fleet.ecs.exceptions.ServiceNotActiveException):
        fleet.changed(cpu="512")
    with pytest.raises(fleet.ecs.exceptions.ResourceNotFoundException):
        fleet.ecs.describe_express_gateway_service(serviceArn=f"{fleet.arn}-never")
