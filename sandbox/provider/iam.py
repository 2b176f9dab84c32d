"""IAM: role, its inline policies, its attached policies.

Comes in: properties by the provider's names. Goes out: calls to the `iam` API. IAM is global: these types have no
region of their own.
"""

import json

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update, document
from sandbox.provider.values import Properties


def _create_role(client: Client, inputs: Properties) -> str:
    client.create_role(
        RoleName=inputs["name"],
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        Tags=tag_list(inputs.get("tags")),
        **given(
            Path=inputs.get("path"),
            Description=inputs.get("description"),
            MaxSessionDuration=inputs.get("maxSessionDuration"),
            PermissionsBoundary=inputs.get("permissionsBoundary"),
        ),
    )
    return str(inputs["name"])


def _read_role(client: Client, name: str, _known: Properties) -> Properties | None:
    answer = found(client.get_role, RoleName=name)
    if answer is None:
        return None
    role = answer["Role"]
    return {
        "arn": role["Arn"],
        "name": role["RoleName"],
        "path": role["Path"],
        "uniqueId": role["RoleId"],
        "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": role.get("Description") or None,
        "maxSessionDuration": role.get("MaxSessionDuration", 3600),
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "assumeRolePolicy": json.dumps(role["AssumeRolePolicyDocument"], separators=(",", ":")),
        "tags": tag_map(client.list_role_tags(RoleName=name)["Tags"]),
    }


def _update_role(client: Client, update: Update) -> None:
    name, news = update.id, update.news
    if "assumeRolePolicy" in update.changed:
        client.update_assume_role_policy(RoleName=name, PolicyDocument=news["assumeRolePolicy"])
    if update.changed & {"description", "maxSessionDuration"}:
        duration = news.get("maxSessionDuration", 3600)
        client.update_role(RoleName=name, Description=news.get("description", ""), MaxSessionDuration=duration)
    if "permissionsBoundary" in update.changed:
        if boundary := news.get("permissionsBoundary"):
            client.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
        else:
            client.delete_role_permissions_boundary(RoleName=name)
    retag(
        update,
        lambda tags: client.tag_role(RoleName=name, Tags=tags),
        lambda keys: client.untag_role(RoleName=name, TagKeys=keys),
    )


def _delete_role(client: Client, name: str, known: Properties) -> None:
    if known.get("forceDetachPolicies"):
        attached = found(client.list_attached_role_policies, RoleName=name) or {"AttachedPolicies": []}
        for policy in attached["AttachedPolicies"]:
            found(client.detach_role_policy, RoleName=name, PolicyArn=policy["PolicyArn"])
    found(client.delete_role, RoleName=name)


def _put_policy(client: Client, inputs: Properties) -> str:
    role, name = inputs["role"], inputs["name"]
    client.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=inputs["policy"])
    return f"{role}:{name}"


def _update_policy(client: Client, update: Update) -> None:
    _put_policy(client, update.news)


def _read_policy(client: Client, id_: str, _known: Properties) -> Properties | None:
    role, _, name = id_.partition(":")
    answer = found(client.get_role_policy, RoleName=role, PolicyName=name)
    return answer and {
        "role": role,
        "name": name,
        "policy": json.dumps(answer["PolicyDocument"], separators=(",", ":")),
    }


def _delete_policy(client: Client, id_: str, _known: Properties) -> None:
    role, _, name = id_.partition(":")
    found(client.delete_role_policy, RoleName=role, PolicyName=name)


def _attach(client: Client, inputs: Properties) -> str:
    client.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
    return f"{inputs['role']}/{inputs['policyArn']}"


def _read_attachment(client: Client, id_: str, _known: Properties) -> Properties | None:
    role, _, arn = id_.partition("/")
    pages = found(lambda: list(client.get_paginator("list_attached_role_policies").paginate(RoleName=role)))
    attached = {policy["PolicyArn"] for page in pages or [] for policy in page["AttachedPolicies"]}
    return {"role": role, "policyArn": arn} if arn in attached else None


def _detach(client: Client, id_: str, _known: Properties) -> None:
    role, _, arn = id_.partition("/")
    found(client.detach_role_policy, RoleName=role, PolicyArn=arn)


TYPES = (
    ResourceType(
        token="aws:iam/role:Role",
        title="IAM Role",
        service="iam",
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=_delete_role,
        replaces=frozenset({"name", "path"}),
        auto_named=True,
        defaults={"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False},
        kept=frozenset({"forceDetachPolicies"}),
        spellings={"assumeRolePolicy": document},
        unsupported=frozenset({"namePrefix", "inlinePolicies", "managedPolicyArns"}),
    ),
    ResourceType(
        token="aws:iam/rolePolicy:RolePolicy",
        title="IAM Role Policy",
        service="iam",
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({"name", "role"}),
        auto_named=True,
        spellings={"policy": document},
        unsupported=frozenset({"namePrefix"}),
    ),
    ResourceType(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        title="IAM Role Policy Attachment",
        service="iam",
        create=_attach,
        read=_read_attachment,
        delete=_detach,
        replaces=frozenset({"role", "policyArn"}),
    ),
)
