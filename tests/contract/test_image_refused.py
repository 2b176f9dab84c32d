"""What is not copied: what is not there, what is another than its digest says, what the registry denies."""

import json

import pytest

from releasectl.edges import image_copy
from releasectl.edges.aws import AwsDenied, AwsFailed, AwsThrottled, AwsUnreachable
from releasectl.edges.image_registry import ContentDiffers, ImageNotThere
from releasectl.errors import ControllerError
from sandbox import process
from sandbox.registry import digest_of
from tests.contract.answers import Answer
from tests.contract.registry import LAYERS, MANIFEST, THERE, Side, World, bytes_of, side


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
    world.between.answers[f"/v2/{source.name}/manifests/{digest}"] = Answer(
        200, lie, {"Content-Type": MANIFEST, "Docker-Content-Digest": digest}
    )

    with pytest.raises(ContentDiffers, match=f"{digest} was asked for and {other} came"):
        image_copy.copy(source.url, target.url, digest)
    assert world.between.writes == []


@pytest.mark.parametrize("lie", [b"x" * len(LAYERS[0]), b"x", b"x" * 1000], ids=["other", "shorter", "longer"])
def test_a_layer_that_is_another_than_its_digest_says_is_refused(
    world: World, source: Side, target: Side, lie: bytes
) -> None:
    digest = source.push(LAYERS)
    world.between.answers[f"/v2/{source.name}/blobs/{digest_of(LAYERS[0])}"] = Answer(200, lie)

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
    world.between.answers[f"/v2/{target.name}/blobs/uploads/"] = Answer(202, b"", away)

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
    world.between.answers[f"/v2/{target.name}/manifests/{digest}"] = Answer(status, said)

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
