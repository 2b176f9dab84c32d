"""Runs the program against an engine that writes down every registration and knows only the types listed here.

Comes in: the texts of a release and a settings file. Goes out: a `Recording`. The real `stacks/__main__.py` runs, from
a copy in a temporary project folder. A type that is not listed, a read or an invoke fails the run: an engine that
answers {} to anything would let a wrong program pass.
"""

import asyncio
import contextvars
import runpy
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf import empty_pb2, json_format
from pulumi.runtime import settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

PROJECT_ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
REGION = "eu-west-1"

Properties = dict[str, Any]


@dataclass(frozen=True)
class Registration:
    """One resource as the program declared it. `provider` and `parent` are URNs."""

    type: str
    name: str
    inputs: Properties
    protect: bool
    provider: str
    parent: str
    dependencies: tuple[str, ...]
    ignores: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()  # URNs

    @property
    def key(self) -> tuple[str, str]:
        """The type's last part and the name: ("Service", "web")."""
        return self.type.rpartition(":")[2], self.name


@dataclass
class Recording:
    """What one run registered, and what the stack exported."""

    registrations: list[Registration] = field(default_factory=list)
    outputs: Properties = field(default_factory=dict)

    def one(self, type_name: str, name: str) -> Registration:
        """The registration of that type (last part) and name; there must be exactly one."""
        [found] = [registration for registration in self.registrations if registration.key == (type_name, name)]
        return found

    def declared(self) -> set[tuple[str, str]]:
        """Type and name of every resource."""
        return {registration.key for registration in self.registrations}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _policy(made: Properties) -> Properties:
    return {"arn": f"arn:aws:iam::{ACCOUNT}:policy/{made['name']}"}


def _load_balancer(made: Properties) -> Properties:
    suffix = f"app/{made['name']}/0123456789abcdef"
    arn = _arn("elasticloadbalancing", f"loadbalancer/{suffix}")
    return {"arn": arn, "arnSuffix": suffix, "dnsName": f"{made['name']}-1234567890.{REGION}.elb.amazonaws.com"}


def _target_group(made: Properties) -> Properties:
    suffix = f"targetgroup/{made['port']}-made-up/0123456789abcdef"
    return {"arn": _arn("elasticloadbalancing", suffix), "arnSuffix": suffix}


def _express(made: Properties) -> Properties:
    name = f"{made['cluster']}/{made['serviceName']}"
    return {
        "serviceArn": _arn("ecs", f"service/{name}"),
        "serviceRevisionArn": _arn("ecs", f"service-revision/{name}/1"),
        "ingressPaths": [{"accessType": "PUBLIC", "endpoint": f"{made['serviceName']}.ecs.{REGION}.on.aws"}],
    }


def _key(made: Properties) -> Properties:
    """AWS makes up the id; here it says whose key it is, so that a policy that names another's is seen."""
    tags = made.get("tags", {})
    name = tags.get("environment", "state") if tags.get("managed-by") == "releasectl-bootstrap" else "0a1b2c3d"
    return {"arn": _arn("kms", f"key/{name}"), "keyId": name}


# What the cloud adds to a resource's inputs (facts: pulumi_aws 7.51.1, output-only properties that the program reads).
COMPUTED: Mapping[str, Callable[[Properties], Properties]] = {
    "aws:appautoscaling/policy:Policy": lambda made: {"arn": _arn("autoscaling", f"policy/{made['name']}")},
    "aws:appautoscaling/target:Target": lambda _: {"arn": _arn("application-autoscaling", "scalable-target/1")},
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": lambda made: {
        "arn": _arn("apprunner", f"autoscalingconfiguration/{made['autoScalingConfigurationName']}/1/abc")
    },
    "aws:apprunner/customDomainAssociation:CustomDomainAssociation": lambda made: {
        "dnsTarget": f"0123abcd.{REGION}.awsapprunner.com",
        "status": "pending_certificate_dns_validation",
        "certificateValidationRecords": [
            {
                "name": f"_1.{made['domainName']}",
                "type": "CNAME",
                "value": "_2.acm-validations.aws",
                "status": "PENDING",
            }
        ],
    },
    "aws:apprunner/service:Service": lambda made: {
        "arn": _arn("apprunner", f"service/{made['serviceName']}/0123abcd"),
        "serviceId": "0123abcd",
        "serviceUrl": f"{made['serviceName']}.{REGION}.awsapprunner.com",
        "status": "RUNNING",
    },
    "aws:apprunner/vpcConnector:VpcConnector": lambda made: {
        "arn": _arn("apprunner", f"vpcconnector/{made['vpcConnectorName']}/1/abc")
    },
    "aws:apprunner/vpcIngressConnection:VpcIngressConnection": lambda made: {
        "arn": _arn("apprunner", f"vpcingressconnection/{made['name']}/abc"),
        "domainName": f"0123abcd.vpce.{REGION}.awsapprunner.com",
    },
    "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration": lambda made: {
        "chatConfigurationArn": f"arn:aws:chatbot::{ACCOUNT}:chat-configuration/{made['configurationName']}"
    },
    "aws:cloudwatch/dashboard:Dashboard": lambda made: {"dashboardArn": _arn("cloudwatch", made["dashboardName"])},
    "aws:cloudwatch/eventRule:EventRule": lambda made: {"arn": _arn("events", f"rule/{made['name']}")},
    "aws:cloudwatch/eventTarget:EventTarget": lambda _: {},
    "aws:cloudwatch/logGroup:LogGroup": lambda made: {"arn": _arn("logs", f"log-group:{made['name']}")},
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda made: {"arn": _arn("cloudwatch", f"alarm:{made['name']}")},
    "aws:ec2/securityGroup:SecurityGroup": lambda made: {"arn": _arn("ec2", f"security-group/{made['name']}")},
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": lambda _: {"registryId": ACCOUNT},
    "aws:ecr/repository:Repository": lambda made: {
        "arn": _arn("ecr", f"repository/{made['name']}"),
        "registryId": ACCOUNT,
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{made['name']}",
    },
    "aws:ecs/cluster:Cluster": lambda made: {"arn": _arn("ecs", f"cluster/{made['name']}")},
    "aws:ecs/expressGatewayService:ExpressGatewayService": _express,
    "aws:ecs/service:Service": lambda made: {"arn": _arn("ecs", f"service/{made['cluster']}/{made['name']}")},
    "aws:ecs/taskDefinition:TaskDefinition": lambda made: {
        "arn": _arn("ecs", f"task-definition/{made['family']}:1"),
        "revision": 1,
    },
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": lambda _: {},
    "aws:iam/policy:Policy": _policy,
    "aws:iam/role:Role": lambda made: {"arn": f"arn:aws:iam::{ACCOUNT}:role/{made['name']}"},
    "aws:iam/rolePolicy:RolePolicy": lambda _: {},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": lambda _: {},
    "aws:kms/alias:Alias": lambda made: {"arn": _arn("kms", made["name"])},
    "aws:kms/keyPolicy:KeyPolicy": lambda _: {},
    "aws:kms/key:Key": _key,
    "aws:lb/listener:Listener": lambda made: {"arn": _arn("elasticloadbalancing", f"listener/{made['port']}")},
    "aws:lb/listenerRule:ListenerRule": lambda _: {"arn": _arn("elasticloadbalancing", "listener-rule/1")},
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:lb/targetGroup:TargetGroup": _target_group,
    **{
        f"aws:s3/{name[0].lower()}{name[1:]}:{name}": lambda _: {}
        for name in (
            *("BucketLifecycleConfiguration", "BucketOwnershipControls", "BucketPolicy", "BucketPublicAccessBlock"),
            *("BucketServerSideEncryptionConfiguration", "BucketVersioning"),
        )
    },
    "aws:sns/topic:Topic": lambda made: {"arn": _arn("sns", made["name"]), "owner": ACCOUNT},
    "aws:sns/topicPolicy:TopicPolicy": lambda _: {"owner": ACCOUNT},
    "aws:sns/topicSubscription:TopicSubscription": lambda made: {"arn": _arn("sns", f"{made['topic']}:1")},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": lambda _: {"arn": _arn("ec2", "rule/1")},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda _: {"arn": _arn("ec2", "rule/1")},
    "pulumi:providers:aws": lambda _: {},
    "release-controller:runtimes:AppRunner": lambda _: {},
    "release-controller:runtimes:EcsExpress": lambda _: {},
    "release-controller:runtimes:Fargate": lambda _: {},
    "release-controller:stacks:Environment": lambda _: {},
}


class _Monitor:
    """The part of the engine's ResourceMonitor service that a program without invokes needs.

    `told` overrides what the cloud answers for a type, such as the old image after a silent rollback.
    """

    def __init__(self, told: Mapping[str, Properties]) -> None:
        self.recording = Recording()
        self.told = told

    def GetDeploymentInfo(self, _: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802 - gRPC's name
        return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

    def RegisterResource(  # noqa: N802 - gRPC's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = f"urn:pulumi:test::release-controller::{request.type}::{request.name}"
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if request.type not in COMPUTED:
            raise AssertionError(
                f"the program registers a type that the recording engine does not know: {request.type}"
            )
        inputs = json_format.MessageToDict(request.object)
        provider = request.provider.rpartition("::")[0] or request.providers.get("aws", "").rpartition("::")[0]
        dependencies = tuple(sorted(request.dependencies))
        self.recording.registrations.append(
            Registration(
                request.type, request.name, inputs, request.protect, provider, request.parent, dependencies,
                tuple(request.ignoreChanges), tuple(alias.urn for alias in request.aliases),
            )
        )  # fmt: skip
        state = inputs | COMPUTED[request.type](inputs) | self.told.get(request.type, {})
        response = resource_pb2.RegisterResourceResponse(urn=urn, id=f"id-of-{request.name}")
        response.object.update(state)
        return response

    def RegisterResourceOutputs(  # noqa: N802 - gRPC's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        if "pulumi:pulumi:Stack" in request.urn:
            self.recording.outputs = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, _: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        return empty_pb2.Empty()

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> NoReturn:  # noqa: N802 - gRPC's name
        raise AssertionError(f"the program asks the cloud: {request.tok}")

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> NoReturn:  # noqa: N802 - gRPC's name
        raise AssertionError(f"the program reads a resource: {request.type}")


def record(
    root: Path,
    *,
    release: str,
    settings_file: str,
    stack: str = "staging",
    told: Mapping[str, Properties] | None = None,
) -> Recording:
    """Run the program of a project laid out below `root`; raises what the program raises."""
    shutil.copytree(PROJECT_ROOT / "stacks", root / "stacks", dirs_exist_ok=True)
    (root / "releases").mkdir(exist_ok=True)
    (root / f"releases/{stack}.yaml").write_text(release)
    (root / f"Pulumi.{stack}.yaml").write_text(settings_file)
    return run_program(lambda: _run(root / "stacks"), stack=stack, told=told or {})


def run_program(program: Callable[[], object], *, stack: str, told: Mapping[str, Properties]) -> Recording:
    """Any program, in an event loop and a context of its own, so that no run leaves anything to the next."""
    monitor = _Monitor(told)

    def declare() -> None:
        program()

    def run() -> None:
        settings.configure(settings.Settings(project="release-controller", stack=stack, monitor=monitor))
        with asyncio.Runner() as runner:
            runner.run(run_in_stack(declare))

    contextvars.copy_context().run(run)
    return monitor.recording


def _run(folder: Path) -> None:
    before = list(sys.path)
    try:
        runpy.run_path(str(folder), run_name="__main__")
    finally:
        sys.path[:] = before
