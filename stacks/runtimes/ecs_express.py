"""One service on Amazon ECS Express Mode: AWS makes load balancer, certificate and scaling, and names the address.

Comes in: the place, its pin, settings and ground. Goes out: what runs, its address and its metrics. Whatever AWS has
a default for is given all the same, because its pages disagree about them. A release goes to 5 % of the requests
first and is taken back when more than 1 % of the answers are 4xx or 5xx; `up` waits for the end and then fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pulumi
import pulumi_aws as aws

from releasectl.release import Pin
from stacks import roles
from stacks.metrics import Metric, Metrics
from stacks.names import EXPRESS, Place
from stacks.runtimes import ecs
from stacks.runtimes.express_ingress import Ingress, ingress
from stacks.runtimes.running import Cluster, Ground, Running, variables
from stacks.service_settings import ServiceSettings

# The managed policy's own spelling, with the small `for` (AWS managed policy reference).
INFRASTRUCTURE = "arn:aws:iam::aws:policy/service-role/AmazonECSInfrastructureRoleforExpressGatewayServices"


class EcsExpress(pulumi.ComponentResource):
    """`running` is what the environment goes on with."""

    running: Running

    def __init__(self, place: Place, *, pin: Pin, settings: ServiceSettings, ground: Ground) -> None:
        super().__init__(
            "release-controller:runtimes:EcsExpress",
            place.service,
            opts=pulumi.ResourceOptions(parent=ground.environment),
        )
        place = replace(place, suffix=EXPRESS)
        logs = ecs.log_group(place, self)
        execution, ready = roles.task_execution(
            place, settings, repository=ground.repository, log_group=logs.arn, parent=self
        )
        task = roles.role(place, "task", "ecs-tasks.amazonaws.com", self)
        ready += roles.permissions(place, task, ground.policy, parent=self)
        infrastructure = roles.role(place, "infrastructure", "ecs.amazonaws.com", self)
        ready.append(
            aws.iam.RolePolicyAttachment(
                f"{place.service}-infrastructure",
                role=infrastructure.name,
                policy_arn=INFRASTRUCTURE,
                opts=pulumi.ResourceOptions(parent=self),
            )
        )
        service = aws.ecs.ExpressGatewayService(
            place.service,
            service_name=place.name,
            cluster=ecs.of(ground).name,
            execution_role_arn=execution.arn,
            infrastructure_role_arn=infrastructure.arn,
            task_role_arn=task.arn,
            primary_container=_container(place, pin, settings, ground=ground, logs=logs),
            cpu=str(settings.cpu),
            memory=str(settings.memory),
            health_check_path=settings.health_path,
            network_configurations=_network(ground),
            scaling_targets=[_scaling(settings)],
            wait_for_steady_state=True,  # without it a release that was taken back is a green `up`
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=not ground.leaving, depends_on=ready),
        )
        measured = metrics(place, service, ecs.of(ground))
        url = service.ingress_paths.apply(_url)
        self.running = Running(
            resource=service,
            service=service.service_arn,
            url=url,
            image=service.primary_container.apply(lambda container: container.image),
            metrics=measured,
            alarms=ground.watch(measured, self),
            log_group=logs.name,
        )
        self.register_outputs({"arn": service.service_arn, "url": url})


def metrics(place: Place, service: aws.ecs.ExpressGatewayService, cluster: Cluster) -> Metrics:
    """Of the target groups between which releases alternate: the load balancer serves others, too."""
    found = service.service_arn.apply(ingress)

    def balanced(name: str) -> tuple[Metric, ...]:
        return tuple(
            Metric(
                "AWS/ApplicationELB",
                name,
                {"LoadBalancer": found.apply(_balancer), "TargetGroup": found.apply(_target_group(position))},
            )
            for position in (0, 1)
        )

    return Metrics(
        requests=balanced("RequestCount"),
        errors=balanced("HTTPCode_Target_5XX_Count"),
        latency=balanced("TargetResponseTime"),
        latency_per_second=1,
        cpu=ecs.used(place, cluster, "CPUUtilization"),
        memory=ecs.used(place, cluster, "MemoryUtilization"),
        healthy=balanced("HealthyHostCount"),
        failures=ecs.failures(service.service_arn),
    )


def _balancer(found: Ingress) -> str:
    return found.load_balancer


def _target_group(position: int) -> Callable[[Ingress], str]:
    return lambda found: found.target_groups[position]


def _container(
    place: Place, pin: Pin, settings: ServiceSettings, *, ground: Ground, logs: aws.cloudwatch.LogGroup
) -> aws.ecs.ExpressGatewayServicePrimaryContainerArgs:
    given = {"PORT": str(settings.port), **variables(place, pin, settings)}
    return aws.ecs.ExpressGatewayServicePrimaryContainerArgs(
        image=pulumi.Output.concat(ground.repository.url, "@", pin.digest),
        container_port=settings.port,
        aws_logs_configurations=[
            aws.ecs.ExpressGatewayServicePrimaryContainerAwsLogsConfigurationArgs(
                log_group=logs.name, log_stream_prefix=place.service
            )
        ],
        environments=[
            aws.ecs.ExpressGatewayServicePrimaryContainerEnvironmentArgs(name=name, value=value)
            for name, value in ecs.pairs(given)
        ],
        secrets=[
            aws.ecs.ExpressGatewayServicePrimaryContainerSecretArgs(name=name, value_from=arn)
            for name, arn in ecs.pairs(settings.secrets)
        ],
    )


def _network(ground: Ground) -> list[aws.ecs.ExpressGatewayServiceNetworkConfigurationArgs] | None:
    """None is the default VPC. Subnets without a way to the internet make the load balancer an internal one."""
    if not ground.network.subnets:
        return None
    return [
        aws.ecs.ExpressGatewayServiceNetworkConfigurationArgs(
            subnets=list(ground.network.subnets), security_groups=list(ground.network.security_groups)
        )
    ]


def _scaling(settings: ServiceSettings) -> aws.ecs.ExpressGatewayServiceScalingTargetArgs:
    """Metric and value, too: without them the provider fails (terraform-provider-aws#49511)."""
    return aws.ecs.ExpressGatewayServiceScalingTargetArgs(
        auto_scaling_metric="AVERAGE_CPU",
        auto_scaling_target_value=settings.scaling.cpu_percent or ecs.CPU_PERCENT,
        min_task_count=settings.scaling.min,
        max_task_count=settings.scaling.max,
    )


def _url(paths: "Sequence[aws.ecs.outputs.ExpressGatewayServiceIngressPath]") -> str:
    return f"https://{paths[0].endpoint.removeprefix('https://')}" if paths else ""
