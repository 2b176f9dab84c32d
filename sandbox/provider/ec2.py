"""EC2: security group, and its rules one by one.

Comes in: properties by the provider's names. Goes out: calls to the `ec2` API. Rules inside of a group are refused:
the program has them beside it, and pulumi-aws warns of the two together.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties

# The property that says who: its list in a permission, and its name in that list.
_PEERS = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}


def _tags_for(kind: str, inputs: Properties) -> dict[str, Any]:
    tags = tag_list(inputs.get("tags"))
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def _set_tags(client: Client, update: Update) -> None:
    retag(
        update,
        lambda tags: client.create_tags(Resources=[update.id], Tags=tags),
        lambda keys: client.delete_tags(Resources=[update.id], Tags=[{"Key": key} for key in keys]),
    )


def _create(client: Client, inputs: Properties) -> str:
    answer = client.create_security_group(
        GroupName=inputs["name"],
        Description=inputs["description"],
        **given(VpcId=inputs.get("vpcId")),
        **_tags_for("security-group", inputs),
    )
    id_ = str(answer["GroupId"])
    # AWS lets a new group out to everywhere; the provider takes that away, so that the program says what is allowed.
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    client.revoke_security_group_egress(GroupId=id_, IpPermissions=[everywhere])
    return id_


def _read(client: Client, id_: str, _known: Properties) -> Properties | None:
    answer = found(client.describe_security_groups, GroupIds=[id_])
    if answer is None or not answer["SecurityGroups"]:
        return None
    told = answer["SecurityGroups"][0]
    return {
        "arn": told.get("SecurityGroupArn"),
        "description": told["Description"],
        "egress": [_permission(one) for one in told.get("IpPermissionsEgress", [])],
        "ingress": [_permission(one) for one in told.get("IpPermissions", [])],
        "name": told["GroupName"],
        "ownerId": told["OwnerId"],
        "tags": tag_map(told.get("Tags", [])),
        "vpcId": told.get("VpcId"),
    }


def _permission(told: dict[str, Any]) -> Properties:
    groups = [pair["GroupId"] for pair in told.get("UserIdGroupPairs", [])]
    return {
        "protocol": told["IpProtocol"],
        "fromPort": max(told.get("FromPort", 0), 0),
        "toPort": max(told.get("ToPort", 0), 0),
        "cidrBlocks": [one["CidrIp"] for one in told.get("IpRanges", [])],
        "ipv6CidrBlocks": [one["CidrIpv6"] for one in told.get("Ipv6Ranges", [])],
        "prefixListIds": [one["PrefixListId"] for one in told.get("PrefixListIds", [])],
        "securityGroups": groups,
    }


def _delete(client: Client, id_: str, _known: Properties) -> None:
    found(client.delete_security_group, GroupId=id_)


def _rule(inputs: Properties) -> dict[str, Any]:
    """A rule as one permission."""
    ports = given(FromPort=inputs.get("fromPort"), ToPort=inputs.get("toPort"))
    wire: dict[str, Any] = {"IpProtocol": inputs["ipProtocol"]} | ports
    for name, (group, key) in _PEERS.items():
        if inputs.get(name):
            wire[group] = [{key: inputs[name]} | given(Description=inputs.get("description"))]
    return wire


def _create_rule(way: str, client: Client, inputs: Properties) -> str:
    group, what = inputs["securityGroupId"], way.title()
    if any(_same(inputs, _told(rule)) for rule in _rules(client, way, GroupId=group)):
        # ministack 1.5.33 answers with the rule that is there, and the two resources would share it.
        raise Failed(
            f"creating VPC Security Group {what} Rule: operation error EC2: AuthorizeSecurityGroup{what}, "
            "https response error StatusCode: 400, InvalidPermission.Duplicate: the specified rule already exists"
        )
    authorize: Callable[..., Any] = getattr(client, f"authorize_security_group_{way}")
    answer = authorize(GroupId=group, IpPermissions=[_rule(inputs)], **_tags_for("security-group-rule", inputs))
    return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def _rules(client: Client, way: str, *, GroupId: str = "", RuleId: str = "") -> list[dict[str, Any]]:  # noqa: N803 - AWS's names
    if GroupId:
        answer = client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [GroupId]}])
    else:
        answer = found(client.describe_security_group_rules, SecurityGroupRuleIds=[RuleId]) or {}
    return [rule for rule in answer.get("SecurityGroupRules", []) if rule["IsEgress"] == (way == "egress")]


def _told(rule: dict[str, Any]) -> Properties:
    ports = {"fromPort": rule.get("FromPort"), "toPort": rule.get("ToPort")}
    return {
        "ipProtocol": rule["IpProtocol"],
        # -1 stands for "all ports", which the program says by leaving them out.
        **{name: port for name, port in ports.items() if port not in (None, -1)},
        "cidrIpv4": rule.get("CidrIpv4"),
        "cidrIpv6": rule.get("CidrIpv6"),
        "prefixListId": rule.get("PrefixListId"),
        "referencedSecurityGroupId": rule.get("ReferencedGroupInfo", {}).get("GroupId"),
    }


def _same(inputs: Properties, told: Properties) -> bool:
    return all(inputs.get(name) == told.get(name) for name in ("ipProtocol", "fromPort", "toPort", *_PEERS))


def _read_rule(way: str, client: Client, id_: str, _known: Properties) -> Properties | None:
    rules = _rules(client, way, RuleId=id_)
    if not rules:
        return None
    rule = rules[0]
    return _told(rule) | {
        "arn": rule.get("SecurityGroupRuleArn"),
        "description": rule.get("Description"),
        "securityGroupId": rule["GroupId"],
        "securityGroupRuleId": id_,
        "tags": tag_map(rule.get("Tags", [])),
    }


def _update_rule(client: Client, update: Update) -> None:
    news = update.news
    if update.changed - {"tags"}:
        wanted = given(
            Description=news.get("description"),
            IpProtocol=news["ipProtocol"],
            FromPort=news.get("fromPort"),
            ToPort=news.get("toPort"),
            CidrIpv4=news.get("cidrIpv4"),
            CidrIpv6=news.get("cidrIpv6"),
            PrefixListId=news.get("prefixListId"),
            ReferencedGroupId=news.get("referencedSecurityGroupId"),
        )
        changed = [{"SecurityGroupRuleId": update.id, "SecurityGroupRule": wanted}]
        client.modify_security_group_rules(GroupId=news["securityGroupId"], SecurityGroupRules=changed)
    _set_tags(client, update)


def _delete_rule(way: str, client: Client, id_: str, known: Properties) -> None:
    revoke: Callable[..., Any] = getattr(client, f"revoke_security_group_{way}")
    found(revoke, GroupId=known["securityGroupId"], SecurityGroupRuleIds=[id_])


def _rule_type(way: str, name: str) -> ResourceType:
    return ResourceType(
        token=f"aws:vpc/{name[0].lower()}{name[1:]}:{name}",
        title=f"VPC Security Group {way.title()} Rule",
        service="ec2",
        create=partial(_create_rule, way),
        read=partial(_read_rule, way),
        update=_update_rule,
        delete=partial(_delete_rule, way),
        replaces=frozenset({"securityGroupId", "region"}),
        computed=frozenset({"region"}),
    )


TYPES = (
    ResourceType(
        token="aws:ec2/securityGroup:SecurityGroup",
        title="Security Group",
        service="ec2",
        create=_create,
        read=_read,
        update=_set_tags,
        delete=_delete,
        replaces=frozenset({"name", "description", "vpcId", "region"}),
        auto_named=True,
        defaults={"description": "Managed by Pulumi", "revokeRulesOnDelete": False},
        computed=frozenset({"egress", "ingress", "vpcId", "region"}),
        kept=frozenset({"revokeRulesOnDelete"}),
        unsupported=frozenset({"namePrefix", "egress", "ingress"}),
    ),
    _rule_type("ingress", "SecurityGroupIngressRule"),
    _rule_type("egress", "SecurityGroupEgressRule"),
)
