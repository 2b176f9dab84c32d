"""Copies between repositories of two accounts and regions, on a real registry, through the sandbox's door.

Between the door and the registry stands a proxy of the test that counts, cuts the line and lies.
"""

import gzip
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest

from releasectl.edges import aws, image_copy
from releasectl.edges.aws import AwsDenied, AwsFailed, AwsThrottled, AwsUnreachable
from releasectl.edges.ecr import Ecr
from releasectl.edges.image_registry import ContentDiffers, ImageNotThere
from releasectl.errors import ControllerError
from releasectl.image_facts import ImageFacts, Scan
from sandbox import ministack, process
from sandbox.app_runner.certificates import certificates
from sandbox.registry import NotInRegistry, Registry, digest_of

ROOT = Path(__file__).resolve().parents[2]
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
HERE, THERE = ("000000000000", "eu-west-1"), ("111111111111", "eu-central-1")
COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


@dataclass
class Between:
    """What passes, and what a test makes of it.

    `answers` stand for the registry's own, by path or by operation of AWS; of writes only `limit` pass.
    """

    asked: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    limit: int | None = None

    @property
    def writes(self) -> list[str]:
        return [line for line in self.asked if line.startswith(("POST /v2/", "PUT /v2/", "PATCH /v2/"))]

    def cut_after(self, writes: int) -> "Between":
        self.reset()
        self.limit = writes
        return self

    def reset(self) -> None:
        self.asked.clear()
        self.answers.clear()
        self.limit = None


def proxy(between: Between, client: httpx.Client) -> ThreadingHTTPServer:
    """To the registry that `client` knows."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def passes(self) -> None:
            between.asked.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if between.limit is not None and len(between.writes) > between.limit:
                self.close_connection = True  # the line is cut
                return
            asked_for = self.headers.get("X-Amz-Target", self.path.partition("?")[0])
            if asked_for in between.answers:
                self.answer(*between.answers[asked_for])
                return
            got = client.request(self.command, self.path, content=body, headers=dict(self.headers.items()))
            self.answer(got.status_code, dict(got.headers), got.content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = passes  # noqa: N815 - the library's names

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                if name.lower() not in ("content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", headers.get("content-length", str(len(body))))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's names
            """Nobody reads it."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@dataclass(frozen=True)
class World:
    """A registry of two accounts, and the way to it."""

    endpoint: str  # of AWS, with the test's proxy before it
    direct: str  # the same without
    door: str
    authority: Path
    between: Between


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    registry = ministack.start(folder)
    between = Between()
    client = httpx.Client(base_url=registry.endpoint, trust_env=False, timeout=30)
    server = proxy(between, client)
    Thread(target=server.serve_forever, daemon=True).start()
    known = certificates(folder)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    options = ["--authority", str(known.authority), "--key", str(known.authority.with_suffix(".key"))]
    door = process.start(
        "door",
        [sys.executable, "-m", "sandbox.registry_door", "--registry", endpoint, *options],
        log=folder / "door.log",
        environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        ready=process.ready_line,
    )  # fmt: skip
    yield World(endpoint, registry.endpoint, door.endpoint, known.authority, between)
    door.stop()
    server.shutdown()
    server.server_close()
    client.close()
    registry.stop()


@pytest.fixture
def world(standing: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The ordinary environment of a controller."""
    variables = {
        "AWS_ENDPOINT_URL": standing.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SSL_CERT_FILE": str(standing.authority),
        "HTTPS_PROXY": standing.door,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    aws.session.cache_clear()
    standing.between.reset()
    yield standing
    aws.session.cache_clear()


@dataclass(frozen=True)
class Side:
    """One repository, and how a build pushes to it: not through the door."""

    url: str
    name: str
    api: Registry

    def push(self, layers: list[bytes], *, labels: dict[str, str] | None = None, **more: Any) -> str:
        """An image."""
        config = json.dumps({"created": "2026-11-20T10:00:00Z", "config": {"Labels": labels}}).encode()
        content = {
            "schemaVersion": 2,
            "config": self.blob(config, CONFIG),
            "layers": [self.blob(layer, LAYER) for layer in layers],
            **more,
        }
        # Bytes that no library would write the same way again.
        return self.put(json.dumps(content, indent=3, separators=(" ,", " : ")).encode() + b"\n", MANIFEST)

    def push_index(self, *children: dict[str, Any], tag: str = "") -> str:
        raw = json.dumps({"mediaType": INDEX, "manifests": children, "schemaVersion": 2}).encode()
        return self.put(raw, INDEX, tag)

    def push_artifact(self, subject: str, seed: str) -> str:
        """A signature, SBOM or attestation of `subject`."""
        raw = self.api.manifest(self.name, subject)[0]
        named = {"mediaType": MANIFEST, "digest": subject, "size": len(raw)}
        return self.push([seed.encode()], artifactType="application/spdx+json", subject=named)

    def tag(self, digest: str, tag: str) -> None:
        raw, kind = self.api.manifest(self.name, digest)
        self.put(raw, kind, tag)

    def put(self, raw: bytes, kind: str, tag: str = "") -> str:
        return self.api.push_manifest(self.name, tag or digest_of(raw), raw, kind)

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self.api.push_blob(self.name, data), "size": len(data)}

    def described(self, digest: str, platform: str = "") -> dict[str, Any]:
        raw, kind = self.api.manifest(self.name, digest)
        named = dict(zip(("os", "architecture"), platform.split("/"), strict=True)) if platform else {}
        return {"mediaType": kind, "digest": digest, "size": len(raw)} | ({"platform": named} if named else {})

    def has(self, reference: str) -> bool:
        try:
            self.api.manifest(self.name, reference)
        except NotInRegistry:
            return False
        return True

    def is_whole(self, reference: str) -> bool:
        """Everything that the manifest names is here, and hashes to its name."""
        data = json.loads(self.api.manifest(self.name, reference)[0])
        below = [
            entry["digest"] for entry in (*data.get("layers", []), *([data["config"]] if "config" in data else []))
        ]
        for blob in below:
            self.api.blob(self.name, blob)  # raises when it is missing or another
        return all(self.is_whole(child["digest"]) for child in data.get("manifests", []))


class At(Registry):
    """The registry as one account and region sees it: it tells them by the host that is asked for."""

    def __init__(self, endpoint: str, host: str) -> None:
        super().__init__(endpoint)
        self._http.headers["Host"] = host


def side(world: World, place: tuple[str, str], name: str = "") -> Side:
    account, region = place
    name, host = name or f"team/web-{uuid4().hex[:8]}", f"{account}.dkr.ecr.{region}.amazonaws.com"
    client = boto3.client(
        "ecr", endpoint_url=world.direct, region_name=region, aws_access_key_id=account, aws_secret_access_key="x"
    )
    client.create_repository(repositoryName=name)
    return Side(f"{host}/{name}", name, At(world.direct, host))


@pytest.fixture
def source(world: World) -> Side:
    return side(world, HERE)


@pytest.fixture
def target(world: World) -> Side:
    return side(world, THERE)


LAYERS = [gzip.compress(b"one" * 100), gzip.compress(b"two" * 100)]


def bytes_of(side: Side, reference: str) -> tuple[bytes, str]:
    return side.api.manifest(side.name, reference)


# ---- what arrives ----


def test_an_image_arrives_with_its_bytes_unchanged_and_all_it_names(source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    image_copy.copy(source.url, target.url, digest)

    assert bytes_of(target, digest) == bytes_of(source, digest)
    assert target.is_whole(digest)


def test_an_index_arrives_with_its_children(source: Side, target: Side) -> None:
    one, other = source.push(LAYERS[:1]), source.push(LAYERS)
    index = source.push_index(source.described(one, "linux/amd64"), source.described(other, "linux/arm64"))
    image_copy.copy(source.url, target.url, index)

    assert [bytes_of(target, each) == bytes_of(source, each) for each in (index, one, other)] == [True] * 3
    assert target.is_whole(index)


def test_a_layer_larger_than_a_chunk_arrives(source: Side, target: Side) -> None:
    digest = source.push([os.urandom(5 << 20)])
    image_copy.copy(source.url, target.url, digest)

    assert target.is_whole(digest)


def test_in_one_registry_layers_are_linked_and_not_sent(world: World, source: Side) -> None:
    neighbour, digest = side(world, HERE), source.push(LAYERS)
    image_copy.copy(source.url, neighbour.url, digest)

    assert neighbour.is_whole(digest)
    assert [line for line in world.between.asked if line.startswith("GET") and "/blobs/" in line] == []


@pytest.mark.parametrize("ending", [".sig", ".att", ".sbom"])
def test_what_cosign_attached_by_a_tag_arrives_under_that_tag(source: Side, target: Side, ending: str) -> None:
    digest, signature = source.push(LAYERS), source.push([b"signed"])
    tag = digest.replace(":", "-") + ending
    source.tag(signature, tag)
    image_copy.copy(source.url, target.url, digest)

    assert bytes_of(target, tag) == bytes_of(source, signature)
    assert target.is_whole(tag)


def test_referrers_listed_under_a_tag_arrive_with_their_list(source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    sbom = source.push_artifact(digest, "sbom")
    tag = digest.replace(":", "-")
    source.push_index(source.described(sbom), tag=tag)
    image_copy.copy(source.url, target.url, digest)

    assert bytes_of(target, tag) == bytes_of(source, tag)
    assert target.is_whole(tag)


def test_referrers_of_the_registrys_own_api_arrive_from_every_page_and_theirs_too(
    world: World, source: Side, target: Side
) -> None:
    digest = source.push(LAYERS)
    sbom, other = source.push_artifact(digest, "sbom"), source.push_artifact(digest, "provenance")
    signature = source.push_artifact(sbom, "signature of the sbom")
    # ministack stores a subject and has no API for it: the pages are told here as ECR tells them.
    lists = f"/v2/{source.name}/referrers"
    follow = {"Link": f'<{lists}/{digest}/second>; rel="next"'}
    for path, referrer, more in (
        (digest, sbom, follow),
        (f"{digest}/second", other, {}),
        (sbom, signature, {}),
    ):
        page = json.dumps({"schemaVersion": 2, "manifests": [source.described(referrer)]}).encode()
        world.between.answers[f"{lists}/{path}"] = (200, {"Content-Type": INDEX, **more}, page)
    image_copy.copy(source.url, target.url, digest)

    assert [target.is_whole(each) for each in (digest, sbom, other, signature)] == [True] * 4


def test_a_signature_that_the_target_has_of_its_own_stays(source: Side, target: Side) -> None:
    digest, own = source.push(LAYERS), target.push([b"signed for production"])
    tag = digest.replace(":", "-") + ".sig"
    source.tag(source.push([b"signed by the build"]), tag)
    target.tag(own, tag)
    image_copy.copy(source.url, target.url, digest)

    assert digest_of(bytes_of(target, tag)[0]) == own


# ---- again, and after a crash ----


def test_a_second_copy_writes_nothing_and_reads_no_layer(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    source.tag(source.push([b"signed"]), digest.replace(":", "-") + ".sig")
    image_copy.copy(source.url, target.url, digest)
    assert world.between.writes
    world.between.reset()
    image_copy.copy(source.url, target.url, digest)

    assert world.between.writes == []
    assert [line for line in world.between.asked if "/blobs/" in line] == []


def test_what_is_attached_later_arrives_with_the_next_copy(source: Side, target: Side) -> None:
    digest, tag = source.push(LAYERS), ""
    image_copy.copy(source.url, target.url, digest)
    tag = digest.replace(":", "-") + ".att"
    source.tag(source.push([b"tested"]), tag)
    image_copy.copy(source.url, target.url, digest)

    assert target.is_whole(tag)


def test_a_copy_cut_at_any_write_leaves_only_whole_images_and_is_finished_by_the_next(
    world: World, source: Side
) -> None:
    one, other = source.push(LAYERS[:1]), source.push(LAYERS)
    index = source.push_index(source.described(one), source.described(other))
    signed = index.replace(":", "-") + ".sig"
    source.tag(source.push([b"signed"]), signed)
    everything, writes = (one, other, index, signed), 0
    while is_cut(world.between.cut_after(writes), source, target := side(world, THERE), index):
        assert all(target.is_whole(each) for each in everything if target.has(each))
        world.between.reset()
        image_copy.copy(source.url, target.url, index)
        assert all(target.is_whole(each) for each in everything)
        writes += 1

    assert writes == 13  # four blobs of two writes each, four manifests, one tag


def is_cut(between: Between, source: Side, target: Side, digest: str) -> bool:
    """Copy; did the line break?"""
    try:
        image_copy.copy(source.url, target.url, digest)
    except AwsUnreachable:
        return len(between.writes) > (between.limit or 0)
    return False


# ---- what is refused ----


def test_a_digest_that_the_source_does_not_have_is_told_with_both_repositories(source: Side, target: Side) -> None:
    digest = digest_of(b"never pushed")

    with pytest.raises(ImageNotThere) as caught:
        image_copy.copy(source.url, target.url, digest)
    assert caught.value.message == f"copying {source.url}@{digest} to {target.url}: {source.url} does not have {digest}"


def test_a_repository_that_is_not_there_is_told(source: Side, target: Side) -> None:
    digest = source.push(LAYERS)

    with pytest.raises(ImageNotThere, match="NAME_UNKNOWN"):
        image_copy.copy(source.url, f"{target.url}-nowhere", digest)


def test_a_manifest_that_is_another_than_its_digest_says_is_refused(world: World, source: Side, target: Side) -> None:
    digest, other = source.push(LAYERS), source.push(LAYERS[:1])
    lie = bytes_of(source, other)[0]
    world.between.answers[f"/v2/{source.name}/manifests/{digest}"] = (
        200,
        {"Content-Type": MANIFEST, "Docker-Content-Digest": digest},
        lie,
    )

    with pytest.raises(ContentDiffers, match=f"{digest} was asked for and {other} came"):
        image_copy.copy(source.url, target.url, digest)
    assert world.between.writes == []


@pytest.mark.parametrize("lie", [b"x" * len(LAYERS[0]), b"x", b"x" * 1000], ids=["other", "shorter", "longer"])
def test_a_layer_that_is_another_than_its_digest_says_is_refused(
    world: World, source: Side, target: Side, lie: bytes
) -> None:
    digest = source.push(LAYERS)
    world.between.answers[f"/v2/{source.name}/blobs/{digest_of(LAYERS[0])}"] = (200, {}, lie)

    with pytest.raises(ContentDiffers, match=digest_of(LAYERS[0])):
        image_copy.copy(source.url, target.url, digest)
    assert not target.has(digest)


@pytest.mark.parametrize(
    "raw",
    [b"[]", b"no json", b'{"layers": [{"digest": "sha256:../../x", "size": 1}]}', b'{"layers": [{"size": 1}]}'],
    ids=["a list", "no json", "a path for a digest", "no digest"],
)
def test_what_is_no_manifest_is_refused(source: Side, target: Side, raw: bytes) -> None:
    digest = source.put(raw, MANIFEST)

    with pytest.raises(ContentDiffers, match="no manifest"):
        image_copy.copy(source.url, target.url, digest)


def test_an_upload_that_would_lead_our_login_elsewhere_is_refused(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    away = {"Location": "https://example.com/upload"}
    world.between.answers[f"/v2/{target.name}/blobs/uploads/"] = (202, away, b"")

    with pytest.raises(AwsFailed, match=r"it leads to 'https://example\.com"):
        image_copy.copy(source.url, target.url, digest)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(401, AwsDenied, id="not known"),
        pytest.param(403, AwsDenied, id="not allowed"),
        pytest.param(429, AwsThrottled, id="too often"),
        pytest.param(500, AwsUnreachable, id="broken"),
        pytest.param(400, AwsFailed, id="anything else"),
    ],
)
def test_how_a_registry_says_no(world: World, source: Side, status: int, error: type[ControllerError]) -> None:
    target = side(world, THERE)
    digest = source.push(LAYERS)
    said = json.dumps({"errors": [{"code": "SAID", "message": "no"}]}).encode()
    world.between.answers[f"/v2/{target.name}/manifests/{digest}"] = (status, {}, said)

    with pytest.raises(error, match=f"copying {source.url}@{digest} to {target.url}") as caught:
        image_copy.copy(source.url, target.url, digest)
    assert type(caught.value) is error


def test_a_way_that_is_not_there_is_unreachable(source: Side, target: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{process.free_port()}")

    with pytest.raises(AwsUnreachable, match="does not answer"):
        image_copy.copy(source.url, target.url, digest_of(b"any"))


def test_what_is_no_repository_of_ecr_is_refused_before_anything_is_asked(source: Side) -> None:
    with pytest.raises(AwsFailed, match=r"'docker\.io/library/web' is no repository of ECR"):
        image_copy.copy(source.url, "docker.io/library/web", digest_of(b"any"))


# ---- the registry's edge ----


def test_the_edge_copies_and_finds_what_it_copied(world: World, source: Side) -> None:
    neighbour, digest = side(world, HERE), source.push(LAYERS)
    Ecr().copy(HERE[1], source.url, HERE[1], neighbour.url, digest=digest)

    assert Ecr().images(HERE[1], neighbour.url, digest) == (digest,)


def test_an_image_says_its_revision_time_and_size_and_a_registry_without_scans_leaves_them_unknown(
    source: Side,
) -> None:
    digest = source.push(LAYERS, labels={"org.opencontainers.image.revision": COMMIT})

    facts = Ecr().facts(HERE[1], source.url, digest)

    assert facts == ImageFacts(COMMIT, "2026-11-20T10:00:00Z", sum(map(len, LAYERS)), Scan("unknown"))


def test_an_image_without_labels_has_no_revision(source: Side) -> None:
    assert Ecr().facts(HERE[1], source.url, source.push(LAYERS)).revision == ""


def test_of_an_index_the_child_that_will_run_speaks(source: Side) -> None:
    arm = source.push(LAYERS, labels={"org.opencontainers.image.revision": "arm"})
    amd = source.push(LAYERS[:1], labels={"org.opencontainers.image.revision": "amd"})
    index = source.push_index(source.described(arm, "linux/arm64"), source.described(amd, "linux/amd64"))

    facts = Ecr().facts(HERE[1], source.url, index)

    assert (facts.revision, facts.size) == ("amd", len(LAYERS[0]))


def test_an_index_that_cannot_run_here_says_nothing(source: Side) -> None:
    index = source.push_index(source.described(source.push(LAYERS), "linux/arm64"))

    assert Ecr().facts(HERE[1], source.url, index) == ImageFacts()


SCAN = "AmazonEC2ContainerRegistry_V20150921.DescribeImageScanFindings"


@pytest.mark.parametrize(
    ("status", "scan"),
    [
        pytest.param("COMPLETE", Scan("done", {"HIGH": 2, "LOW": 7}), id="basic"),
        pytest.param("ACTIVE", Scan("done", {"HIGH": 2, "LOW": 7}), id="enhanced"),
        pytest.param("IN_PROGRESS", Scan("pending"), id="going on"),
        pytest.param("PENDING", Scan("pending"), id="not begun"),
        pytest.param("UNSUPPORTED_IMAGE", Scan("unsupported"), id="unsupported"),
        pytest.param("FAILED", Scan("unknown"), id="failed"),
        pytest.param("SOMETHING_NEW", Scan("unknown"), id="a status of tomorrow"),
    ],
)
def test_a_scan_is_told_with_its_counts_once_it_is_done(world: World, source: Side, status: str, scan: Scan) -> None:
    answer = {
        "imageScanStatus": {"status": status},
        "imageScanFindings": {"findingSeverityCounts": {"HIGH": 2, "LOW": 7}},
    }
    world.between.answers[SCAN] = (200, {}, json.dumps(answer).encode())

    assert Ecr().facts(HERE[1], source.url, source.push(LAYERS)).scan == scan


def test_an_image_that_was_never_scanned_says_so(world: World, source: Side) -> None:
    world.between.answers[SCAN] = (400, {}, b'{"__type": "ScanNotFoundException"}')

    assert Ecr().facts(HERE[1], source.url, source.push(LAYERS)).scan == Scan("missing")


def test_a_scan_that_we_may_not_read_is_an_error_and_not_unknown(world: World, source: Side) -> None:
    world.between.answers[SCAN] = (400, {}, b'{"__type": "AccessDeniedException", "message": "no"}')

    with pytest.raises(AwsDenied, match="reading the scan of"):
        Ecr().facts(HERE[1], source.url, source.push(LAYERS))


def test_facts_of_a_digest_that_is_not_there_are_an_error(source: Side) -> None:
    with pytest.raises(ImageNotThere, match=source.url):
        Ecr().facts(HERE[1], source.url, digest_of(b"never"))
