"""App Runner's objects that no state knows.

Comes in: a region and the inputs that the state remembers of a resource. Goes out: the object, or None. A service is
waited for until App Runner ends what it does with it. One that App Runner itself failed to create is deleted when the
asker says so, since nothing can be made of it (aws/apprunner-roadmap).
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from releasectl.edges import aws
from releasectl.edges.found import Finder, Inputs, Object, text

PATIENCE = 15 * 60.0  # seconds for App Runner to end what it does with a service
POLL = 1.0


def delete(region: str, failed: Object, inputs: Inputs) -> None:
    """The service's name is free once it is gone."""
    _client(region).delete_service(ServiceArn=failed.id)
    while service(region, inputs):
        time.sleep(POLL)


def service(region: str, inputs: Inputs) -> Object | None:
    """Once App Runner has made it, or failed to."""
    client, name = _client(region), text(inputs, "serviceName")
    deadline = time.monotonic() + PATIENCE
    while True:
        found = next((one for one in _services(client) if one["ServiceName"] == name), None)
        if found is None:
            return None
        if found["Status"] != "OPERATION_IN_PROGRESS":
            return Object(found["ServiceArn"], found["CreatedAt"], failed=found["Status"] == "CREATE_FAILED")
        if time.monotonic() > deadline:
            raise aws.named(f"waiting for {found['ServiceArn']}", f"it is {found['Status']} for {PATIENCE:.0f} s")
        time.sleep(POLL)


def _services(client: Any) -> Iterator[Mapping[str, Any]]:
    pages = _pages(client.list_services, "ServiceSummaryList")
    return (one for one in pages if one["Status"] != "DELETED")


def _scaling(region: str, inputs: Inputs) -> Object | None:
    """The newest revision of the name: the one that was being made."""
    found = _client(region).list_auto_scaling_configurations(
        AutoScalingConfigurationName=text(inputs, "autoScalingConfigurationName"), LatestOnly=True
    )["AutoScalingConfigurationSummaryList"]
    return next((Object(one["AutoScalingConfigurationArn"], one["CreatedAt"]) for one in found), None)


def _observability(region: str, inputs: Inputs) -> Object | None:
    """The newest revision, too."""
    client = _client(region)
    found = client.list_observability_configurations(
        ObservabilityConfigurationName=text(inputs, "observabilityConfigurationName"), LatestOnly=True
    )["ObservabilityConfigurationSummaryList"]
    if not found:
        return None
    arn = found[0]["ObservabilityConfigurationArn"]
    described = client.describe_observability_configuration(ObservabilityConfigurationArn=arn)
    return Object(arn, described["ObservabilityConfiguration"].get("CreatedAt"))


def _connector(region: str, inputs: Inputs) -> Object | None:
    """A name may have several revisions; the newest active one."""
    name = text(inputs, "vpcConnectorName")
    found = [
        one
        for one in _pages(_client(region).list_vpc_connectors, "VpcConnectors")
        if (one["VpcConnectorName"], one["Status"]) == (name, "ACTIVE")
    ]
    newest = max(found, key=lambda one: one["VpcConnectorRevision"], default=None)
    return Object(newest["VpcConnectorArn"], newest["CreatedAt"]) if newest else None


def _ingress(region: str, inputs: Inputs) -> Object | None:
    client, name = _client(region), text(inputs, "name")
    arns = (one["VpcIngressConnectionArn"] for one in _pages(client.list_vpc_ingress_connections, _INGRESS))
    for arn in arns:
        if arn.split("/")[1] == name:
            found = client.describe_vpc_ingress_connection(VpcIngressConnectionArn=arn)["VpcIngressConnection"]
            if found["Status"] in ("AVAILABLE", "PENDING_CREATION", "PENDING_UPDATE"):
                return Object(arn, found["CreatedAt"])
    return None


def _domain(region: str, inputs: Inputs) -> Object | None:
    client, name, service_arn = _client(region), text(inputs, "domainName"), text(inputs, "serviceArn")
    try:
        domains = list(_pages(client.describe_custom_domains, "CustomDomains", ServiceArn=service_arn))
    except client.exceptions.ResourceNotFoundException:
        return None
    return next((Object(f"{name},{service_arn}", None) for one in domains if one["DomainName"] == name), None)


def _pages(call: Any, key: str, **given: str) -> Iterator[Mapping[str, Any]]:
    """botocore has no paginators for App Runner."""
    while True:
        page = call(**given)
        yield from page[key]
        if not page.get("NextToken"):
            return
        given["NextToken"] = page["NextToken"]


def _client(region: str) -> Any:
    return aws.session(region).client("apprunner", config=aws.CONFIG)


_INGRESS = "VpcIngressConnectionSummaryList"
FOUND: Mapping[str, Finder] = {
    "aws:apprunner/service:Service": service,
    "aws:apprunner/autoScalingConfigurationVersion:AutoScalingConfigurationVersion": _scaling,
    "aws:apprunner/customDomainAssociation:CustomDomainAssociation": _domain,
    "aws:apprunner/observabilityConfiguration:ObservabilityConfiguration": _observability,
    "aws:apprunner/vpcConnector:VpcConnector": _connector,
    "aws:apprunner/vpcIngressConnection:VpcIngressConnection": _ingress,
}
