"""What a build is told before it builds: the names of its image, and whether an image of the same sources is there.

The tests go in the order of the file: one build is live in staging, and later ones are only commits and tags.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Story
from tests.e2e.hub import on_github, without_aws
from tests.e2e.jobs import Built, Jobs

MAIN = ("--ref", "refs/heads/main")


@pytest.fixture(scope="module")
def jobs(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with on_github(story, tmp_path_factory.mktemp("job")) as hub:
        yield Jobs(hub)


@pytest.fixture(scope="module")
def first(jobs: Jobs) -> Built:
    """Live in staging."""
    built = jobs.build("one\n")
    assert jobs.hub.releasectl("bump", "web", built.digest, "--commit", built.commit).code == 0
    said = jobs.hub.releasectl("reconcile", "staging")
    assert said.code == 0, said.err
    return built


def asked(jobs: Jobs, *more: str) -> Any:
    """The answer as JSON, and as the later steps of a job get it, which is the same."""
    said = jobs.hub.releasectl("image", "web", *more, "--json")
    assert said.code == 0, said.err
    told = said.json
    assert jobs.hub.output("tags") == told["tags"]
    assert jobs.hub.output("options") == [f"--tag {one}" for one in told["tags"]]
    assert jobs.hub.output("build") == [str(told["build"]).lower()]
    assert "".join(jobs.hub.output("digest")) == told["digest"]
    return told


def names(told: Any) -> list[str]:
    """Without their repository, which is the service's own in staging."""
    assert {one.rpartition(":")[0] for one in told["tags"]} == {told["repository"]}
    return [one.rpartition(":")[2] for one in told["tags"]]


def test_sources_that_nobody_built_are_to_be_built(jobs: Jobs, first: Built) -> None:
    before = jobs.story.head
    commit = jobs.story.commit({"service/NEWS": b"two\n"}, "Two")

    told = asked(jobs, *MAIN)
    jobs.story.commit({"service/NEWS": b"one\n"}, "One again")

    assert (told["build"], told["digest"], told["commit"]) == (True, "", commit)
    assert told["repository"] == jobs.story.repository
    assert names(told) == ["main", "latest", f"sha-{commit}"]
    assert before != commit != first.commit


def test_the_same_sources_are_built_once_whatever_else_a_commit_changes(jobs: Jobs, first: Built) -> None:
    told = asked(jobs, *MAIN)

    assert jobs.story.head != first.commit
    assert (told["build"], told["digest"], told["commit"]) == (False, first.digest, first.commit)
    assert names(told) == ["main", "latest", f"sha-{jobs.story.head}"], "of the commit that asks"


def test_an_image_that_is_gone_from_the_registry_is_built_again(jobs: Jobs, first: Built) -> None:
    name = jobs.story.repository.partition("/")[2]
    jobs.story.client("ecr").batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": first.digest}])

    gone = asked(jobs, *MAIN)
    jobs.push(first.image, [f"{jobs.story.repository}:main"])

    assert (gone["build"], gone["digest"], gone["commit"]) == (True, "", jobs.story.head)
    assert asked(jobs, *MAIN)["digest"] == first.digest


def test_a_suffix_ends_every_name_and_further_repositories_get_the_same_names(jobs: Jobs) -> None:
    told = asked(jobs, *MAIN, "--suffix", "-slim", "--also", "ghcr.io/team/shop", "--also", "")

    places = [jobs.story.repository, "ghcr.io/team/shop"]
    ends = ["main-slim", "latest-slim", f"sha-{jobs.story.head}-slim"]
    assert told["tags"] == [f"{place}:{end}" for place in places for end in ends]


def test_only_the_newest_version_is_latest(jobs: Jobs, first: Built) -> None:
    for tag in ("v1.4.0", "v1.10.0", "v2.0.0-rc.1"):
        jobs.hub.tag(tag, jobs.story.head)

    older, newest, candidate = (
        asked(jobs, "--ref", f"refs/tags/{tag}") for tag in ("v1.4.0", "v1.10.0", "v2.0.0-rc.1")
    )

    assert [told["digest"] for told in (older, newest, candidate)] == [first.digest] * 3
    assert [told["version"] for told in (older, newest, candidate)] == ["1.4.0", "1.10.0", "2.0.0-rc.1"]
    assert names(newest) == ["v1.10.0", "v1.10", "v1", "latest", f"sha-{jobs.story.head}"]
    assert names(older) == ["v1.4.0", f"sha-{jobs.story.head}"]
    assert names(candidate) == ["v2.0.0-rc.1", f"sha-{jobs.story.head}"]


def test_what_was_rejected_is_not_built_again_and_the_program_still_goes_on(jobs: Jobs, first: Built) -> None:
    reject = ("reject", "staging", "web", first.digest)
    assert jobs.hub.releasectl(*reject, "--reason", "it leaks", "--commit", first.commit).code == 0

    told = asked(jobs, *MAIN)
    said = jobs.hub.releasectl("image", "web", *MAIN)
    bumped = jobs.hub.releasectl("bump", "web", told["digest"], "--commit", told["commit"])
    lifted = jobs.hub.releasectl(*reject, "--lift")

    assert (told["build"], told["digest"]) == (False, "")
    assert "it is rejected" in said.out
    assert "it leaks" in said.err
    assert (bumped.code, lifted.code) == (0, 0), bumped.err
    assert asked(jobs, *MAIN)["digest"] == first.digest


def test_people_read_it_in_lines(jobs: Jobs, first: Built) -> None:
    said = jobs.hub.releasectl("image", "web", *MAIN)

    assert said.out.splitlines()[0] == f"{jobs.story.repository}: it is there: {first.digest}"
    assert len(said.out.splitlines()) == 4


@pytest.mark.parametrize(
    "words",
    [("wbe", *MAIN), ("web", "--ref", "main"), ("web", *MAIN, "--suffix", "/slim"), ("web", "--ref", "refs/pull/1")],
    ids=["no service", "no ref in full", "no end of a tag", "neither branch nor tag"],
)
def test_wrong_words_are_told(jobs: Jobs, words: tuple[str, ...]) -> None:
    said = jobs.hub.releasectl("image", *words)

    assert (said.code, said.out, "Traceback" in said.err) == (2, "", False)


def test_before_the_first_environment_there_is_nothing_to_build_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    with without_aws(tmp_path_factory.mktemp("new")) as hub:
        told = asked(Jobs(hub), *MAIN, "--also", "ghcr.io/team/shop")
        said = hub.releasectl("image", "web", *MAIN)

    assert (told["repository"], told["build"], told["tags"]) == ("", False, [])
    assert "create the first environment" in said.out
