"""The registry client against a real registry (ministack), and against one that lies."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import boto3
import pytest

from releasectl.errors import Retry
from sandbox.image import MANIFEST_TYPE
from sandbox.process import free_port
from sandbox.registry import NotInRegistry, Registry, RegistryRefused, RegistryUnreachable, digest_of

NOWHERE = f"sha256:{'0' * 64}"


@pytest.fixture
def registry(ministack: str) -> Registry:
    return Registry(ministack)


@pytest.fixture
def repository(ministack: str) -> str:
    """A new repository with immutable tags."""
    name = f"registry-{uuid4().hex[:8]}"
    ecr = boto3.client(
        "ecr",
        endpoint_url=ministack,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    return name


def test_a_blob_comes_back_byte_for_byte(registry: Registry, repository: str) -> None:
    data = bytes(range(256)) * 5000

    digest = registry.push_blob(repository, data)

    assert digest == digest_of(data)
    assert registry.blob(repository, digest) == data


def test_has_blob_tells_what_is_there_from_what_is_not(registry: Registry, repository: str) -> None:
    digest = registry.push_blob(repository, b"here")

    assert registry.has_blob(repository, digest)
    assert not registry.has_blob(repository, NOWHERE)


def test_a_manifest_keeps_its_bytes_under_tag_and_digest(registry: Registry, repository: str) -> None:
    raw = b'{ "schemaVersion" : 2 }\n'

    digest = registry.push_manifest(repository, "v1", raw, MANIFEST_TYPE)

    assert registry.manifest(repository, "v1") == (raw, MANIFEST_TYPE)
    assert registry.manifest(repository, digest) == (raw, MANIFEST_TYPE)


def test_a_manifest_without_a_tag_is_known_by_its_digest(registry: Registry, repository: str) -> None:
    digest = digest_of(b"{}")

    assert registry.push_manifest(repository, digest, b"{}", MANIFEST_TYPE) == digest
    assert registry.manifest(repository, digest)[0] == b"{}"


def test_the_same_digest_under_the_same_immutable_tag_is_success(registry: Registry, repository: str) -> None:
    first = registry.push_manifest(repository, "v1", b"{}", MANIFEST_TYPE)

    assert registry.push_manifest(repository, "v1", b"{}", MANIFEST_TYPE) == first


def test_an_immutable_tag_never_moves_and_the_error_names_both_digests(registry: Registry, repository: str) -> None:
    held = registry.push_manifest(repository, "v1", b"{}", MANIFEST_TYPE)

    with pytest.raises(RegistryRefused, match="the tag v1 is immutable") as refusal:
        registry.push_manifest(repository, "v1", b"[]", MANIFEST_TYPE)

    assert held in refusal.value.message
    assert digest_of(b"[]") in refusal.value.message
    assert registry.manifest(repository, "v1")[0] == b"{}"


def test_a_manifest_cannot_be_pushed_under_another_digest(registry: Registry, repository: str) -> None:
    with pytest.raises(RegistryRefused, match=f"is {digest_of(b'{}')} and not {NOWHERE}"):
        registry.push_manifest(repository, NOWHERE, b"{}", MANIFEST_TYPE)


def test_an_unknown_manifest_is_told_with_the_registrys_own_words(registry: Registry, repository: str) -> None:
    with pytest.raises(NotInRegistry, match=f"reading manifest v9 of {repository} .*MANIFEST_UNKNOWN") as missing:
        registry.manifest(repository, "v9")

    assert missing.value.retry is Retry.AFTER_CHANGE
    assert missing.value.remedy.startswith("Check")


def test_an_unknown_repository_is_an_error_and_not_an_absent_blob(registry: Registry) -> None:
    with pytest.raises(NotInRegistry, match="NAME_UNKNOWN"):
        registry.has_blob("nobody-made-this", NOWHERE)


def test_nobody_listening_is_worth_another_try_and_says_how_to_start() -> None:
    with pytest.raises(RegistryUnreachable, match="the registry is not reachable") as error:
        Registry(f"http://127.0.0.1:{free_port()}").manifest("web", "v1")

    assert error.value.retry is Retry.BACKOFF
    assert error.value.remedy.startswith("Start the sandbox")


def test_changed_bytes_on_the_way_out_are_noticed() -> None:
    with lying_registry() as lying:
        with pytest.raises(RegistryRefused, match=f"digest is {digest_of(b'changed')} and not {NOWHERE}"):
            lying.blob("web", NOWHERE)
        with pytest.raises(RegistryRefused, match=f"and not {NOWHERE}"):
            lying.manifest("web", NOWHERE)
        with pytest.raises(RegistryRefused, match=f"and not {NOWHERE}"):
            lying.manifest("web", "tag")


def test_a_digest_that_the_registry_did_not_store_is_noticed() -> None:
    with lying_registry() as lying:
        with pytest.raises(RegistryRefused, match=f"digest is {NOWHERE} and not {digest_of(b'data')}"):
            lying.push_blob("web", b"data")
        with pytest.raises(RegistryRefused, match=f"digest is {NOWHERE} and not {digest_of(b'{}')}"):
            lying.push_manifest("web", "v1", b"{}", MANIFEST_TYPE)


def test_a_redirect_to_the_name_that_aws_gives_stays_at_the_endpoint() -> None:
    with lying_registry() as lying:
        assert lying.blob("moved", digest_of(b"changed")) == b"changed"


def test_a_circle_of_redirects_ends_with_an_error() -> None:
    with lying_registry() as lying, pytest.raises(RegistryUnreachable, match="status 307"):
        lying.blob("circle", NOWHERE)


class _Lies(BaseHTTPRequestHandler):
    """Says that content has digest NOWHERE, answers `changed` to every read, redirects to AWS's host names."""

    def do_GET(self) -> None:
        away = "https://000000000000.dkr.ecr.eu-west-1.amazonaws.com"
        if self.path.startswith("/v2/moved/"):
            self._answer(307, f"{away}/v2/web/blobs/there?signature=1")
        elif self.path.startswith("/v2/circle/"):
            self._answer(307, away + self.path)
        else:
            self._answer(200, body=b"changed")

    def do_POST(self) -> None:
        self._answer(202, "https://000000000000.dkr.ecr.eu-west-1.amazonaws.com/v2/web/blobs/uploads/1")

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Says nothing: what a test needs to know is in its assertion."""

    def _answer(self, status: int, location: str = "", body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Docker-Content-Digest", NOWHERE)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def lying_registry() -> Iterator[Registry]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Lies) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Registry(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
