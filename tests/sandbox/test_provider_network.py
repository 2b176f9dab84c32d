"""App Runner's network, domain and observability under the real engine, as they stand around one service."""

import functools
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from tests.sandbox.conftest import Laptop
from tests.sandbox.provider_engine import Engine

pytestmark = pytest.mark.nightly

DOMAIN = "app.example.com"


def around(
    name: str, image: str, *, group: str = "sg-1", tag: str = "a", domain: str = DOMAIN, vendor: str = "AWSXRAY"
) -> None:
    """A service that goes out through a VPC and comes in through another."""
    connector = aws.apprunner.VpcConnector(
        "connector",
        vpc_connector_name=f"{name}-{group}",
        subnets=["subnet-2", "subnet-1"],
        security_groups=[group],
        tags={"t": tag},
    )
    observed = aws.apprunner.ObservabilityConfiguration(
        "observed",
        observability_configuration_name=name,
        trace_configuration={"vendor": vendor} if vendor else None,
        tags={"t": tag},
    )
    service = aws.apprunner.Service(
        "web",
        service_name=name,
        source_configuration={
            "auto_deployments_enabled": False,
            "authentication_configuration": {"access_role_arn": "arn:aws:iam::000000000000:role/pull"},
            "image_repository": {
                "image_identifier": image,
                "image_repository_type": "ECR",
                "image_configuration": {"port": "8000"},
            },
        },
        health_check_configuration={"protocol": "HTTP", "path": "/healthz", "interval": 1, "timeout": 1},
        network_configuration={
            "egress_configuration": {"egress_type": "VPC", "vpc_connector_arn": connector.arn},
            "ingress_configuration": {"is_publicly_accessible": False},
        },
        observability_configuration={
            "observability_enabled": True,
            "observability_configuration_arn": observed.arn,
        },
    )
    aws.apprunner.VpcIngressConnection(
        "inside",
        name=name,
        service_arn=service.arn,
        ingress_vpc_configuration={"vpc_id": "vpc-1", "vpc_endpoint_id": "vpce-1"},
        tags={"t": tag},
    )
    association = aws.apprunner.CustomDomainAssociation(
        "domain", domain_name=f"{name}.{domain}", service_arn=service.arn, enable_www_subdomain=False
    )
    pulumi.export("target", association.dns_target)


def test_a_service_with_its_network_domain_and_observability(
    engine: Engine, laptop: Laptop, image: Callable[..., str], service_name: str
) -> None:
    program = functools.partial(around, service_name, image())
    made = engine.up(program)
    assert (made.error, made.counts) == ("", {"create": 6})
    resources = engine.resources()
    service = resources["web"]["id"]
    assert resources["domain"]["id"] == f"{service_name}.{DOMAIN},{service}"
    domain = resources["domain"]["outputs"]
    assert (domain["status"], domain["dnsTarget"]) == (
        "pending_certificate_dns_validation",
        resources["web"]["outputs"]["serviceUrl"],
    )
    assert [record["type"] for record in domain["certificateValidationRecords"]] == ["CNAME"]
    assert resources["inside"]["outputs"]["status"] == "AVAILABLE"
    assert engine.preview(program, refresh=True).counts == {"same": 6}

    changed = engine.up(functools.partial(program, tag="b"))
    assert (changed.error, {step.name for step in changed.steps if step.op == "update"}) == (
        "",
        {"connector", "observed", "inside"},
    )
    replaced = engine.up(functools.partial(program, tag="b", group="sg-2", domain="other.example.com"))
    assert (replaced.error, replaced.ops("connector"), replaced.ops("domain")) == (
        "",
        ["create-replacement", "replace", "delete-replaced"],
        ["create-replacement", "replace", "delete-replaced"],
    )
    silent = functools.partial(program, tag="b", group="sg-2", domain="other.example.com", vendor="")
    assert engine.up(silent).error == ""
    traced = laptop.client.describe_observability_configuration(
        ObservabilityConfigurationArn=engine.resources()["observed"]["id"]
    )["ObservabilityConfiguration"]
    assert traced["TraceConfiguration"] == {"Vendor": "AWSXRAY"}  # taken, and nothing happened

    with pytest.raises(laptop.client.exceptions.InvalidStateException, match="while it has VpcIngressConnections"):
        laptop.client.delete_service(ServiceArn=service)
    laptop.client.disassociate_custom_domain(ServiceArn=service, DomainName=f"{service_name}.other.example.com")
    assert engine.refresh().error == ""
    assert "domain" not in engine.resources()
    assert engine.destroy().error == ""
    assert laptop.client.list_vpc_connectors()["VpcConnectors"] == []


def test_what_is_there_already_can_be_adopted(provider: int, laptop: Laptop, service_name: str, tmp_path: Path) -> None:
    by_hand = laptop.client.create_vpc_connector(
        VpcConnectorName=service_name, Subnets=["subnet-1"], SecurityGroups=["sg"]
    )
    arn = by_hand["VpcConnector"]["VpcConnectorArn"]
    engine = Engine(tmp_path / "engine", provider)

    def program(*, importing: bool) -> None:
        aws.apprunner.VpcConnector(
            "connector",
            vpc_connector_name=service_name,
            subnets=["subnet-1"],
            security_groups=["sg"],
            opts=pulumi.ResourceOptions(import_=arn if importing else None),
        )

    assert engine.up(functools.partial(program, importing=True)).counts == {"create": 1, "import": 1}
    assert engine.preview(functools.partial(program, importing=False)).counts == {"same": 2}
    again = functools.partial(program, importing=False)
    assert "VPC connector with the provided name already exists" in Engine(tmp_path / "other", provider).up(again).error
    engine.destroy()


def test_a_second_connector_for_the_same_security_groups_is_refused(
    provider: int, service_name: str, tmp_path: Path
) -> None:
    def program(*names: str) -> None:
        for name in names:
            aws.apprunner.VpcConnector(
                name, vpc_connector_name=f"{service_name}-{name}", subnets=[name], security_groups=["sg-b", "sg-a"]
            )

    engine = Engine(tmp_path / "engine", provider)
    engine.up(lambda: program("one"))

    run = engine.up(lambda: program("one", "two"))

    assert "The security groups combination provided in the request already exists" in run.error
    assert list(engine.resources()) == ["one"]
    engine.destroy()
