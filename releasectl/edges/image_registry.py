"""One repository of an image registry over its own HTTP interface (OCI distribution, `/v2/`).

Comes in: a repository URL of ECR, a digest or a tag. Goes out: manifests byte for byte and blobs by way of a file,
each proven against its digest. What is throttled, broken or cut is asked again: whatever is written here may be
written twice, and is looked for first when an answer was lost. Roots and proxies come by SSL_CERT_FILE, HTTPS_PROXY.
Over httpx and not oras 0.2: that one writes manifests anew from parsed JSON, holds a whole layer in memory, has no
timeouts, and asks five times over two minutes when it is denied.
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx

from releasectl.edges import aws
from releasectl.edges.again import ForNow, again, retry_after
from releasectl.edges.aws import AwsDenied, AwsFailed, AwsThrottled, AwsUnreachable
from releasectl.errors import ControllerError, Retry

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ECR = re.compile(
    r"(?P<host>[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.]+)/(?P<name>[a-z0-9._/-]+)"
)
_TIMEOUT = httpx.Timeout(60, connect=10)  # seconds without a byte, never of a whole layer
_CHUNK = 1 << 20
_MISSING = (httpx.codes.NOT_FOUND,)
# How registries without a referrers API say so: 404 by the specification, the others as go-containerregistry met them.
_NO_REFERRERS = (*_MISSING, httpx.codes.BAD_REQUEST, httpx.codes.NOT_ACCEPTABLE)
_SMALL = 4 << 20  # bytes; registries take no larger manifest


class ImageNotThere(ControllerError):
    """The registry answers, and has no such repository, manifest or blob."""

    retry = Retry.AFTER_CHANGE


class ContentDiffers(ControllerError):
    """A registry gave other bytes than the digest names, or a manifest that is none."""


@dataclass(frozen=True)
class Descriptor:
    """What a manifest says of something else; `platform` is `linux/amd64` or ""."""

    digest: str
    size: int
    platform: str


@dataclass(frozen=True)
class Manifest:
    """`raw` is what the digest is of, and never written anew."""

    raw: bytes
    media_type: str
    data: dict[str, Any]

    @property
    def digest(self) -> str:
        return digest_of(self.raw)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests of an index."""
        return _descriptors(self.data.get("manifests"))

    @property
    def config(self) -> Descriptor | None:
        found = _descriptors([self.data["config"]] if "config" in self.data else [])
        return found[0] if found else None

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return _descriptors(self.data.get("layers"))


class Repository:
    """One repository, for one purpose: `doing` begins every error. Use it with `with`."""

    def __init__(self, url: str, region: str, doing: str) -> None:
        found = _ECR.fullmatch(url)
        if not found:
            raise AwsFailed(f"{doing}: {url!r} is no repository of ECR", "Name it as `releasectl status` does.")
        self.url, self.host, self.name = url, found["host"], found["name"]
        self._doing = doing
        self._http = httpx.Client(
            base_url=f"https://{self.host}/v2/{self.name}/",
            # Stored bytes are what digests are of: nobody may compress them on the way.
            headers={
                "Authorization": f"Basic {_token(region or found['region'], doing)}",
                "Accept-Encoding": "identity",
            },
            timeout=_TIMEOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._http.close()

    def manifest(self, reference: str) -> Manifest | None:
        """By digest or tag; None when the repository does not have it. Raises ContentDiffers and AWS's errors."""
        what = f"reading {self._named(reference)}"
        answer = self._ask("GET", f"manifests/{reference}", what, allowed=_MISSING)
        if not answer.is_success:
            return None
        if reference.startswith("sha256:"):
            self._prove(reference, digest_of(answer.content), what)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return self._parsed(answer.content, media_type, what)

    def has_manifest(self, reference: str) -> bool:
        what = f"looking for {self._named(reference)}"
        return self._ask("HEAD", f"manifests/{reference}", what, allowed=_MISSING).is_success

    def put_manifest(self, reference: str, manifest: Manifest) -> None:
        """Store the bytes as they are, under their digest or a tag."""
        what = f"writing {self._named(reference)}"
        kind = {"Content-Type": manifest.media_type}
        tries = 0

        def once() -> None:
            nonlocal tries
            tries += 1
            # A tag that cannot be moved cannot be written twice either: did it arrive, and only the answer was lost?
            if tries > 1 and self._is_there(reference, manifest):
                return
            stored = self._ask_once("PUT", f"manifests/{reference}", what, content=manifest.raw, headers=kind)
            self._prove(manifest.digest, stored.headers.get("Docker-Content-Digest", manifest.digest), what)

        again(once)

    def _is_there(self, reference: str, manifest: Manifest) -> bool:
        found = self.manifest(reference)
        return found is not None and found.digest == manifest.digest

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What names `digest` as its subject (OCI 1.1); () as well where the registry cannot say."""
        found: list[Descriptor] = []
        page, what = f"referrers/{digest}", f"asking {self.url} for the referrers of {digest}"
        while page:
            answer = self._ask("GET", page, what, allowed=_NO_REFERRERS)
            if not answer.is_success:
                break
            found += self._parsed(answer.content, "", what).children
            following = answer.links.get("next", {}).get("url", "")
            page = self._own(answer, following, what) if following else ""
        return tuple(found)

    def read_blob(self, blob: Descriptor, into: BinaryIO) -> None:
        """Stream a blob into an empty file. Raises ContentDiffers before more is kept than its descriptor says."""
        what = f"reading blob {blob.digest} of {self.url}"

        def once() -> None:
            into.seek(0)
            into.truncate()
            self._prove(blob.digest, self._stream(blob, into, what), what)

        again(once)

    def _stream(self, blob: Descriptor, into: BinaryIO, what: str) -> str:
        """The digest of what came, as far as the descriptor says that it goes."""
        hashed, written = hashlib.sha256(), 0
        with self._reaching(what), self._http.stream("GET", f"blobs/{blob.digest}", follow_redirects=True) as answer:
            if not answer.is_success:
                answer.read()
                raise self._no(answer, what)
            for chunk in answer.iter_raw(_CHUNK):
                written += len(chunk)
                if written > blob.size:
                    break
                hashed.update(chunk)
                into.write(chunk)
        return f"sha256:{hashed.hexdigest()}"

    def small_blob(self, blob: Descriptor) -> bytes:
        """A blob that fits into memory, such as an image's config."""
        if blob.size > _SMALL:
            raise self._differs(f"reading blob {blob.digest} of {self.url}", f"{blob.size} bytes are too many")
        content = io.BytesIO()
        self.read_blob(blob, content)
        return content.getvalue()

    def write_blob(self, digest: str, content: Callable[[], BinaryIO], *, mounted_from: str = "") -> None:
        """Store what `content` opens, unless it is here; from the registry's own repository `mounted_from` by a link.

        Begins anew when it breaks off: a new upload, and the content from its start.
        """
        what = f"writing blob {digest} to {self.url}"

        def once() -> None:
            if self._has_blob(digest):
                return
            place = self._begin_upload(digest, mounted_from)
            if place:
                where = httpx.URL(place).copy_merge_params({"digest": digest})
                kind = {"Content-Type": "application/octet-stream"}
                self._ask_once("PUT", str(where), what, content=content(), headers=kind)

        again(once)

    def _has_blob(self, digest: str) -> bool:
        what = f"looking for blob {digest} in {self.url}"
        return self._ask_once("HEAD", f"blobs/{digest}", what, allowed=_MISSING, follow_redirects=True).is_success

    def _begin_upload(self, digest: str, mounted_from: str) -> str:
        """Where to upload a blob to; "" when the registry linked it."""
        what = f"beginning to write blob {digest} to {self.url}"
        asked = {"mount": digest, "from": mounted_from} if mounted_from else {}
        answer = self._ask_once("POST", "blobs/uploads/", what, params=asked)
        if answer.status_code == httpx.codes.CREATED:
            return ""
        return self._own(answer, answer.headers.get("Location", ""), what)

    def _ask(self, method: str, path: str, what: str, *, allowed: tuple[int, ...] = ()) -> httpx.Response:
        return again(lambda: self._ask_once(method, path, what, allowed=allowed))

    def _ask_once(
        self, method: str, path: str, what: str, *, allowed: tuple[int, ...] = (), **more: Any
    ) -> httpx.Response:
        """Raises ForNow around what may pass."""
        more["headers"] = {"Accept": ", ".join(MANIFEST_TYPES), **more.get("headers", {})}
        with self._reaching(what):
            answer = self._http.request(method, path, **more)
        if answer.is_success or answer.status_code in allowed:
            return answer
        raise self._no(answer, what)

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        try:
            yield
        except httpx.RequestError as error:
            cause = str(error) or type(error).__name__
            away = AwsUnreachable(
                f"{self._doing}: {what}: the registry does not answer: {cause}",
                "Check the network, the proxy in HTTPS_PROXY and the AWS health page, then try again.",
            )
            raise ForNow(away) from error

    def _no(self, answer: httpx.Response, what: str) -> ControllerError | ForNow:
        cause = f"{self._doing}: {what}: {_told(answer)}"
        after = retry_after(answer.headers.get("Retry-After", ""))
        match answer.status_code:
            case 401 | 403:
                return AwsDenied(cause, "Check the role and its permissions on both repositories.")
            case 404:
                return ImageNotThere(cause, "Check repository and digest; push the image first if it is missing.")
            case 429:
                return ForNow(AwsThrottled(cause, "Wait a minute, then run the same command again."), after)
            case code if code >= 500:
                return ForNow(
                    AwsUnreachable(cause, "Check the AWS health page, then run the same command again."), after
                )
        return AwsFailed(cause, "Read the cause above; run the same command again once it is gone.")

    def _own(self, answer: httpx.Response, link: str, what: str) -> str:
        """A link of the registry, made whole; it must lead to the same host, because our token goes with it."""
        whole = answer.request.url.join(link)
        if not link or (whole.scheme, whole.host) != ("https", self.host):
            raise AwsFailed(f"{self._doing}: {what}: it leads to {link!r}", "Ask who runs the registry why.")
        return str(whole)

    def _parsed(self, raw: bytes, media_type: str, what: str) -> Manifest:
        try:
            data = json.loads(raw)
            manifest = Manifest(raw, media_type or data.get("mediaType", ""), data)
            _ = manifest.children, manifest.config, manifest.layers
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._differs(what, "it is no manifest") from error
        return manifest

    def _prove(self, digest: str, found: str, what: str) -> None:
        if found != digest:
            raise self._differs(what, f"{digest} was asked for and {found} came")

    def _differs(self, what: str, cause: str) -> ContentDiffers:
        remedy = "Find out who changed the registry's content before anything is released from it."
        return ContentDiffers(f"{self._doing}: {what}: {cause}", remedy)

    def _named(self, reference: str) -> str:
        return f"{self.url}{'@' if reference.startswith('sha256:') else ':'}{reference}"


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hex characters."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptors(listed: Any) -> tuple[Descriptor, ...]:
    """Raises ValueError and its like when they are none: digests become parts of paths."""
    found = []
    for entry in listed or ():
        if not _DIGEST.fullmatch(entry["digest"]) or not isinstance(entry["size"], int):
            raise ValueError(entry["digest"])
        platform = entry.get("platform") or {}
        named = f"{platform['os']}/{platform['architecture']}" if platform else ""
        found.append(Descriptor(entry["digest"], entry["size"], named))
    return tuple(found)


def _token(region: str, doing: str) -> str:
    """What ECR takes as basic authorization, for twelve hours."""
    with aws.asking(f"{doing}: logging in to the registry of {region}"):
        answer = aws.session(region).client("ecr", config=aws.CONFIG).get_authorization_token()
    return answer["authorizationData"][0]["authorizationToken"]


def _told(answer: httpx.Response) -> str:
    """What the registry said: code and message of its first error, or the bare status."""
    try:
        first = answer.json()["errors"][0]
        return f"{first['code']}: {first.get('message', '')}"
    except (ValueError, LookupError, TypeError):
        return f"status {answer.status_code}"
