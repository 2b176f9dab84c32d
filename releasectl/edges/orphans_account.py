"""Objects of an account beside its runtimes that no state knows: images, roles, keys, buckets, logs, Slack.

Comes in: a region and the inputs that the state remembers of a resource. Goes out: the object, or None. A key has no
name of its own, so its description and all its tags have to be those that the state remembers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from releasectl.edges import aws
from releasectl.edges.found import Finder, Inputs, Object, only, text
from releasectl.recover import CannotTell


def _repository(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("ecr", config=aws.CONFIG)
    try:
        (found,) = client.describe_repositories(repositoryNames=[text(inputs, "name")])["repositories"]
    except client.exceptions.RepositoryNotFoundException:
        return None
    return Object(found["repositoryName"], found["createdAt"])


def _role(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("iam", config=aws.CONFIG)
    try:
        found = client.get_role(RoleName=text(inputs, "name"))["Role"]
    except client.exceptions.NoSuchEntityException:
        return None
    return Object(found["RoleName"], found["CreateDate"])


def _key(region: str, inputs: Inputs) -> Object | None:
    wanted = {str(key): str(value) for key, value in {**inputs.get("tags", {}), **inputs.get("tagsAll", {})}.items()}
    description = inputs.get("description") or ""
    if not wanted and not description:
        raise CannotTell(
            "looking for a key: the state says neither tags nor a description of it",
            "Look for it in the account; `releasectl unlock` takes your answer (--adopt URN=ID or --forget URN).",
        )
    client: Any = aws.session(region).client("kms", config=aws.CONFIG)
    return only(_keys(client, wanted, description), f"the key {description or wanted}")


def _keys(client: Any, wanted: Mapping[str, str], description: str) -> Iterator[Object]:
    pages = client.get_paginator("list_keys").paginate()
    for identifier in (one["KeyId"] for page in pages for one in page["Keys"]):
        key = client.describe_key(KeyId=identifier)["KeyMetadata"]
        if key.get("KeyManager", "CUSTOMER") != "CUSTOMER" or key["KeyState"] == "PendingDeletion":
            continue
        tags = {one["TagKey"]: one["TagValue"] for one in client.list_resource_tags(KeyId=identifier)["Tags"]}
        if wanted.items() <= tags.items() and key.get("Description", "") == description:
            yield Object(identifier, key["CreationDate"])


def _alias(region: str, inputs: Inputs) -> Object | None:
    client: Any = aws.session(region).client("kms", config=aws.CONFIG)
    name, pages = text(inputs, "name"), client.get_paginator("list_aliases").paginate()
    found = (one for page in pages for one in page["Aliases"] if one["AliasName"] == name)
    return next((Object(name, one.get("CreationDate")) for one in found), None)


def _bucket(region: str, inputs: Inputs) -> Object | None:
    """Among our own: a name that somebody else has is not there for us."""
    client: Any = aws.session(region).client("s3", config=aws.CONFIG)
    name = text(inputs, "bucket")
    found = client.list_buckets().get("Buckets", ())
    return next((Object(name, one.get("CreationDate")) for one in found if one["Name"] == name), None)


def _log_group(region: str, inputs: Inputs) -> Object | None:
    client = aws.session(region).client("logs", config=aws.CONFIG)
    name = text(inputs, "name")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    found = (one for page in pages for one in page["logGroups"] if one["logGroupName"] == name)
    return next((Object(name, aws.moment(one["creationTime"])) for one in found), None)


def _slack(region: str, inputs: Inputs) -> Object | None:
    client: Any = aws.session(region).client("chatbot", config=aws.CONFIG)
    name = text(inputs, "configurationName")
    pages = client.get_paginator("describe_slack_channel_configurations").paginate()
    found = (one for page in pages for one in page["SlackChannelConfigurations"])
    return next((Object(one["ChatConfigurationArn"], None) for one in found if one["ConfigurationName"] == name), None)


FOUND: Mapping[str, Finder] = {
    "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration": _slack,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ecr/repository:Repository": _repository,
    "aws:iam/role:Role": _role,
    "aws:kms/alias:Alias": _alias,
    "aws:kms/key:Key": _key,
    "aws:s3/bucket:Bucket": _bucket,
}
