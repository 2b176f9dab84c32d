"""App Runner: VPC connector, VPC ingress connection, custom domain, observability. `app_runner` has the service.

Comes in: properties by the provider's names. Goes out: calls to the `apprunner` API and the provider's waits. A custom
domain is waited for only until AWS says what has to stand in DNS, never until it works.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update, Wait
from sandbox.provider.values import Properties
from sandbox.provider.waiting import until

_CONNECTOR_SECONDS = 2 * 60.0
_INGRESS_SECONDS = 2 * 60.0
_DOMAIN_SECONDS = 5 * 60.0
_OBSERVABILITY_SECONDS = 2 * 60.0


def _tags(client: Client, arn: str) -> dict[str, str]:
    return tag_map(client.list_tags_for_resource(ResourceArn=arn)["Tags"])


def _set_tags(client: Client, update: Update) -> None:
    retag(
        update,
        lambda tags: client.tag_resource(ResourceArn=update.id, Tags=tags),
        lambda keys: client.untag_resource(ResourceArn=update.id, TagKeys=keys),
    )


def _create_connector(client: Client, inputs: Properties) -> str:
    answer = client.create_vpc_connector(
        VpcConnectorName=inputs["vpcConnectorName"],
        Subnets=inputs["subnets"],
        SecurityGroups=inputs["securityGroups"],
        Tags=tag_list(inputs.get("tags")),
    )
    return str(answer["VpcConnector"]["VpcConnectorArn"])


def _connector(client: Client, arn: str) -> dict[str, Any]:
    answer = found(client.describe_vpc_connector, VpcConnectorArn=arn)
    return answer["VpcConnector"] if answer else {"Status": "INACTIVE"}


def _read_connector(client: Client, arn: str, _known: Properties) -> Properties | None:
    told = _connector(client, arn)
    return None if told["Status"] == "INACTIVE" else {
        "arn": arn,
        "securityGroups": told.get("SecurityGroups", []),
        "status": told["Status"],
        "subnets": told["Subnets"],
        "tags": _tags(client, arn),
        "vpcConnectorName": told["VpcConnectorName"],
        "vpcConnectorRevision": told["VpcConnectorRevision"],
    }  # fmt: skip


def _wait_connector(client: Client, arn: str, wait: Wait) -> None:
    doing = f"waiting for App Runner VPC Connector ({arn}) {wait.operation}"
    until(lambda: str(_connector(client, arn)["Status"]), ("ACTIVE",), (), doing=doing, seconds=_CONNECTOR_SECONDS)


def _delete_connector(client: Client, arn: str, _known: Properties) -> None:
    if found(client.delete_vpc_connector, VpcConnectorArn=arn) is None:
        return
    doing = f"waiting for App Runner VPC Connector ({arn}) delete"
    look = ("INACTIVE",), ("ACTIVE",)
    until(lambda: str(_connector(client, arn)["Status"]), *look, doing=doing, seconds=_CONNECTOR_SECONDS)


def _create_ingress(client: Client, inputs: Properties) -> str:
    where = inputs["ingressVpcConfiguration"]
    answer = client.create_vpc_ingress_connection(
        ServiceArn=inputs["serviceArn"],
        VpcIngressConnectionName=inputs["name"],
        IngressVpcConfiguration=given(VpcId=where.get("vpcId"), VpcEndpointId=where.get("vpcEndpointId")),
        Tags=tag_list(inputs.get("tags")),
    )
    return str(answer["VpcIngressConnection"]["VpcIngressConnectionArn"])


def _ingress(client: Client, arn: str) -> dict[str, Any]:
    answer = found(client.describe_vpc_ingress_connection, VpcIngressConnectionArn=arn)
    return answer["VpcIngressConnection"] if answer else {"Status": "DELETED"}


def _read_ingress(client: Client, arn: str, _known: Properties) -> Properties | None:
    told = _ingress(client, arn)
    if told["Status"] == "DELETED":
        return None
    where = told["IngressVpcConfiguration"]
    return {
        "arn": arn,
        "domainName": told.get("DomainName"),
        "ingressVpcConfiguration": given(vpcId=where.get("VpcId"), vpcEndpointId=where.get("VpcEndpointId")),
        "name": told["VpcIngressConnectionName"],
        "serviceArn": told["ServiceArn"],
        "status": told["Status"],
        "tags": _tags(client, arn),
    }


def _wait_ingress(client: Client, arn: str, wait: Wait) -> None:
    doing = f"waiting for App Runner VPC Ingress Connection ({arn}) {wait.operation}"
    look = ("AVAILABLE",), ("PENDING_CREATION",)
    until(lambda: str(_ingress(client, arn)["Status"]), *look, doing=doing, seconds=_INGRESS_SECONDS)


def _delete_ingress(client: Client, arn: str, _known: Properties) -> None:
    if found(client.delete_vpc_ingress_connection, VpcIngressConnectionArn=arn) is None:
        return
    doing = f"waiting for App Runner VPC Ingress Connection ({arn}) delete"
    look = ("DELETED",), ("AVAILABLE", "PENDING_DELETION")
    until(lambda: str(_ingress(client, arn)["Status"]), *look, doing=doing, seconds=_INGRESS_SECONDS)


def _associate(client: Client, inputs: Properties) -> str:
    name, arn = inputs["domainName"], inputs["serviceArn"]
    client.associate_custom_domain(DomainName=name, ServiceArn=arn, EnableWWWSubdomain=inputs["enableWwwSubdomain"])
    return f"{name},{arn}"


def _domain(client: Client, id_: str) -> tuple[dict[str, Any], str]:
    """The domain and what it has to lead to; a domain without status is none."""
    name, _, arn = id_.partition(",")
    told = found(client.describe_custom_domains, ServiceArn=arn) or {"CustomDomains": [], "DNSTarget": ""}
    domains = (domain for domain in told["CustomDomains"] if domain["DomainName"] == name)
    return next(domains, {"Status": ""}), told["DNSTarget"]


def _read_domain(client: Client, id_: str, _known: Properties) -> Properties | None:
    told, target = _domain(client, id_)
    records = told.get("CertificateValidationRecords", [])
    return {
        "certificateValidationRecords": [
            {name[0].lower() + name[1:]: value for name, value in record.items()} for record in records
        ],
        "dnsTarget": target,
        "domainName": told["DomainName"],
        "enableWwwSubdomain": told["EnableWWWSubdomain"],
        "serviceArn": id_.partition(",")[2],
        "status": told["Status"],
    } if told["Status"] else None  # fmt: skip


def _wait_domain(client: Client, id_: str, wait: Wait) -> None:
    doing = f"waiting for App Runner Custom Domain Association ({id_}) {wait.operation}"
    look = ("pending_certificate_dns_validation", "binding_certificate"), ("creating",)
    until(lambda: str(_domain(client, id_)[0]["Status"]), *look, doing=doing, seconds=_DOMAIN_SECONDS)


def _disassociate(client: Client, id_: str, _known: Properties) -> None:
    name, _, arn = id_.partition(",")
    if not _domain(client, id_)[0]["Status"]:
        return
    client.disassociate_custom_domain(DomainName=name, ServiceArn=arn)
    doing = f"waiting for App Runner Custom Domain Association ({id_}) delete"
    look = ("",), ("active", "deleting", "pending_certificate_dns_validation", "binding_certificate")
    until(lambda: str(_domain(client, id_)[0]["Status"]), *look, doing=doing, seconds=_DOMAIN_SECONDS)


def _create_observability(client: Client, inputs: Properties) -> str:
    trace = inputs.get("traceConfiguration") or {}
    answer = client.create_observability_configuration(
        ObservabilityConfigurationName=inputs["observabilityConfigurationName"],
        Tags=tag_list(inputs.get("tags")),
        **given(TraceConfiguration={"Vendor": trace["vendor"]} if trace else None),
    )
    return str(answer["ObservabilityConfiguration"]["ObservabilityConfigurationArn"])


def _observability(client: Client, arn: str) -> dict[str, Any]:
    answer = found(client.describe_observability_configuration, ObservabilityConfigurationArn=arn)
    return answer["ObservabilityConfiguration"] if answer else {"Status": "INACTIVE"}


def _read_observability(client: Client, arn: str, _known: Properties) -> Properties | None:
    told = _observability(client, arn)
    trace = told.get("TraceConfiguration")
    return None if told["Status"] == "INACTIVE" else {
        "arn": arn,
        "latest": told["Latest"],
        "observabilityConfigurationName": told["ObservabilityConfigurationName"],
        "observabilityConfigurationRevision": told["ObservabilityConfigurationRevision"],
        "status": told["Status"],
        "tags": _tags(client, arn),
        "traceConfiguration": {"vendor": trace["Vendor"]} if trace else None,
    }  # fmt: skip


def _wait_observability(client: Client, arn: str, wait: Wait) -> None:
    doing = f"waiting for App Runner Observability Configuration ({arn}) {wait.operation}"
    seconds = _OBSERVABILITY_SECONDS
    until(lambda: str(_observability(client, arn)["Status"]), ("ACTIVE",), (), doing=doing, seconds=seconds)


def _delete_observability(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_observability_configuration, ObservabilityConfigurationArn=arn)


TYPES = (
    ResourceType(
        token="aws:apprunner/vpcConnector:VpcConnector",
        title="App Runner VPC Connector",
        service="apprunner",
        create=_create_connector,
        read=_read_connector,
        update=_set_tags,
        delete=_delete_connector,
        wait=_wait_connector,
        replaces=frozenset({"vpcConnectorName", "subnets", "securityGroups", "region"}),
        name="vpcConnectorName",
        computed=frozenset({"region"}),
    ),
    ResourceType(
        token="aws:apprunner/vpcIngressConnection:VpcIngressConnection",
        title="App Runner VPC Ingress Connection",
        service="apprunner",
        create=_create_ingress,
        read=_read_ingress,
        update=_set_tags,
        delete=_delete_ingress,
        wait=_wait_ingress,
        replaces=frozenset({"name", "serviceArn", "ingressVpcConfiguration", "region"}),
        auto_named=True,
        computed=frozenset({"region"}),
    ),
    ResourceType(
        token="aws:apprunner/customDomainAssociation:CustomDomainAssociation",
        title="App Runner Custom Domain Association",
        service="apprunner",
        create=_associate,
        read=_read_domain,
        delete=_disassociate,
        wait=_wait_domain,
        replaces=frozenset({"domainName", "serviceArn", "enableWwwSubdomain", "region"}),
        name="domainName",
        defaults={"enableWwwSubdomain": True},
        computed=frozenset({"region"}),
    ),
    ResourceType(
        token="aws:apprunner/observabilityConfiguration:ObservabilityConfiguration",
        title="App Runner Observability Configuration",
        service="apprunner",
        create=_create_observability,
        read=_read_observability,
        # The real one changes tags alone: another `traceConfiguration` is taken and nothing happens.
        update=_set_tags,
        delete=_delete_observability,
        wait=_wait_observability,
        replaces=frozenset({"observabilityConfigurationName", "region"}),
        name="observabilityConfigurationName",
        computed=frozenset({"region"}),
    ),
)
