"""ECR: what images a repository holds, and their end when an environment is torn down.

Comes in: a region and the name of a repository. Goes out: digests, or nothing left. Nothing else in the project
deletes an image, and this is called by `releasectl teardown --delete-images` alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from releasectl.edges import aws
from releasectl.errors import ControllerError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

BATCH = 100  # images of one call: ECR's own limit


class ImagesLeft(ControllerError):
    """ECR kept images that it was told to delete.

    Why: ECR gives a reason for each, which the message has; something still refers to them.
    Do: Delete them in the ECR console, then run `releasectl teardown ENVIRONMENT --yes --delete-images` again.
    """


@dataclass(frozen=True)
class EcrImages:
    """The images of the account that the credentials belong to."""

    def count(self, region: str, repository: str) -> int:
        """How many images a repository holds; 0 when it is not there. Raises AwsDenied and its like."""
        return len(_digests(region, repository))

    def delete(self, region: str, repository: str) -> None:
        """Delete every image: indexes before their children, which ECR demands. Raises ImagesLeft."""
        failed: list[str] = []
        for _ in range(2):
            left = sorted(_digests(region, repository))
            failed = []
            for start in range(0, len(left), BATCH):
                failed += _delete(region, repository, left[start : start + BATCH])
            if not failed:
                return
        raise ImagesLeft(
            f"deleting the images of {repository}: {'; '.join(failed[:3])}",
            "Delete them in the ECR console, then run the same command again.",
        )


def _delete(region: str, repository: str, digests: list[str]) -> list[str]:
    """What ECR said of those that it kept."""
    images: list[ImageIdentifierTypeDef] = [{"imageDigest": digest} for digest in digests]
    with aws.asking(f"deleting the images of {repository}"):
        answer = _client(region).batch_delete_image(repositoryName=repository, imageIds=images)
    return [failure.get("failureReason", "no reason given") for failure in answer["failures"]]


def _digests(region: str, repository: str) -> set[str]:
    client = _client(region)
    with aws.asking(f"listing the images of {repository}"):
        try:
            pages = list(client.get_paginator("list_images").paginate(repositoryName=repository))
        except client.exceptions.RepositoryNotFoundException:
            return set()
    return {image["imageDigest"] for page in pages for image in page["imageIds"] if "imageDigest" in image}


def _client(region: str) -> "ECRClient":
    return aws.session(region).client("ecr", config=aws.CONFIG)
