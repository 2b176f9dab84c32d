"""Copies between repositories of two accounts and regions, on a real registry, through the sandbox's door."""

import json
import os

import pytest

from releasectl.edges import image_copy
from releasectl.edges.aws import AwsUnreachable
from sandbox.registry import digest_of
from tests.contract.answers import Answer
from tests.contract.registry import HERE, INDEX, LAYERS, THERE, Between, Side, World, bytes_of, side

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
        world.between.answers[f"{lists}/{path}"] = Answer(200, page, {"Content-Type": INDEX, **more})
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
