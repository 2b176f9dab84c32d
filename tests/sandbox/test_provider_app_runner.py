"""App Runner under the real engine: waits, silent rollbacks, failures, and replacement of scaling configurations."""

from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest
from mypy_boto3_apprunner.type_defs import HealthCheckConfigurationTypeDef

from tests.sandbox.conftest import Laptop, source
from tests.sandbox.provider_engine import Engine

pytestmark = pytest.mark.nightly

IMAGE_PATH = "sourceConfiguration.imageRepository.imageIdentifier"


def service(name: str, image: str, *, size: int = 2, cpu: str = "1 vCPU", **variables: str) -> None:
    """A service with its scaling."""
    scaling = aws.apprunner.AutoScalingConfigurationVersion(
        "scaling", auto_scaling_configuration_name=name, max_size=size
    )
    aws.apprunner.Service(
        "web",
        service_name=name,
        auto_scaling_configuration_arn=scaling.arn,
        source_configuration={
            "auto_deployments_enabled": False,
            "authentication_configuration": {"access_role_arn": "arn:aws:iam::000000000000:role/pull"},
            "image_repository": {
                "image_identifier": image,
                "image_repository_type": "ECR",
                "image_configuration": {
                    "port": "8000",
                    "runtime_environment_variables": {"COLOUR": "red", **variables},
                },
            },
        },
        instance_configuration={"cpu": cpu, "memory": "2 GB"},
        health_check_configuration={"protocol": "HTTP", "path": "/healthz", "interval": 1, "timeout": 1},
        tags={"team": "web"},
    )


def image_of(engine: Engine, part: str) -> str:
    """The image in the recorded inputs or outputs."""
    recorded: dict[str, Any] = engine.resources()["web"][part]
    return str(recorded["sourceConfiguration"]["imageRepository"]["imageIdentifier"])


def test_a_service_is_made_changed_and_left_alone(
    engine: Engine, laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    one, two = image(VERSION="one"), image(VERSION="two")
    made = engine.up(lambda: service(service_name, one))
    assert (made.error, made.counts) == ("", {"create": 3})
    outputs = engine.resources()["web"]["outputs"]
    described = laptop.client.describe_service(ServiceArn=engine.resources()["web"]["id"])["Service"]
    assert (outputs["status"], outputs["serviceUrl"]) == ("RUNNING", described["ServiceUrl"])
    refreshed = engine.preview(lambda: service(service_name, one), refresh=True)
    assert (refreshed.of("web"), refreshed.counts) == ([], {"same": 3})
    r = engine.preview(lambda: service(service_name, one, cpu="1024"))
    assert r.counts == {"same": 3}, r

    run = engine.up(lambda: service(service_name, two, SIZE="big"))
    assert (run.error, run.counts) == ("", {"same": 2, "update": 1})
    variable = "sourceConfiguration.imageRepository.imageConfiguration.runtimeEnvironmentVariables.SIZE"
    assert [step.paths for step in run.of("web")] == [{IMAGE_PATH: "update", variable: "add"}]
    assert [image_of(engine, part) for part in ("inputs", "outputs")] == [two, two]

    replaced = engine.up(lambda: service(service_name, two, size=3, SIZE="big"))
    assert (replaced.error, replaced.counts) == ("", {"same": 1, "update": 1, "replace": 1})
    assert replaced.ops("scaling") == ["create-replacement", "replace", "delete-replaced"]
    assert next(step.paths for step in replaced.of("scaling")) == {"maxSize": "update-replace"}
    assert engine.resources()["scaling"]["outputs"]["autoScalingConfigurationRevision"] == 2
    assert engine.destroy().error == ""
    assert engine.resources() == {}


def test_an_update_that_app_runner_rolled_back_is_green_and_shows_the_old_image(
    engine: Engine, image: Callable[..., str], service_name: str
) -> None:
    good, sick = image(VERSION="good"), image(SICK="1")
    engine.up(lambda: service(service_name, good))

    run = engine.up(lambda: service(service_name, sick))

    assert (run.error, run.counts) == ("", {"same": 2, "update": 1})
    assert [image_of(engine, part) for part in ("inputs", "outputs")] == [sick, good]
    again = engine.preview(lambda: service(service_name, sick))
    assert [step.paths for step in again.of("web")] == [{IMAGE_PATH: "update"}]
    assert engine.preview(lambda: service(service_name, good)).counts == {"same": 3}
    engine.destroy()


def test_a_service_that_cannot_be_created_is_an_error_and_stays_in_the_state(
    engine: Engine, image: Callable[..., str], service_name: str
) -> None:
    run = engine.up(lambda: service(service_name, image(CRASH="1")))

    recorded = engine.resources()["web"]
    wanted = f"waiting for App Runner Service ({recorded['id']}) create: unexpected state 'CREATE_FAILED'"
    assert f"{wanted}, wanted target 'RUNNING'" in run.error
    assert recorded["outputs"]["status"] == "CREATE_FAILED"
    assert recorded["initErrors"] == [f"{wanted}, wanted target 'RUNNING'"]
    assert engine.destroy().error == ""


def test_an_update_during_another_operation_is_refused_with_awss_own_code(
    engine: Engine, laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    engine.up(lambda: service(service_name, image(VERSION="one")))
    arn = engine.resources()["web"]["id"]
    slow: HealthCheckConfigurationTypeDef = {"Protocol": "HTTP", "Interval": 10, "UnhealthyThreshold": 10}
    laptop.client.update_service(
        ServiceArn=arn,
        SourceConfiguration=source(image(SICK="1")),
        HealthCheckConfiguration=slow | {"Path": "/healthz"},
    )

    run = engine.up(lambda: service(service_name, image(VERSION="two")))

    assert f"updating App Runner Service ({arn}): operation error AppRunner: UpdateService" in run.error
    assert "InvalidStateException" in run.error
    assert image_of(engine, "inputs") == image(VERSION="one")
