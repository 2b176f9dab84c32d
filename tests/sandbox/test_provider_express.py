"""ECS Express Mode under the real engine: waits, rollbacks, what a preview knows, the orphan of a failed creation."""

import functools
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.sandbox.provider_engine import REGION, Engine
from tests.sandbox.provider_life import Cloud

pytestmark = pytest.mark.nightly

Push = Callable[..., str]
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"


@pytest.fixture
def ecs(cloud: Cloud) -> Any:
    """ECS for what people do by hand."""
    return cloud("ecs")


def express(
    name: str, image: str, *, waits: bool = True, adopt: str | None = None, **service: Any
) -> aws.ecs.ExpressGatewayService:
    """An Express service that runs `image`; `service` overrules what it is given."""
    variables = service.pop("variables", {"A": "1", "B": "2"})
    cluster = aws.ecs.Cluster("cluster", name=name)
    given: dict[str, Any] = {
        "service_name": name,
        "cluster": cluster.name,
        "execution_role_arn": f"{ROLE}/execution",
        "infrastructure_role_arn": f"{ROLE}/infrastructure",
        "primary_container": {
            "image": image,
            "container_port": 8000,
            "environments": [{"name": key, "value": value} for key, value in variables.items()],
        },
        "cpu": "256",
        "memory": "512",
        "health_check_path": "/healthz",
        "network_configurations": [{"subnets": ["subnet-b", "subnet-a"], "security_groups": ["sg-1"]}],
        "scaling_targets": [
            {
                "auto_scaling_metric": "AVERAGE_CPU",
                "auto_scaling_target_value": 60,
                "min_task_count": 1,
                "max_task_count": 2,
            }
        ],
        "wait_for_steady_state": waits,
        "tags": {"team": "web"},
        "opts": pulumi.ResourceOptions(import_=adopt),
    }
    return aws.ecs.ExpressGatewayService("web", **{**given, **service})


def declared(name: str, image: str, **options: Any) -> None:
    """The same as a program, which gives nothing back."""
    express(name, image, **options)


def recorded(engine: Engine) -> dict[str, Any]:
    """The service's outputs."""
    outputs: dict[str, Any] = engine.resources()["web"]["outputs"]
    return outputs


def test_a_service_is_made_changed_and_left_alone(engine: Engine, image: Push, service_name: str) -> None:
    one, two = image(VERSION="one"), image(VERSION="two")
    made = engine.up(lambda: declared(service_name, one))
    assert (made.error, made.counts) == ("", {"create": 3})
    first = recorded(engine)
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{service_name}/{service_name}"
    assert (engine.resources()["web"]["id"], first["serviceArn"]) == (arn, arn)
    assert [path["accessType"] for path in first["ingressPaths"]] == ["PUBLIC"]
    assert engine.preview(lambda: declared(service_name, one), refresh=True).counts == {"same": 3}
    reordered = functools.partial(declared, service_name, one, variables={"B": "2", "A": "1"})
    assert engine.preview(reordered).ops("web") == ["update"]

    run = engine.up(lambda: declared(service_name, two, tags={"team": "other"}))
    assert (run.error, [step.paths for step in run.of("web")]) == (
        "",
        [{"primaryContainer.image": "update", "tags.team": "update"}],
    )
    second = recorded(engine)
    assert second["serviceRevisionArn"] != first["serviceRevisionArn"]
    assert second["ingressPaths"] == first["ingressPaths"]
    assert engine.preview(lambda: declared(service_name, two, tags={"team": "other"}), refresh=True).counts == {
        "same": 3
    }
    for change, path in (("service_name", "serviceName"), ("infrastructure_role_arn", "infrastructureRoleArn")):
        other = {change: f"{ROLE}/other" if "role" in change else f"{service_name}-b"}
        replaced = engine.preview(functools.partial(declared, service_name, two, **other))
        assert replaced.of("web")[0].paths[path] == "update-replace"
    assert engine.destroy().error == ""


def test_in_a_preview_only_the_revision_is_unknown(engine: Engine, image: Push, service_name: str) -> None:
    engine.up(lambda: declared(service_name, image(VERSION="one")))
    known: set[str] = set()

    def program() -> None:
        service = express(service_name, image(VERSION="two"))
        for name in ("service_arn", "ingress_paths", "service_revision_arn"):
            # Only a value that is known is handed on in a preview.
            getattr(service, name).apply(functools.partial(note, known, name))

    assert engine.preview(program).ops("web") == ["update"]

    assert known == {"service_arn", "ingress_paths"}
    engine.destroy()


def note(known: set[str], name: str, _value: object) -> None:
    known.add(name)


def test_a_release_that_is_taken_back_is_an_error_only_when_it_is_waited_for(
    engine: Engine, image: Push, service_name: str
) -> None:
    good, sick = image(VERSION="good"), image(SICK="1")
    engine.up(lambda: declared(service_name, good))

    run = engine.up(lambda: declared(service_name, sick))

    assert f"updating ECS (Elastic Container) Express Gateway Service ({recorded(engine)['serviceArn']}): " in run.error
    assert recorded(engine)["primaryContainer"]["image"] == good
    assert engine.up(lambda: declared(service_name, good)).error == ""
    unseen = engine.up(lambda: declared(service_name, sick, waits=False))
    assert unseen.error == ""
    engine.destroy()


def test_a_creation_that_fails_leaves_a_service_that_no_state_knows(
    engine: Engine, ecs: Any, image: Push, service_name: str
) -> None:
    run = engine.up(lambda: declared(service_name, image(CRASH="1")))

    assert "creating ECS (Elastic Container) Express Gateway Service" in run.error
    assert "web" not in engine.resources()
    again = engine.up(lambda: declared(service_name, image(VERSION="good")))
    assert f"Express Gateway Service {service_name} already exists in cluster {service_name}" in again.error
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{service_name}/{service_name}"
    adopted = engine.up(lambda: declared(service_name, image(CRASH="1"), waits=False, adopt=arn))
    assert (adopted.error, adopted.counts["import"]) == ("", 1)
    assert engine.destroy().error == ""
    left = (
        ecs.describe_services(cluster=service_name, services=[service_name])["services"]
        if clusters(ecs, service_name)
        else []
    )
    assert [service["status"] for service in left] in ([], ["INACTIVE"])
    assert engine.up(lambda: declared(service_name, image(VERSION="good"))).error == ""
    engine.destroy()


def clusters(ecs: Any, name: str) -> list[str]:
    return [one["status"] for one in ecs.describe_clusters(clusters=[name])["clusters"] if one["status"] == "ACTIVE"]
