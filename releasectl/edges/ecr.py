"""ECR: is a digest there, what is it, is it safe from retention, and may the next environment have it?

Comes in: a region, a repository URL, a digest. Goes out: the digest with the children of an index, its facts, a tag
that the retention rule never expires, a copy in another repository. It never deletes.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from releasectl.edges import aws, image_copy
from releasectl.edges.image_registry import MANIFEST_TYPES, ImageNotThere, Manifest, Repository
from releasectl.image_facts import ImageFacts, Scan

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef, ImageTypeDef

_PLATFORM = "linux/amd64"  # where the runtimes run; of an index, its child decides
_REVISION = "org.opencontainers.image.revision"
_DONE, _PENDING = ("COMPLETE", "ACTIVE"), ("IN_PROGRESS", "PENDING")


@dataclass(frozen=True)
class Ecr:
    """The image repositories of the account that the credentials belong to."""

    def images(self, region: str, repository: str, digest: str) -> tuple[str, ...]:
        """The digest and, for an index, its children; () when it is not there. Raises AwsDenied and its like."""
        manifest = _image(region, repository, {"imageDigest": digest})
        if manifest is None:
            return ()
        children = json.loads(manifest["imageManifest"]).get("manifests", [])
        return (digest, *(child["digest"] for child in children))

    def digest(self, region: str, repository: str, tag: str) -> str:
        """The digest of the image that has a tag now, "" when none has it."""
        image = _image(region, repository, {"imageTag": tag})
        return image["imageId"]["imageDigest"] if image else ""

    def shield(self, region: str, repository: str, digest: str) -> None:
        """Tag `digest` `release-<12 hex>`: the first retention rule keeps what is tagged so (aws.md 5.2)."""
        image = _image(region, repository, {"imageDigest": digest})
        if image is None:
            return
        with aws.asking(f"tagging {repository}@{digest}"):
            try:
                _client(region).put_image(
                    registryId=_account(repository),
                    repositoryName=_name(repository),
                    imageManifest=image["imageManifest"],
                    imageManifestMediaType=image.get("imageManifestMediaType") or MANIFEST_TYPES[1],
                    imageDigest=digest,
                    imageTag=f"release-{digest.removeprefix('sha256:')[:12]}",
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in (
                    "ImageAlreadyExistsException",
                    "ImageTagAlreadyExistsException",
                ):
                    raise

    def copy(self, source_region: str, source: str, target_region: str, target: str, *, digest: str) -> None:
        """Copy `digest` and what is attached to it; see image_copy. It may be called again at any time."""
        image_copy.copy(source, target, digest, source_region=source_region, target_region=target_region)

    def facts(self, region: str, repository: str, digest: str) -> ImageFacts:
        """What the image and its scan say; of an index, what its linux/amd64 child says, and nothing without one.

        Raises ImageNotThere, ContentDiffers and AWS's errors. `unknown` is what a registry without scans answers.
        """
        with Repository(repository, region, f"reading the facts of {repository}@{digest}") as images:
            image = _runnable(images, digest)
            if image is None or image.config is None:
                return ImageFacts()
            config = json.loads(images.small_blob(image.config))
        return ImageFacts(
            revision=(config.get("config", {}).get("Labels") or {}).get(_REVISION, ""),
            created=config.get("created", ""),
            size=sum(layer.size for layer in image.layers),
            scan=self._scan(region, repository, image.digest),
        )

    def _scan(self, region: str, repository: str, digest: str) -> Scan:
        with aws.asking(f"reading the scan of {repository}@{digest}"):
            try:
                answer = _client(region).describe_image_scan_findings(
                    registryId=_account(repository),
                    repositoryName=_name(repository),
                    imageId={"imageDigest": digest},
                    maxResults=1,  # the counts are of all findings
                )
            except ClientError as error:
                match error.response["Error"]["Code"]:
                    case "ScanNotFoundException":
                        return Scan("missing")
                    case "InvalidAction":  # this registry has no scans
                        return Scan("unknown")
                raise
        status = answer.get("imageScanStatus", {}).get("status", "")
        if status in _DONE:
            counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
            return Scan("done", {str(severity): count for severity, count in counts.items()})
        if status == "UNSUPPORTED_IMAGE":
            return Scan("unsupported")
        return Scan("pending" if status in _PENDING else "unknown")


def _image(region: str, repository: str, identifier: "ImageIdentifierTypeDef") -> "ImageTypeDef | None":
    tag = identifier.get("imageTag")
    named = f":{tag}" if tag else f"@{identifier.get('imageDigest')}"
    with aws.asking(f"looking for {repository}{named}"):
        try:
            answer = _client(region).batch_get_image(
                registryId=_account(repository),
                repositoryName=_name(repository),
                imageIds=[identifier],
                acceptedMediaTypes=list(MANIFEST_TYPES),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                return None
            raise
    return next(iter(answer["images"]), None)


def _client(region: str) -> "ECRClient":
    return aws.session(region).client("ecr", config=aws.CONFIG)


def _runnable(images: Repository, digest: str) -> Manifest | None:
    """The image, for an index its child that the runtimes run, None without one."""
    manifest = images.manifest(digest)
    if manifest is None:
        raise ImageNotThere(
            f"reading {images.url}@{digest}: it is not there", "Push it, or pin a digest that is there."
        )
    if not manifest.children:
        return manifest
    runnable = [child for child in manifest.children if child.platform == _PLATFORM]
    return _runnable(images, runnable[0].digest) if runnable else None


def _account(repository: str) -> str:
    """`<account>.dkr.ecr.<region>.amazonaws.com/a/b` -> `<account>`: it may be another one than the credentials'."""
    return repository.partition(".")[0]


def _name(repository: str) -> str:
    """`<account>.dkr.ecr.<region>.amazonaws.com/a/b` -> `a/b`."""
    return repository.partition("/")[2]
