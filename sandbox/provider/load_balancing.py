"""Load balancing: load balancer. `target_groups` and `listeners` have the rest.

Comes in: properties by the provider's names. Goes out: calls to the `elbv2` API. What the load balancer can do beside
its few members is a map of text attributes, as the API keeps it; `_ATTRIBUTES` says which property is which.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties

_ATTRIBUTES = {
    "clientKeepAlive": "client_keep_alive.seconds",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "enableZonalShift": "zonal_shift.config.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
}
_DEFAULTS = {
    "clientKeepAlive": 3600,
    "desyncMitigationMode": "defensive",
    "dropInvalidHeaderFields": False,
    "enableDeletionProtection": False,
    "enableHttp2": True,
    "enableTlsVersionAndCipherSuiteHeaders": False,
    "enableWafFailOpen": False,
    "enableXffClientPort": False,
    "enableZonalShift": False,
    "idleTimeout": 60,
    "preserveHostHeader": False,
    "xffHeaderProcessingMode": "append",
}
_LOGS = {"enabled": "access_logs.s3.enabled", "bucket": "access_logs.s3.bucket", "prefix": "access_logs.s3.prefix"}


def attributes(values: Properties | None, names: dict[str, str]) -> list[dict[str, str]]:
    """Those properties that have a value, as the API's pairs of text."""
    return [
        {"Key": key, "Value": str(values[name]).lower() if isinstance(values[name], bool) else str(values[name])}
        for name, key in names.items()
        if values and values.get(name) is not None
    ]


def attributes_back(pairs: list[dict[str, str]], names: dict[str, str]) -> Properties:
    """The way back: numbers and truths where the text is one."""
    told = {pair["Key"]: pair["Value"] for pair in pairs}
    return {name: _value(told[key]) for name, key in names.items() if key in told}


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


def suffix(arn: str, kind: str) -> str:
    """What CloudWatch's dimensions call a load balancer (`app/name/id`) or a target group (`targetgroup/name/id`)."""
    return arn.rpartition(f":{kind}")[2]


def _create(client: Client, inputs: Properties) -> str:
    name, subnets = inputs["name"], inputs.get("subnets") or []
    if found(client.describe_load_balancers, Names=[name]) is not None:
        raise Failed(f"ELBv2 Load Balancer ({name}) already exists")
    if len(subnets) < 2:
        # ministack 1.5.33 makes one in a single subnet.
        raise Failed(
            f"creating ELBv2 application Load Balancer ({name}): operation error Elastic Load Balancing v2: "
            "CreateLoadBalancer, https response error StatusCode: 400, ValidationError: At least two subnets in two "
            "different Availability Zones must be specified"
        )
    answer = client.create_load_balancer(
        Name=name,
        Subnets=subnets,
        Type=inputs["loadBalancerType"],
        Scheme="internal" if inputs.get("internal") else "internet-facing",
        **tagged(inputs),
        **given(SecurityGroups=inputs.get("securityGroups"), IpAddressType=inputs.get("ipAddressType")),
    )
    arn = str(answer["LoadBalancers"][0]["LoadBalancerArn"])
    _set_attributes(client, arn, inputs)
    return arn


def _set_attributes(client: Client, arn: str, inputs: Properties) -> None:
    wanted = attributes(inputs, _ATTRIBUTES) + attributes(inputs.get("accessLogs"), _LOGS)
    client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=wanted)


def _read(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.describe_load_balancers, LoadBalancerArns=[arn])
    if answer is None or not answer["LoadBalancers"]:
        return None
    told = answer["LoadBalancers"][0]
    pairs = client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    return attributes_back(pairs, _ATTRIBUTES) | {
        "accessLogs": attributes_back(pairs, _LOGS),
        "arn": arn,
        "arnSuffix": suffix(arn, "loadbalancer/"),
        "dnsName": told["DNSName"],
        "internal": told["Scheme"] == "internal",
        "ipAddressType": told["IpAddressType"],
        "loadBalancerType": told["Type"],
        "name": told["LoadBalancerName"],
        "securityGroups": told.get("SecurityGroups") or [],
        "subnets": [zone["SubnetId"] for zone in told["AvailabilityZones"]],
        "tags": tags_of(client, arn),
        "vpcId": told.get("VpcId"),
        "zoneId": told["CanonicalHostedZoneId"],
    }


def tagged(inputs: Properties) -> dict[str, Any]:
    """The argument for the tags: the API takes no empty list."""
    return given(Tags=tag_list(inputs.get("tags")) or None)


def tags_of(client: Client, arn: str) -> dict[str, str]:
    """The tags of anything that the `elbv2` API has."""
    return tag_map(client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def set_tags(client: Client, update: Update) -> None:
    """Make the tags those of `update`, for anything that the `elbv2` API has."""
    retag(
        update,
        lambda tags: client.add_tags(ResourceArns=[update.id], Tags=tags),
        lambda keys: client.remove_tags(ResourceArns=[update.id], TagKeys=keys),
    )


def _update(client: Client, update: Update) -> None:
    arn, news = update.id, update.news
    if update.changed & (_ATTRIBUTES.keys() | {"accessLogs"}):
        _set_attributes(client, arn, news)
    if "securityGroups" in update.changed:
        client.set_security_groups(LoadBalancerArn=arn, SecurityGroups=news.get("securityGroups") or [])
    if "subnets" in update.changed:
        client.set_subnets(LoadBalancerArn=arn, Subnets=news["subnets"])
    if "ipAddressType" in update.changed:
        client.set_ip_address_type(LoadBalancerArn=arn, IpAddressType=news["ipAddressType"])
    set_tags(client, update)


def _delete(client: Client, arn: str, _known: Properties) -> None:
    answer = found(client.describe_load_balancer_attributes, LoadBalancerArn=arn) or {"Attributes": []}
    if attributes_back(answer["Attributes"], _ATTRIBUTES).get("enableDeletionProtection"):
        # ministack 1.5.33 deletes it all the same.
        raise Failed(
            f"deleting ELBv2 Load Balancer ({arn}): operation error Elastic Load Balancing v2: DeleteLoadBalancer, "
            f"https response error StatusCode: 400, OperationNotPermitted: Load balancer '{arn}' cannot be deleted "
            "because deletion protection is enabled"
        )
    found(client.delete_load_balancer, LoadBalancerArn=arn)


TYPES = (
    ResourceType(
        token="aws:lb/loadBalancer:LoadBalancer",
        title="ELBv2 Load Balancer",
        service="elbv2",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "internal", "loadBalancerType", "region"}),
        auto_named=True,
        name_limit=32,
        defaults=_DEFAULTS | {"loadBalancerType": "application", "accessLogs": {"enabled": False}},
        computed=frozenset({"internal", "ipAddressType", "securityGroups", "subnets", "accessLogs", "region"}),
        unsupported=frozenset(
            {"namePrefix", "connectionLogs", "healthCheckLogs", "customerOwnedIpv4Pool", "ipamPools", "subnetMappings"}
            | {"minimumLoadBalancerCapacity", "dnsRecordClientRoutingPolicy", "secondaryIpsAutoAssignedPerSubnet"}
            | {"enableCrossZoneLoadBalancing", "enablePrefixForIpv6SourceNat", "enforceSecurityGroupInboundRules*"}
        ),
    ),
)
