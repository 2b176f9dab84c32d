"""One service on ECS Fargate behind a load balancer of its own, running exactly the pinned digest.

Comes in: the place, its pin, settings and ground. Goes out: what runs, its address and its metrics. A release is a new
revision of the task; the old one stays registered for the way back. A deployment that does not get healthy, or whose
alarms go off, is taken back by ECS itself; `up` waits for the end and then fails. The controller proves all the same.
"""

import json
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from releasectl.release import Pin
from stacks import roles
from stacks.metrics import Metric, Metrics
from stacks.names import Place
from stacks.runtimes import ecs
from stacks.runtimes.load_balancing import LoadBalancing
from stacks.runtimes.running import Cluster, Ground, Running, variables
from stacks.service_settings import Rollout, ServiceSettings

CONTAINER = "app"
GRACE = 60  # seconds for a task to start before the load balancer's health checks count
_SHIFT = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"


class Fargate(pulumi.ComponentResource):
    """`running` is what the environment goes on with."""

    running: Running

    def __init__(self, place: Place, *, pin: Pin, settings: ServiceSettings, ground: Ground) -> None:
        super().__init__(
            "release-controller:runtimes:Fargate",
            place.service,
            opts=pulumi.ResourceOptions(parent=ground.environment),
        )
        balancing = LoadBalancing(place, settings, ground=ground, parent=self)
        measured = metrics(place, balancing, ecs.of(ground))
        # Before the service, which names them: a deployment that they go off in is taken back.
        alarms = ground.watch(measured, self)
        logs = ecs.log_group(place, self)
        execution, ready = roles.task_execution(
            place, settings, repository=ground.repository, log_group=logs.arn, parent=self
        )
        task = roles.role(place, "task", "ecs-tasks.amazonaws.com", self)
        ready += roles.permissions(place, task, ground.policy, parent=self)
        revision = aws.ecs.TaskDefinition(
            place.service,
            family=place.name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(settings.cpu),
            memory=str(settings.memory),
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                operating_system_family="LINUX", cpu_architecture=settings.architecture.upper()
            ),
            execution_role_arn=execution.arn,
            task_role_arn=task.arn,
            container_definitions=pulumi.Output.all(ground.repository.url, logs.arn).apply(
                lambda known: container(place, pin, settings, repository=known[0], logs=known[1])
            ),
            skip_destroy=True,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        service = self._service(
            place, settings, ground=ground, balancing=balancing, task=revision, alarms=alarms, ready=ready
        )
        self._scale(place, settings, cluster=ecs.of(ground), service=service)
        self.running = Running(
            resource=service,
            service=service.arn,
            url=balancing.url,
            image=pulumi.Output.all(service.task_definition, revision.arn, revision.container_definitions).apply(
                _image
            ),
            metrics=measured,
            alarms=alarms,
            log_group=logs.name,
            domain=balancing.domain,
        )
        self.register_outputs({"arn": service.arn, "url": balancing.url})

    def _service(
        self,
        place: Place,
        settings: ServiceSettings,
        *,
        ground: Ground,
        balancing: LoadBalancing,
        task: aws.ecs.TaskDefinition,
        alarms: Mapping[str, pulumi.Output[str]],
        ready: list[pulumi.Resource],
    ) -> aws.ecs.Service:
        rolling = settings.deployment.strategy == "rolling"
        shifting, attached = (None, []) if rolling else self._shifting(place)
        return aws.ecs.Service(
            place.service,
            name=place.name,
            cluster=ecs.of(ground).name,
            launch_type="FARGATE",
            task_definition=task.arn,
            desired_count=settings.scaling.min,
            network_configuration=aws.ecs.ServiceNetworkConfigurationArgs(
                subnets=list(ground.network.subnets),
                security_groups=[balancing.tasks, *ground.network.security_groups],
                assign_public_ip=ground.network.public_addresses,
            ),
            load_balancers=[balancing.attachment(CONTAINER, settings, shifting_role=shifting)],
            health_check_grace_period_seconds=GRACE,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            # Only a rolling deployment has a circuit breaker; the others go back by themselves while they bake.
            deployment_circuit_breaker=aws.ecs.ServiceDeploymentCircuitBreakerArgs(enable=rolling, rollback=rolling),
            deployment_configuration=rollout(settings.deployment),
            alarms=taken_back_by(alarms),
            propagate_tags="SERVICE",
            wait_for_steady_state=True,  # without it a release that was taken back is a green `up`
            tags=place.tags,
            # A target group takes no service before a listener leads to it. How many run is the scaling's business.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=not ground.leaving,
                depends_on=[*balancing.listeners, *ready, *attached],
                ignore_changes=["desiredCount"],
            ),
        )

    def _shifting(self, place: Place) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """ECS itself takes this role to move the traffic between the two target groups."""
        role = roles.role(place, "infrastructure", "ecs.amazonaws.com", self)
        attached = aws.iam.RolePolicyAttachment(
            f"{place.service}-infrastructure",
            role=role.name,
            policy_arn=_SHIFT,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role.arn, [attached]

    def _scale(self, place: Place, settings: ServiceSettings, *, cluster: Cluster, service: aws.ecs.Service) -> None:
        target = aws.appautoscaling.Target(
            place.service,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", cluster.name, "/", service.name),
            min_capacity=settings.scaling.min,
            max_capacity=settings.scaling.max,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.appautoscaling.Policy(
            place.service,
            name=f"{place.name}-cpu",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=settings.scaling.cpu_percent or ecs.CPU_PERCENT,
                predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="ECSServiceAverageCPUUtilization"
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def metrics(place: Place, balancing: LoadBalancing, cluster: Cluster) -> Metrics:
    """Of the service's target groups; what the load balancer itself answers without one of them is an error, too."""

    def balanced(name: str) -> tuple[Metric, ...]:
        return tuple(
            Metric("AWS/ApplicationELB", name, {"LoadBalancer": balancing.suffix, "TargetGroup": group.arn_suffix})
            for group in balancing.groups
        )

    unserved = Metric("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", {"LoadBalancer": balancing.suffix})
    return Metrics(
        requests=balanced("RequestCount"),
        errors=(*balanced("HTTPCode_Target_5XX_Count"), unserved),
        latency=balanced("TargetResponseTime"),
        latency_per_second=1,
        cpu=ecs.used(place, cluster, "CPUUtilization"),
        memory=ecs.used(place, cluster, "MemoryUtilization"),
        healthy=balanced("HealthyHostCount"),
        failures=ecs.failures(ecs.service_arn(cluster, place)),
    )


def container(place: Place, pin: Pin, settings: ServiceSettings, *, repository: str, logs: str) -> str:
    """The one container, as ECS spells it; lists in one order, so that the same release is the same text.

    `logs` is the ARN of the log group, which also says the region.
    """
    given = {"PORT": str(settings.port), **variables(place, pin, settings)}
    definition = {
        "name": CONTAINER,
        "image": f"{repository}@{pin.digest}",
        "essential": True,
        "portMappings": [{"containerPort": settings.port, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in ecs.pairs(given)],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in ecs.pairs(settings.secrets)],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": place.log_group,
                "awslogs-region": logs.split(":")[3],
                "awslogs-stream-prefix": place.service,
            },
        },
        "stopTimeout": 30,
    }
    return json.dumps([definition], sort_keys=True)


def rollout(wanted: Rollout) -> aws.ecs.ServiceDeploymentConfigurationArgs:
    """The provider's own words for the setting; minutes are texts there."""
    step, minutes = float(wanted.step_percent), str(wanted.step_minutes)
    linear = aws.ecs.ServiceDeploymentConfigurationLinearConfigurationArgs(
        step_percent=step, step_bake_time_in_minutes=minutes
    )
    canary = aws.ecs.ServiceDeploymentConfigurationCanaryConfigurationArgs(
        canary_percent=step, canary_bake_time_in_minutes=minutes
    )
    return aws.ecs.ServiceDeploymentConfigurationArgs(
        strategy=wanted.strategy.upper().replace("-", "_"),
        bake_time_in_minutes=None if wanted.strategy == "rolling" else str(wanted.bake_minutes),
        linear_configuration=linear if wanted.strategy == "linear" else None,
        canary_configuration=canary if wanted.strategy == "canary" else None,
    )


def taken_back_by(alarms: Mapping[str, pulumi.Output[str]]) -> aws.ecs.ServiceAlarmsArgs | None:
    """A deployment ends and goes back when the share of errors alarms; other alarms have other causes."""
    names = [alarms[about] for about in ("errors",) if about in alarms]
    return aws.ecs.ServiceAlarmsArgs(alarm_names=list(names), enable=True, rollback=True) if names else None


def _image(known: list[str]) -> str:
    """The image of the revision that the service has; of another revision its name, which no digest equals."""
    serving, declared, definitions = known
    image: str = json.loads(definitions)[0]["image"]
    return image if serving == declared else serving
