"""An image registry over its own HTTP interface (OCI distribution, `/v2/`), for the sandbox to push and pull.

Comes in: the registry's endpoint, e.g. http://127.0.0.1:4566. Goes out: blobs and manifests, byte for byte.
Every digest is computed here and compared, on the way in and on the way out. Locations that the registry
answers with have the host of AWS (`<account>.dkr.ecr.<region>.amazonaws.com`); only their path and query are
used, so it never speaks to any host but the endpoint. It never creates repositories and holds no credentials.
"""

import hashlib

import httpx

from releasectl.errors import ControllerError, Retry

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_REDIRECTS = 3  # a registry needs one; more than a few is a circle


class RegistryUnreachable(ControllerError):
    """Nobody answered, or the registry itself is broken."""

    retry = Retry.BACKOFF


class NotInRegistry(ControllerError):
    """The registry answered: it has no such repository, manifest or blob."""

    retry = Retry.AFTER_CHANGE


class RegistryRefused(ControllerError):
    """The registry answered no: an immutable tag, a digest that does not match, missing blobs."""


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal characters, as registries name content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Registry:
    """One registry. Each call is a connection of its own, so there is nothing to close."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._http = httpx.Client(
            timeout=httpx.Timeout(60, connect=5),
            trust_env=False,  # a proxy from the environment would be asked for a loopback address
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether `repository` holds the blob; an unknown repository is an error, not a no."""
        doing = f"looking for blob {digest} in {repository}"
        answer = self._ask("HEAD", f"/v2/{repository}/blobs/{digest}", doing, may_be_missing=True)
        if answer.status_code == httpx.codes.NOT_FOUND:
            self._demand_repository(repository, doing)
        return answer.is_success

    def push_blob(self, repository: str, data: bytes) -> str:
        """Uploads `data`, returns its digest. Pushing what is there already is success."""
        digest = digest_of(data)
        doing = f"pushing blob {digest} to {repository}"
        upload = self._ask("POST", f"/v2/{repository}/blobs/uploads/", doing)
        location = httpx.URL(self._local(upload, doing)).copy_merge_params({"digest": digest})
        stored = self._ask("PUT", str(location), doing, body=data, media_type="application/octet-stream")
        return _same(digest, stored.headers.get("Docker-Content-Digest", digest), doing)

    def push_manifest(self, repository: str, reference: str, raw: bytes, media_type: str) -> str:
        """Stores `raw` unchanged under a tag or its digest, returns the digest.

        A tag that names this digest already is success, also where tags are immutable; an immutable tag that
        names another digest is RegistryRefused.
        """
        digest = digest_of(raw)
        doing = f"pushing manifest {digest} to {repository} as {reference}"
        if reference.startswith("sha256:"):
            _same(reference, digest, doing)
        try:
            stored = self._ask("PUT", f"/v2/{repository}/manifests/{reference}", doing, body=raw, media_type=media_type)
        except RegistryRefused as refusal:
            held = self._digest_under(repository, reference)
            if held == digest:
                return digest
            if held:
                raise _tag_taken(repository, reference, held, digest) from refusal
            raise
        return _same(digest, stored.headers.get("Docker-Content-Digest", digest), doing)

    def manifest(self, repository: str, reference: str) -> tuple[bytes, str]:
        """The manifest's exact bytes and its media type, by tag or digest."""
        doing = f"reading manifest {reference} of {repository}"
        answer = self._ask("GET", f"/v2/{repository}/manifests/{reference}", doing)
        named = answer.headers.get("Docker-Content-Digest", digest_of(answer.content))
        _same(reference if reference.startswith("sha256:") else named, digest_of(answer.content), doing)
        return answer.content, answer.headers.get("Content-Type", "").split(";")[0].strip()

    def blob(self, repository: str, digest: str) -> bytes:
        """The blob's bytes; they hash to `digest` or it is an error."""
        doing = f"reading blob {digest} of {repository}"
        data = self._ask("GET", f"/v2/{repository}/blobs/{digest}", doing).content
        _same(digest, digest_of(data), doing)
        return data

    def _digest_under(self, repository: str, reference: str) -> str:
        """The digest that `reference` names now, "" if none."""
        try:
            return digest_of(self.manifest(repository, reference)[0])
        except NotInRegistry:
            return ""

    def _demand_repository(self, repository: str, doing: str) -> None:
        self._ask("GET", f"/v2/{repository}/tags/list", doing)

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        body: bytes = b"",
        media_type: str = "",
        may_be_missing: bool = False,
    ) -> httpx.Response:
        headers = {"Accept": ", ".join(MANIFEST_TYPES)} | ({"Content-Type": media_type} if media_type else {})
        for _ in range(_REDIRECTS):
            try:
                answer = self._http.request(method, self.endpoint + path, content=body, headers=headers)
            except httpx.TransportError as error:
                raise self._unreachable(doing, str(error)) from error
            if not answer.has_redirect_location:
                break
            path = self._local(answer, doing)
        if answer.is_success or (may_be_missing and answer.status_code == httpx.codes.NOT_FOUND):
            return answer
        raise self._no(answer, doing)

    def _local(self, answer: httpx.Response, doing: str) -> str:
        """Path and query of the answer's Location: its host is AWS's name for this very registry."""
        location = answer.headers.get("Location")
        if not location:
            raise self._unreachable(doing, f"status {answer.status_code} without a Location")
        return answer.request.url.join(location).raw_path.decode("ascii")

    def _no(self, answer: httpx.Response, doing: str) -> ControllerError:
        cause = f"{doing} at {self.endpoint}: {_told(answer)}"
        if answer.status_code == httpx.codes.NOT_FOUND:
            return NotInRegistry(cause, "Check repository and digest; push the image first if it is missing.")
        if answer.is_client_error:
            return RegistryRefused(cause, "Push what the registry misses, or mend what it names.")
        return self._unreachable(doing, _told(answer))

    def _unreachable(self, doing: str, cause: str) -> RegistryUnreachable:
        message = f"{doing} at {self.endpoint}: the registry is not reachable: {cause}"
        return RegistryUnreachable(message, "Start the sandbox with `python -m sandbox up` and try again.")


def _told(answer: httpx.Response) -> str:
    """What the registry said: code and message of its first error, or the bare status."""
    try:
        first = answer.json()["errors"][0]
        return f"{first['code']}: {first.get('message', '')}"
    except (ValueError, LookupError, TypeError):
        return f"status {answer.status_code}"


def _same(expected: str, actual: str, doing: str) -> str:
    if expected != actual:
        remedy = "Push or pull again; if it stays so, do not trust this registry's content."
        raise RegistryRefused(f"{doing}: digest is {actual} and not {expected}", remedy)
    return actual


def _tag_taken(repository: str, tag: str, held: str, pushed: str) -> RegistryRefused:
    return RegistryRefused(
        f"pushing {pushed} to {repository}: the tag {tag} is immutable and names {held} already",
        "Use a new tag for a new image; tags of a released image never move.",
    )
