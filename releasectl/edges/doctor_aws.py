"""AWS for doctor: what an account has and may, as facts.

Comes in: a region and the name of a thing. Goes out: facts, None for what is not there, or one of AWS's errors as
ours. It reads only, asks for no secret's value, and judges nothing.
"""

import functools
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from releasectl.doctor_facts import (
    Bucket,
    Certificate,
    Identity,
    Images,
    Network,
    Quota,
    Role,
    Subnet,
    Subscription,
    Way,
)
from releasectl.edges import aws

# What AWS calls "there is no such thing", service by service.
_ABSENT = {
    *("ResourceNotFoundException", "RepositoryNotFoundException", "NoSuchEntity", "NoSuchBucket", "404", "NotFound"),
    *("NoSuchPublicAccessBlockConfiguration", "ServerSideEncryptionConfigurationNotFoundError"),
    "LifecyclePolicyNotFoundException",
}
# Codes and names: Service Quotas of ecs-service and elb in the AWS General Reference. App Runner's code is in no page
# that could be read, so it is looked for by its name.
_QUOTAS = {
    "fargate": ("fargate", "L-3032A538", ""),
    "load-balancers": ("elasticloadbalancing", "L-53DA6B97", ""),
    "app-runner": ("apprunner", "", "services"),
}
_MAKING = threading.Lock()
_EVERYWHERE = {"0.0.0.0/0", "::/0"}


@dataclass(frozen=True)
class DoctorAws:
    """The account that the credentials belong to."""

    def identity(self, region: str) -> Identity:
        """Whose credentials these are. Raises AwsDenied and its like, as do all the others."""
        with aws.asking("asking AWS who these credentials are"):
            said = _client(region, "sts").get_caller_identity()
        return Identity(said["Account"], said["Arn"])

    def is_enabled(self, region: str) -> bool | None:
        """May the account use this region? None when there is no such."""
        with aws.asking(f"asking whether {region} is enabled"):
            found = _client(region, "ec2").describe_regions(AllRegions=True)["Regions"]
        word = next((each.get("OptInStatus", "") for each in found if each["RegionName"] == region), None)
        return None if word is None else word != "not-opted-in"

    def app_runner_services(self, region: str) -> int:
        """How many services run on App Runner there, whoever made them."""
        with aws.asking(f"listing the App Runner services in {region}"):
            return sum(1 for _ in _paged(_client(region, "apprunner"), "list_services", "ServiceSummaryList"))

    def linked_roles(self, region: str, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the service-linked roles that exist."""
        return tuple(name for name in names if self._role(region, name))

    def network(self, region: str, vpc: str, subnets: Sequence[str]) -> Network:
        """A VPC and its subnets; the default VPC with all of its subnets when `vpc` is ""."""
        client = _client(region, "ec2")
        with aws.asking(f"looking at {vpc or 'the default VPC'} in {region}"):
            found = _vpc(client, vpc) if vpc or not subnets else None
            if found is None and not subnets:
                return Network(None)
            wanted = {"subnet-id": list(subnets)} if subnets else {"vpc-id": [str(found)]}
            there = list(_paged(client, "describe_subnets", "Subnets", Filters=_filters(wanted)))
            ways = _Ways(client, {each["VpcId"] for each in there})
        return Network(
            found,
            tuple(
                Subnet(
                    each["SubnetId"], each["VpcId"], each["AvailabilityZone"], each["AvailableIpAddressCount"],
                    ways.of(each),
                )
                for each in there
            ),
        )  # fmt: skip

    def quota(self, region: str, kind: str) -> Quota:
        """How much there may be; AwsFailed also where AWS names no such quota."""
        client = _client(region, "service-quotas")
        with aws.asking(f"asking for the quota of {kind} in {region}"):
            service, code, name = _QUOTAS[kind]
            if code:
                found = client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
            else:
                every = _paged(client, "list_service_quotas", "Quotas", ServiceCode=service)
                found = next((each for each in every if each["QuotaName"].lower().endswith(name)), None)
        if found is None:
            message = f"asking for the quota of {kind} in {region}: AWS names none so"
            raise aws.AwsFailed(message, "Look it up in the console of Service Quotas.")
        return Quota(found["QuotaName"], found["Value"], self._used(region, kind))

    def subscriptions(self, region: str, topic: str) -> tuple[Subscription, ...]:
        """Everybody whom a topic tells. A pending one has no ARN yet; the sandbox says it by an attribute."""
        client = _client(region, "sns")
        with aws.asking(f"listing whom {topic} tells"):
            every = list(_paged(client, "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic))
            return tuple(
                Subscription(each["Protocol"], each["Endpoint"], _is_pending(client, each["SubscriptionArn"]))
                for each in every
            )

    def certificate(self, region: str, arn: str) -> Certificate | None:
        """None when there is no such."""
        with aws.asking(f"describing {arn}"), _or_nothing() as absent:
            said = _client(region, "acm").describe_certificate(CertificateArn=arn)["Certificate"]
        if absent:
            return None
        return Certificate(said["Status"], tuple(said.get("SubjectAlternativeNames", [said.get("DomainName", "")])))

    def images(self, region: str, repository: str) -> Images | None:
        """None when there is no such repository."""
        client, name = _client(region, "ecr"), repository.partition("/")[2]
        with aws.asking(f"describing {repository}"):
            with _or_nothing() as absent:
                said = client.describe_repositories(repositoryNames=[name])["repositories"][0]
            if absent:
                return None
            with _or_nothing() as unlimited:
                client.get_lifecycle_policy(repositoryName=name)
        return Images(said.get("imageScanningConfiguration", {}).get("scanOnPush", False), not unlimited)

    def trusts(self, region: str, issuer: str) -> bool:
        """Is there an OIDC provider of this issuer?"""
        with aws.asking("listing the OIDC providers"):
            found = _client(region, "iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
        return any(each["Arn"].endswith(f"oidc-provider/{issuer}") for each in found)

    def role(self, region: str, name: str) -> Role | None:
        """None when there is no such."""
        found = self._role(region, name)
        return Role(name, tuple(_subjects(found["AssumeRolePolicyDocument"]))) if found else None

    def bucket(self, region: str, name: str) -> Bucket | None:
        """None when there is no such."""
        client = _client(region, "s3")
        with aws.asking(f"looking at the bucket {name}"):
            with _or_nothing() as absent:
                client.head_bucket(Bucket=name)
            if absent:
                return None
            versioning = client.get_bucket_versioning(Bucket=name).get("Status", "")
            rules: Sequence[Any] = ()
            blocks: Mapping[str, bool] = {}
            with _or_nothing():
                said = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
                rules = said["Rules"]
            with _or_nothing():
                blocks = client.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        kinds = [each.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for each in rules]
        closed = len(blocks) >= 4 and all(blocks.values())
        return Bucket(versioning == "Enabled", any(kind.startswith("aws:kms") for kind in kinds), closed)

    def _role(self, region: str, name: str) -> Any:
        found: dict[str, Any] = {}
        with aws.asking(f"looking for the role {name}"), _or_nothing():
            found = dict(_client(region, "iam").get_role(RoleName=name))
        return found.get("Role")

    def _used(self, region: str, kind: str) -> int | None:
        if kind == "app-runner":
            return self.app_runner_services(region)
        if kind == "load-balancers":
            with aws.asking(f"counting the load balancers in {region}"):
                every = _paged(_client(region, "elbv2"), "describe_load_balancers", "LoadBalancers")
                return sum(1 for each in every if each["Type"] == "application")
        return None


@dataclass(frozen=True)
class _Ways:
    """The route tables of some VPCs."""

    client: Any
    vpcs: Iterable[str]

    @functools.cached_property
    def _tables(self) -> Mapping[str, list[Any]]:
        found = _paged(
            self.client, "describe_route_tables", "RouteTables", Filters=_filters({"vpc-id": list(self.vpcs)})
        )
        tables: dict[str, list[Any]] = {vpc: [] for vpc in self.vpcs}
        for table in found:
            tables[table["VpcId"]].append(table)
        return tables

    def of(self, subnet: Mapping[str, Any]) -> Way:
        """Where a subnet's default route leads: its own table's, else its VPC's main one's."""
        held = [(table, one) for table in self._tables[subnet["VpcId"]] for one in table["Associations"]]
        own = [table for table, one in held if one.get("SubnetId") == subnet["SubnetId"]]
        main = [table for table, one in held if one.get("Main")]
        for route in (own or main or [{"Routes": []}])[0]["Routes"]:
            if route.get("DestinationCidrBlock") in _EVERYWHERE and route.get("State") != "blackhole":
                return _way(route)
        return ""


def _way(route: Mapping[str, Any]) -> Way:
    if route.get("NatGatewayId") or route.get("InstanceId"):
        return "nat"
    return "internet" if str(route.get("GatewayId", "")).startswith("igw-") else "other"


def _vpc(client: Any, vpc: str) -> str | None:
    wanted = {"vpc-id": [vpc]} if vpc else {"is-default": ["true"]}
    found = client.describe_vpcs(Filters=_filters(wanted))["Vpcs"]
    return str(found[0]["VpcId"]) if found else None


def _filters(wanted: Mapping[str, list[str]]) -> list[dict[str, object]]:
    return [{"Name": name, "Values": values} for name, values in wanted.items()]


def _subjects(trust: object) -> Iterator[str]:
    """Every `sub` that a trust policy takes; botocore gives the policy as data, some endpoints as text."""
    data = json.loads(trust) if isinstance(trust, str) else trust
    for statement in data.get("Statement", []) if isinstance(data, dict) else ():
        for condition in statement.get("Condition", {}).values():
            for claim, values in condition.items():
                if claim.endswith(":sub"):
                    yield from [values] if isinstance(values, str) else values


def _is_pending(client: Any, arn: str) -> bool:
    if not arn.startswith("arn:"):  # "PendingConfirmation", or "Deleted"
        return arn == "PendingConfirmation"
    said = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return bool(said.get("PendingConfirmation") == "true")


def _paged(client: Any, operation: str, key: str, **arguments: object) -> Iterator[Any]:
    if not client.can_paginate(operation):
        yield from getattr(client, operation)(**arguments)[key]
        return
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


@contextmanager
def _or_nothing() -> Iterator[list[str]]:
    """What is inside may be about something that is not there; then the list is no longer empty."""
    absent: list[str] = []
    try:
        yield absent
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _ABSENT:
            raise
        absent.append(code)


@functools.cache
def _made(region: str, service: str) -> Any:
    session: Any = aws.session(region)  # its type knows services by their literal names alone
    return session.client(service, config=aws.CONFIG)


def _client(region: str, service: str) -> Any:
    with _MAKING:  # sessions do not share well between threads; clients do
        return _made(region, service)
