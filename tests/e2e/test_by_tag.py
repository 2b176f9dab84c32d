"""What a tag stands for: an image by its tag in the registry, and proven sources by a tag of git.

The tests go in the order of the file: 1.0.0 is live in staging, production has its program and no release.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import Story, told
from tests.e2e.hub import Hub, on_github
from tests.e2e.jobs import Built, Jobs

PATH = "releases/production.yaml"


@dataclass(frozen=True)
class Tagged:
    """A hub, the first build, and the commit that pins it, which changed release files alone."""

    hub: Hub
    built: Built
    pinned: str

    def policy(self, tags: str) -> None:
        """What production's tags do, in pipeline.yaml."""
        text = self.hub.story.read("pipeline.yaml").decode()
        kept = "\n".join(line for line in text.splitlines() if not line.startswith("    tags: "))
        changed = kept.replace("  - name: production\n", f"  - name: production\n    tags: {tags}\n")
        self.hub.story.commit({"pipeline.yaml": f"{changed}\n".encode()}, f"Tags: {tags}")


@pytest.fixture(scope="module")
def tagged(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tagged]:
    assert story.releasectl("bump", "--program", "--environment", "production").code == 0
    with on_github(story, tmp_path_factory.mktemp("job")) as hub:
        yield first_release(hub)


def first_release(hub: Hub) -> Tagged:
    """Pinned by a tag of its image, and live in staging."""
    jobs = Jobs(hub)
    built = jobs.build("one\n")
    jobs.push(built.image, [f"{hub.story.repository}:v1.0.0"])
    bumped = hub.releasectl("bump", "web", "--tag", "v1.0.0", "--json")
    assert bumped.code == 0, bumped.err
    said = hub.releasectl("reconcile", "--all")
    assert said.code == 0, said.err
    return Tagged(hub, built, bumped.json["commit"])


# ---- an image's tag ----


def test_an_image_is_found_by_its_tag_and_says_itself_from_which_commit_it_is(tagged: Tagged) -> None:
    pin = tagged.hub.story.last()["services"]["web"]

    assert (pin["digest"], pin["commit"]) == (tagged.built.digest, tagged.built.commit)
    assert pin["version"] == "1.0.0", "the tag's own"
    assert tagged.hub.story.service()["runs"] == tagged.built.digest


def test_a_tag_that_no_image_has_is_refused_and_changes_nothing(tagged: Tagged) -> None:
    before = tagged.hub.story.everything()

    said = tagged.hub.releasectl("bump", "web", "--tag", "v9.9.9", "--json")

    told(said, "NotThere", 1)
    assert "no image v9.9.9 in" in said.err
    assert tagged.hub.story.everything() == before


def test_the_tag_of_an_older_image_does_not_take_a_newer_one_back(tagged: Tagged) -> None:
    said = tagged.hub.releasectl("bump", "web", "--tag", "v1.0.0", "--json", "--start")

    assert (said.code, said.json["changed"]) == (0, False), said.err
    assert tagged.hub.runs() == [], "nothing was committed, so nothing is started"


@pytest.mark.parametrize(
    "words",
    [
        ("web", "--tag", "v1.0.0", "sha256:" + "ab" * 32),
        ("--tag", "v1.0.0"),
        ("web",),
        ("web", "--tag", "v1.0.0", "--environment", "production"),
    ],
)
def test_a_tag_takes_the_place_of_a_digest_and_goes_where_a_digest_goes(tagged: Tagged, words: tuple[str, ...]) -> None:
    head = tagged.hub.story.head

    assert tagged.hub.releasectl("bump", *words).code == 2
    assert tagged.hub.story.head == head


# ---- a tag of git ----


@pytest.mark.parametrize(("tag", "words"), [("1.0.0", "it is no version"), ("v0.1.0", "the remote has no such tag")])
@pytest.mark.parametrize("command", [("promote", "production", "--tag"), ("image", "web", "--ref")])
def test_what_is_no_version_or_on_no_remote_is_no_tag(
    tagged: Tagged, command: tuple[str, ...], tag: str, words: str
) -> None:
    before = tagged.hub.story.refs()

    said = tagged.hub.releasectl(*command, f"refs/tags/{tag}" if "--ref" in command else tag, "--json")

    told(said, "NoSuchTag", 2)
    assert words in said.err
    assert tagged.hub.story.refs() == before


def test_a_tag_on_a_branch_that_nobody_merged_promotes_nothing(tagged: Tagged) -> None:
    tagged.hub.github.repository.set_ref("refs/heads/side", tagged.hub.story.head, "")
    tagged.hub.tag("v0.2.0", tagged.hub.github.rival("side"))

    said = tagged.hub.releasectl("promote", "production", "--tag", "v0.2.0", "--json")

    told(said, "NoSuchTag", 2)
    assert "is not on main" in said.err


def test_sources_that_were_not_live_yet_are_waited_for(tagged: Tagged) -> None:
    commit = tagged.hub.story.commit({"service/NEWS": b"not released\n"}, "Something new")
    tagged.hub.tag("v1.1.0", commit)
    before = tagged.hub.story.refs()

    promoted = tagged.hub.releasectl("promote", "production", "--tag", "v1.1.0", "--pull-request", "policy", "--json")
    named = tagged.hub.releasectl("image", "web", "--ref", "refs/tags/v1.1.0", "--json")

    told(promoted, "NotProvenYet", 4)
    told(named, "NotProvenYet", 4)
    assert "were not live in staging" in promoted.err
    assert (tagged.hub.story.refs(), tagged.hub.standing()) == (before, {})


def test_where_tags_are_off_a_tag_releases_nothing(tagged: Tagged) -> None:
    tagged.hub.tag("v1.0.0", tagged.pinned)
    tagged.policy("off")
    head = tagged.hub.story.head

    said = tagged.hub.releasectl("promote", "production", "--tag", "v1.0.0", "--pull-request", "policy", "--start")

    assert said.code == 0, said.err
    assert "so tag v1.0.0 releases nothing" in said.err
    assert (tagged.hub.story.head, tagged.hub.standing(), tagged.hub.runs()) == (head, {}, [])


def test_where_tags_propose_a_tag_on_a_bump_opens_the_pull_request_of_what_the_bump_pinned(tagged: Tagged) -> None:
    tagged.policy("propose")
    ask = ("promote", "production", "--tag", "v1.0.0", "--pull-request", "policy", "--json")
    head = tagged.hub.story.head

    said = tagged.hub.releasectl(*ask)
    again = tagged.hub.releasectl(*ask)

    assert said.code == 0, said.err
    number = said.json["pull"]["number"]
    assert again.json["pull"] == said.json["pull"], again.err
    assert tagged.hub.standing() == {number: said.json["branch"]}
    assert tagged.hub.story.head == head
    proposed = tagged.hub.github.repository.file(said.json["pull"]["commit"], PATH) or b""
    assert all(each.encode() in proposed for each in (tagged.built.digest, tagged.built.commit, '"1.0.0"'))
    pull = tagged.hub.pull(number)
    assert pull.title == "Promote to production: web 1.0.0"
    assert "Asked for by tag <code>v1.0.0</code>" in pull.body


def test_a_promotion_is_merged_once_the_check_passed_and_the_older_one_gives_way(tagged: Tagged) -> None:
    [older] = tagged.hub.standing()
    second = tagged.hub.story.release_new("1.2.0")
    ask = ("promote", "production", "--pull-request", "merge", "--start", "--json")

    opened = tagged.hub.releasectl("promote", "production", "--tag", "", "--pull-request", "open", "--json")
    waits = tagged.hub.releasectl(*ask)
    number, commit = waits.json["pull"]["number"], waits.json["pull"]["commit"]
    standing = tagged.hub.standing()
    tagged.hub.desk.check(commit, "checks", "success")
    merged = tagged.hub.releasectl(*ask)

    assert (waits.code, waits.json["waits"]) == (4, "check `checks` has not begun"), waits.err
    assert (opened.code, opened.json["pull"]) == (0, waits.json["pull"]), opened.err
    assert list(standing) == [number]
    assert (tagged.hub.pull(older).state, tagged.hub.tip(tagged.hub.pull(older).head)) == ("closed", "")
    assert (merged.code, merged.json["merged"]) == (0, tagged.hub.story.head), merged.err
    assert second.encode() in tagged.hub.story.read(PATH)
    assert tagged.hub.tip(tagged.hub.pull(number).head) == "", "its branch is gone"
    assert tagged.hub.runs() == [("deploy-production.yml", "main")], "a workflow's own merge starts nothing by itself"


def test_where_tags_release_a_tag_is_committed_and_its_deployment_started(tagged: Tagged) -> None:
    tagged.policy("release")
    started = len(tagged.hub.runs())

    said = tagged.hub.releasectl("promote", "production", "--tag", "v1.0.0", "--pull-request", "policy", "--start")

    assert said.code == 0, said.err
    assert tagged.built.digest.encode() in tagged.hub.story.read(PATH)
    assert tagged.hub.runs()[started:] == [("deploy-production.yml", "main")]
    run = list(tagged.hub.github.state.runs)[-1]
    assert f"production: its deployment was started: https://github.example/team/shop/actions/runs/{run}" in said.err
    assert tagged.hub.standing() == {}


def test_a_rollback_can_start_its_deployment(tagged: Tagged) -> None:
    started = len(tagged.hub.runs())

    said = tagged.hub.releasectl("rollback", "staging", "--start", "--json")

    assert (said.code, said.json["commit"]) == (0, tagged.hub.story.head), said.err
    assert tagged.built.digest.encode() in tagged.hub.story.read("releases/staging.yaml")
    assert tagged.hub.runs()[started:] == [("deploy-staging.yml", "main")]
