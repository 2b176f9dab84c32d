"""What is App Runner's own: the source that follows no tag, scaling revisions, the network, domains."""

from pathlib import Path
from typing import Any

from tests.stacks.programs import URL, web
from tests.stacks.recording_engine import Recording, record
from tests.stacks.texts import DIGEST, NETWORK, OTHER_DIGEST, SUBNETS, VPC, release_text, settings_text


def source(recording: Recording) -> dict[str, Any]:
    configuration: dict[str, Any] = recording.one("Service", "web").inputs["sourceConfiguration"]
    return configuration


def test_the_image_is_the_pinned_digest_and_never_follows_a_tag(tmp_path: Path) -> None:
    configuration = source(web(tmp_path))

    assert configuration["imageRepository"]["imageIdentifier"] == f"{URL}@{DIGEST}"
    assert configuration["autoDeploymentsEnabled"] is False


def test_size_scaling_and_health_check_come_from_the_settings(tmp_path: Path) -> None:
    more = "cpu: 512, memory: 1024, health_path: /up, scaling: {min: 2, max: 3, concurrency: 7}"
    recording = web(tmp_path, more=more)
    service = recording.one("Service", "web").inputs
    scaling = recording.one("AutoScalingConfigurationVersion", "web").inputs

    instance = service["instanceConfiguration"]
    assert (instance["cpu"], instance["memory"]) == ("512", "1024")
    health = service["healthCheckConfiguration"]
    assert (health["protocol"], health["path"]) == ("HTTP", "/up")
    assert health["timeout"] < health["interval"]
    assert (scaling["minSize"], scaling["maxSize"], scaling["maxConcurrency"]) == (2, 3, 7)
    assert 4 <= len(scaling["autoScalingConfigurationName"]) <= 32


def test_a_silent_rollback_shows_in_the_outputs(tmp_path: Path) -> None:
    old = {"sourceConfiguration": {"imageRepository": {"imageIdentifier": f"{URL}@{OTHER_DIGEST}"}}}
    recording = web(tmp_path, told={"aws:apprunner/service:Service": old})

    service = recording.outputs["services"]["web"]
    assert (service["digest"], service["image"]) == (DIGEST, f"{URL}@{OTHER_DIGEST}")


def test_with_subnets_it_reaches_what_is_in_them_and_is_still_reached_by_everybody(tmp_path: Path) -> None:
    recording = web(tmp_path, network=NETWORK)
    network = recording.one("Service", "web").inputs["networkConfiguration"]

    assert recording.one("VpcConnector", "network").inputs["subnets"] == list(SUBNETS)
    assert network["egressConfiguration"]["egressType"] == "VPC"
    assert network["ingressConfiguration"] == {"isPubliclyAccessible": True}


def test_without_a_network_nothing_is_said_about_one(tmp_path: Path) -> None:
    assert "networkConfiguration" not in web(tmp_path).one("Service", "web").inputs


def test_a_private_service_is_reached_through_the_vpc_alone(tmp_path: Path) -> None:
    network = f"{{vpc: {VPC}, endpoint: vpce-0123456789abcdef0}}"
    recording = web(tmp_path, more="private: true", network=network)

    ingress = recording.one("Service", "web").inputs["networkConfiguration"]["ingressConfiguration"]
    assert ingress == {"isPubliclyAccessible": False}
    connection = recording.one("VpcIngressConnection", "web").inputs
    assert connection["ingressVpcConfiguration"] == {"vpcId": VPC, "vpcEndpointId": "vpce-0123456789abcdef0"}
    service = recording.outputs["services"]["web"]
    assert (service["private"], service["url"]) == (True, "https://0123abcd.vpce.eu-west-1.awsapprunner.com")


def test_a_domain_is_associated_and_the_stack_says_what_dns_needs(tmp_path: Path) -> None:
    recording = web(tmp_path, more="domain: {name: app.example.com}")

    assert recording.one("CustomDomainAssociation", "web").inputs["domainName"] == "app.example.com"
    domain = recording.outputs["services"]["web"]["domain"]
    assert (domain["name"], domain["target"]) == ("app.example.com", "0123abcd.eu-west-1.awsapprunner.com")
    assert [record["type"] for record in domain["records"]] == ["CNAME"]


def test_two_services_share_one_way_into_the_network_since_aws_takes_no_second(tmp_path: Path) -> None:
    settings = settings_text({"web": "", "api": ""}, network=NETWORK)
    recording = record(tmp_path, release=release_text({"web": DIGEST, "api": OTHER_DIGEST}), settings_file=settings)
    [connector] = [one for one in recording.registrations if one.key[0] == "VpcConnector"]

    assert 4 <= len(connector.inputs["vpcConnectorName"]) <= 40
    used = {
        one.inputs["networkConfiguration"]["egressConfiguration"]["vpcConnectorArn"]
        for one in recording.registrations
        if one.key[0] == "Service"
    }
    assert len(used) == 1
