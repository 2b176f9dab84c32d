"""A registry that is throttled, broken or cut for a moment, and answers that are lost: the copy arrives, once."""

import json

import pytest

from releasectl.edges import image_copy
from releasectl.edges.again import PATIENCE
from releasectl.edges.aws import AwsDenied, AwsThrottled, AwsUnreachable
from sandbox.registry import digest_of
from tests.contract.answers import CUT, Answer
from tests.contract.registry import LAYERS, Between, Side, World, bytes_of


@pytest.fixture(autouse=True)
def patient(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it has to be set after the world's own
    monkeypatch.setenv(PATIENCE, "20")


THROTTLED, BROKEN = Answer(429, headers={"Retry-After": "1"}), Answer(503)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(("GET /v2/{source}/manifests/{digest}", BROKEN), id="reading a manifest"),
        pytest.param(("GET /v2/{source}/blobs/", BROKEN), id="reading a layer"),
        pytest.param(("GET /v2/{source}/blobs/", CUT), id="reading a layer, cut"),
        pytest.param(("HEAD /v2/{target}/blobs/", THROTTLED), id="looking for a layer"),
        pytest.param(("POST /v2/{target}/blobs/uploads/", BROKEN), id="beginning an upload"),
        pytest.param(("PUT /v2/{target}/", THROTTLED), id="sending a layer"),
        pytest.param(("PUT /v2/{target}/", CUT), id="sending a layer, cut"),
        pytest.param(("PUT /v2/{target}/manifests/", BROKEN), id="writing a manifest"),
    ],
)
def test_a_bad_moment_passes(world: World, source: Side, target: Side, moment: tuple[str, Answer]) -> None:
    digest = source.push(LAYERS)
    asked = moment[0].format(source=source.name, target=target.name, digest=digest)
    world.between.moments.append((asked, moment[1]))
    image_copy.copy(source.url, target.url, digest)

    assert bytes_of(target, digest) == bytes_of(source, digest)
    assert target.is_whole(digest)
    assert world.between.moments == [], "the moment came"


def test_a_registry_that_asks_for_time_is_given_it(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    question = f"GET /v2/{source.name}/manifests/{digest}"
    world.between.moments.append((question, Answer(429, headers={"Retry-After": "2"})))
    image_copy.copy(source.url, target.url, digest)

    times = [at for line, at in world.between.times if line == question]
    assert times[1] - times[0] >= 2


def test_a_registry_that_asks_for_more_time_than_we_have_is_not_waited_for(
    world: World, source: Side, target: Side
) -> None:
    digest = source.push(LAYERS)
    world.between.answers[f"/v2/{source.name}/manifests/{digest}"] = Answer(429, headers={"Retry-After": "3600"})

    with pytest.raises(AwsThrottled):
        image_copy.copy(source.url, target.url, digest)
    assert len([line for line in world.between.asked if "manifests" in line]) == 1


# ---- answers that are lost ----


def sent(between: Between, target: Side, digest: str) -> int:
    """How often a blob was sent."""
    ending = f"digest={digest.replace(':', '%3A')}"
    return len([line for line in between.writes if line.startswith(f"PUT /v2/{target.name}/") and ending in line])


def test_a_layer_whose_answer_was_lost_is_not_sent_twice(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    config = json.loads(bytes_of(source, digest)[0])["config"]["digest"]
    world.between.deaf.append(f"PUT /v2/{target.name}/")
    image_copy.copy(source.url, target.url, digest)

    assert world.between.deaf == []
    assert [sent(world.between, target, blob) for blob in (config, *map(digest_of, LAYERS))] == [1, 1, 1]
    assert target.is_whole(digest)


def test_an_upload_whose_place_was_never_told_is_begun_anew(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    world.between.deaf.append(f"POST /v2/{target.name}/blobs/uploads/")
    image_copy.copy(source.url, target.url, digest)

    assert target.is_whole(digest)


def test_a_manifest_whose_answer_was_lost_is_not_written_twice(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    place = f"PUT /v2/{target.name}/manifests/{digest}"
    world.between.deaf.append(place)
    image_copy.copy(source.url, target.url, digest)

    assert world.between.writes.count(place) == 1
    assert target.is_whole(digest)


def test_a_tag_whose_answer_was_lost_is_not_written_twice(world: World, source: Side, target: Side) -> None:
    """A tag that cannot be moved would refuse the second time, though it says what we want."""
    digest = source.push(LAYERS)
    tag = digest.replace(":", "-") + ".sig"
    source.tag(source.push([b"signed"]), tag)
    place = f"PUT /v2/{target.name}/manifests/{tag}"
    world.between.deaf.append(place)
    image_copy.copy(source.url, target.url, digest)

    assert world.between.writes.count(place) == 1
    assert bytes_of(target, tag) == bytes_of(source, tag)


# ---- when it is over ----


def test_an_outage_that_stays_is_told_with_where_how_long_and_the_last_cause(
    world: World, source: Side, target: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PATIENCE, "1.5")
    digest = source.push(LAYERS)
    said = json.dumps({"errors": [{"code": "DOWN", "message": "back soon"}]}).encode()
    world.between.answers[f"/v2/{target.name}/manifests/{digest}"] = Answer(503, said)

    with pytest.raises(AwsUnreachable) as caught:
        image_copy.copy(source.url, target.url, digest)
    assert caught.value.message.startswith(f"copying {source.url}@{digest} to {target.url}: looking for {target.url}")
    assert ": status 503 (asked " in caught.value.message  # of a HEAD nobody hears the words
    assert caught.value.remedy.startswith("Check the AWS health page")


def test_what_is_denied_is_asked_once(world: World, source: Side, target: Side) -> None:
    digest = source.push(LAYERS)
    world.between.answers[f"/v2/{target.name}/blobs/uploads/"] = Answer(403)

    with pytest.raises(AwsDenied):
        image_copy.copy(source.url, target.url, digest)
    assert len(world.between.writes) == 1
