"""A program with one Fargate service behind a load balancer, for the tests of the provider's ECS types."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

ROLE = "arn:aws:iam::000000000000:role/execution"
SUBNETS = ["subnet-a", "subnet-b"]


def container(image: str, **variables: str) -> dict[str, Any]:
    """The one container."""
    return {
        "name": "app",
        "image": image,
        "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
    }


def fargate(family: str, image: str, *, definitions: str = "", waits: bool = True, **service: Any) -> None:
    """A service that runs `image`; `service` overrules what the service is given."""
    door = aws.lb.LoadBalancer("door", name=family, subnets=SUBNETS)
    check = {"path": "/healthz", "interval": 5, "timeout": 2, "healthy_threshold": 2, "unhealthy_threshold": 2}
    group = aws.lb.TargetGroup(
        "group",
        port=8000,
        protocol="HTTP",
        target_type="ip",
        vpc_id="vpc-1",
        health_check=check,
        deregistration_delay=1,
    )
    listener = aws.lb.Listener(
        "listener",
        load_balancer_arn=door.arn,
        port=80,
        protocol="HTTP",
        default_actions=[{"type": "forward", "target_group_arn": group.arn}],
    )
    cluster = aws.ecs.Cluster("cluster", name=family, tags={"team": "web"})
    task = aws.ecs.TaskDefinition(
        "task",
        family=family,
        cpu="256",
        memory="512",
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        execution_role_arn=ROLE,
        runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": "X86_64"},
        container_definitions=definitions or json.dumps([container(image)]),
        skip_destroy=True,
        tags={"team": "web"},
    )
    given: dict[str, Any] = {
        "name": family,
        "cluster": cluster.name,
        "launch_type": "FARGATE",
        "task_definition": task.arn,
        "desired_count": 1,
        "network_configuration": {"subnets": SUBNETS, "security_groups": ["sg-1"]},
        "load_balancers": [{"container_name": "app", "container_port": 8000, "target_group_arn": group.arn}],
        "deployment_circuit_breaker": {"enable": True, "rollback": True},
        "wait_for_steady_state": waits,
        "tags": {"team": "web"},
        "opts": pulumi.ResourceOptions(depends_on=[listener], ignore_changes=["desiredCount"]),
    }
    aws.ecs.Service("web", **{**given, **service})
