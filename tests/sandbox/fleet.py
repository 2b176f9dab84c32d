"""What the tests of ECS stand on: a cluster, a load balancer with its target groups, and services of the small APP."""

import dataclasses
import functools
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import boto3
import httpx
from mypy_boto3_ecs.client import ECSClient
from mypy_boto3_ecs.type_defs import ServiceDeploymentTypeDef, ServiceTypeDef
from mypy_boto3_elbv2.client import ElasticLoadBalancingv2Client

from tests.sandbox.conftest import Laptop, access, until

Push = Callable[..., str]
T = TypeVar("T")
ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
NETWORK: Any = {
    "awsvpcConfiguration": {"subnets": ["subnet-a"], "securityGroups": ["sg-a"], "assignPublicIp": "DISABLED"}
}
BREAKER: Any = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
ROLE = "arn:aws:iam::000000000000:role/execution"


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Clients, and what they made for one test; `name` is the test's own."""

    laptop: Laptop
    name: str

    @functools.cached_property
    def ecs(self) -> ECSClient:
        return boto3.client("ecs", **access(self.laptop.runtimes.endpoint))

    @functools.cached_property
    def elb(self) -> ElasticLoadBalancingv2Client:
        return boto3.client("elbv2", **access(self.laptop.runtimes.endpoint))

    @functools.cached_property
    def web(self) -> httpx.Client:
        """Trusts the sandbox's authority and nothing else."""
        return httpx.Client(verify=ssl.create_default_context(cafile=str(self.laptop.ca)), timeout=10, trust_env=False)

    @functools.cached_property
    def balancer(self) -> Mapping[str, Any]:
        return self.elb.create_load_balancer(Name=self.name, Subnets=["subnet-a", "subnet-b"])["LoadBalancers"][0]

    @property
    def url(self) -> str:
        return f"http://{self.balancer['DNSName']}"

    def group(self, suffix: str = "") -> str:
        """A new target group with a quick health check."""
        made = self.elb.create_target_group(
            Name=f"{self.name}{suffix}", Protocol="HTTP", Port=8080, VpcId="vpc-1", TargetType="ip",
            HealthCheckPath="/healthz", HealthCheckIntervalSeconds=5, UnhealthyThresholdCount=2,
        )  # fmt: skip
        return made["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, group: str, protocol: Any = "HTTP") -> str:
        """A listener that forwards to `group`."""
        actions: Any = [{"Type": "forward", "TargetGroupArn": group}]
        arn = self.balancer["LoadBalancerArn"]
        port = 443 if protocol == "HTTPS" else 80
        certificates: Any = [{"CertificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/c"}]
        more: Any = {"Certificates": certificates} if protocol == "HTTPS" else {}
        made = self.elb.create_listener(
            LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=actions, **more
        )
        return made["Listeners"][0]["ListenerArn"]

    def cluster(self) -> str:
        return self.ecs.create_cluster(clusterName=self.name)["cluster"]["clusterName"]

    def define(self, image: str, *, logged: bool = False, check: Sequence[str] = (), **variables: str) -> str:
        """A task definition of the family `name`; answers its ARN."""
        environment = [{"name": name, "value": value} for name, value in sorted(variables.items())]
        options = {"awslogs-group": self.log_group, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"}
        container: Any = {
            "name": "app",
            "image": image,
            "portMappings": [{"containerPort": 8080}],
            "environment": environment,
        }
        container |= {"logConfiguration": {"logDriver": "awslogs", "options": options}} if logged else {}
        container |= {"healthCheck": {"command": list(check), "retries": 2, "interval": 5}} if check else {}
        made = self.ecs.register_task_definition(
            family=self.name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            executionRoleArn=ROLE, containerDefinitions=[container],
        )  # fmt: skip
        return made["taskDefinition"]["taskDefinitionArn"]

    @property
    def log_group(self) -> str:
        return f"/release-controller/{self.name}"

    def create(self, definition: str, group: str, *, desired: int = 1, **members: Any) -> ServiceTypeDef:
        """Begins to create the service `name` behind `group`."""
        advanced = members.pop("advanced", None)
        balancer: Any = {"targetGroupArn": group, "containerName": "app", "containerPort": 8080}
        balancer |= {"advancedConfiguration": advanced} if advanced else {}
        return self.ecs.create_service(
            cluster=self.name, serviceName=self.name, taskDefinition=definition, desiredCount=desired,
            launchType="FARGATE", networkConfiguration=NETWORK, loadBalancers=[balancer],
            **{"deploymentConfiguration": BREAKER, **members},
        )["service"]  # fmt: skip

    def stand(self, image: str, *, logged: bool = False, **members: Any) -> ServiceTypeDef:
        """A service that runs `image` behind an HTTP listener, settled."""
        group = self.group()
        self.listener(group)
        self.cluster()
        self.create(self.define(image, logged=logged), group, **members)
        assert self.ended()["status"] == "SUCCESSFUL"
        return self.service()

    def service(self) -> ServiceTypeDef:
        return self.ecs.describe_services(cluster=self.name, services=[self.name])["services"][0]

    def newest(self) -> ServiceDeploymentTypeDef:
        """The newest deployment."""
        briefs = self.ecs.list_service_deployments(cluster=self.name, service=self.name)["serviceDeployments"]
        arns = [briefs[0]["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    def ended(self, seconds: float = 30) -> ServiceDeploymentTypeDef:
        """The newest deployment once it is over."""
        return until(self.newest, lambda rollout: rollout["status"] in ENDED, seconds)

    def meanwhile(self, look: Callable[[], T]) -> set[T]:
        """All that `look` sees until the newest deployment is over."""
        seen: set[T] = set()

        def looked() -> str:
            seen.add(look())
            return str(self.newest()["status"])

        until(looked, lambda word: word in ENDED, 30)
        return seen

    def update(self, **members: Any) -> ServiceTypeDef:
        return self.ecs.update_service(cluster=self.name, service=self.name, **members)["service"]

    def digest(self, revision: str) -> str:
        found = self.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
        return found["containerImages"][0]["imageDigest"]

    def answers(self, path: str = "/") -> tuple[int, str]:
        """What the load balancer's address says."""
        answer = self.web.get(f"{self.url}{path}")
        return answer.status_code, answer.text
