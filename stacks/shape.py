"""The shape of a release: what new digests or a restart alone may change, and what is the release itself.

Comes in: nothing. Goes out: rows of data, one table for each runtime, which the program exports and the controller
judges plans and differences by. It decides nothing and declares nothing.
"""

from typing import NamedTuple


class Change(NamedTuple):
    """What a release may do to resources of one type; `properties` are the paths an update may touch.

    In a property that is a JSON text a path goes on inside: `containerDefinitions[0].image`. A list of names and
    values is taken by name: `primaryContainer.environments.RELEASE_DIGEST`.
    """

    type: str
    operations: tuple[str, ...]
    properties: tuple[str, ...] = ()


class Watched(NamedTuple):
    """What is the release itself when it was changed by hand, and no mere infrastructure; no properties means all."""

    what: str
    type: str
    properties: tuple[str, ...] = ()


APP_RUNNER = "aws:apprunner/service:Service"
APP_RUNNER_SCALING = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"
EXPRESS = "aws:ecs/expressGatewayService:ExpressGatewayService"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
FARGATE = "aws:ecs/service:Service"
SCALING = "aws:appautoscaling/target:Target"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_SOURCE = "sourceConfiguration"
_IMAGE = f"{_SOURCE}.imageRepository.imageIdentifier"
_VARIABLES = f"{_SOURCE}.imageRepository.imageConfiguration.runtimeEnvironmentVariables"


def _told(variables: str) -> tuple[str, str]:
    """The two variables by which a service is told of its release."""
    return f"{variables}.RELEASE_DIGEST", f"{variables}.RELEASE_RESTART"


# What every release writes whole: no property of it can be left as somebody made it by hand.
WRITTEN = ((APP_RUNNER, _SOURCE), (EXPRESS, "primaryContainer"), (TASK, "containerDefinitions"))

# A first release creates what is around the runtime; no later one touches it.
_FIRST = ("create",)
_SHARED = (
    Change("aws:cloudwatch/dashboard:Dashboard", ("create", "update"), ("dashboardBody",)),  # a service joins it
    *(
        Change(kind, _FIRST)
        for kind in (
            ALARM,
            "aws:cloudwatch/eventRule:EventRule",
            "aws:cloudwatch/eventTarget:EventTarget",
            "aws:iam/role:Role",
            "aws:iam/rolePolicy:RolePolicy",
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        )
    ),
)
_ECS = tuple(Change(kind, _FIRST) for kind in ("aws:ecs/cluster:Cluster", "aws:cloudwatch/logGroup:LogGroup"))

SHAPES = {
    "app-runner": (
        Change(
            APP_RUNNER,
            ("create", "update"),
            (_IMAGE, *_told(_VARIABLES)),
        ),
        Change("release-controller:runtimes:AppRunner", _FIRST),
        Change(APP_RUNNER_SCALING, _FIRST),
        *(
            Change(f"aws:apprunner/{name[0].lower()}{name[1:]}:{name}", _FIRST)
            for name in ("CustomDomainAssociation", "VpcConnector", "VpcIngressConnection")
        ),
        *_SHARED,
    ),
    "ecs-express": (
        Change(
            EXPRESS,
            ("create", "update"),
            ("primaryContainer.image", *_told("primaryContainer.environments")),
        ),
        Change("release-controller:runtimes:EcsExpress", _FIRST),
        *_ECS,
        *_SHARED,
    ),
    "fargate": (
        # ECS has no other way to a new image than a new revision; the old one stays registered.
        Change(
            TASK,
            ("create", "replace"),
            ("containerDefinitions[0].image", *_told("containerDefinitions[0].environment")),
        ),
        Change(FARGATE, ("create", "update"), ("taskDefinition",)),
        Change("release-controller:runtimes:Fargate", _FIRST),
        *(
            Change(kind, _FIRST)
            for kind in (
                SCALING,
                "aws:appautoscaling/policy:Policy",
                "aws:ec2/securityGroup:SecurityGroup",
                "aws:lb/listener:Listener",
                "aws:lb/listenerRule:ListenerRule",
                "aws:lb/loadBalancer:LoadBalancer",
                "aws:lb/targetGroup:TargetGroup",
                "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
                "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            )
        ),
        *_ECS,
        *_SHARED,
    ),
}

WATCHED = {
    "app-runner": (
        Watched("digest", APP_RUNNER, (_IMAGE,)),
        Watched(
            "scale",
            APP_RUNNER,
            ("autoScalingConfigurationArn", "instanceConfiguration.cpu", "instanceConfiguration.memory"),
        ),
        Watched("scale", APP_RUNNER_SCALING, ("minSize", "maxSize", "maxConcurrency")),
    ),
    "ecs-express": (
        Watched("digest", EXPRESS, ("primaryContainer.image",)),
        Watched("scale", EXPRESS, ("cpu", "memory", "scalingTargets")),
    ),
    "fargate": (
        Watched("digest", FARGATE, ("taskDefinition",)),
        Watched("scale", TASK, ("cpu", "memory")),
        Watched("scale", SCALING, ("minCapacity", "maxCapacity")),
    ),
}
