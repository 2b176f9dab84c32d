"""KMS: key, its policy and alias.

Comes in: properties by the provider's names. Goes out: calls to the `kms` API. A key cannot be deleted, only scheduled
for it: from then on the provider says that it is gone.
"""

import json
from typing import Any

from sandbox.provider.aws import found, given, retag, small, tag_list
from sandbox.provider.resource import Client, ResourceType, Update, document
from sandbox.provider.values import Properties


def _create(client: Client, inputs: Properties) -> str:
    answer = client.create_key(
        KeyUsage=inputs["keyUsage"],
        KeySpec=inputs["customerMasterKeySpec"],
        Tags=small(tag_list(inputs.get("tags")), "TagKey", "TagValue"),
        **given(
            Description=inputs.get("description"), Policy=inputs.get("policy"), MultiRegion=inputs.get("multiRegion")
        ),
    )
    id_ = str(answer["KeyMetadata"]["KeyId"])
    if inputs["enableKeyRotation"]:
        _rotate(client, id_, inputs)
    if not inputs["isEnabled"]:
        client.disable_key(KeyId=id_)
    return id_


def _rotate(client: Client, id_: str, inputs: Properties) -> None:
    if inputs["enableKeyRotation"]:
        client.enable_key_rotation(KeyId=id_, **given(RotationPeriodInDays=inputs.get("rotationPeriodInDays")))
    else:
        client.disable_key_rotation(KeyId=id_)


def _metadata(client: Client, id_: str) -> dict[str, Any] | None:
    answer = found(client.describe_key, KeyId=id_)
    if answer is None or answer["KeyMetadata"]["KeyState"] == "PendingDeletion":
        return None
    told: dict[str, Any] = answer["KeyMetadata"]
    return told


def _read(client: Client, id_: str, _known: Properties) -> Properties | None:
    told = _metadata(client, id_)
    if told is None:
        return None
    rotation = client.get_key_rotation_status(KeyId=id_)
    tags = client.list_resource_tags(KeyId=id_)["Tags"]
    return {
        "arn": told["Arn"],
        "customerMasterKeySpec": told.get("KeySpec", "SYMMETRIC_DEFAULT"),
        "description": told.get("Description"),
        "enableKeyRotation": rotation["KeyRotationEnabled"],
        "isEnabled": told["Enabled"],
        "keyId": told["KeyId"],
        "keyUsage": told["KeyUsage"],
        "multiRegion": told.get("MultiRegion", False),
        "policy": client.get_key_policy(KeyId=id_, PolicyName="default")["Policy"],
        "rotationPeriodInDays": rotation.get("RotationPeriodInDays"),
        "tags": {tag["TagKey"]: tag["TagValue"] for tag in tags},
    }


def _update(client: Client, update: Update) -> None:
    id_, news = update.id, update.news
    if "isEnabled" in update.changed and news["isEnabled"]:
        client.enable_key(KeyId=id_)  # first: a disabled key takes no other change
    if update.changed & {"enableKeyRotation", "rotationPeriodInDays"}:
        _rotate(client, id_, news)
    if "description" in update.changed:
        client.update_key_description(KeyId=id_, Description=news.get("description", ""))
    if "policy" in update.changed:
        client.put_key_policy(KeyId=id_, PolicyName="default", Policy=news["policy"])
    if "isEnabled" in update.changed and not news["isEnabled"]:
        client.disable_key(KeyId=id_)
    retag(
        update,
        lambda tags: client.tag_resource(KeyId=id_, Tags=small(tags, "TagKey", "TagValue")),
        lambda keys: client.untag_resource(KeyId=id_, TagKeys=keys),
    )


def _delete(client: Client, id_: str, known: Properties) -> None:
    if _metadata(client, id_) is not None:
        client.schedule_key_deletion(KeyId=id_, **given(PendingWindowInDays=known.get("deletionWindowInDays")))


def _create_alias(client: Client, inputs: Properties) -> str:
    client.create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
    return str(inputs["name"])


def _read_alias(client: Client, name: str, known: Properties) -> Properties | None:
    pages = client.get_paginator("list_aliases").paginate()
    aliases = [alias for page in pages for alias in page["Aliases"] if alias["AliasName"] == name]
    if not aliases:
        return None
    told = aliases[0]
    key = told["TargetKeyId"]
    # A program may say the key by its ARN or by its id; the provider keeps the spelling of the program.
    target = known.get("targetKeyId") if str(known.get("targetKeyId")).rpartition("/")[2] == key else key
    arn = f"{told['AliasArn'].rpartition(':')[0]}:key/{key}"
    return {"arn": told["AliasArn"], "name": name, "targetKeyArn": arn, "targetKeyId": target}


def _update_alias(client: Client, update: Update) -> None:
    client.update_alias(AliasName=update.id, TargetKeyId=update.news["targetKeyId"])


def _delete_alias(client: Client, name: str, _known: Properties) -> None:
    found(client.delete_alias, AliasName=name)


def _put_policy(client: Client, inputs: Properties) -> str:
    client.put_key_policy(KeyId=inputs["keyId"], PolicyName="default", Policy=inputs["policy"])
    return str(inputs["keyId"])


def _read_policy(client: Client, id_: str, _known: Properties) -> Properties | None:
    if _metadata(client, id_) is None:
        return None
    return {"keyId": id_, "policy": client.get_key_policy(KeyId=id_, PolicyName="default")["Policy"]}


def _update_policy(client: Client, update: Update) -> None:
    _put_policy(client, update.news)


def _delete_policy(client: Client, id_: str, _known: Properties) -> None:
    """A key has always one: the account's own, as AWS gives it to a new key."""
    told = _metadata(client, id_)
    if told is not None:
        account = {"AWS": f"arn:aws:iam::{told['AWSAccountId']}:root"}
        statement = {"Effect": "Allow", "Principal": account, "Action": "kms:*", "Resource": "*"}
        _put_policy(client, {"keyId": id_, "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})


TYPES = (
    ResourceType(
        token="aws:kms/key:Key",
        title="KMS Key",
        service="kms",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"keyUsage", "customerMasterKeySpec", "multiRegion", "region"}),
        defaults={
            "bypassPolicyLockoutSafetyCheck": False,
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "enableKeyRotation": False,
            "isEnabled": True,
            "keyUsage": "ENCRYPT_DECRYPT",
        },
        computed=frozenset({"description", "multiRegion", "policy", "rotationPeriodInDays", "region"}),
        kept=frozenset({"bypassPolicyLockoutSafetyCheck", "deletionWindowInDays"}),
        spellings={"policy": document},
        unsupported=frozenset({"customKeyStoreId", "xksKeyId"}),
    ),
    ResourceType(
        token="aws:kms/keyPolicy:KeyPolicy",
        title="KMS Key Policy",
        service="kms",
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({"keyId", "region"}),
        computed=frozenset({"region"}),
        kept=frozenset({"bypassPolicyLockoutSafetyCheck"}),
        spellings={"policy": document},
    ),
    ResourceType(
        token="aws:kms/alias:Alias",
        title="KMS Alias",
        service="kms",
        create=_create_alias,
        read=_read_alias,
        update=_update_alias,
        delete=_delete_alias,
        replaces=frozenset({"name", "region"}),
        auto_named=True,
        name_start="alias/",
        computed=frozenset({"region"}),
        unsupported=frozenset({"namePrefix"}),
    ),
)
