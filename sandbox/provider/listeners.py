"""Load balancing: listener and listener rule.

Comes in: properties by the provider's names. Goes out: calls to the `elbv2` API. Actions and conditions are spelled
alike on both sides but for the first letter and the names of their blocks.
"""

from typing import Any

from sandbox.provider.aws import found, given
from sandbox.provider.load_balancing import set_tags, tagged, tags_of
from sandbox.provider.resource import Client, Failed, ResourceType, Update
from sandbox.provider.values import Properties, is_blank

# A condition's block here -> its field and its block there.
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
    "httpHeader": ("http-header", "HttpHeaderConfig"),
}
_BLOCKS = {"fixedResponse": "FixedResponseConfig", "redirect": "RedirectConfig"}
_ACTION_DEFAULTS = {
    "forward": {"targetGroups": {"weight": 1}, "stickiness": {"enabled": False}},
    "redirect": {
        "host": "#{host}",
        "path": "/#{path}",
        "port": "#{port}",
        "protocol": "#{protocol}",
        "query": "#{query}",
    },
}
_LISTENER = ("port", "protocol", "sslPolicy")


def _large(values: Properties) -> dict[str, Any]:
    return {name[0].upper() + name[1:]: value for name, value in values.items() if value not in (None, "")}


def _small(values: dict[str, Any]) -> Properties:
    return {name[0].lower() + name[1:]: value for name, value in values.items()}


def _actions(actions: list[Properties]) -> list[dict[str, Any]]:
    return [_action(action, place) for place, action in enumerate(actions, 1)]


def _action(action: Properties, place: int) -> dict[str, Any]:
    wire: dict[str, Any] = {"Type": action["type"], "Order": action.get("order") or place}
    blocks = {name for name, value in action.items() if isinstance(value, dict) and not is_blank(value)}
    if unknown := sorted(blocks - {*_BLOCKS, "forward"}):
        raise Failed(f"the sandbox's load balancer does not have the action {unknown[0]}; real pulumi-aws does")
    wire |= {_BLOCKS[name]: _large(action[name]) for name in sorted(blocks & _BLOCKS.keys())}
    if "forward" in blocks:
        wire["ForwardConfig"] = _forward(action["forward"])
    elif action.get("targetGroupArn"):
        wire["TargetGroupArn"] = action["targetGroupArn"]
    return wire


def _forward(forward: Properties) -> dict[str, Any]:
    groups = [{"TargetGroupArn": one["arn"], "Weight": one.get("weight", 1)} for one in forward["targetGroups"]]
    stickiness = forward.get("stickiness") or {}
    told = given(Enabled=bool(stickiness.get("enabled")), DurationSeconds=stickiness.get("duration"))
    return {"TargetGroups": groups, "TargetGroupStickinessConfig": told}


def _actions_back(told: list[dict[str, Any]], known: list[Properties] | None) -> list[Properties]:
    """In the spelling that is known: AWS tells a single target group both ways, the provider keeps the program's."""
    ordered = sorted(told, key=lambda action: int(action.get("Order", 1)))
    return [_action_back(action, (known or [])[place : place + 1]) for place, action in enumerate(ordered)]


def _action_back(told: dict[str, Any], known: list[Properties]) -> Properties:
    before: Properties = known[0] if known else {}
    action: Properties = {"type": told["Type"], "order": told.get("Order", 1)}
    action |= {name: _small(told[there]) for name, there in _BLOCKS.items() if there in told}
    config = told.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or []
    weighted = not is_blank(before.get("forward")) or len(groups) > 1
    if weighted and groups:
        action["forward"] = _forward_back(config, before.get("forward") or {})
    elif told.get("TargetGroupArn"):
        action["targetGroupArn"] = told["TargetGroupArn"]
    elif groups:
        action["targetGroupArn"] = groups[0]["TargetGroupArn"]
    elif told["Type"] == "forward":
        # ministack 1.5.33 takes a ForwardConfig and forgets it; AWS always tells one. What is known stands.
        action |= {name: before[name] for name in ("forward", "targetGroupArn") if before.get(name)}
    return action


def _forward_back(config: dict[str, Any], before: Properties) -> Properties:
    """A stickiness that is off is told only where the program speaks of it."""
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    groups = [{"arn": group["TargetGroupArn"], "weight": group.get("Weight", 1)} for group in config["TargetGroups"]]
    back: Properties = {"targetGroups": groups}
    if stickiness.get("Enabled") or before.get("stickiness"):
        enabled, duration = bool(stickiness.get("Enabled")), stickiness.get("DurationSeconds")
        back["stickiness"] = given(enabled=enabled, duration=duration)
    return back


def _conditions(conditions: list[Properties]) -> list[dict[str, Any]]:
    return [_condition(name, block) for one in conditions for name, block in one.items() if not is_blank(block)]


def _condition(name: str, block: Any) -> dict[str, Any]:
    if name not in _CONDITIONS:
        raise Failed(f"the sandbox's load balancer does not have the condition {name}; real pulumi-aws does")
    field, config = _CONDITIONS[name]
    return {"Field": field, config: _large(block)}


def _conditions_back(told: list[dict[str, Any]]) -> list[Properties]:
    names = {field: (name, config) for name, (field, config) in _CONDITIONS.items()}
    back = [(names[one["Field"]], one) for one in told if one["Field"] in names]
    return [{name: _small(one.get(config) or {"Values": one.get("Values", [])})} for (name, config), one in back]


def _listener(inputs: Properties) -> dict[str, Any]:
    certificate = inputs.get("certificateArn")
    return _large({name: inputs.get(name) for name in _LISTENER}) | given(
        DefaultActions=_actions(inputs["defaultActions"]),
        Certificates=[{"CertificateArn": certificate}] if certificate else None,
    )


def _create(client: Client, inputs: Properties) -> str:
    answer = client.create_listener(LoadBalancerArn=inputs["loadBalancerArn"], **_listener(inputs), **tagged(inputs))
    return str(answer["Listeners"][0]["ListenerArn"])


def _read(client: Client, arn: str, known: Properties) -> Properties | None:
    answer = found(client.describe_listeners, ListenerArns=[arn])
    if answer is None or not answer["Listeners"]:
        return None
    told = answer["Listeners"][0]
    certificates = [one["CertificateArn"] for one in told.get("Certificates", [])]
    return {
        "arn": arn,
        "certificateArn": next(iter(certificates), None),
        "defaultActions": _actions_back(told["DefaultActions"], known.get("defaultActions")),
        "loadBalancerArn": told["LoadBalancerArn"],
        "port": told.get("Port"),
        "protocol": told.get("Protocol"),
        "sslPolicy": told.get("SslPolicy"),
        "tags": tags_of(client, arn),
    }


def _update(client: Client, update: Update) -> None:
    if update.changed - {"tags"}:
        client.modify_listener(ListenerArn=update.id, **_listener(update.news))
    set_tags(client, update)


def _delete(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_listener, ListenerArn=arn)


def _create_rule(client: Client, inputs: Properties) -> str:
    listener = inputs["listenerArn"]
    rules = client.describe_rules(ListenerArn=listener)["Rules"]
    taken = {int(rule["Priority"]) for rule in rules if rule["Priority"] != "default"}
    priority = inputs.get("priority") or max(taken, default=0) + 1
    if priority in taken:
        # ministack 1.5.33 makes a second rule of the same priority.
        raise Failed(
            "creating ELBv2 Listener Rule: operation error Elastic Load Balancing v2: CreateRule, https response error "
            f"StatusCode: 400, PriorityInUse: Priority '{priority}' is currently in use"
        )
    answer = client.create_rule(
        ListenerArn=listener,
        Priority=priority,
        Actions=_actions(inputs["actions"]),
        Conditions=_conditions(inputs["conditions"]),
        **tagged(inputs),
    )
    return str(answer["Rules"][0]["RuleArn"])


def _read_rule(client: Client, arn: str, known: Properties) -> Properties | None:
    answer = found(client.describe_rules, RuleArns=[arn])
    if answer is None or not answer["Rules"]:
        return None
    told = answer["Rules"][0]
    return {
        "actions": _actions_back(told["Actions"], known.get("actions")),
        "arn": arn,
        "conditions": _conditions_back(told["Conditions"]),
        # A rule's ARN is its listener's with one part more: ...:listener-rule/app/name/id/listener/rule.
        "listenerArn": arn.replace(":listener-rule/", ":listener/").rpartition("/")[0],
        "priority": int(told["Priority"]),
        "tags": tags_of(client, arn),
    }


def _update_rule(client: Client, update: Update) -> None:
    arn, news = update.id, update.news
    if "priority" in update.changed:
        client.set_rule_priorities(RulePriorities=[{"RuleArn": arn, "Priority": news["priority"]}])
    if update.changed & {"actions", "conditions"}:
        wanted = {"Actions": _actions(news["actions"]), "Conditions": _conditions(news["conditions"])}
        client.modify_rule(RuleArn=arn, **wanted)
    set_tags(client, update)


def _delete_rule(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_rule, RuleArn=arn)


TYPES = (
    ResourceType(
        token="aws:lb/listener:Listener",
        title="ELBv2 Listener",
        service="elbv2",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"loadBalancerArn", "region"}),
        defaults={"defaultActions": _ACTION_DEFAULTS},
        computed=frozenset(
            {"defaultActions[*].order", "defaultActions[*].fixedResponse.statusCode", "protocol", "sslPolicy", "region"}
        ),
        unsupported=frozenset({"alpnPolicy", "mutualAuthentication", "routing*", "tcpIdleTimeoutSeconds"}),
    ),
    ResourceType(
        token="aws:lb/listenerRule:ListenerRule",
        title="ELBv2 Listener Rule",
        service="elbv2",
        create=_create_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule,
        replaces=frozenset({"listenerArn", "region"}),
        defaults={"actions": _ACTION_DEFAULTS},
        computed=frozenset({"actions[*].order", "actions[*].fixedResponse.statusCode", "priority", "region"}),
        unsupported=frozenset({"transforms"}),
    ),
)
