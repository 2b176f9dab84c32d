"""From a commit to production and back, as a team lives it on GitHub: each test is a step of one story, in order.

A build enters by a merged pull request, a tag on that very bump takes the same image to production, a bad build takes
itself back, drift is told. Each step asks what a person would see on GitHub and what AWS itself says it runs.
"""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.by_hand import Hand
from tests.e2e.conftest import Story
from tests.e2e.hub import RUN, on_github
from tests.e2e.jobs import Bumped, Jobs

BUMP = "releasectl/bump-staging"
STAGING, PRODUCTION = "releases/staging.yaml", "releases/production.yaml"
BROKEN = {"WEB_FAIL": "health"}


@pytest.fixture(scope="module")
def flow(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """Both environments exist, nothing is released, main takes what passed `checks`."""
    assert story.releasectl("bump", "--program", "--environment", "production").code == 0
    made = story.releasectl("reconcile", "production")
    assert made.code == 0, made.err
    with on_github(story, tmp_path_factory.mktemp("job")) as hub:
        hub.desk.protect("main", ["checks"])
        yield Jobs(hub)


# ---- a build goes to staging ----


@pytest.fixture(scope="module")
def first(flow: Jobs) -> Bumped:
    return flow.bump(flow.build("one\n"))


def test_a_build_enters_by_one_pull_request_that_is_merged_once_its_check_passed(flow: Jobs, first: Bumped) -> None:
    assert first.waited.json["waits"] == "check `checks` has not begun"
    assert (first.merged.code, first.merged.json["merged"]) == (0, flow.story.head), first.merged.err
    pull, seen = flow.hub.pull(first.number), flow.hub.github.repository
    assert (pull.head, pull.state, pull.merged) == (BUMP, "closed", flow.story.head)
    assert pull.author.login == "release-bot[bot]"
    assert first.built.hex[:12] in pull.body
    assert [one.path for one in seen.changed(f"{first.commit}~1", first.commit)] == [STAGING]
    assert first.commit in flow.hub.github.state.signed
    assert flow.hub.tip(BUMP) == "", "its branch is gone"
    [pushed] = [one for one in flow.hub.github.events if (one.name, one.commit) == ("push", flow.story.head)]
    assert pushed.starts == "yes", "the App's merge starts the deployment"
    assert flow.names(first.built.digest) == {"main", "latest", f"sha-{first.built.commit}"}


def test_what_was_merged_is_live_and_github_shows_it(flow: Jobs, first: Bumped) -> None:
    said = flow.deploy("staging")

    assert said.code == 0, said.err
    flow.require_runs("staging", first.built)
    last, url = flow.story.last(), flow.story.service()["url"]
    assert flow.hub.deployed(last["id"])[-1] == "success"
    shown = list(flow.hub.github.state.deployments.values())[-1]
    assert (shown.environment, shown.statuses[-1]["log_url"]) == ("staging", RUN)
    assert shown.statuses[-1]["environment_url"] == url
    body = flow.told(first.number, "staging")
    assert "### <code>staging</code>: live" in body
    assert url in body
    assert "staging</code>: live" in (flow.hub.files / "summary.md").read_text()


# ---- a version goes to production ----


@pytest.fixture(scope="module")
def version(flow: Jobs, first: Bumped) -> str:
    """A tag on the bump's own commit, which changed a release file alone."""
    flow.hub.tag("v1.0.0", first.commit)
    return "v1.0.0"


def test_a_tag_on_the_bump_gives_the_same_image_its_names(flow: Jobs, first: Bumped, version: str) -> None:
    said = flow.hub.releasectl("image", "web", "--ref", f"refs/tags/{version}")
    build, digest, commit = (flow.hub.output(name) for name in ("build", "digest", "commit"))
    flow.push(first.built.image, flow.hub.output("tags"))

    assert said.code == 0, said.err
    assert (build, digest, commit) == (["false"], [first.built.digest], [first.built.commit]), "nothing is built twice"
    assert {"v1.0.0", "v1.0", "v1", "latest", "main"} < flow.names(first.built.digest)


@pytest.fixture(scope="module")
def promotion(flow: Jobs, version: str) -> int:
    """release.yml, as the App; the number of its pull request."""
    said = flow.hub.releasectl(
        "promote", "production", "--tag", version, "--pull-request", "policy", "--start", "--json", **flow.hub.app()
    )
    assert said.code == 0, said.err
    return int(said.json["pull"]["number"])


def test_the_tag_proposes_the_same_image_to_production(flow: Jobs, first: Bumped, promotion: int) -> None:
    pull = flow.hub.pull(promotion)
    proposed = flow.hub.github.repository.file(f"refs/heads/{pull.head}", PRODUCTION) or b""

    assert list(flow.hub.standing()) == [promotion]
    assert pull.title == "Promote to production: web 1.0.0"
    assert all(word in pull.body for word in (first.built.hex, first.built.commit[:12], "v1.0.0"))
    assert all(word.encode() in proposed for word in (first.built.digest, first.built.commit, '"1.0.0"'))
    assert flow.hub.runs() == [], "nothing is deployed before a person merges"


def test_the_promotion_is_previewed_in_one_comment_and_one_check(flow: Jobs, promotion: int) -> None:
    number, head = str(promotion), flow.hub.tip(flow.hub.pull(promotion).head)
    looked = flow.hub.releasectl("review", number, "--look")
    kind, [at] = flow.hub.output("kind"), flow.hub.output("environments")
    previewed = flow.hub.releasectl("review", number, "--environment", "production", "--head", head)

    assert (looked.code, kind, [one["name"] for one in json.loads(at)]) == (0, ["data"], ["production"]), looked.err
    assert previewed.code == 0, previewed.err
    [comment] = flow.hub.comments(promotion)
    assert comment.startswith("<!-- releasectl preview production -->")
    assert "### <code>production</code>: 13 create" in comment
    assert f"of <code>{head[:12]}</code>" in comment
    assert flow.hub.checks(head) == {"preview production": "success"}


def test_merged_it_is_live_in_production_byte_for_byte_and_its_pull_request_hears_it(
    flow: Jobs, first: Bumped, promotion: int
) -> None:
    flow.hub.desk.check(flow.hub.tip(flow.hub.pull(promotion).head), "checks")
    merged = flow.hub.merge(promotion)

    said = flow.deploy("production")

    assert said.code == 0, said.err
    flow.require_runs("production", first.built)
    last = flow.story.last("production")
    assert last["services"]["web"]["version"] == "1.0.0"
    assert (flow.hub.pull(promotion).merged, flow.hub.deployed(last["id"])[-1]) == (merged, "success")
    assert "web 1.0.0" in flow.told(promotion, "production")
    assert flow.story.service("production")["repository"] != flow.story.repository, "a registry of its own"


# ---- a bad build takes itself back ----


@pytest.mark.usefixtures("promotion")
def test_a_bad_build_is_taken_back_by_a_commit_of_the_same_run_and_everybody_names_what_is_active(
    flow: Jobs, first: Bumped
) -> None:
    bad = flow.bump(flow.build("two\n", **BROKEN))
    assert (bad.merged.code, bad.merged.json["merged"]) == (0, flow.story.head), bad.merged.err

    said = flow.deploy("staging")

    back, failed = flow.story.history(count=2)
    assert said.code == 1, said.err
    assert [flow.hub.deployed(one["id"])[-1] for one in (failed, back)] == ["failure", "success"]
    assert failed["services"]["web"]["digest"] == bad.built.digest
    assert failed["serving"] == back["serving"] == {"web": first.built.digest}
    assert f"{first.built.digest} still serves" in failed["phases"][-1]["message"]
    assert first.built.digest.encode() in flow.story.read(STAGING)
    assert list(flow.story.files("releases/rejected")) == [f"staging-web-{bad.built.hex[:12]}.yaml"]
    body = flow.told(bad.number, "staging")
    assert f"failed, and was taken back by commit {flow.story.head[:12]}" in body
    assert first.built.hex[:12] in body, "what is active now"
    flow.require_runs("staging", first.built)
    flow.require_runs("production", first.built)
    assert "staging</code>: live" in flow.told(first.number, "staging"), "the good one's own story stays"


def test_a_rejected_build_is_not_proposed_again(flow: Jobs) -> None:
    failed = flow.story.history(count=2)[1]["services"]["web"]
    again = flow.hub.releasectl(
        "bump", "web", failed["digest"], "--commit", failed["commit"], "--pull-request", "merge", "--json"
    )

    assert (again.code, again.json["error"]) == (1, "Rejected"), again.out
    assert flow.hub.standing() == {}


# ---- somebody changes something by hand ----


def test_drift_is_one_issue_until_it_is_mended(flow: Jobs) -> None:
    look, hand = ("drift", "staging", "--issue"), Hand(flow.story, ())
    hand.alarm(Threshold=9000.0)
    codes = [flow.hub.releasectl(*look).code for _ in range(2)]
    found = flow.hub.issues()
    mended = flow.hub.releasectl("drift", "staging", "--remediate", "--reason", "nobody asked for it")
    codes.append(flow.hub.releasectl(*look).code)

    assert codes == [1, 1, 0]
    assert [(state, title) for state, title, _ in found] == [("open", "Drift in staging")]
    assert "web-latency" in found[0][2]
    assert "9000" in found[0][2]
    assert mended.code == 0, mended.err
    assert [(state, title) for state, title, _ in flow.hub.issues()] == [("closed", "Drift in staging")]
    assert flow.story.last()["kind"] == "drift-fix"
