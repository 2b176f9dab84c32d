"""ECS under the real engine: revisions, waits, rollbacks that are seen and those that are not."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.sandbox.conftest import until
from tests.sandbox.provider_engine import REGION, Engine
from tests.sandbox.provider_fargate import ROLE, container, fargate
from tests.sandbox.provider_life import Cloud

pytestmark = pytest.mark.nightly

Push = Callable[..., str]
ACCOUNT = "000000000000"


@pytest.fixture
def ecs(cloud: Cloud) -> Any:
    """ECS for what people do by hand."""
    return cloud("ecs")


def recorded(engine: Engine, name: str) -> dict[str, Any]:
    """The outputs of a resource."""
    outputs: dict[str, Any] = engine.resources()[name]["outputs"]
    return outputs


def task_arn(name: str, revision: int) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{name}:{revision}"


def test_a_release_is_a_new_revision_and_the_old_one_stays(
    engine: Engine, ecs: Any, image: Push, service_name: str
) -> None:
    one, two = image(VERSION="one"), image(VERSION="two")
    made = engine.up(lambda: fargate(service_name, one))
    assert (made.error, made.counts) == ("", {"create": 7})
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{service_name}/{service_name}"
    assert (engine.resources()["web"]["id"], engine.resources()["task"]["id"]) == (arn, service_name)
    assert engine.preview(lambda: fargate(service_name, one), refresh=True).counts == {"same": 7}

    planned = engine.preview(lambda: fargate(service_name, two))
    assert planned.ops("task") == ["create-replacement", "replace", "delete-replaced"]
    assert planned.of("task")[0].paths == {"containerDefinitions": "update-replace"}
    assert [step.paths for step in planned.of("web")] == [{"taskDefinition": "update"}]

    run = engine.up(lambda: fargate(service_name, two))
    assert (run.error, run.counts) == ("", {"same": 5, "update": 1, "replace": 1})
    task = recorded(engine, "task")
    assert (task["revision"], task["arn"]) == (2, task_arn(service_name, 2))
    assert task["arnWithoutRevision"] == task_arn(service_name, 2).rpartition(":")[0]
    old = ecs.describe_task_definition(taskDefinition=task_arn(service_name, 1))["taskDefinition"]
    assert old["status"] == "ACTIVE"
    assert engine.preview(lambda: fargate(service_name, two), refresh=True).counts == {"same": 7}

    assert engine.destroy().error == ""
    left = ecs.describe_clusters(clusters=[service_name])["clusters"]
    assert [cluster["status"] for cluster in left] in ([], ["INACTIVE"])


def test_a_rollback_that_was_waited_for_is_an_error_in_the_providers_words(
    engine: Engine, image: Push, service_name: str
) -> None:
    good, sick = image(VERSION="good"), image(SICK="1")
    engine.up(lambda: fargate(service_name, good))

    run = engine.up(lambda: fargate(service_name, sick))

    arn = engine.resources()["web"]["id"]
    assert f"waiting for ECS Service ({arn}) update: " in run.error
    assert "circuit breaker" in run.error
    assert recorded(engine, "web")["taskDefinition"] == task_arn(service_name, 1)
    assert engine.preview(lambda: fargate(service_name, sick)).of("web")[0].paths == {"taskDefinition": "update"}
    back = engine.up(lambda: fargate(service_name, good))
    assert back.error == ""
    assert recorded(engine, "web")["taskDefinition"] == task_arn(service_name, 3)
    engine.destroy()


def test_a_rollback_that_nobody_waited_for_is_green_until_a_refresh(
    engine: Engine, ecs: Any, image: Push, service_name: str
) -> None:
    good, sick = image(VERSION="good"), image(SICK="1")
    engine.up(lambda: fargate(service_name, good))

    run = engine.up(lambda: fargate(service_name, sick, waits=False))

    assert (run.error, recorded(engine, "web")["taskDefinition"]) == ("", task_arn(service_name, 2))
    rolled_back(ecs, service_name)
    assert engine.preview(lambda: fargate(service_name, sick, waits=False)).counts == {"same": 7}
    seen = engine.preview(lambda: fargate(service_name, sick, waits=False), refresh=True)
    assert [step.paths for step in seen.of("web")] == [{"taskDefinition": "update"}]
    engine.destroy()


def rolled_back(ecs: Any, name: str) -> None:
    """Wait until ECS has taken the newest deployment back."""

    def newest() -> str:
        listed = ecs.list_service_deployments(cluster=name, service=name)["serviceDeployments"]
        return str(listed[0]["status"])

    until(newest, lambda status: status == "ROLLBACK_SUCCESSFUL", 60)


def test_a_service_that_does_not_get_steady_stays_in_the_state(engine: Engine, image: Push, service_name: str) -> None:
    run = engine.up(lambda: fargate(service_name, image(CRASH="1")))

    service = engine.resources()["web"]
    assert f"waiting for ECS Service ({service['id']}) create: " in run.error
    assert service["initErrors"]
    mended = engine.up(lambda: fargate(service_name, image(VERSION="good")))
    assert (mended.error, mended.ops("web")) == ("", ["update"])
    engine.destroy()


def test_a_wait_is_as_long_as_the_program_says(engine: Engine, image: Push, service_name: str) -> None:
    short = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="1s"))

    run = engine.up(lambda: fargate(service_name, image(SICK="1"), deployment_circuit_breaker=None, opts=short))

    assert "create: timeout while waiting for state to become 'tfSTABLE'" in run.error
    assert "timeout: 0m1s" in run.error
    assert engine.destroy().error == ""


def test_containers_that_mean_the_same_are_no_new_revision(engine: Engine, image: Push, service_name: str) -> None:
    plain = container(image(), A="1", B="2")
    spelled: dict[str, Any] = {
        **plain,
        "environment": plain["environment"][::-1],
        "essential": True,
        "cpu": 0,
        "mountPoints": [],
        "portMappings": [{"hostPort": 8000, "containerPort": 8000}],
    }
    engine.up(lambda: fargate(service_name, "", definitions=json.dumps([plain])))

    def counts(definition: dict[str, Any]) -> Any:
        return engine.preview(lambda: fargate(service_name, "", definitions=json.dumps([definition], indent=2))).counts

    assert counts(spelled) == {"same": 7}
    assert counts({**spelled, "command": ["b", "a"]}) == {"same": 5, "update": 1, "replace": 1}
    assert counts({**plain, "environment": plain["environment"][:1]}) == {"same": 5, "update": 1, "replace": 1}
    engine.destroy()


def test_what_replaces_a_service_and_what_changes_it_in_place(engine: Engine, image: Push, service_name: str) -> None:
    def program(**service: Any) -> None:
        fargate(service_name, image(), **service)

    engine.up(program)

    for change, path in (({"name": f"{service_name}-b"}, "name"), ({"launch_type": "EC2"}, "launchType")):
        replaced = engine.preview(functools.partial(program, **change))
        assert replaced.error == ""
        assert replaced.ops("web") == ["delete-replaced", "replace", "create-replacement"]
        assert replaced.of("web")[-1].paths == {path: "update-replace"}
    alarms = {"alarm_names": ["a"], "enable": True, "rollback": True}
    changed = {"health_check_grace_period_seconds": 5, "alarms": alarms, "deployment_maximum_percent": 150}
    run = engine.up(lambda: program(**changed, tags={"team": "other"}))
    assert (run.error, [step.op for step in run.of("web")]) == ("", ["update"])
    assert run.of("web")[0].paths == {
        "alarms": "add",
        "deploymentMaximumPercent": "update",
        "healthCheckGracePeriodSeconds": "add",
        "tags.team": "update",
    }
    assert engine.preview(lambda: program(**changed, tags={"team": "other"}), refresh=True).counts == {"same": 7}
    engine.destroy()


@pytest.fixture
def second(provider: int, tmp_path: Path) -> Engine:
    """Another stack that sees the same cloud."""
    return Engine(tmp_path / "second", provider)


def test_what_is_there_already_can_be_adopted(engine: Engine, second: Engine, image: Push, service_name: str) -> None:
    engine.up(lambda: fargate(service_name, image()))

    def adopting() -> None:
        aws.ecs.Cluster(
            "cluster", name=service_name, tags={"team": "web"}, opts=pulumi.ResourceOptions(import_=service_name)
        )
        aws.ecs.TaskDefinition(
            "task",
            family=service_name,
            cpu="256",
            memory="512",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=ROLE,
            runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": "X86_64"},
            container_definitions=json.dumps([container(image())]),
            tags={"team": "web"},
            opts=pulumi.ResourceOptions(import_=task_arn(service_name, 1)),
        )
        aws.ecs.Service.get("web", f"{service_name}/{service_name}")

    run = second.up(adopting)

    assert (run.error, run.counts) == ("", {"create": 1, "import": 2})
    assert recorded(second, "task")["revision"] == 1
    assert second.resources()["cluster"]["id"].endswith(f":cluster/{service_name}")
    assert second.resources()["web"]["id"] == engine.resources()["web"]["id"]
    engine.destroy()


def scaling(name: str, *, most: int = 3, percent: float = 60, adopt: bool = False) -> None:
    """How many of a service may run."""
    what: Any = {
        "service_namespace": "ecs",
        "resource_id": f"service/{name}/{name}",
        "scalable_dimension": "ecs:service:DesiredCount",
    }
    id_ = "/".join(what.values())
    target = aws.appautoscaling.Target(
        "target",
        min_capacity=1,
        max_capacity=most,
        tags={"most": str(most)},
        opts=pulumi.ResourceOptions(import_=id_ if adopt else None),
        **what,
    )
    metric: Any = {"predefined_metric_type": "ECSServiceAverageCPUUtilization"}
    aws.appautoscaling.Policy(
        "policy",
        name=f"{name}-cpu",
        policy_type="TargetTrackingScaling",
        target_tracking_scaling_policy_configuration={
            "target_value": percent,
            "predefined_metric_specification": metric,
        },
        opts=pulumi.ResourceOptions(depends_on=[target], import_=f"{id_}/{name}-cpu" if adopt else None),
        **what,
    )


@pytest.fixture
def hand(cloud: Cloud) -> Any:
    """Application Auto Scaling for what people do by hand."""
    return cloud("application-autoscaling")


def test_how_many_may_run_is_changed_in_place_seen_by_a_refresh_and_adopted(
    engine: Engine, second: Engine, hand: Any, *, image: Push, service_name: str
) -> None:
    pinned = image()

    def program(**options: Any) -> None:
        fargate(service_name, pinned)
        scaling(service_name, **options)

    wanted = functools.partial(program, most=5, percent=70.5)
    engine.up(lambda: fargate(service_name, pinned))
    made = engine.up(program)
    assert (made.error, made.counts) == ("", {"create": 2, "same": 7})
    assert engine.preview(program, refresh=True).counts == {"same": 9}
    run = engine.up(wanted)
    assert {step.name: dict(step.paths) for step in run.steps if step.op == "update"} == {
        "target": {"maxCapacity": "update", "tags.most": "update"},
        "policy": {"targetTrackingScalingPolicyConfiguration.targetValue": "update"},
    }

    adopted = second.up(functools.partial(scaling, service_name, most=5, percent=70.5, adopt=True))
    assert (adopted.error, adopted.counts) == ("", {"create": 1, "import": 2})

    target = engine.resources()["target"]["inputs"]
    where = {
        name[0].upper() + name[1:]: target[name] for name in ("serviceNamespace", "resourceId", "scalableDimension")
    }
    hand.register_scalable_target(MinCapacity=2, MaxCapacity=5, **where)
    assert [step.paths for step in engine.preview(wanted, refresh=True).of("target")] == [{"minCapacity": "update"}]
    hand.delete_scaling_policy(PolicyName=f"{service_name}-cpu", **where)
    assert engine.refresh().error == ""
    assert "policy" not in engine.resources()
    assert engine.destroy().error == ""
    assert hand.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
