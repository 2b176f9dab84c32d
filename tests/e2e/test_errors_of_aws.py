"""What AWS and its registry say no by ends in an error of its own, with what was being asked, and changes nothing."""

import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from sandbox import process
from tests.contract.answers import Answer, serving
from tests.contract.registry import MANIFEST, Between
from tests.e2e.conftest import DIGEST, PROJECT, Story, recorded, told

JSON = {"Content-Type": "application/x-amz-json-1.1"}
ECR = "AmazonEC2ContainerRegistry_V20150921"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("status", "answer", "name"),
    [
        (400, "AccessDeniedException", "AwsDenied"),
        (400, "ThrottlingException", "AwsThrottled"),
        (503, "ServiceUnavailable", "AwsUnreachable"),
        (400, "OperationInProgressException", "AwsBusy"),
        (400, "InvalidParameterException", "AwsFailed"),
    ],
)
def test_aws_saying_no_is_told_apart(story: Story, status: int, answer: str, name: str) -> None:
    body = json.dumps({"__type": answer, "message": "told by the test"}).encode()
    with serving(lambda _asked: Answer(status, body, JSON)) as aws:
        said = story.releasectl("bump", "web", DIGEST, "--json", AWS_ENDPOINT_URL=aws.url)

    told(said, name, 3)
    assert DIGEST in said.err, "with what was being asked"


@pytest.mark.usefixtures("unchanged")
def test_aws_being_away_is_told(story: Story) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, nobody answers
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        said = story.releasectl("bump", "web", DIGEST, "--json", AWS_ENDPOINT_URL=endpoint)

    told(said, "AwsUnreachable", 3)


# ---- the registry ----


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", ["ImageNotThere", "ContentDiffers"])
def test_an_image_that_is_lost_or_another_is_told_before_it_is_released(
    story: Story, pinned: str, between: Between, name: str
) -> None:
    manifest = f"/v2/{story.repository.partition('/')[2]}/manifests/{pinned}"
    between.answers[manifest] = {
        "ImageNotThere": Answer(404),
        "ContentDiffers": Answer(200, b"{}", {"Content-Type": MANIFEST}),
    }[name]
    with door(story, between) as leads_to_it:
        said = story.releasectl("preview", "staging", "--json", HTTPS_PROXY=leads_to_it, https_proxy=leads_to_it)

    told(said, name, 3)
    assert f"{story.repository}@{pinned}" in said.err


@pytest.mark.usefixtures("unchanged")
def test_images_that_nobody_gave_up_are_not_torn_down(story: Story, pinned: str) -> None:
    assert pinned
    told(story.releasectl("teardown", "staging", "--yes", "--json"), "HoldsImages", 1)


def test_images_that_ecr_keeps_end_the_teardown_on_record(story: Story, pinned: str, between: Between) -> None:
    failure = {"failureCode": "ImageReferencedByManifestList", "failureReason": "it is used"}
    kept = {"imageIds": [], "failures": [failure]}
    between.answers[f"{ECR}.BatchDeleteImage"] = Answer(200, json.dumps(kept).encode(), JSON)
    before = story.everything()

    with serving(between.answer) as ecr:
        said = story.releasectl(
            "teardown", "staging", "--yes", "--delete-images", "--json", AWS_ENDPOINT_URL_ECR=ecr.url
        )

    assert pinned
    assert said.code == 3, said.err
    recorded(said.json, "ImagesLeft", "it is used - Delete them in the ECR console")
    recorded(story.last(), "ImagesLeft", "it is used")
    after = story.everything()
    assert (after["state"], after["runs"]) == (before["state"], before["runs"])


# ---- a hand ----


@pytest.fixture(scope="module")
def pinned(story: Story) -> Iterator[str]:
    """A build in staging's registry, pinned in a person's work tree, where the pipeline asks for facts of an image."""
    built, clone = story.build_new("1.0.0"), story.sandbox.clone
    release, policy = clone / "releases/staging.yaml", clone / "pipeline.yaml"
    release.write_text(re.sub(r'(digest:) *"[^"]*"', rf'\1 "{built.digest}"', release.read_text(), count=1))
    policy.write_text(policy.read_text().replace("gates: []", "gates: [vulnerabilities]"))
    yield built.digest
    story.pull()


@pytest.fixture
def between(story: Story) -> Iterator[Between]:
    """A proxy before AWS that lies as a test says."""
    with httpx.Client(base_url=story.sandbox.variables["AWS_ENDPOINT_URL"], trust_env=False, timeout=30) as client:
        yield Between(client)


@contextmanager
def door(story: Story, between: Between) -> Iterator[str]:
    """The way from the host names of ECR to that proxy; it ends when the test does."""
    authority = story.sandbox.folder / "runtimes" / "ca.pem"
    options = ["--authority", str(authority), "--key", str(authority.with_suffix(".key"))]
    with serving(between.answer) as registry:
        running = process.start(
            "door",
            [sys.executable, "-m", "sandbox.registry_door", "--registry", registry.url, *options],
            log=story.sandbox.folder / "another-door.log",
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT)},
            ready=process.ready_line,
        )
        try:
            yield running.endpoint
        finally:
            running.stop()
