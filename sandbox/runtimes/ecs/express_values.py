"""What Express Mode makes of a request: a configuration with every default, and the service that follows from it.

Comes in: requests that the model has passed. Goes out: configurations, task definitions and members of a service, pure.
The defaults are those that the API's model tells; the developer guide names larger ones.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.runtimes.ecs.values import invalid

Json = Mapping[str, Any]
CONTAINER = "Main"
_DEFAULTS: Mapping[str, Any] = {
    "cpu": "256", "memory": "512", "cpuArchitecture": "X86_64", "healthCheckPath": "/ping",
    "networkConfiguration": {"securityGroups": ["sg-default"], "subnets": ["subnet-default-a", "subnet-default-b"]},
}  # fmt: skip
_SCALING = {"minTaskCount": 1, "maxTaskCount": 20, "autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 60}
_KEPT = (
    "executionRoleArn", "taskRoleArn", "cpu", "memory", "cpuArchitecture", "networkConfiguration", "healthCheckPath",
    "primaryContainer", "scalingTarget",
)  # fmt: skip
# Five per cent of the traffic for three minutes, then all of it for three more, with a way back at any time.
DEPLOYMENT: Mapping[str, Any] = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3},
    "bakeTimeInMinutes": 3,
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
}
GRACE = 300  # seconds in which a new task's failed health checks do not count


def configured(request: Json, before: Json, log_group: str) -> dict[str, Any]:
    """The configuration that `request` asks for: what it does not name stays as it was. Raises Refusal."""
    given = {name: request[name] for name in _KEPT if request.get(name) is not None}
    whole = {**_DEFAULTS, **before, **given}
    if request.get("taskDefinitionArn"):
        raise invalid("The sandbox's Express Mode makes its own task definition: give a primaryContainer.")
    if not whole.get("primaryContainer"):
        raise invalid("primaryContainer is required when no taskDefinitionArn is given.")
    if not whole.get("executionRoleArn"):
        raise invalid("executionRoleArn is required when no taskDefinitionArn is given.")
    logs = {"logGroup": log_group, "logStreamPrefix": "ecs"}
    container = whole["primaryContainer"]
    whole["primaryContainer"] = {
        "containerPort": 80,
        "awsLogsConfiguration": logs,
        **{name: value for name, value in container.items() if value is not None},
    }
    whole["scalingTarget"] = {**_SCALING, **(before.get("scalingTarget") or {}), **(request.get("scalingTarget") or {})}
    if whole["scalingTarget"]["minTaskCount"] > whole["scalingTarget"]["maxTaskCount"]:
        raise invalid("minTaskCount must be less than or equal to maxTaskCount.")
    return whole


def definition_of(configuration: Json, family: str, region: str) -> dict[str, Any]:
    """A RegisterTaskDefinition request."""
    container = configuration["primaryContainer"]
    logs = container["awsLogsConfiguration"]
    optional = {"taskRoleArn": configuration.get("taskRoleArn")}
    main = {
        "name": CONTAINER,
        "image": container["image"],
        "essential": True,
        "portMappings": [{"name": "main", "containerPort": container["containerPort"], "protocol": "tcp"}],
        "environment": container.get("environment", []),
        "secrets": container.get("secrets", []),
        "stopTimeout": 30,
        "versionConsistency": "enabled",
        "linuxParameters": {"initProcessEnabled": True},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": logs["logGroup"],
                "awslogs-stream-prefix": logs["logStreamPrefix"],
                "awslogs-region": region,
            },
        },
        **({"command": container["command"]} if container.get("command") else {}),
    }
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": configuration["cpu"],
        "memory": configuration["memory"],
        "runtimePlatform": {"cpuArchitecture": configuration["cpuArchitecture"], "operatingSystemFamily": "LINUX"},
        "executionRoleArn": configuration["executionRoleArn"],
        "containerDefinitions": [main],
        **{name: value for name, value in optional.items() if value},
    }


def members_of(configuration: Json, parts: Json, infrastructure_role: str) -> dict[str, Any]:
    """The members of a plain service that this one is underneath."""
    network = configuration["networkConfiguration"]
    return {
        "launchType": "FARGATE",
        "healthCheckGracePeriodSeconds": GRACE,
        "deploymentConfiguration": dict(DEPLOYMENT),
        "networkConfiguration": {"awsvpcConfiguration": {**network, "assignPublicIp": "ENABLED"}},
        "loadBalancers": [
            {
                "targetGroupArn": parts["groups"][0],
                "containerName": CONTAINER,
                "containerPort": configuration["primaryContainer"]["containerPort"],
                "advancedConfiguration": {
                    "alternateTargetGroupArn": parts["groups"][1],
                    "productionListenerRule": parts["rule"],
                    "roleArn": infrastructure_role,
                },
            }
        ],
    }


def managed(configuration: Json, parts: Json, *, status: str, at: float) -> dict[str, Any]:
    """ECSManagedResources, as DescribeServiceRevisions tells them."""
    state, network = {"status": status, "updatedAt": at}, configuration["networkConfiguration"]
    scaling = configuration["scalingTarget"]
    port = configuration["primaryContainer"]["containerPort"]
    group = {"healthCheckPath": configuration["healthCheckPath"], "healthCheckPort": port, "port": port, **state}
    return {
        "ingressPaths": [
            {
                "accessType": "PUBLIC",
                "endpoint": parts["endpoint"],
                "loadBalancer": {
                    "arn": parts["balancer"],
                    "scheme": "internet-facing",
                    "subnetIds": network.get("subnets", []),
                    "securityGroupIds": [],
                    **state,
                },
                "loadBalancerSecurityGroups": [],
                "certificate": {"domainName": parts["endpoint"], **state},
                "listener": {"arn": parts["listener"], **state},
                "rule": {"arn": parts["rule"], **state},
                "targetGroups": [{"arn": arn, **group} for arn in parts["groups"]],
            }
        ],
        "autoScaling": {
            "scalableTarget": {"minCapacity": scaling["minTaskCount"], "maxCapacity": scaling["maxTaskCount"], **state},
            "applicationAutoScalingPolicies": [
                {
                    "policyType": "TargetTrackingScaling",
                    "targetValue": float(scaling["autoScalingTargetValue"]),
                    "metric": scaling["autoScalingMetric"],
                    **state,
                }
            ],
        },
        "metricAlarms": [{"arn": parts["alarm"], **state}],
        "serviceSecurityGroups": [],
        "logGroups": [{"arn": parts["log_group_arn"], "logGroupName": parts["log_group"], **state}],
    }
