"""The laptop's App Runner on the wire: what it accepts, what it refuses and how, and the shapes it answers with."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from sandbox.runtimes.shapes import problems
from tests.sandbox.conftest import HOST, Laptop, create, settled, source

ROLE = "arn:aws:iam::000000000000:role/access"
GOOD = {
    "ImageRepository": {"ImageIdentifier": f"{HOST}/team/web@sha256:{'0' * 64}", "ImageRepositoryType": "ECR"},
    "AuthenticationConfiguration": {"AccessRoleArn": ROLE},
}


def changed(**members: object) -> dict[str, object]:
    return {"ServiceName": "never-made", "SourceConfiguration": GOOD, **members}


def source_with(**members: object) -> dict[str, object]:
    return {**GOOD, "ImageRepository": {**GOOD["ImageRepository"], **members}}


def call(laptop: Laptop, operation: str, body: str) -> tuple[int, dict[str, Any]]:
    """One raw call, past everything that boto3 checks by itself."""
    headers = {"X-Amz-Target": f"AppRunner.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    answer = httpx.post(laptop.runtimes.endpoint, content=body, headers=headers, trust_env=False)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("request_", "finding"),
    [
        (changed(ServiceName="under/scored"), "regular expression"),
        (changed(ServiceName="x" * 41), "less than or equal to 40"),
        (changed(SourceConfiguration=source_with(ImageIdentifier="docker.io/library/nginx")), "regular expression"),
        (changed(SourceConfiguration=source_with(ImageRepositoryType="DOCKER")), "enum value set"),
        (changed(SourceConfiguration=source_with(ImageConfiguration={"Port": "http"})), "Port 'http' is invalid"),
        (changed(SourceConfiguration={"ImageRepository": GOOD["ImageRepository"]}), "Authentication configuration"),
        (
            changed(SourceConfiguration={"AuthenticationConfiguration": {"AccessRoleArn": ROLE}}),
            "this App Runner runs images only",
        ),
        (changed(HealthCheckConfiguration={"Interval": 21}), "value less than or equal to 20"),
        (changed(InstanceConfiguration={"Cpu": "3000"}), "regular expression"),
        (changed(InstanceConfiguration={"Cpu": "1024", "Memory": "512"}), "do not go together"),
        (
            changed(
                AutoScalingConfigurationArn="arn:aws:apprunner:eu-west-1:000000000000:autoscalingconfiguration/x/9/y"
            ),
            "not found",
        ),
        (
            changed(
                SourceConfiguration=source_with(
                    ImageConfiguration={"RuntimeEnvironmentVariables": {"AWSAPPRUNNER_X": "1"}}
                )
            ),
            "is reserved",
        ),
        (changed(Tags=[{"Key": "aws:mine", "Value": "x"}]), "regular expression"),
    ],
)
def test_what_aws_would_not_accept_is_an_invalid_request(
    laptop: Laptop, request_: Mapping[str, Any], finding: str
) -> None:
    with pytest.raises(laptop.client.exceptions.InvalidRequestException) as caught:
        laptop.client.create_service(**request_)

    assert finding in caught.value.response["Error"]["Message"]


def test_everything_that_is_wrong_is_told_at_once_and_sensitive_values_are_not() -> None:
    found = problems(
        "apprunner",
        "CreateService",
        {
            "ServiceName": 7,
            "SourceConfiguration": {
                "ImageRepository": {
                    "ImageIdentifier": "x",
                    "ImageConfiguration": {"StartCommand": "secret\n", "RuntimeEnvironmentVariables": {"": "1"}},
                }
            },
            "Tags": {},
        },
    )

    assert len(found) == 6
    assert "secret" not in "".join(found)


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("RunEverything", "{}", "UnknownOperationException"),
        ("CreateConnection", "{}", "UnknownOperationException"),
        ("ListServices", "{", "SerializationException"),
        ("DescribeService", "{}", "InvalidRequestException"),
        ("DescribeService", "[]", "InvalidRequestException"),
        ("ListServices", '{"MaxResults": true}', "InvalidRequestException"),
    ],
)
def test_a_call_that_no_client_would_make_gets_a_proper_error(
    laptop: Laptop, operation: str, body: str, code: str
) -> None:
    status, answer = call(laptop, operation, body)

    assert (status, answer["__type"]) == (400, code)


def test_an_unknown_service_is_not_found(laptop: Laptop) -> None:
    with pytest.raises(laptop.client.exceptions.ResourceNotFoundException):
        laptop.client.describe_service(ServiceArn="arn:aws:apprunner:eu-west-1:000000000000:service/no/1")


def test_answers_have_the_shapes_of_the_model_and_times_are_epoch_seconds(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    arn = create(laptop.client, service_name, image())
    service = settled(laptop.client, arn)
    model = botocore.session.get_session().get_service_model("apprunner")

    named = f'{{"ServiceArn":"{arn}"}}'
    for operation, request in {
        "DescribeService": named,
        "ListOperations": named,
        "ListServices": "{}",
        "ListAutoScalingConfigurations": "{}",
    }.items():
        shape = model.operation_model(operation).output_shape
        assert shape is not None
        status, answer = call(laptop, operation, request)
        report = ParamValidator().validate(answer, shape)

        assert (status, report.generate_report()) == (200, "")
    raw = call(laptop, "DescribeService", f'{{"ServiceArn":"{arn}"}}')[1]["Service"]
    assert isinstance(raw["CreatedAt"], float)
    assert service["UpdatedAt"] - service["CreatedAt"] < timedelta(minutes=1)
    assert arn == f"arn:aws:apprunner:eu-west-1:000000000000:service/{service_name}/{service['ServiceId']}"


def test_a_name_is_taken_until_its_service_is_deleted(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    arn = create(laptop.client, service_name, image())

    with pytest.raises(laptop.client.exceptions.InvalidRequestException, match="already exists"):
        create(laptop.client, service_name, image())

    settled(laptop.client, arn)
    laptop.client.delete_service(ServiceArn=arn)
    settled(laptop.client, arn)
    assert settled(laptop.client, create(laptop.client, service_name, image()))["Status"] == "RUNNING"


def test_an_update_leaves_what_it_does_not_name(laptop: Laptop, image: Callable[..., str], service_name: str) -> None:
    arn = create(laptop.client, service_name, image())
    before = settled(laptop.client, arn)

    laptop.client.update_service(ServiceArn=arn, InstanceConfiguration={"Cpu": "2 vCPU", "Memory": "4 GB"})
    after = settled(laptop.client, arn)

    assert after["InstanceConfiguration"] == {"Cpu": "2 vCPU", "Memory": "4 GB"}
    assert after["HealthCheckConfiguration"] == before["HealthCheckConfiguration"]
    assert after["SourceConfiguration"] == before["SourceConfiguration"]


def test_services_are_listed_in_pages(laptop: Laptop, image: Callable[..., str], service_name: str) -> None:
    arns = {create(laptop.client, f"{service_name}-{number}", image()) for number in range(2)}

    entries, token = [], ""
    while True:
        page = laptop.client.list_services(MaxResults=1, **({"NextToken": token} if token else {}))
        entries += page["ServiceSummaryList"]
        token = page.get("NextToken", "")
        if not token:
            break

    assert len(entries) == len({entry["ServiceArn"] for entry in entries})
    assert arns <= {entry["ServiceArn"] for entry in entries}
    for arn in arns:
        settled(laptop.client, arn)


def test_each_scaling_configuration_is_a_new_revision_of_its_name(laptop: Laptop, service_name: str) -> None:
    first, second = (
        laptop.client.create_auto_scaling_configuration(
            AutoScalingConfigurationName=service_name, MinSize=size, MaxSize=3
        )["AutoScalingConfiguration"]
        for size in (1, 2)
    )
    prefix = first["AutoScalingConfigurationArn"].rsplit("/", 2)[0]

    by_name = laptop.client.describe_auto_scaling_configuration(AutoScalingConfigurationArn=prefix)
    listed = laptop.client.list_auto_scaling_configurations(AutoScalingConfigurationName=service_name, LatestOnly=True)[
        "AutoScalingConfigurationSummaryList"
    ]
    deleted = laptop.client.delete_auto_scaling_configuration(
        AutoScalingConfigurationArn=first["AutoScalingConfigurationArn"]
    )["AutoScalingConfiguration"]

    assert (first["AutoScalingConfigurationRevision"], second["AutoScalingConfigurationRevision"]) == (1, 2)
    assert by_name["AutoScalingConfiguration"]["MinSize"] == 2
    assert [entry["AutoScalingConfigurationRevision"] for entry in listed] == [2]
    assert (str(second["Status"]), str(deleted["Status"])) == ("active", "inactive")


def test_a_scaling_configuration_in_use_cannot_be_deleted(
    laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    scaling = laptop.client.create_auto_scaling_configuration(AutoScalingConfigurationName=service_name)[
        "AutoScalingConfiguration"
    ]["AutoScalingConfigurationArn"]
    arn = create(laptop.client, service_name, image())
    settled(laptop.client, arn)
    laptop.client.update_service(ServiceArn=arn, AutoScalingConfigurationArn=scaling)
    service = settled(laptop.client, arn)

    with pytest.raises(laptop.client.exceptions.InvalidRequestException, match="is used by a service"):
        laptop.client.delete_auto_scaling_configuration(AutoScalingConfigurationArn=scaling)

    assert service["AutoScalingConfigurationSummary"]["AutoScalingConfigurationArn"] == scaling


def test_more_than_the_quota_is_refused(laptop: Laptop, service_name: str) -> None:
    for _ in range(5):
        laptop.client.create_auto_scaling_configuration(AutoScalingConfigurationName=service_name)

    with pytest.raises(laptop.client.exceptions.ServiceQuotaExceededException):
        laptop.client.create_auto_scaling_configuration(AutoScalingConfigurationName=service_name)

    prefix = f"arn:aws:apprunner:eu-west-1:000000000000:autoscalingconfiguration/{service_name}"
    laptop.client.delete_auto_scaling_configuration(AutoScalingConfigurationArn=prefix, DeleteAllRevisions=True)
    with pytest.raises(laptop.client.exceptions.ResourceNotFoundException):
        laptop.client.describe_auto_scaling_configuration(AutoScalingConfigurationArn=prefix)


def test_tags_are_kept_changed_and_removed(laptop: Laptop, image: Callable[..., str], service_name: str) -> None:
    arn = laptop.client.create_service(
        ServiceName=service_name, SourceConfiguration=source(image()), Tags=[{"Key": "team", "Value": "a"}]
    )["Service"]["ServiceArn"]

    laptop.client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}])
    tagged = laptop.client.list_tags_for_resource(ResourceArn=arn)["Tags"]
    laptop.client.untag_resource(ResourceArn=arn, TagKeys=["team"])

    assert tagged == [{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
    assert laptop.client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "x", "Value": ""}]
    with pytest.raises(ClientError, match="Resource not found"):
        laptop.client.list_tags_for_resource(ResourceArn=f"{arn}0")
    settled(laptop.client, arn)
