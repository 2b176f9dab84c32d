"""The AWS account before there is a state: who we are, the bucket, GitHub's OIDC provider, what was begun.

Comes in: names and ARNs. Goes out: what is there, and one bucket, made. Everything else in the account is made by the
engine. A bucket that is there and was not made by bootstrap is never touched, whoever has it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from releasectl.account import MANAGER, Account
from releasectl.edges import aws
from releasectl.errors import ControllerError, Retry

TAG = {"Key": "managed-by", "Value": MANAGER}
_CLOSED = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}


class BucketTaken(ControllerError):
    """The name of the state's bucket belongs to somebody else, or to something else of yours.

    Why: Names of buckets are the world's. Or a bucket of that name is in this account and bootstrap did not make it.
    Do: Choose another name: `releasectl bootstrap --bucket NAME`, and the same ever after.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Identity:
    """Who AWS says that we are."""

    partition: str
    account: str
    arn: str


@dataclass(frozen=True)
class AwsAccount:
    """The account of the credentials, in one region."""

    region: str

    def identity(self) -> Identity:
        """Raises AwsDenied without credentials."""
        with aws.asking("asking AWS who we are"):
            said = self.client("sts").get_caller_identity()
        return Identity(said["Arn"].split(":")[1], said["Account"], said["Arn"])

    def has_bucket(self, name: str, region: str, account: str) -> bool:
        """Is it there, and made by bootstrap? Raises BucketTaken when it is anybody's else."""
        s3 = self.client("s3")
        with aws.asking(f"looking for the bucket {name}"):
            try:
                found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (301, 403):
                    raise _taken(name, "it is there, and not this account's or not in this region") from error
                raise
            where = found.get("BucketRegion") or region
            if where != region:
                raise _taken(name, f"it is in {where}, not in {region}")
            if not self._is_ours(s3, name):
                raise _taken(name, "it is there with something in it, and bootstrap did not make it")
        return True

    def make_bucket(self, name: str, region: str, account: str) -> None:
        """Make it, closed; what else it needs is the program's. Every call may be repeated."""
        s3 = self.client("s3")
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with aws.asking(f"making the bucket {name}"):
            try:
                s3.create_bucket(Bucket=name, **place)
            except s3.exceptions.BucketAlreadyOwnedByYou:
                pass  # the answer to an earlier call was lost
            except s3.exceptions.BucketAlreadyExists as error:
                raise _taken(name, "somebody else in the world has it") from error
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=_CLOSED, ExpectedBucketOwner=account)
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [TAG]}, ExpectedBucketOwner=account)

    def audiences(self, provider: str) -> tuple[str, ...] | None:
        """Whom the provider's tokens are for; None when it is not there."""
        iam = self.client("iam")
        with aws.asking(f"looking for {provider}"):
            try:
                return tuple(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ClientIDList"])
            except iam.exceptions.NoSuchEntityException:
                return None

    def find(self, kind: str, inputs: Mapping[str, object], account: Account) -> str:
        """The id of what was begun, by bootstrap's tags: what has the name alone is somebody else's.

        "" when it is not there, or when its create is a put that is simply made again.
        """
        look = FOUND.get(kind)
        if look is None:
            return ""
        with aws.asking(f"looking for {kind.rpartition(':')[2]} {inputs.get('name', '')}"):
            return look(self, inputs, account)

    def _is_ours(self, s3: Any, name: str) -> bool:
        """Bootstrap's tag; without any, one whose making was cut off is empty."""
        try:
            tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            return not s3.list_objects_v2(Bucket=name, MaxKeys=1).get("KeyCount")
        return TAG in tags

    def client(self, service: str) -> Any:
        """Of one of AWS's services."""
        # One loop for every service: the stubs know a client by the text of its name alone.
        return aws.session(self.region).client(service, config=aws.CONFIG)  # type: ignore[call-overload]


def _taken(name: str, cause: str) -> BucketTaken:
    return BucketTaken(
        f"taking the bucket {name} for the state: {cause}", "Choose another name: `releasectl bootstrap --bucket NAME`."
    )


def _role(asked: AwsAccount, inputs: Mapping[str, object], _account: Account) -> str:
    iam = asked.client("iam")
    try:
        found = iam.get_role(RoleName=inputs["name"])["Role"]
    except iam.exceptions.NoSuchEntityException:
        return ""
    return str(found["RoleName"]) if TAG in found.get("Tags", ()) else ""


def _policy(asked: AwsAccount, inputs: Mapping[str, object], account: Account) -> str:
    iam = asked.client("iam")
    arn = account.arn("iam", f"policy/{inputs['name']}")
    try:
        tags = iam.list_policy_tags(PolicyArn=arn)["Tags"]
    except iam.exceptions.NoSuchEntityException:
        return ""
    return arn if TAG in tags else ""


def _provider(asked: AwsAccount, _inputs: Mapping[str, object], account: Account) -> str:
    iam = asked.client("iam")
    try:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=account.provider)
    except iam.exceptions.NoSuchEntityException:
        return ""
    return account.provider if TAG in found.get("Tags", ()) else ""


def _alias(asked: AwsAccount, inputs: Mapping[str, object], _account: Account) -> str:
    """By the tags of the key that it leads to: it has none itself."""
    kms = asked.client("kms")
    pages = kms.get_paginator("list_aliases").paginate()
    keys = [one.get("TargetKeyId") for page in pages for one in page["Aliases"] if one["AliasName"] == inputs["name"]]
    ours = any(_tags(kms, key).get(TAG["Key"]) == TAG["Value"] for key in keys if key)
    return str(inputs["name"]) if ours else ""


def _key(asked: AwsAccount, inputs: Mapping[str, object], _account: Account) -> str:
    """By what it is for and by its tags: AWS makes up its name. One that is being deleted is none."""
    kms = asked.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            said = kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
            if said.get("Description") != inputs.get("description") or said.get("KeyState") != "Enabled":
                continue
            if _tags(kms, one["KeyId"]) == inputs.get("tags"):
                return str(one["KeyId"])
    return ""


def _tags(kms: Any, key: str) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]}


FOUND: Mapping[str, Callable[[AwsAccount, Mapping[str, object], Account], str]] = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _provider,
    "aws:iam/policy:Policy": _policy,
    "aws:iam/role:Role": _role,
    "aws:kms/alias:Alias": _alias,
    "aws:kms/key:Key": _key,
}
