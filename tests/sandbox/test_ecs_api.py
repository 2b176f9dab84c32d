"""The laptop's ECS on the wire: what it accepts, what it refuses and how, and the shapes it answers with."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from tests.sandbox.conftest import HOST, Laptop
from tests.sandbox.fleet import NETWORK, ROLE, Fleet

Push = Callable[..., str]
FARGATE: Mapping[str, Any] = {
    "family": "refused", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
    "executionRoleArn": ROLE,
    "containerDefinitions": [{"name": "app", "image": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/team/web:1"}],
}  # fmt: skip


@pytest.fixture
def fleet(laptop: Laptop, service_name: str) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    own = Fleet(laptop, service_name)
    yield own
    own.web.close()


def call(laptop: Laptop, operation: str, body: str) -> tuple[int, dict[str, Any]]:
    """One raw call, past everything that boto3 checks by itself."""
    headers = {
        "X-Amz-Target": f"AmazonEC2ContainerServiceV20141113.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    answer = httpx.post(laptop.runtimes.endpoint, content=body, headers=headers, trust_env=False)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"cpu": "300"}, "ClientException", "No Fargate configuration exists for given values: 300 CPU, 512 memory"),
        ({"memory": "3072"}, "ClientException", "No Fargate configuration exists"),
        ({"cpu": "much"}, "ClientException", "No Fargate configuration exists"),
        ({"networkMode": "bridge"}, "ClientException", "only supports network mode"),
        ({"executionRoleArn": ""}, "ClientException", "execution role ARN to support ECR images"),
        ({"containerDefinitions": []}, "ClientException", "Container list cannot be empty"),
        ({"containerDefinitions": [{"name": "app"}]}, "ClientException", "should not be null or empty"),
        ({"networkMode": "carrier-pigeon"}, "InvalidParameterException", "enum value set"),
        ({"tags": [{"key": "a" * 129}]}, "InvalidParameterException", "less than or equal to 128"),
    ],
)
def test_a_task_definition_that_fargate_does_not_take_is_refused(
    fleet: Fleet, changed: Mapping[str, Any], code: str, said: str
) -> None:
    before = fleet.ecs.list_task_definitions(familyPrefix="refused")["taskDefinitionArns"]

    with pytest.raises(ClientError, match=said) as caught:
        fleet.ecs.register_task_definition(**{**FARGATE, **changed})

    assert caught.value.response["Error"]["Code"] == code
    assert fleet.ecs.list_task_definitions(familyPrefix="refused")["taskDefinitionArns"] == before


@pytest.mark.parametrize("size", [("256", "512"), ("0.25 vCPU", "0.5 GB"), ("4096", "30720"), ("16 vCPU", "120 GB")])
def test_both_ways_of_saying_a_size_are_taken(fleet: Fleet, size: tuple[str, str]) -> None:
    made = fleet.ecs.register_task_definition(**{**FARGATE, "family": fleet.name, "cpu": size[0], "memory": size[1]})

    assert (made["taskDefinition"]["cpu"], made["taskDefinition"]["memory"]) == size


def test_revisions_count_up_and_a_deregistered_one_can_still_be_read(fleet: Fleet) -> None:
    arns = [
        fleet.ecs.register_task_definition(**{**FARGATE, "family": fleet.name})["taskDefinition"]["taskDefinitionArn"]
        for _ in range(2)
    ]
    fleet.ecs.deregister_task_definition(taskDefinition=f"{fleet.name}:2")

    newest = fleet.ecs.describe_task_definition(taskDefinition=fleet.name)["taskDefinition"]
    gone = fleet.ecs.describe_task_definition(taskDefinition=arns[1])["taskDefinition"]

    assert [arn.rpartition(":")[2] for arn in arns] == ["1", "2"]
    assert (newest["revision"], gone["status"]) == (1, "INACTIVE")
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        fleet.ecs.describe_task_definition(taskDefinition=f"{fleet.name}-never")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found"),
        ({"taskDefinition": "never:1"}, "ClientException", "TaskDefinition not found"),
        ({"networkConfiguration": {}}, "InvalidParameterException", "Network Configuration must be provided"),
        ({"launchType": "BALLOON"}, "InvalidParameterException", "enum value set"),
        (
            {"loadBalancers": [{"targetGroupArn": "arn:x", "containerName": "no", "containerPort": 8080}]},
            "InvalidParameterException",
            "The container no does not exist",
        ),
        (
            {"loadBalancers": [{"targetGroupArn": "arn:x", "containerName": "app", "containerPort": 81}]},
            "InvalidParameterException",
            "did not have a container port 81",
        ),
    ],
)
def test_a_service_that_ecs_does_not_take_is_refused(
    fleet: Fleet, changed: Mapping[str, Any], code: str, said: str
) -> None:
    given: dict[str, Any] = {
        "cluster": fleet.cluster(), "serviceName": fleet.name, "desiredCount": 1, "networkConfiguration": NETWORK,
        "taskDefinition": fleet.define(f"{HOST}/team/web:never-run"),
    }  # fmt: skip

    with pytest.raises(ClientError, match=said) as caught:
        fleet.ecs.create_service(**{**given, **changed})

    assert caught.value.response["Error"]["Code"] == code
    assert fleet.ecs.list_services(cluster=fleet.name)["serviceArns"] == []


def test_a_second_service_of_the_same_name_is_refused(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())

    with pytest.raises(fleet.ecs.exceptions.InvalidParameterException, match="not idempotent"):
        fleet.create(fleet.define(image()), fleet.group("-again"))


def test_who_is_not_there_is_a_failure_among_the_others(fleet: Fleet) -> None:
    fleet.cluster()
    missing = [{"reason": "MISSING"}]

    services = fleet.ecs.describe_services(cluster=fleet.name, services=["never"])
    clusters = fleet.ecs.describe_clusters(clusters=["nowhere", fleet.name])

    assert [{"reason": each["reason"]} for each in services["failures"]] == missing
    assert [{"reason": each["reason"]} for each in clusters["failures"]] == missing
    assert [each["status"] for each in clusters["clusters"]] == ["ACTIVE"]
    with pytest.raises(fleet.ecs.exceptions.ServiceNotFoundException):
        fleet.ecs.list_service_deployments(cluster=fleet.name, service="never")


def test_a_cluster_with_services_is_not_deleted(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())

    with pytest.raises(fleet.ecs.exceptions.ClusterContainsServicesException):
        fleet.ecs.delete_cluster(cluster=fleet.name)


def test_what_the_sandbox_does_not_have_is_told(laptop: Laptop) -> None:
    status, answer = call(laptop, "CreateDaemon", "{}")
    nothing, unknown = call(laptop, "MakeCoffee", "{}")

    assert (status, nothing) == (400, 400)
    assert (answer["__type"], unknown["__type"]) == ("UnknownOperationException", "UnknownOperationException")
    assert call(laptop, "CreateService", "no json")[1]["__type"] == "SerializationException"


def test_every_answer_has_the_shape_of_botocores_model(fleet: Fleet, image: Push) -> None:
    fleet.stand(image())
    revision = fleet.newest()["targetServiceRevision"]["arn"]
    task = fleet.ecs.list_tasks(cluster=fleet.name)["taskArns"][0]
    model = botocore.session.get_session().get_service_model("ecs")
    named = f'"cluster": "{fleet.name}"'

    for operation, body in {
        "DescribeClusters": f'{{"clusters": ["{fleet.name}"]}}',
        "DescribeServices": f'{{{named}, "services": ["{fleet.name}"]}}',
        "ListServiceDeployments": f'{{{named}, "service": "{fleet.name}"}}',
        "DescribeServiceDeployments": f'{{"serviceDeploymentArns": ["{fleet.newest()["serviceDeploymentArn"]}"]}}',
        "DescribeServiceRevisions": f'{{"serviceRevisionArns": ["{revision}"]}}',
        "DescribeTasks": f'{{{named}, "tasks": ["{task}"]}}',
        "DescribeTaskDefinition": f'{{"taskDefinition": "{fleet.name}"}}',
    }.items():
        status, answer = call(fleet.laptop, operation, body)
        shape: Any = model.operation_model(operation).output_shape
        report = ParamValidator().validate(answer, shape)
        assert (status, report.generate_report()) == (200, ""), operation
        assert unknown(shape, answer, operation) == []


def unknown(shape: Any, value: Any, where: str) -> list[str]:
    """Members that the model does not have."""
    if shape.type_name == "list":
        return [name for each in value for name in unknown(shape.member, each, where)]
    if shape.type_name != "structure":
        return []
    strange = [f"{where}.{name}" for name in value if name not in shape.members]
    known = {name: each for name, each in value.items() if name in shape.members}
    return strange + [
        name for member, each in known.items() for name in unknown(shape.members[member], each, f"{where}.{member}")
    ]
