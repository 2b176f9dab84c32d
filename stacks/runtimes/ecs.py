"""What both ECS runtimes have in common: the environment's cluster, a service's log group, its words for the outside.

Comes in: place and settings. Goes out: the cluster, the log group, what a container gets, and the pattern of a failed
deployment. It declares no service.
"""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from stacks import names
from stacks.metrics import EventPattern, Metric
from stacks.names import Place
from stacks.runtimes.running import Cluster, Ground

LOG_DAYS = 30  # whoever needs lines for longer exports them
CPU_PERCENT = 60  # of an instance's CPU, above which another one starts


def cluster(environment: str, parent: pulumi.Resource) -> Cluster:
    """The environment's cluster. It costs nothing by itself: services do."""
    made = aws.ecs.Cluster(
        "cluster",
        name=names.cluster_name(environment),
        tags=names.tags(environment),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return Cluster(made.name, made.arn)


def of(ground: Ground) -> Cluster:
    """The cluster that the environment made because one of its services runs on ECS."""
    if ground.cluster is None:
        raise ValueError("a service on ECS without its environment's cluster")
    return ground.cluster


def service_arn(cluster: Cluster, place: Place) -> pulumi.Output[str]:
    """What ECS will call the service: known before it is there."""
    return cluster.arn.apply(lambda arn: f"{arn.replace(':cluster/', ':service/')}/{place.name}")


def used(place: Place, cluster: Cluster, name: str) -> Metric:
    """A metric of what a service uses."""
    return Metric("AWS/ECS", name, {"ClusterName": cluster.name, "ServiceName": place.name})


def log_group(place: Place, parent: pulumi.Resource) -> aws.cloudwatch.LogGroup:
    """Made here and not by ECS, whose own would keep every line for ever."""
    return aws.cloudwatch.LogGroup(
        place.service,
        name=place.log_group,
        retention_in_days=LOG_DAYS,
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def pairs(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """In one order: ECS keeps the list's, so another one would be a difference (terraform-provider-aws#45792)."""
    return sorted(values.items())


def failures(arn: pulumi.Output[str]) -> EventPattern:
    """The event of a deployment that failed or was rolled back (ECS Developer Guide, deployment state change)."""
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Deployment State Change"],
        "resources": [arn],
        "detail": {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]},
    }
