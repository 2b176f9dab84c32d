"""One service on AWS App Runner, running exactly the pinned digest.

Comes in: the place, its pin, settings and ground. Goes out: what runs, its address, the image App Runner says it runs,
and its metrics. With subnets in the network it reaches what is in them; a private one is reached through the VPC.
It never follows a tag and never proves that a deployment worked: App Runner can roll back and `up` still succeed.
"""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from releasectl.release import Pin
from stacks import names, roles
from stacks.metrics import EventPattern, Metric, Metrics
from stacks.names import Place
from stacks.runtimes.running import Ground, Running, variables
from stacks.service_settings import ServiceSettings
from stacks.settings import Network

NAMESPACE = "AWS/AppRunner"
FAILED = ("CreateServiceFailed", "DeploymentFailed", "ResumeServiceFailed", "UpdateServiceFailed")
CONCURRENCY = 80  # requests at once before another instance starts


class AppRunner(pulumi.ComponentResource):
    """`running` is what the environment goes on with."""

    running: Running

    def __init__(self, place: Place, *, pin: Pin, settings: ServiceSettings, ground: Ground) -> None:
        super().__init__(
            "release-controller:runtimes:AppRunner",
            place.service,
            opts=pulumi.ResourceOptions(parent=ground.environment),
        )
        access, pull = self._access_role(place, ground)
        instance, read = self._instance_role(place, settings, ground.policy)
        service = aws.apprunner.Service(
            place.service,
            service_name=place.name,
            source_configuration=_source(place, pin, settings, ground=ground, access_role=access),
            instance_configuration=aws.apprunner.ServiceInstanceConfigurationArgs(
                cpu=str(settings.cpu), memory=str(settings.memory), instance_role_arn=instance
            ),
            health_check_configuration=_health_check(settings),
            auto_scaling_configuration_arn=self._scaling(place, settings),
            network_configuration=_network(settings, ground),
            tags=place.tags,
            # The roles' ARNs alone would let App Runner start before the roles may do anything.
            opts=pulumi.ResourceOptions(parent=self, protect=not ground.leaving, depends_on=[pull, *read]),
        )
        url, domain = self._address(place, settings, ground=ground, service=service)
        measured = metrics(service)
        self.running = Running(
            resource=service,
            service=service.arn,
            url=url,
            image=service.source_configuration.apply(_image),
            metrics=measured,
            alarms=ground.watch(measured, self),
            domain=domain,
        )
        self.register_outputs({"arn": service.arn, "url": url})

    def _access_role(self, place: Place, ground: Ground) -> tuple[pulumi.Output[str], pulumi.Resource]:
        """App Runner itself takes this role to pull the image."""
        role = roles.role(place, "access", "build.apprunner.amazonaws.com", self)
        pull = ground.repository.arn.apply(lambda arn: roles.document(*roles.pull_statements(arn)))
        return role.arn, roles.may(role, "pull-the-image", pull, resource=f"{place.service}-access", parent=self)

    def _instance_role(
        self, place: Place, settings: ServiceSettings, policy: str
    ) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """The running service has this role; it may read the named secrets, what its policy says, and nothing else."""
        role = roles.role(place, "instance", "tasks.apprunner.amazonaws.com", self)
        policies = roles.permissions(place, role, policy, parent=self)
        if settings.secrets:
            read = roles.secrets_policy(settings)
            policies.append(
                roles.may(role, "read-the-secrets", read, resource=f"{place.service}-instance", parent=self)
            )
        return role.arn, policies

    def _scaling(self, place: Place, settings: ServiceSettings) -> pulumi.Output[str]:
        """Every change is a new revision of the name, made before the old one goes."""
        version = aws.apprunner.AutoScalingConfigurationVersion(
            place.service,
            auto_scaling_configuration_name=place.scaling_name,
            min_size=settings.scaling.min,
            max_size=settings.scaling.max,
            max_concurrency=settings.scaling.concurrency or CONCURRENCY,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return version.arn

    def _address(
        self, place: Place, settings: ServiceSettings, *, ground: Ground, service: aws.apprunner.Service
    ) -> tuple[pulumi.Output[str], Mapping[str, pulumi.Input[object]] | None]:
        """Where it answers, and what DNS has to say for a name of the team's own."""
        options = pulumi.ResourceOptions(parent=self)
        if settings.private and not ground.leaving:
            inside = aws.apprunner.VpcIngressConnection(
                place.service,
                name=place.scaling_name,
                service_arn=service.arn,
                ingress_vpc_configuration=aws.apprunner.VpcIngressConnectionIngressVpcConfigurationArgs(
                    vpc_id=ground.network.vpc, vpc_endpoint_id=ground.network.endpoint
                ),
                tags=place.tags,
                opts=options,
            )
            return pulumi.Output.concat("https://", inside.domain_name), None
        url = pulumi.Output.concat("https://", service.service_url)
        if not settings.domain or ground.leaving:
            return url, None
        association = aws.apprunner.CustomDomainAssociation(
            place.service,
            domain_name=settings.domain.name,
            enable_www_subdomain=False,
            service_arn=service.arn,
            opts=options,
        )
        # Until DNS says what it has to, only App Runner's own name answers: a proof that asks the other would fail.
        return url, {
            "name": settings.domain.name,
            "target": association.dns_target,
            "records": association.certificate_validation_records.apply(
                lambda records: [{"name": one.name, "type": one.type, "value": one.value} for one in records or ()]
            ),
        }


def connector(environment: str, network: Network, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The way into the network, one for all services of an environment.

    AWS takes no second one with the same security groups, whatever its name and subnets (pulumi-aws#5364). So whoever
    changes the subnets gives it other groups, too.
    """
    made = aws.apprunner.VpcConnector(
        "network",
        vpc_connector_name=names.connector_name(environment),
        subnets=list(network.subnets),
        security_groups=list(network.security_groups),
        tags=names.tags(environment),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return made.arn


def _network(settings: ServiceSettings, ground: Ground) -> aws.apprunner.ServiceNetworkConfigurationArgs | None:
    """None is App Runner's own: out to the internet, in from it."""
    private = settings.private and not ground.leaving
    if not ground.connector and not private:
        return None
    egress = aws.apprunner.ServiceNetworkConfigurationEgressConfigurationArgs(
        egress_type="VPC", vpc_connector_arn=ground.connector
    )
    return aws.apprunner.ServiceNetworkConfigurationArgs(
        egress_configuration=egress if ground.connector else None,
        ingress_configuration=aws.apprunner.ServiceNetworkConfigurationIngressConfigurationArgs(
            is_publicly_accessible=not private
        ),
    )


def metrics(service: aws.apprunner.Service) -> Metrics:
    """Both dimensions, or an alarm never sees data. An idle service has no active instance, so that is no fault."""
    dimensions = {"ServiceName": service.service_name, "ServiceID": service.service_id}

    def metric(name: str) -> Metric:
        return Metric(NAMESPACE, name, dimensions)

    return Metrics(
        requests=(metric("Requests"),),
        errors=(metric("5xxStatusResponses"),),
        latency=(metric("RequestLatency"),),
        latency_per_second=1000,
        cpu=metric("CPUUtilization"),
        memory=metric("MemoryUtilization"),
        healthy=(),
        failures=_failures(service.arn),
    )


def _failures(arn: pulumi.Output[str]) -> EventPattern:
    """Sources differ in how they spell the keys of this event, and patterns mind the case: only what is sure."""
    return {
        "source": ["aws.apprunner"],
        "detail-type": ["AppRunner Service Operation Status Change"],
        "resources": [arn],
        "detail": {"operationStatus": list(FAILED)},
    }


def _source(
    place: Place, pin: Pin, settings: ServiceSettings, *, ground: Ground, access_role: pulumi.Output[str]
) -> aws.apprunner.ServiceSourceConfigurationArgs:
    image = aws.apprunner.ServiceSourceConfigurationImageRepositoryImageConfigurationArgs(
        port=str(settings.port),
        runtime_environment_variables=variables(place, pin, settings),
        runtime_environment_secrets=settings.secrets or None,
    )
    return aws.apprunner.ServiceSourceConfigurationArgs(
        auto_deployments_enabled=False,  # what runs is decided by git; a digest never moves
        authentication_configuration=aws.apprunner.ServiceSourceConfigurationAuthenticationConfigurationArgs(
            access_role_arn=access_role
        ),
        image_repository=aws.apprunner.ServiceSourceConfigurationImageRepositoryArgs(
            image_identifier=pulumi.Output.concat(ground.repository.url, "@", pin.digest),
            image_repository_type="ECR",
            image_configuration=image,
        ),
    )


def _health_check(settings: ServiceSettings) -> aws.apprunner.ServiceHealthCheckConfigurationArgs:
    """Healthy at the first good answer; out after 25 s without one, so that a pause is no outage."""
    return aws.apprunner.ServiceHealthCheckConfigurationArgs(
        protocol="HTTP",
        path=settings.health_path,
        interval=5,
        timeout=4,
        healthy_threshold=1,
        unhealthy_threshold=5,
    )


def _image(source: "aws.apprunner.outputs.ServiceSourceConfiguration") -> str:
    return source.image_repository.image_identifier if source.image_repository else ""
