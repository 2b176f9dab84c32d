"""CloudWatch Logs: log group.

Comes in: properties by the provider's names. Goes out: calls to the `logs` API. "Never expires" is 0 here and nothing
at all there.
"""

from sandbox.provider.aws import found, given, retag, tag_map
from sandbox.provider.resource import Client, ResourceType, Update
from sandbox.provider.values import Properties


def _create(client: Client, inputs: Properties) -> str:
    name = str(inputs["name"])
    client.create_log_group(
        logGroupName=name,
        **given(
            kmsKeyId=inputs.get("kmsKeyId"), logGroupClass=inputs.get("logGroupClass"), tags=inputs.get("tags") or None
        ),
    )
    if inputs.get("retentionInDays"):
        client.put_retention_policy(logGroupName=name, retentionInDays=inputs["retentionInDays"])
    return name


def _read(client: Client, name: str, _known: Properties) -> Properties | None:
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    groups = [group for page in pages for group in page["logGroups"] if group["logGroupName"] == name]
    if not groups:
        return None
    told = groups[0]
    arn = told["arn"].removesuffix(":*")
    return {
        "arn": arn,
        "kmsKeyId": told.get("kmsKeyId"),
        "logGroupClass": told.get("logGroupClass", "STANDARD"),
        "name": name,
        "retentionInDays": told.get("retentionInDays", 0),
        "tags": client.list_tags_for_resource(resourceArn=arn)["tags"],
    }


def _update(client: Client, update: Update) -> None:
    name, news = update.id, update.news
    if "retentionInDays" in update.changed:
        if days := news.get("retentionInDays"):
            client.put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            client.delete_retention_policy(logGroupName=name)
    if "kmsKeyId" in update.changed:
        if key := news.get("kmsKeyId"):
            client.associate_kms_key(logGroupName=name, kmsKeyId=key)
        else:
            client.disassociate_kms_key(logGroupName=name)
    arn = update.olds["arn"]
    retag(
        update,
        lambda tags: client.tag_resource(resourceArn=arn, tags=tag_map(tags)),
        lambda keys: client.untag_resource(resourceArn=arn, tagKeys=keys),
    )


def _delete(client: Client, name: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        found(client.delete_log_group, logGroupName=name)


TYPES = (
    ResourceType(
        token="aws:cloudwatch/logGroup:LogGroup",
        title="CloudWatch Logs Log Group",
        service="logs",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "logGroupClass", "region"}),
        auto_named=True,
        name_limit=512,
        defaults={"retentionInDays": 0, "skipDestroy": False},
        computed=frozenset({"logGroupClass", "region"}),
        kept=frozenset({"skipDestroy"}),
        unsupported=frozenset({"namePrefix", "deletionProtectionEnabled"}),
    ),
)
