"""Objects of ECS and of its load balancers that no state knows.

Comes in: a region and the inputs that the state remembers of a resource. Goes out: the object, or None. What is being
deleted or was deleted is not there. Security groups are known by name and network, their rules by what they allow:
AWS takes no two of the same.
"""

from collections.abc import Mapping
from typing import Any

from releasectl.edges import aws
from releasectl.edges.found import Finder, Inputs, Object, only, text


def _cluster(region: str, inputs: Inputs) -> Object | None:
    name = text(inputs, "name")
    found = _client(region, "ecs").describe_clusters(clusters=[name])["clusters"]
    return next((Object(name, None) for one in found if one["status"] == "ACTIVE"), None)


def _service(region: str, inputs: Inputs) -> Object | None:
    name = text(inputs, "name")
    found = _described(region, inputs, name)
    return Object(f"{text(inputs, 'cluster').rpartition('/')[2]}/{name}", found["createdAt"]) if found else None


def _express(region: str, inputs: Inputs) -> Object | None:
    found = _described(region, inputs, text(inputs, "serviceName"))
    return Object(found["serviceArn"], found["createdAt"]) if found else None


def _described(region: str, inputs: Inputs, name: str) -> Mapping[str, Any] | None:
    client = _client(region, "ecs")
    try:
        found = client.describe_services(cluster=inputs.get("cluster") or "default", services=[name])["services"]
    except client.exceptions.ClusterNotFoundException:
        return None
    return next((one for one in found if one["status"] == "ACTIVE"), None)


def _load_balancer(region: str, inputs: Inputs) -> Object | None:
    client = _client(region, "elbv2")
    try:
        found = client.describe_load_balancers(Names=[text(inputs, "name")])["LoadBalancers"]
    except client.exceptions.LoadBalancerNotFoundException:
        return None
    return next((Object(one["LoadBalancerArn"], one["CreatedTime"]) for one in found), None)


def _target_group(region: str, inputs: Inputs) -> Object | None:
    client = _client(region, "elbv2")
    try:
        found = client.describe_target_groups(Names=[text(inputs, "name")])["TargetGroups"]
    except client.exceptions.TargetGroupNotFoundException:
        return None
    return next((Object(one["TargetGroupArn"], None) for one in found), None)


def _listener(region: str, inputs: Inputs) -> Object | None:
    """A load balancer has one a port."""
    client = _client(region, "elbv2")
    try:
        pages = list(
            client.get_paginator("describe_listeners").paginate(LoadBalancerArn=text(inputs, "loadBalancerArn"))
        )
    except client.exceptions.LoadBalancerNotFoundException:
        return None
    port = int(inputs.get("port") or 0)
    return only(
        (Object(one["ListenerArn"], None) for page in pages for one in page["Listeners"] if one["Port"] == port),
        f"the listener on port {port}",
    )


def _listener_rule(region: str, inputs: Inputs) -> Object | None:
    """A listener has one a priority."""
    client = _client(region, "elbv2")
    try:
        pages = list(client.get_paginator("describe_rules").paginate(ListenerArn=text(inputs, "listenerArn")))
    except client.exceptions.ListenerNotFoundException:
        return None
    priority = str(int(inputs.get("priority") or 0))
    return only(
        (Object(one["RuleArn"], None) for page in pages for one in page["Rules"] if one["Priority"] == priority),
        f"the rule of priority {priority}",
    )


def _security_group(region: str, inputs: Inputs) -> Object | None:
    name = text(inputs, "name")
    filters = [{"Name": "group-name", "Values": [name]}]
    if inputs.get("vpcId"):
        filters.append({"Name": "vpc-id", "Values": [text(inputs, "vpcId")]})
    found = _client(region, "ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return only((Object(one["GroupId"], None) for one in found), f"the security group {name}")


def _rule_in(region: str, inputs: Inputs) -> Object | None:
    return _rule(region, inputs, egress=False)


def _rule_out(region: str, inputs: Inputs) -> Object | None:
    return _rule(region, inputs, egress=True)


def _rule(region: str, inputs: Inputs, *, egress: bool) -> Object | None:
    group = text(inputs, "securityGroupId")
    pages = _client(region, "ec2").get_paginator("describe_security_group_rules")
    found = (
        Object(one["SecurityGroupRuleId"], None)
        for page in pages.paginate(Filters=[{"Name": "group-id", "Values": [group]}])
        for one in page["SecurityGroupRules"]
        if one["IsEgress"] == egress and _allows(one) == _wanted(inputs)
    )
    return only(found, f"a rule of {group}")


def _allows(rule: Mapping[str, Any]) -> tuple[object, ...]:
    ports = (rule.get("FromPort", -1), rule.get("ToPort", -1))
    source = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return rule["IpProtocol"], *ports, rule.get("CidrIpv4"), rule.get("CidrIpv6"), rule.get("PrefixListId"), source


def _wanted(inputs: Inputs) -> tuple[object, ...]:
    """As the API says it: every protocol has every port, which is -1."""
    ports = (int(inputs.get("fromPort", -1)), int(inputs.get("toPort", -1)))
    others = (inputs.get(key) or None for key in ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"))
    return text(inputs, "ipProtocol"), *ports, *others


def _client(region: str, service: str) -> Any:
    client: Any = aws.session(region).client(service, config=aws.CONFIG)  # type: ignore[call-overload]  # by name
    return client


FOUND: Mapping[str, Finder] = {
    "aws:ec2/securityGroup:SecurityGroup": _security_group,
    "aws:ecs/cluster:Cluster": _cluster,
    "aws:ecs/expressGatewayService:ExpressGatewayService": _express,
    "aws:ecs/service:Service": _service,
    "aws:lb/listener:Listener": _listener,
    "aws:lb/listenerRule:ListenerRule": _listener_rule,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:lb/targetGroup:TargetGroup": _target_group,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule_out,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule_in,
}
