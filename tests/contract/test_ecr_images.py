"""The images of a repository, counted and deleted in a real registry: all of them, indexes too, and nothing else."""

import json
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest

from releasectl.edges import aws, ecr_images
from releasectl.edges.ecr_images import EcrImages
from sandbox import ministack
from sandbox.registry import Registry, digest_of
from tests.twins import REGION

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = ministack.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture(autouse=True)
def account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ordinary environment of AWS's clients."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    aws.session.cache_clear()
    yield
    aws.session.cache_clear()


def repository(endpoint: str, images: int) -> str:
    """A new repository with images, of which one is an index of all others."""
    name, api = f"team/web-{uuid4().hex[:8]}", Registry(endpoint)
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName=name)
    children = []
    for number in range(images - 1):
        blob = api.push_blob(name, f"{number}".encode())
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob, "size": 1}
        raw = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        children.append(
            {"mediaType": MANIFEST, "digest": api.push_manifest(name, f"v{number}", raw, MANIFEST), "size": 1}
        )
    raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}).encode()
    api.push_manifest(name, digest_of(raw), raw, INDEX)
    return name


def test_every_image_goes_with_its_tags_and_no_other_repository_is_touched(endpoint: str) -> None:
    many = ecr_images.BATCH + 2  # more than one call takes
    mine, other = repository(endpoint, many), repository(endpoint, 2)
    images = EcrImages()
    assert (images.count(REGION, mine), images.count(REGION, other)) == (many, 2)

    images.delete(REGION, mine)

    assert (images.count(REGION, mine), images.count(REGION, other)) == (0, 2)
    images.delete(REGION, mine)


def test_a_repository_that_is_not_there_has_no_images() -> None:
    images = EcrImages()

    assert images.count(REGION, "team/nowhere") == 0
    images.delete(REGION, "team/nowhere")
