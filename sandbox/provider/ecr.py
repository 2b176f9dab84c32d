"""ECR: repository, its lifecycle policy, its resource policy.

Comes in: properties by the provider's names. Goes out: calls to the `ecr` API. The emulator keeps the mutability of
tags but not its exclusion filters, so those are remembered here; see `_filters`.
"""

from typing import Any

from sandbox.provider.aws import found, given, retag, tag_list, tag_map
from sandbox.provider.resource import Client, ResourceType, Update, document
from sandbox.provider.values import Properties


def _create(client: Client, inputs: Properties) -> str:
    client.create_repository(
        repositoryName=inputs["name"],
        tags=tag_list(inputs.get("tags")),
        **given(
            imageTagMutability=inputs.get("imageTagMutability"),
            imageTagMutabilityExclusionFilters=inputs.get("imageTagMutabilityExclusionFilters"),
            imageScanningConfiguration=inputs.get("imageScanningConfiguration"),
            encryptionConfiguration=next(iter(inputs.get("encryptionConfigurations") or []), None),
        ),
    )
    return str(inputs["name"])


def _read(client: Client, name: str, known: Properties) -> Properties | None:
    answer = found(client.describe_repositories, repositoryNames=[name])
    if answer is None:
        return None
    repository = answer["repositories"][0]
    arn = repository["repositoryArn"]
    return {
        "arn": arn,
        "name": name,
        "registryId": repository["registryId"],
        "repositoryUrl": repository["repositoryUri"],
        "imageTagMutability": repository["imageTagMutability"],
        "imageTagMutabilityExclusionFilters": _filters(repository, known),
        "imageScanningConfiguration": repository.get("imageScanningConfiguration"),
        "encryptionConfigurations": [
            given(encryptionType=kind["encryptionType"], kmsKey=kind.get("kmsKey"))
            for kind in [repository.get("encryptionConfiguration") or {"encryptionType": "AES256"}]
        ],
        "tags": tag_map(client.list_tags_for_resource(resourceArn=arn)["tags"]),
    }


def _filters(repository: dict[str, Any], known: Properties) -> Any:
    """AWS always tells the filters of an `..._WITH_EXCLUSION` repository; ministack 1.5.33 takes and forgets them.

    Where the answer has none though it must have some, the last known ones stand, or every refresh would be drift.
    """
    told = repository.get("imageTagMutabilityExclusionFilters")
    if told is None and repository["imageTagMutability"].endswith("_WITH_EXCLUSION"):
        return known.get("imageTagMutabilityExclusionFilters")
    return told


def _update(client: Client, update: Update) -> None:
    news = update.news
    if update.changed & {"imageTagMutability", "imageTagMutabilityExclusionFilters"}:
        client.put_image_tag_mutability(
            repositoryName=update.id,
            imageTagMutability=news["imageTagMutability"],
            **given(imageTagMutabilityExclusionFilters=news.get("imageTagMutabilityExclusionFilters")),
        )
    if "imageScanningConfiguration" in update.changed:
        client.put_image_scanning_configuration(
            repositoryName=update.id, imageScanningConfiguration=news["imageScanningConfiguration"]
        )
    arn = update.olds["arn"]
    retag(
        update,
        lambda tags: client.tag_resource(resourceArn=arn, tags=tags),
        lambda keys: client.untag_resource(resourceArn=arn, tagKeys=keys),
    )


def _delete(client: Client, name: str, known: Properties) -> None:
    found(client.delete_repository, repositoryName=name, force=bool(known.get("forceDelete")))


def _put_lifecycle(client: Client, inputs: Properties) -> str:
    client.put_lifecycle_policy(repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"])
    return str(inputs["repository"])


def _read_lifecycle(client: Client, repository: str, _known: Properties) -> Properties | None:
    answer = found(client.get_lifecycle_policy, repositoryName=repository)
    return answer and {
        "repository": repository,
        "registryId": answer["registryId"],
        "policy": answer["lifecyclePolicyText"],
    }


def _delete_lifecycle(client: Client, repository: str, _known: Properties) -> None:
    found(client.delete_lifecycle_policy, repositoryName=repository)


def _set_policy(client: Client, inputs: Properties) -> str:
    client.set_repository_policy(repositoryName=inputs["repository"], policyText=inputs["policy"])
    return str(inputs["repository"])


def _update_policy(client: Client, update: Update) -> None:
    _set_policy(client, update.news)


def _read_policy(client: Client, repository: str, _known: Properties) -> Properties | None:
    answer = found(client.get_repository_policy, repositoryName=repository)
    return answer and {
        "repository": repository,
        "registryId": answer["registryId"],
        "policy": answer["policyText"],
    }


def _delete_policy(client: Client, repository: str, _known: Properties) -> None:
    found(client.delete_repository_policy, repositoryName=repository)


TYPES = (
    ResourceType(
        token="aws:ecr/repository:Repository",
        title="ECR Repository",
        service="ecr",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        replaces=frozenset({"name", "encryptionConfigurations", "region"}),
        auto_named=True,
        defaults={"imageTagMutability": "MUTABLE"},
        computed=frozenset({"encryptionConfigurations", "imageScanningConfiguration", "region"}),
        kept=frozenset({"forceDelete"}),
    ),
    ResourceType(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        title="ECR Lifecycle Policy",
        service="ecr",
        create=_put_lifecycle,
        read=_read_lifecycle,
        delete=_delete_lifecycle,
        replaces=frozenset({"policy", "repository", "region"}),
        # There is one policy a repository, so the old one would be the one that is deleted after the new was put.
        delete_first=True,
        computed=frozenset({"region"}),
        spellings={"policy": document},
    ),
    ResourceType(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        title="ECR Repository Policy",
        service="ecr",
        create=_set_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        replaces=frozenset({"repository", "region"}),
        computed=frozenset({"region"}),
        spellings={"policy": document},
    ),
)
