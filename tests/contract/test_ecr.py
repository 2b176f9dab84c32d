"""ECR's edge on a real registry: copies that it finds again, and what an image and its scan say."""

import json

import pytest

from releasectl.edges.aws import AwsDenied
from releasectl.edges.ecr import Ecr
from releasectl.edges.image_registry import ImageNotThere
from releasectl.image_facts import ImageFacts, Scan
from sandbox.registry import digest_of
from tests.contract.answers import Answer
from tests.contract.registry import HERE, LAYERS, Side, World, side

COMMIT = "9a1b2c3d4e5f60718293a4b5c6d7e8f901234567"


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
    world.between.answers[SCAN] = Answer(200, json.dumps(answer).encode())

    assert Ecr().facts(HERE[1], source.url, source.push(LAYERS)).scan == scan


def test_an_image_that_was_never_scanned_says_so(world: World, source: Side) -> None:
    world.between.answers[SCAN] = Answer(400, b'{"__type": "ScanNotFoundException"}')

    assert Ecr().facts(HERE[1], source.url, source.push(LAYERS)).scan == Scan("missing")


def test_a_scan_that_we_may_not_read_is_an_error_and_not_unknown(world: World, source: Side) -> None:
    world.between.answers[SCAN] = Answer(400, b'{"__type": "AccessDeniedException", "message": "no"}')

    with pytest.raises(AwsDenied, match="reading the scan of"):
        Ecr().facts(HERE[1], source.url, source.push(LAYERS))


def test_facts_of_a_digest_that_is_not_there_are_an_error(source: Side) -> None:
    with pytest.raises(ImageNotThere, match=source.url):
        Ecr().facts(HERE[1], source.url, digest_of(b"never"))
