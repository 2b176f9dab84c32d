"""What is the ECS runtimes' own: Express's every default, Fargate's load balancer, roll-outs, scaling."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.programs import NAME, web
from tests.stacks.recording_engine import ACCOUNT, Recording
from tests.stacks.texts import CERTIFICATE, DIGEST, NETWORK, OTHER_DIGEST, SUBNETS, VPC

DOMAIN = f'domain: {{name: app.example.com, certificate: "{CERTIFICATE}"}}'


def fargate(root: Path, more: str = "", **texts: Any) -> Recording:
    return web(root, more=more, runtime="fargate", **texts)


def express(root: Path, more: str = "", **texts: Any) -> Recording:
    return web(root, more=more, runtime="ecs-express", **texts)


def rules(recording: Recording, way: str) -> dict[str, tuple[int, str]]:
    """Of every rule: its port, and who may."""
    found = [one for one in recording.registrations if one.key[0] == f"SecurityGroup{way}Rule"]
    return {
        one.name: (one.inputs["fromPort"], one.inputs.get("cidrIpv4") or one.inputs["referencedSecurityGroupId"])
        for one in found
    }


def test_express_is_given_whatever_aws_has_a_default_for(tmp_path: Path) -> None:
    more = "cpu: 512, memory: 1024, port: 9000, health_path: /up, scaling: {min: 2, max: 3, cpu_percent: 40}"
    service = express(tmp_path, more).one("ExpressGatewayService", "web").inputs

    assert (service["cpu"], service["memory"], service["healthCheckPath"]) == ("512", "1024", "/up")
    assert service["primaryContainer"]["containerPort"] == 9000
    assert service["scalingTargets"] == [
        {"autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 40, "minTaskCount": 2, "maxTaskCount": 3}
    ]
    assert service["waitForSteadyState"] is True
    assert service["serviceName"] == f"{NAME}-express"
    assert service["cluster"] == "release-controller-staging"


def test_express_without_subnets_uses_the_default_vpc(tmp_path: Path) -> None:
    assert "networkConfigurations" not in express(tmp_path, network="").one("ExpressGatewayService", "web").inputs


def test_express_alarms_are_about_its_own_target_groups_and_not_about_the_shared_load_balancer(tmp_path: Path) -> None:
    queries = express(tmp_path).one("MetricAlarm", "web-errors").inputs["metricQueries"]
    dimensions = {tuple(sorted(query["metric"]["dimensions"].items())) for query in queries if "metric" in query}

    assert dimensions == {
        (("LoadBalancer", "app/shared/1234"), ("TargetGroup", f"targetgroup/ecs-{colour}/{colour}"))
        for colour in ("blue", "green")
    }


def test_a_fargate_task_is_one_container_with_its_size_its_log_and_its_port(tmp_path: Path) -> None:
    recording = fargate(tmp_path, "cpu: 512, memory: 1024, port: 9000, architecture: arm64")
    task = recording.one("TaskDefinition", "web").inputs
    [container] = json.loads(task["containerDefinitions"])

    assert (task["cpu"], task["memory"], task["networkMode"]) == ("512", "1024", "awsvpc")
    assert task["runtimePlatform"] == {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
    assert task["skipDestroy"] is True
    assert container["portMappings"] == [{"containerPort": 9000, "protocol": "tcp"}]
    assert container["logConfiguration"]["options"] == {
        "awslogs-group": "/release-controller/staging/web",
        "awslogs-region": "eu-west-1",
        "awslogs-stream-prefix": "web",
    }
    assert {"name": "PORT", "value": "9000"} in container["environment"]


def test_a_rolling_deployment_that_fails_or_alarms_goes_back_by_itself(tmp_path: Path) -> None:
    service = fargate(tmp_path).one("Service", "web")

    assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service.inputs["alarms"] == {"alarmNames": [f"{NAME}-errors"], "enable": True, "rollback": True}
    assert service.inputs["deploymentConfiguration"] == {"strategy": "ROLLING"}
    assert service.inputs["waitForSteadyState"] is True
    assert any(urn.endswith("::web-errors") for urn in service.dependencies)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("blue-green", {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": "7"}),
        (
            "linear",
            {
                "strategy": "LINEAR",
                "bakeTimeInMinutes": "7",
                "linearConfiguration": {"stepPercent": 25, "stepBakeTimeInMinutes": "2"},
            },
        ),
        (
            "canary",
            {
                "strategy": "CANARY",
                "bakeTimeInMinutes": "7",
                "canaryConfiguration": {"canaryPercent": 25, "canaryBakeTimeInMinutes": "2"},
            },
        ),
    ],
)
def test_traffic_is_shifted_between_two_target_groups_by_the_strategy(
    tmp_path: Path, strategy: str, said: dict[str, Any]
) -> None:
    more = f"deployment: {{strategy: {strategy}, step_percent: 25, step_minutes: 2, bake_minutes: 7}}"
    recording = fargate(tmp_path, more)
    service = recording.one("Service", "web").inputs

    assert service["deploymentConfiguration"] == said
    assert service["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}
    assert {name for kind, name in recording.declared() if kind == "TargetGroup"} == {"web", "web-green"}
    assert service["loadBalancers"][0]["advancedConfiguration"]["roleArn"].endswith(f"{NAME}-infrastructure")
    rule = recording.one("ListenerRule", "web")
    assert [one["weight"] for one in rule.inputs["actions"][0]["forward"]["targetGroups"]] == [100, 0]
    assert rule.ignores == ("actions",)


def test_without_a_domain_it_speaks_plain_http(tmp_path: Path) -> None:
    recording = fargate(tmp_path)

    assert recording.one("Listener", "web-http").inputs["defaultActions"][0]["type"] == "forward"
    assert rules(recording, "Ingress")["web-clients-80-0"] == (80, "0.0.0.0/0")


def test_with_a_domain_it_speaks_https_and_http_only_leads_there(tmp_path: Path) -> None:
    recording = fargate(tmp_path, DOMAIN)
    https = recording.one("Listener", "web-https").inputs

    assert (https["protocol"], https["certificateArn"]) == ("HTTPS", CERTIFICATE)
    assert https["sslPolicy"].startswith("ELBSecurityPolicy-TLS13")
    assert recording.one("Listener", "web-http").inputs["defaultActions"][0]["type"] == "redirect"
    service = recording.outputs["services"]["web"]
    assert service["url"] == "https://app.example.com"
    assert service["domain"]["target"] == "staging-web-1234567890.eu-west-1.elb.amazonaws.com"
    assert service["domain"]["records"] == [
        {"name": "app.example.com", "type": "CNAME", "value": service["domain"]["target"]}
    ]


def test_a_task_is_reached_by_its_load_balancer_alone_and_reaches_out_by_tls(tmp_path: Path) -> None:
    recording = fargate(tmp_path)

    assert rules(recording, "Ingress")["web-entry"] == (8000, "id-of-web-entry")
    assert rules(recording, "Egress") == {
        "web-entry-tasks": (8000, "id-of-web-tasks"),
        "web-tasks": (443, "0.0.0.0/0"),
    }
    network = recording.one("Service", "web").inputs["networkConfiguration"]
    assert network["securityGroups"] == ["id-of-web-tasks"]
    assert network["subnets"] == list(SUBNETS)
    assert network["assignPublicIp"] is False


def test_subnets_without_a_nat_gateway_give_the_tasks_public_addresses(tmp_path: Path) -> None:
    recording = fargate(tmp_path, network=NETWORK.replace("}", ", public_addresses: true}"))

    assert recording.one("Service", "web").inputs["networkConfiguration"]["assignPublicIp"] is True


def test_a_private_load_balancer_is_internal_and_open_to_private_networks_alone(tmp_path: Path) -> None:
    recording = fargate(tmp_path, "private: true")

    assert recording.one("LoadBalancer", "web").inputs["internal"] is True
    reach = {who for name, (_, who) in rules(recording, "Ingress").items() if "clients" in name}
    assert reach == {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
    assert recording.outputs["services"]["web"]["private"] is True


def test_how_many_tasks_run_is_the_scalings_business(tmp_path: Path) -> None:
    recording = fargate(tmp_path, "scaling: {min: 2, max: 5, cpu_percent: 40}")
    target = recording.one("Target", "web").inputs
    policy = recording.one("Policy", "web").inputs["targetTrackingScalingPolicyConfiguration"]

    assert recording.one("Service", "web").ignores == ("desiredCount",)
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 5)
    assert target["resourceId"] == f"service/release-controller-staging/{NAME}"
    assert policy["targetValue"] == 40


def test_a_service_waits_for_the_listener_that_leads_to_it(tmp_path: Path) -> None:
    awaited = {urn.rpartition("::")[2] for urn in fargate(tmp_path).one("Service", "web").dependencies}

    assert "web-http" in awaited


def test_a_service_that_still_has_another_revision_does_not_claim_the_pinned_image(tmp_path: Path) -> None:
    old = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/{NAME}:4"
    recording = web(
        tmp_path, OTHER_DIGEST, runtime="fargate", told={"aws:ecs/service:Service": {"taskDefinition": old}}
    )

    assert recording.outputs["services"]["web"]["image"] == old


def test_a_failed_deployment_of_this_service_is_told_by_an_event(tmp_path: Path) -> None:
    for runtime in ("fargate", "ecs-express"):
        recording = web(tmp_path, DIGEST, runtime=runtime)
        pattern = json.loads(recording.one("EventRule", "web-failed-deployment").inputs["eventPattern"])

        assert pattern["detail"] == {"eventName": ["SERVICE_DEPLOYMENT_FAILED"]}
        assert pattern["resources"] == [recording.outputs["services"]["web"]["service"]]


def test_the_load_balancer_stands_in_subnets_of_its_own_where_they_are_named(tmp_path: Path) -> None:
    own = ["subnet-0aaaaaaaaaaaaaaa0", "subnet-0aaaaaaaaaaaaaaa1"]
    network = NETWORK.replace("}", f", load_balancer_subnets: [{', '.join(own)}]}}")
    recording = fargate(tmp_path, network=network)

    assert recording.one("LoadBalancer", "web").inputs["subnets"] == own
    assert recording.one("TargetGroup", "web").inputs["vpcId"] == VPC
