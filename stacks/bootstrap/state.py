"""Where state is kept: the bucket's settings and the keys.

Comes in: the account. Goes out: the ARNs of the keys. The bucket itself is made before this program can run, since
its own state lies in it, and is no resource here: so nothing that this program ever does can delete it. Its policy
refuses everybody what would lose the history of a state.
"""

import json
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from releasectl.account import Account, secrets_alias, state_alias
from stacks.bootstrap import tags

KEPT_DAYS = 90  # for old versions of a state
KEPT_VERSIONS = 20  # and at least so many of each object, however old


def state_bucket(account: Account) -> pulumi.Output[str]:
    """Versions kept, nobody's from outside, encrypted with a key of its own, over TLS alone. The ARN of the key."""
    name = account.bucket
    options = pulumi.ResourceOptions(protect=True)
    aws.s3.BucketVersioning(
        "state",
        bucket=name,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
        opts=options,
    )
    aws.s3.BucketOwnershipControls(
        "state",
        bucket=name,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=options,
    )
    closed = aws.s3.BucketPublicAccessBlock(
        "state",
        bucket=name,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=options,
    )
    key = _key("state", state_alias(), "What is in the bucket of the states", tags.shared(account))
    aws.s3.BucketServerSideEncryptionConfiguration(
        "state",
        bucket=name,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                    sse_algorithm="aws:kms", kms_master_key_id=key
                ),
                bucket_key_enabled=True,
            )
        ],
        opts=options,
    )
    _retention(name, options)
    # Both at once is what S3 answers with a conflict.
    after = pulumi.ResourceOptions(protect=True, depends_on=[closed])
    aws.s3.BucketPolicy("state", bucket=name, policy=bucket_policy(account), opts=after)
    return key


def secrets_key(account: Account, stage: str) -> pulumi.Output[str]:
    """The ARN of the key that an environment's secrets are kept with: another environment's role cannot use it."""
    return _key(
        f"{stage}-secrets", secrets_alias(stage), f"Secrets in the state of {stage}", tags.of(account, stage)
    )  # fmt: skip


def bucket_policy(account: Account) -> str:
    """Over TLS 1.2 alone; neither the bucket nor an old version goes before this policy does."""
    bucket = f"arn:{account.partition}:s3:::{account.bucket}"
    both = [bucket, f"{bucket}/*"]
    everybody: dict[str, object] = {"Effect": "Deny", "Principal": "*"}
    statements: list[dict[str, object]] = [
        {
            "Sid": "OverTls",
            "Action": "s3:*",
            "Resource": both,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "OverNewTls",
            "Action": "s3:*",
            "Resource": both,
            "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        },
        {"Sid": "KeepHistory", "Action": ["s3:DeleteBucket", "s3:DeleteObjectVersion"], "Resource": both},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": [everybody | each for each in statements]})


def _key(name: str, alias: str, description: str, marks: Mapping[str, str]) -> pulumi.Output[str]:
    """Protected: what is encrypted with a deleted key is lost."""
    options = pulumi.ResourceOptions(protect=True)
    key = aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        deletion_window_in_days=30,
        tags=dict(marks),
        opts=options,
    )
    aws.kms.Alias(name, name=alias, target_key_id=key.key_id, opts=options)
    return key.arn


def _retention(bucket: str, options: pulumi.ResourceOptions) -> None:
    """Locks come and go all day, and each leaves versions behind."""
    aws.s3.BucketLifecycleConfiguration(
        "state",
        bucket=bucket,
        rules=[
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="old-versions",
                status="Enabled",
                filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=KEPT_DAYS, newer_noncurrent_versions=KEPT_VERSIONS
                ),
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
                abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                    days_after_initiation=7
                ),
            )
        ],
        opts=options,
    )
