"""S3: bucket. `s3_settings` has what is set on one.

Comes in: properties by the provider's names. Goes out: calls to the `s3` API; against an address of loopback boto3 puts
the bucket into the path by itself. The blocks that pulumi-aws deprecates on a bucket are refused.
"""

from typing import Any

from sandbox.provider.aws import found, retag, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update
from sandbox.provider.values import Properties

# The one region that CreateBucket wants to be left out.
_HOME = "us-east-1"


def _create(client: Client, inputs: Properties) -> str:
    name, region = str(inputs["bucket"]), inputs["region"]
    place = {} if region == _HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    locked = {"ObjectLockEnabledForBucket": True} if inputs.get("objectLockEnabled") else {}
    client.create_bucket(Bucket=name, **place, **locked)
    if inputs.get("tags"):
        client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(inputs["tags"])})
    return name


def tags_of(client: Client, name: str) -> dict[str, str]:
    """S3 has an error where others have an empty list."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see aws.Clients

    try:
        return tag_map(client.get_bucket_tagging(Bucket=name)["TagSet"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


def _read(client: Client, name: str, known: Properties) -> Properties | None:
    if found(client.head_bucket, Bucket=name) is None:
        return None
    region = client.get_bucket_location(Bucket=name).get("LocationConstraint") or _HOME
    return {
        "arn": f"arn:aws:s3:::{name}",
        "bucket": name,
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegion": region,
        "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
        "hostedZoneId": None,
        "objectLockEnabled": bool(known.get("objectLockEnabled")),
        "tags": tags_of(client, name),
    }


def _update(client: Client, update: Update) -> None:
    news = update.news.get("tags") or {}

    def all_at_once(_tags: list[dict[str, str]]) -> None:
        client.put_bucket_tagging(Bucket=update.id, Tagging={"TagSet": tag_list(news)})

    retag(update, all_at_once, lambda _gone: None if news else client.delete_bucket_tagging(Bucket=update.id))


def _delete(client: Client, name: str, known: Properties) -> None:
    if known.get("forceDestroy"):
        _empty(client, name)
    found(client.delete_bucket, Bucket=name)


def _empty(client: Client, name: str) -> None:
    """Every version of every object: what `forceDestroy` stands for."""
    pages: Any = found(lambda: list(client.get_paginator("list_object_versions").paginate(Bucket=name)))
    for page in pages or []:
        for one in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            client.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])


TYPES = (
    ResourceType(
        token="aws:s3/bucket:Bucket",
        title="S3 Bucket",
        service="s3",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"bucket", "objectLockEnabled", "region"}),
        auto_named=True,
        name="bucket",
        name_limit=63,
        defaults={"forceDestroy": False},
        computed=frozenset({"objectLockEnabled", "region"}),
        kept=frozenset({"forceDestroy"}),
        unsupported=frozenset(
            {"accelerationStatus", "acl", "bucketNamespace", "bucketPrefix", "corsRules", "grants", "lifecycleRules"}
            | {"logging", "objectLockConfiguration", "policy", "replicationConfiguration", "requestPayer"}
            | {"serverSideEncryptionConfiguration", "versioning", "website"}
        ),
    ),
)
