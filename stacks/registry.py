"""A service's image repository: scanned on push, with tags that cannot move and retention that cannot lose a pin.

Comes in: environment and service. Goes out: the repository's URL and ARN. Images are pinned by digest; tags
only say what an image is (`sha-<commit>`) and that it was released (`release-<digest12>`, set by the controller
on whatever it pins). It never deletes a repository: a pinned image would go with it.
"""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.names import Place

IMMUTABLE_TAGS = ("sha-*", "release-*")


@dataclass(frozen=True)
class Repository:
    """`url` is without tag and digest."""

    url: pulumi.Output[str]
    arn: pulumi.Output[str]


def own_repository(place: Place, parent: pulumi.Resource) -> Repository:
    """The environment's own repository for the service, protected, with its lifecycle policy."""
    created = aws.ecr.Repository(
        place.service,
        name=place.name,
        image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
        image_tag_mutability="MUTABLE_WITH_EXCLUSION",
        image_tag_mutability_exclusion_filters=[
            aws.ecr.RepositoryImageTagMutabilityExclusionFilterArgs(filter=tag, filter_type="WILDCARD")
            for tag in IMMUTABLE_TAGS
        ],
        tags=place.tags,
        opts=pulumi.ResourceOptions(parent=parent, protect=True),
    )
    aws.ecr.LifecyclePolicy(
        place.service,
        repository=created.name,
        policy=lifecycle_policy(),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return Repository(created.repository_url, created.arn)


def borrowed_repository(owner: Place, topic: pulumi.Output[str]) -> Repository:
    """The repository that another environment owns, in this account and region, which the `topic` ARN names.

    Computed and not looked up, so that a preview needs no call and the owner need not be there yet.
    """

    def url(arn: str) -> str:
        region, account = arn.split(":")[3:5]
        return f"{account}.dkr.ecr.{region}.amazonaws.com/{owner.name}"

    def repository_arn(arn: str) -> str:
        partition, region, account = (arn.split(":")[part] for part in (1, 3, 4))
        return f"arn:{partition}:ecr:{region}:{account}:repository/{owner.name}"

    return Repository(topic.apply(url), topic.apply(repository_arn))


def lifecycle_policy() -> str:
    """Expire untagged images after two weeks and all but the newest 500, and never one that was released.

    AWS decides: an image that matches the tags of a rule cannot be expired by a rule of lower priority, also when
    that first rule keeps it. So the first rule, which in effect expires nothing, is the shield of everything
    tagged `release-*`. Rules stand in the order of their priority: the provider re-creates an unsorted list for ever.
    """
    rules = [
        _rule(1, "never expire what was released", _released() | _newest(9999)),
        _rule(2, "expire untagged images after two weeks", {"tagStatus": "untagged"} | _days(14)),
        _rule(10, "keep the newest images", {"tagStatus": "any"} | _newest(500)),
    ]
    return json.dumps({"rules": rules})


def _rule(priority: int, description: str, selection: dict[str, object]) -> dict[str, object]:
    return {
        "rulePriority": priority,
        "description": description,
        "selection": selection,
        "action": {"type": "expire"},
    }


def _released() -> dict[str, object]:
    return {"tagStatus": "tagged", "tagPatternList": ["release-*"]}


def _newest(count: int) -> dict[str, object]:
    return {"countType": "imageCountMoreThan", "countNumber": count}


def _days(count: int) -> dict[str, object]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": count}
