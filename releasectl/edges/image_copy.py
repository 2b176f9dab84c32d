"""Copy an image by its digest from one repository of ECR to another, bytes unchanged.

Comes in: two repository URLs, also of other accounts and regions, and a digest. Goes out: the image, for an index
all its children, and what is attached to any of them (signatures, SBOMs, attestations). Content goes before what
names it, so whatever is there is whole: a copy that died is simply made again. It never deletes and never moves a tag.
"""

import os
import tempfile
from dataclasses import dataclass, field
from typing import BinaryIO

from releasectl.edges.image_registry import Descriptor, ImageNotThere, Manifest, Repository

# Where registries without a referrers API list them (OCI 1.1), and where cosign puts what belongs to a digest.
_ATTACHED = ("", ".sig", ".att", ".sbom")


def copy(source: str, target: str, digest: str, *, source_region: str = "", target_region: str = "") -> None:
    """Copy `digest` and what is attached to it; what is there already is not sent again.

    A region is where the login is asked for, the URL's own when left out. A tag of attached content that the
    target has is left as it is: it may hold signatures of the target's own.
    Raises ImageNotThere, ContentDiffers, AwsDenied, AwsThrottled, AwsUnreachable, AwsFailed.
    """
    doing = f"copying {source}@{digest} to {target}"
    with Repository(source, source_region, doing) as here, Repository(target, target_region, doing) as there:
        _Copy(here, there, doing).whole(digest)


@dataclass(frozen=True)
class _Copy:
    source: Repository
    target: Repository
    doing: str
    done: set[str] = field(default_factory=set)

    def whole(self, digest: str) -> None:
        """A manifest with everything below it, then what is attached to it."""
        if digest in self.done:
            return
        self.done.add(digest)
        manifest = self.source.manifest(digest)
        if manifest is None:
            raise ImageNotThere(
                f"{self.doing}: {self.source.url} does not have {digest}",
                "Push the image there first, or pin a digest that it has.",
            )
        for child in manifest.children:
            self.whole(child.digest)
        if not self.target.has_manifest(digest):
            self.content(manifest)
        self.attached(digest)

    def content(self, manifest: Manifest) -> None:
        """The blobs, and last the manifest that names them."""
        for blob in (manifest.config, *manifest.layers):
            if blob:
                self.blob(blob)
        self.target.put_manifest(manifest.digest, manifest)

    def blob(self, blob: Descriptor) -> None:
        """Through a file: a layer may be larger than memory. In one registry it is only linked, if it allows that."""
        neighbours = self.source.host == self.target.host
        with tempfile.TemporaryFile() as file:

            def content() -> BinaryIO:
                """Read once, and only when it has to be sent."""
                if not file.seek(0, os.SEEK_END):
                    self.source.read_blob(blob, file)
                file.seek(0)
                return file

            self.target.write_blob(blob.digest, content, mounted_from=self.source.name if neighbours else "")

    def attached(self, digest: str) -> None:
        """By the referrers API and by tags: which of them a signing tool uses depends on its age."""
        for referrer in self.source.referrers(digest):
            self.whole(referrer.digest)
        for ending in _ATTACHED:
            tag = digest.replace(":", "-") + ending
            found = self.source.manifest(tag)
            if found:
                self.whole(found.digest)
                if not self.target.has_manifest(tag):
                    self.target.put_manifest(tag, found)
