"""One service on AWS App Runner, running exactly the pinned digest.

Comes in: the place, its pin, settings and repository. Goes out: ARN, URL, the image App Runner says it runs, and the
dimensions of its metrics. Also, as data, the shape of a release: what new digests or a restart alone may change, and
what counts as the release itself when somebody changes it by hand.
It never follows a tag and never proves that a deployment worked: App Runner can roll back and `up` still succeed.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from releasectl.release import Pin
from stacks.names import Place
from stacks.registry import Repository
from stacks.settings import SERVICE, SOURCE, ServiceSettings

_IMAGE = f"{SOURCE}.imageRepository.imageIdentifier"
_SIZE = "instanceConfiguration"
_VARIABLES = f"{SOURCE}.imageRepository.imageConfiguration.runtimeEnvironmentVariables"
_SCALING = "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion"


class Change(NamedTuple):
    """What a release may do to resources of one type; `properties` are the paths an update may touch."""

    type: str
    operations: tuple[str, ...]
    properties: tuple[str, ...] = ()


SHAPE = (
    Change(
        SERVICE,
        ("create", "update"),
        (
            _IMAGE,
            f"{_VARIABLES}.RELEASE_DIGEST",
            f"{_VARIABLES}.RELEASE_RESTART",
        ),
    ),
    # A first release creates the rest of the runtime; no later one touches it.
    Change("release-controller:runtimes:AppRunner", ("create",)),
    Change(_SCALING, ("create",)),
    Change("aws:cloudwatch/metricAlarm:MetricAlarm", ("create",)),
    Change("aws:iam/role:Role", ("create",)),
    Change("aws:iam/rolePolicy:RolePolicy", ("create",)),
)


class Watched(NamedTuple):
    """What is the release itself when it was changed by hand, and no mere infrastructure; no properties means all."""

    what: str
    type: str
    properties: tuple[str, ...] = ()


WATCHED = (
    Watched("digest", SERVICE, (_IMAGE,)),
    Watched(
        "scale", SERVICE, ("autoScalingConfigurationArn", "instanceConfiguration.cpu", "instanceConfiguration.memory")
    ),
    Watched("scale", _SCALING, ("minSize", "maxSize", "maxConcurrency")),
)


class AppRunner(pulumi.ComponentResource):
    """`image` is App Runner's own word, so it differs from the pin after a silent rollback."""

    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    image: pulumi.Output[str]
    dimensions: Mapping[str, pulumi.Output[str]]

    def __init__(
        self,
        place: Place,
        *,
        pin: Pin,
        settings: ServiceSettings,
        repository: Repository,
        environment: pulumi.Resource,
    ) -> None:
        super().__init__(
            "release-controller:runtimes:AppRunner",
            place.service,
            opts=pulumi.ResourceOptions(parent=environment),
        )
        access, pull = self._access_role(place, repository)
        instance, read = self._instance_role(place, settings)
        service = aws.apprunner.Service(
            place.service,
            service_name=place.name,
            source_configuration=_source(place, pin, settings, repository=repository, access_role=access),
            instance_configuration=aws.apprunner.ServiceInstanceConfigurationArgs(
                cpu=str(settings.cpu), memory=str(settings.memory), instance_role_arn=instance
            ),
            health_check_configuration=_health_check(settings),
            auto_scaling_configuration_arn=self._scaling(place, settings),
            tags=place.tags,
            # The roles' ARNs alone would let App Runner start before the roles may do anything.
            opts=pulumi.ResourceOptions(parent=self, protect=True, depends_on=[pull, *read]),
        )
        self.arn = service.arn
        self.url = pulumi.Output.concat("https://", service.service_url)
        self.image = service.source_configuration.apply(_image)
        self.dimensions = {"ServiceName": service.service_name, "ServiceID": service.service_id}
        self.register_outputs({"arn": self.arn, "url": self.url, "image": self.image})

    def _access_role(self, place: Place, repository: Repository) -> tuple[pulumi.Output[str], pulumi.Resource]:
        """App Runner itself takes this role to pull the image."""
        role = self._role(place, "access", "build.apprunner.amazonaws.com")
        policy = aws.iam.RolePolicy(
            f"{place.service}-access",
            name="pull-the-image",
            role=role.name,
            policy=repository.arn.apply(pull_policy),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role.arn, policy

    def _instance_role(
        self, place: Place, settings: ServiceSettings
    ) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """The running service has this role; it may read the named secrets and nothing else."""
        role = self._role(place, "instance", "tasks.apprunner.amazonaws.com")
        if not settings.secrets:
            return role.arn, []
        policy = aws.iam.RolePolicy(
            f"{place.service}-instance",
            name="read-the-secrets",
            role=role.name,
            policy=secrets_policy(settings),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role.arn, [policy]

    def _role(self, place: Place, purpose: str, principal: str) -> aws.iam.Role:
        return aws.iam.Role(
            f"{place.service}-{purpose}",
            name=f"{place.name}-{purpose}",
            assume_role_policy=trust_policy(principal),
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _scaling(self, place: Place, settings: ServiceSettings) -> pulumi.Output[str]:
        """Every change is a new revision of the name, made before the old one goes."""
        version = aws.apprunner.AutoScalingConfigurationVersion(
            place.service,
            auto_scaling_configuration_name=place.scaling_name,
            min_size=settings.scaling.min,
            max_size=settings.scaling.max,
            max_concurrency=settings.scaling.concurrency,
            tags=place.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return version.arn


def variables(place: Place, pin: Pin, settings: ServiceSettings) -> dict[str, str]:
    """The settings' own and what the release adds. A new restart time is a new variable, hence a deployment."""
    release = {"RELEASE_DIGEST": pin.digest, "RELEASE_ENVIRONMENT": place.environment}
    restart = {"RELEASE_RESTART": pin.restart} if pin.restart else {}
    return {**settings.variables, **release, **restart}


def trust_policy(principal: str) -> str:
    """Lets one AWS service take the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
    return _policy(statement)


def pull_policy(repository: str) -> str:
    """What AWSAppRunnerServicePolicyForECRAccess allows everywhere, on one repository; a token knows no resource."""
    actions = (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
    )
    return _policy(_allow(actions, repository), _allow(("ecr:GetAuthorizationToken",), "*"))


def secrets_policy(settings: ServiceSettings) -> str:
    """Read exactly the named secrets and parameters, and decrypt with the team's own key where there is one."""
    arns = sorted(set(settings.secrets.values()))
    # A JSON key, stage and version after the name are for App Runner; IAM knows the secret by seven parts.
    secrets = sorted({":".join(arn.split(":")[:7]) for arn in arns if ":secretsmanager:" in arn})
    parameters = [arn for arn in arns if ":ssm:" in arn]
    statements = [
        *([_allow(("secretsmanager:GetSecretValue",), *secrets)] if secrets else []),
        *([_allow(("ssm:GetParameters",), *parameters)] if parameters else []),
        *([_allow(("kms:Decrypt",), settings.secrets_key)] if settings.secrets_key else []),
    ]
    return _policy(*statements)


def _source(
    place: Place, pin: Pin, settings: ServiceSettings, *, repository: Repository, access_role: pulumi.Output[str]
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
            image_identifier=pulumi.Output.concat(repository.url, "@", pin.digest),
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


def _allow(actions: tuple[str, ...], *resources: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _policy(*statements: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
