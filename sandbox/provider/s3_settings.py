"""What is set on a bucket: versions, encryption, public access, ownership, policy, lifecycle. Each a type of its own.

Comes in: properties by the provider's names. Goes out: calls to the `s3` API. Their id is the bucket's name, and they
are all alike: one call puts, one gets, one takes away; `_setting` is that shape.
"""

from collections.abc import Callable
from typing import Any

from sandbox.provider.aws import found, given
from sandbox.provider.resource import Client, ResourceType, Update, document
from sandbox.provider.values import Properties

Put = Callable[[Client, Properties], object]
Get = Callable[[Client, str], Properties | None]
Gone = Callable[[Client, str, Properties], object]

_BLOCKS = {
    "blockPublicAcls": "BlockPublicAcls",
    "blockPublicPolicy": "BlockPublicPolicy",
    "ignorePublicAcls": "IgnorePublicAcls",
    "restrictPublicBuckets": "RestrictPublicBuckets",
}


def _large(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: _large(item) for key, item in value.items()}
    return [_large(item) for item in value] if isinstance(value, list) else value


def _small(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _small(item) for key, item in value.items()}
    return [_small(item) for item in value] if isinstance(value, list) else value


def _put_versioning(client: Client, inputs: Properties) -> None:
    wanted = inputs["versioningConfiguration"]
    configuration = given(Status=wanted["status"], MFADelete=wanted.get("mfaDelete"))
    if wanted["status"] != "Disabled":  # "Disabled" is a bucket that never had versions; there is no call for it
        client.put_bucket_versioning(Bucket=inputs["bucket"], VersioningConfiguration=configuration)


def _get_versioning(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_bucket_versioning, Bucket=bucket)
    if told is None:
        return None
    status = told.get("Status", "Disabled")
    return {"versioningConfiguration": given(status=status, mfaDelete=told.get("MFADelete"))}


def _suspend(client: Client, bucket: str, known: Properties) -> None:
    if known.get("versioningConfiguration", {}).get("status") == "Enabled":
        found(client.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def _put_encryption(client: Client, inputs: Properties) -> None:
    rules = [_encryption_rule(rule) for rule in inputs["rules"]]
    client.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    default = rule.get("applyServerSideEncryptionByDefault") or {}
    algorithm, key = default.get("sseAlgorithm"), default.get("kmsMasterKeyId")
    by_default = given(SSEAlgorithm=algorithm, KMSMasterKeyID=key or None)
    return given(ApplyServerSideEncryptionByDefault=by_default or None, BucketKeyEnabled=rule.get("bucketKeyEnabled"))


def _get_encryption(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_bucket_encryption, Bucket=bucket)
    return told and {"rules": [_encryption_back(rule) for rule in told["ServerSideEncryptionConfiguration"]["Rules"]]}


def _encryption_back(rule: dict[str, Any]) -> Properties:
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    by_default = given(sseAlgorithm=default.get("SSEAlgorithm"), kmsMasterKeyId=default.get("KMSMasterKeyID"))
    return {
        "applyServerSideEncryptionByDefault": by_default,
        "bucketKeyEnabled": rule.get("BucketKeyEnabled", False),
    }


def _put_access(client: Client, inputs: Properties) -> None:
    wanted = {there: bool(inputs.get(here)) for here, there in _BLOCKS.items()}
    client.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=wanted)


def _get_access(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_public_access_block, Bucket=bucket)
    if told is None:
        return None
    return {here: told["PublicAccessBlockConfiguration"].get(there, False) for here, there in _BLOCKS.items()}


def _open_access(client: Client, bucket: str, known: Properties) -> None:
    if not known.get("skipDestroy"):
        found(client.delete_public_access_block, Bucket=bucket)


def _put_ownership(client: Client, inputs: Properties) -> None:
    rules = [{"ObjectOwnership": inputs["rule"]["objectOwnership"]}]
    client.put_bucket_ownership_controls(Bucket=inputs["bucket"], OwnershipControls={"Rules": rules})


def _get_ownership(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_bucket_ownership_controls, Bucket=bucket)
    return told and {"rule": _small(told["OwnershipControls"]["Rules"][0])}


def _put_policy(client: Client, inputs: Properties) -> None:
    client.put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])


def _get_policy(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_bucket_policy, Bucket=bucket)
    return told and {"policy": told["Policy"]}


def _put_lifecycle(client: Client, inputs: Properties) -> None:
    rules = [_lifecycle_rule(rule) for rule in inputs.get("rules") or []]
    client.put_bucket_lifecycle_configuration(Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules})


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    wire: dict[str, Any] = _large({name: value for name, value in rule.items() if name != "id"})
    # A rule without a filter is one for the whole bucket; the API wants to hear that.
    return {"ID": rule["id"], "Filter": {"Prefix": ""}} | wire


def _get_lifecycle(client: Client, bucket: str) -> Properties | None:
    told = found(client.get_bucket_lifecycle_configuration, Bucket=bucket)
    return told and {"rules": [_lifecycle_back(rule) for rule in told["Rules"]]}


def _lifecycle_back(rule: dict[str, Any]) -> Properties:
    back: Properties = _small({name: value for name, value in rule.items() if name != "ID"})
    return {"id": rule["ID"]} | back


def _setting(token: str, title: str, calls: tuple[Put, Get, Gone], **more: Any) -> ResourceType:
    put, get, gone = calls

    def create(client: Client, inputs: Properties) -> str:
        put(client, inputs)
        return str(inputs["bucket"])

    def read(client: Client, bucket: str, _known: Properties) -> Properties | None:
        told = get(client, bucket)
        return told and {"bucket": bucket} | told

    def update(client: Client, change: Update) -> None:
        put(client, change.news)

    def delete(client: Client, bucket: str, known: Properties) -> None:
        gone(client, bucket, known)

    return ResourceType(
        token=token,
        title=title,
        service="s3",
        create=create,
        read=read,
        update=update,
        delete=delete,
        replaces=frozenset({"bucket", "expectedBucketOwner", "region"}),
        computed=frozenset({"region"}) | more.pop("computed", frozenset()),
        **more,
    )


def _gone(operation: str) -> Gone:
    return lambda client, bucket, _known: found(getattr(client, operation), Bucket=bucket)


TYPES = (
    _setting(
        "aws:s3/bucketVersioning:BucketVersioning",
        "S3 Bucket Versioning",
        (_put_versioning, _get_versioning, _suspend),
        computed=frozenset({"versioningConfiguration.mfaDelete"}),
        unsupported=frozenset({"mfa", "expectedBucketOwner"}),
    ),
    _setting(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "S3 Bucket Server-side Encryption Configuration",
        (_put_encryption, _get_encryption, _gone("delete_bucket_encryption")),
        unsupported=frozenset({"expectedBucketOwner"}),
    ),
    _setting(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "S3 Bucket Public Access Block",
        (_put_access, _get_access, _open_access),
        kept=frozenset({"skipDestroy"}),
    ),
    _setting(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "S3 Bucket Ownership Controls",
        (_put_ownership, _get_ownership, _gone("delete_bucket_ownership_controls")),
    ),
    _setting(
        "aws:s3/bucketPolicy:BucketPolicy",
        "S3 Bucket Policy",
        (_put_policy, _get_policy, _gone("delete_bucket_policy")),
        spellings={"policy": document},
    ),
    _setting(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "S3 Bucket Lifecycle Configuration",
        (_put_lifecycle, _get_lifecycle, _gone("delete_bucket_lifecycle")),
        computed=frozenset({"rules[*].filter", "rules[*].prefix", "transitionDefaultMinimumObjectSize"}),
        kept=frozenset({"timeouts"}),
        unsupported=frozenset({"expectedBucketOwner"}),
    ),
)
