"""Networks and load balancing through a whole life."""

from typing import Any

import pulumi
import pulumi_aws as aws

from tests.sandbox.provider_engine import REGION
from tests.sandbox.provider_life import ACCOUNT, Cloud, Ids, Life, options


def network(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    group = aws.ec2.SecurityGroup(
        "group",
        name="door",
        description="other" if other else "the door",
        vpc_id="vpc-00000001",
        tags={"team": "b" if new else "a"},
        opts=options(ids, "group"),
    )
    aws.vpc.SecurityGroupIngressRule(
        "in",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=8443 if new else 443,
        cidr_ipv4="10.0.0.0/8",
        description="clients",
        opts=options(ids, "in"),
    )
    aws.vpc.SecurityGroupEgressRule(
        "out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0", opts=options(ids, "out")
    )


def network_by_hand(cloud: Cloud, ids: Ids) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 9443, "CidrIpv4": "10.0.0.0/8", "Description": "clients"}
    changed = [{"SecurityGroupRuleId": ids["in"], "SecurityGroupRule": rule}]
    cloud("ec2").modify_security_group_rules(GroupId=ids["group"], SecurityGroupRules=changed)


def balancing(version: int, ids: Ids) -> None:
    new, other = version >= 2, version == 3
    door = aws.lb.LoadBalancer(
        "door",
        name="dev-web",
        internal=other,
        subnets=["subnet-1", "subnet-2"],
        security_groups=["sg-2" if new else "sg-1"],
        idle_timeout=120 if new else 60,
        drop_invalid_header_fields=True,
        tags={"team": "web"},
        opts=options(ids, "door"),
    )
    groups = [
        aws.lb.TargetGroup(
            name,
            # Made up but for an adoption, where a made-up name would be another one.
            name=ids[name].split("/")[1] if name in ids else None,
            port=8001 if other else 8000,
            protocol="HTTP",
            target_type="ip",
            vpc_id="vpc-00000001",
            deregistration_delay=5 if new else 30,
            health_check={"path": "/healthz", "interval": 10, "matcher": "200-399" if new else "200"},
            opts=options(ids, name),
        )
        for name in ("blue", "green")
    ]
    balancing_listeners(version, ids, door, groups)


def balancing_listeners(version: int, ids: Ids, door: aws.lb.LoadBalancer, groups: list[aws.lb.TargetGroup]) -> None:
    new = version >= 2
    listener = aws.lb.Listener(
        "https",
        load_balancer_arn=door.arn,
        port=443,
        protocol="HTTPS",
        certificate_arn=f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{'new' if new else 'old'}",
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        default_actions=[{"type": "forward", "target_group_arn": groups[0].arn}],
        opts=options(ids, "https"),
    )
    aws.lb.Listener(
        "http",
        load_balancer_arn=door.arn,
        port=80,
        protocol="HTTP",
        default_actions=[
            {
                "type": "redirect",
                "redirect": {"protocol": "HTTPS", "port": "8443" if new else "443", "status_code": "HTTP_301"},
            }
        ],
        opts=options(ids, "http"),
    )
    weighted: Any = [{"arn": group.arn, "weight": weight} for group, weight in zip(groups, (100, 0), strict=True)]
    weighted_forward: Any = {"type": "forward", "forward": {"target_groups": weighted}}
    aws.lb.ListenerRule(
        "rule",
        listener_arn=listener.arn,
        priority=2 if new else 1,
        conditions=[{"path_pattern": {"values": ["/new/*" if new else "/*"]}}],
        actions=[weighted_forward],
        opts=pulumi.ResourceOptions.merge(options(ids, "rule"), pulumi.ResourceOptions(ignore_changes=["actions"])),
    )


def balancing_by_hand(cloud: Cloud, ids: Ids) -> None:
    elb = cloud("elbv2")
    attributes = [{"Key": "idle_timeout.timeout_seconds", "Value": "1"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=ids["door"], Attributes=attributes)
    elb.modify_target_group(TargetGroupArn=ids["blue"], HealthCheckPath="/hand")
    elb.modify_listener(ListenerArn=ids["http"], Port=81)
    elb.delete_rule(RuleArn=ids["rule"])


NETWORK = Life(
    network,
    updates={"group": {"tags.team": "update"}, "in": {"toPort": "update"}},
    replaces={"group": {"description": "update-replace"}},
    by_hand=network_by_hand,
    drift={"in": {"toPort": "update"}},
)
BALANCING = Life(
    balancing,
    updates={
        "door": {"idleTimeout": "update", "securityGroups[0]": "update"},
        "blue": {"deregistrationDelay": "update", "healthCheck.matcher": "update"},
        "green": {"deregistrationDelay": "update", "healthCheck.matcher": "update"},
        "http": {"defaultActions[0].redirect.port": "update"},
        "https": {"certificateArn": "update"},
        "rule": {"conditions[0].pathPattern.values[0]": "update", "priority": "update"},
    },
    replaces={
        "door": {"internal": "add-replace"},
        "blue": {"port": "update-replace"},
        "green": {"port": "update-replace"},
    },
    by_hand=balancing_by_hand,
    drift={"door": {"idleTimeout": "update"}, "blue": {"healthCheck.path": "update"}, "http": {"port": "update"}},
    gone=frozenset({"rule"}),
)
