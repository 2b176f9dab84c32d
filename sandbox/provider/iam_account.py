"""IAM: managed policy, and the OpenID Connect provider, of which an account has one for each address.

Comes in: properties by the provider's names. Goes out: calls to the `iam` API. A managed policy has versions, at most
five; an update makes a new default one and first removes the oldest when there is no room.
"""

import json
from typing import Any

from sandbox.provider.aws import found, retag, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update, document
from sandbox.provider.values import Properties

_VERSIONS = 5


def _create_policy(client: Client, inputs: Properties) -> str:
    answer = client.create_policy(
        PolicyName=inputs["name"],
        PolicyDocument=inputs["policy"],
        Path=inputs["path"],
        Description=inputs.get("description", ""),
        Tags=tag_list(inputs.get("tags")),
    )
    return str(answer["Policy"]["Arn"])


def _read_policy(client: Client, arn: str, _known: Properties) -> Properties | None:
    answer = found(client.get_policy, PolicyArn=arn)
    if answer is None:
        return None
    told = answer["Policy"]
    version = client.get_policy_version(PolicyArn=arn, VersionId=told["DefaultVersionId"])["PolicyVersion"]
    text = version["Document"]
    return {
        "arn": arn,
        "attachmentCount": told.get("AttachmentCount", 0),
        "description": told.get("Description") or None,
        "name": told["PolicyName"],
        "path": told["Path"],
        "policy": text if isinstance(text, str) else json.dumps(text, separators=(",", ":")),
        "policyId": told["PolicyId"],
        "tags": tag_map(client.list_policy_tags(PolicyArn=arn)["Tags"]),
    }


def _versions(client: Client, arn: str) -> list[dict[str, Any]]:
    answer = found(client.list_policy_versions, PolicyArn=arn) or {"Versions": []}
    return sorted((one for one in answer["Versions"] if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"])


def _update_policy(client: Client, update: Update) -> None:
    arn = update.id
    if "policy" in update.changed:
        others = _versions(client, arn)
        if len(others) + 1 >= _VERSIONS:
            client.delete_policy_version(PolicyArn=arn, VersionId=others[0]["VersionId"])
        client.create_policy_version(PolicyArn=arn, PolicyDocument=update.news["policy"], SetAsDefault=True)
    retag(
        update,
        lambda tags: client.tag_policy(PolicyArn=arn, Tags=tags),
        lambda keys: client.untag_policy(PolicyArn=arn, TagKeys=keys),
    )


def _delete_policy(client: Client, arn: str, _known: Properties) -> None:
    for version in _versions(client, arn):
        found(client.delete_policy_version, PolicyArn=arn, VersionId=version["VersionId"])
    found(client.delete_policy, PolicyArn=arn)


def _create_provider(client: Client, inputs: Properties) -> str:
    # Thumbprints are for authorities that AWS does not know; GitHub's it knows, so most programs give none.
    thumbprints = {"ThumbprintList": inputs["thumbprintLists"]} if inputs.get("thumbprintLists") else {}
    answer = client.create_open_id_connect_provider(
        Url=inputs["url"], ClientIDList=inputs["clientIdLists"], Tags=tag_list(inputs.get("tags")), **thumbprints
    )
    return str(answer["OpenIDConnectProviderArn"])


def _read_provider(client: Client, arn: str, _known: Properties) -> Properties | None:
    told = found(client.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)
    return told and {
        "arn": arn,
        "clientIdLists": told.get("ClientIDList", []),
        "tags": tag_map(told.get("Tags", [])),
        "thumbprintLists": told.get("ThumbprintList", []),
        "url": told["Url"],
    }


def _update_provider(client: Client, update: Update) -> None:
    """The real provider changes client ids, thumbprints and tags one by one; ministack 1.5.33 has none of the calls.

    Made anew it has the same ARN, and everything that it had is given again.
    """
    _delete_provider(client, update.id, update.olds)
    _create_provider(client, update.news)


def _delete_provider(client: Client, arn: str, _known: Properties) -> None:
    found(client.delete_open_id_connect_provider, OpenIDConnectProviderArn=arn)


def _without_scheme(url: Any) -> Any:
    """IAM takes `https://host` and tells `host`."""
    return str(url).removeprefix("https://")


TYPES = (
    ResourceType(
        token="aws:iam/policy:Policy",
        title="IAM Policy",
        service="iam",
        create=_create_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({"name", "path", "description"}),
        auto_named=True,
        name_limit=128,
        defaults={"path": "/"},
        kept=frozenset({"delayAfterPolicyCreationInMs"}),
        spellings={"policy": document},
        unsupported=frozenset({"namePrefix"}),
    ),
    ResourceType(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        title="IAM OIDC Provider",
        service="iam",
        create=_create_provider,
        read=_read_provider,
        update=_update_provider,
        delete=_delete_provider,
        replaces=frozenset({"url"}),
        computed=frozenset({"thumbprintLists"}),
        spellings={"url": _without_scheme},
    ),
)
