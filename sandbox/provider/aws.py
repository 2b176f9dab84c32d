"""The AWS side that all types share: clients, "it is not there", tags, and how an error reads.

Comes in: the ordinary AWS environment variables. Goes out: one boto3 client per service and region, made once and
used by all threads. It never chooses an endpoint itself.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.provider.resource import Client, Update

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_NOT_FOUND = frozenset(
    {
        "RepositoryNotFoundException",
        "LifecyclePolicyNotFoundException",
        "RepositoryPolicyNotFoundException",
        "NoSuchEntity",
        "NotFound",
        "ResourceNotFound",
        "ResourceNotFoundException",
        # EC2 and load balancing
        "InvalidGroup.NotFound",
        "InvalidSecurityGroupRuleId.NotFound",
        "LoadBalancerNotFound",
        "TargetGroupNotFound",
        "ListenerNotFound",
        "RuleNotFound",
        # ECS and application auto scaling
        "ClusterNotFoundException",
        "ServiceNotFoundException",
        "ObjectNotFoundException",
        # KMS, SSM
        "NotFoundException",
        "ParameterNotFound",
        # S3: the bucket, and what a bucket may be without
        "404",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


class Clients:
    """boto3 clients are safe to share between threads; making them is not, hence the lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Client] = {}

    def get(self, service: str, region: str) -> Client:
        """The client of `service` (boto3's name) in `region`."""
        # boto3 takes longer to import than the provider needs to be ready; the first call pays, not the start.
        from boto3.session import Session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        with self._lock:
            if (service, region) not in self._made:
                config = Config(
                    retries={"mode": "standard", "max_attempts": 3},
                    connect_timeout=5,
                    read_timeout=60,
                    max_pool_connections=16,
                )
                # The stubs list services by name; here the name is data.
                make: Callable[..., Client] = Session(region_name=region).client
                self._made[service, region] = make(service, config=config)
            return self._made[service, region]


def found(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of `call`, or None when AWS says that there is no such thing."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] in _NOT_FOUND:
            return None
        raise


def as_the_provider_says(error: "ClientError", service_id: str) -> str:
    """An AWS error in the words of the Go SDK, which is what the real provider passes on."""
    metadata = error.response.get("ResponseMetadata", {})
    return (
        f"operation error {service_id}: {error.operation_name}, "
        f"https response error StatusCode: {metadata.get('HTTPStatusCode')}, "
        f"RequestID: {metadata.get('RequestId')}, "
        f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    )


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """{"a": "b"} -> [{"Key": "a", "Value": "b"}], the form of most services."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tag_map(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The way back."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def small(tags: Sequence[Mapping[str, str]], key: str = "key", value: str = "value") -> list[dict[str, str]]:
    """The same tags in the spelling of a service that has another one, such as ECS."""
    return [{key: tag["Key"], value: tag["Value"]} for tag in tags]


def retag(
    update: Update,
    tag: Callable[[list[dict[str, str]]], object],
    untag: Callable[[list[str]], object],
) -> None:
    """Make the tags those of `update`, if they changed at all."""
    if "tags" not in update.changed:
        return
    news, olds = update.news.get("tags") or {}, update.olds.get("tags") or {}
    if gone := sorted(olds.keys() - news.keys()):
        untag(gone)
    if news:
        tag(tag_list(news))


def retag_by_arn(client: Client, update: Update) -> None:
    """The same for APIs that know a resource by `ResourceARN`."""
    arn = update.olds["arn"]
    retag(
        update,
        lambda tags: client.tag_resource(ResourceARN=arn, Tags=tags),
        lambda keys: client.untag_resource(ResourceARN=arn, TagKeys=keys),
    )


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that have a value: boto3 refuses None."""
    return {name: value for name, value in arguments.items() if value is not None}
