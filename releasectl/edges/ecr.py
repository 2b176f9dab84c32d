"""ECR: is a digest there, and is it safe from retention?

Comes in: a region, a repository URL, a digest. Goes out: the digest with the children of an index, and a tag
that the retention rule never expires. It never pulls a layer and never deletes.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from releasectl.edges import aws
from releasectl.image_facts import ImageFacts

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MANIFESTS = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
]


@dataclass(frozen=True)
class Ecr:
    """The image repositories of the account that the credentials belong to."""

    def images(self, region: str, repository: str, digest: str) -> tuple[str, ...]:
        """The digest and, for an index, its children; () when it is not there. Raises AwsDenied and its like."""
        manifest = self._manifest(region, repository, digest)
        if manifest is None:
            return ()
        children = json.loads(manifest["imageManifest"]).get("manifests", [])
        return (digest, *(child["digest"] for child in children))

    def copy(self, source: tuple[str, str], target: tuple[str, str], digest: str) -> None:
        """Copy an image with all that belongs to it."""
        raise NotImplementedError

    def facts(self, region: str, repository: str, digest: str) -> ImageFacts:
        """What the image and its scan say."""
        raise NotImplementedError

    def shield(self, region: str, repository: str, digest: str) -> None:
        """Tag `digest` `release-<12 hex>`: the first retention rule keeps what is tagged so (aws.md 5.2)."""
        manifest = self._manifest(region, repository, digest)
        if manifest is None:
            return
        with aws.asking(f"tagging {repository}@{digest}"):
            try:
                _client(region).put_image(
                    repositoryName=_name(repository),
                    imageManifest=manifest["imageManifest"],
                    imageManifestMediaType=manifest["imageManifestMediaType"],
                    imageDigest=digest,
                    imageTag=f"release-{digest.removeprefix('sha256:')[:12]}",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "ImageAlreadyExistsException",
                    "ImageTagAlreadyExistsException",
                ):
                    raise

    def _manifest(self, region: str, repository: str, digest: str) -> dict[str, str] | None:
        with aws.asking(f"looking for {repository}@{digest}"):
            try:
                answer = _client(region).batch_get_image(
                    repositoryName=_name(repository), imageIds=[{"imageDigest": digest}], acceptedMediaTypes=MANIFESTS
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                    return None
                raise
        for image in answer["images"]:
            kind = image.get("imageManifestMediaType") or MANIFESTS[2]
            return {"imageManifest": image["imageManifest"], "imageManifestMediaType": kind}
        return None


def _client(region: str) -> "ECRClient":
    return aws.session(region).client("ecr", config=aws.CONFIG)


def _name(repository: str) -> str:
    """`<account>.dkr.ecr.<region>.amazonaws.com/a/b` -> `a/b`."""
    return repository.partition("/")[2]
