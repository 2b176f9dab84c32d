"""Promotion by review: what staging proved, whatever staging does meanwhile."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sandbox.remote import git
from tests.e2e.conftest import Story, told


def test_staging_moves_on_while_a_promotion_is_open_and_it_still_goes_through(story: Story) -> None:
    create_production(story)
    first = story.release_new("1.0.0")
    promoted = story.releasectl("promote", "production", "--json")
    assert promoted.code == 0, promoted.err
    second = story.release_new("1.1.0")

    story.merge(promoted.json["branch"])
    said = story.releasectl("reconcile", "production")

    assert said.code == 0, said.err
    assert story.service("production")["runs"] == first
    assert story.service("staging")["runs"] == second
    assert story.service("production")["repository"] != story.service("staging")["repository"]


def test_a_proposal_that_was_merged_and_taken_back_is_in_the_way_of_the_same_one(story: Story) -> None:
    release = story.read("releases/production.yaml")
    branch = story.releasectl("promote", "production", "--json").json["branch"]
    story.merge(branch)
    story.commit({"releases/production.yaml": release}, "Not yet")
    before = story.everything()

    said = story.releasectl("promote", "production", "--json")

    told(said, "BranchLeft", 2)
    assert f"git push origin --delete {branch}" in said.err
    assert story.everything() == before
    git(story.sandbox.remote, "branch", "--quiet", "-D", branch)


def test_a_soak_longer_than_the_time_between_builds_waits_says_why_and_yields_to_an_override(story: Story) -> None:
    third = story.release_new("1.2.0")
    proven = story.last()["id"]
    story.release_new("1.3.0")
    policy = story.read("pipeline.yaml").decode()
    story.commit({"pipeline.yaml": policy.replace("soak: 1s", "soak: 1h").encode()}, "Soak for an hour")
    story.merge(story.releasectl("promote", "production", "--deployment", proven, "--json").json["branch"])

    waits = story.releasectl("reconcile", "production", "--json")
    explained = story.releasectl("explain", "production")
    assert (waits.code, waits.json["action"]) == (4, "wait")
    assert "is not any more" in waits.json["reason"], "it cannot soak any longer: staging has moved on"
    assert "soak" in explained.out

    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    override = {"gate": "soak", "identity": waits.json["identity"], "reason": "tested by hand", "until": until}
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in override.items())
    story.commit({"releases/overrides/production-soak.yaml": lines.encode()}, "Let this one pass")
    passes = story.releasectl("reconcile", "production")

    assert passes.code == 0, passes.err
    assert story.service("production")["runs"] == third
    story.commit({"pipeline.yaml": policy.encode()}, "Soak as before")


def test_production_rolls_back_by_itself_while_staging_is_elsewhere(story: Story) -> None:
    good = story.service("production")["runs"]
    bad = story.release_new("1.4.0")
    promotion = story.releasectl("promote", "production", "--json").json["branch"]
    elsewhere = story.release_new("1.5.0")
    story.merge(promotion)
    story.break_image("1.4.0")

    said = story.releasectl("reconcile", "production")

    back, failed = story.history("production", 2)
    assert said.code == 1
    assert (failed["phases"][-1]["phase"], failed["services"]["web"]["digest"]) == ("failed", bad)
    assert (back["phases"][-1]["phase"], back["kind"], back["serving"]) == ("live", "rollback", {"web": good})
    assert good.encode() in story.read("releases/production.yaml")
    assert list(story.files("releases/rejected")) == [f"production-web-{bad[7:19]}.yaml"]
    assert story.service("staging")["runs"] == elsewhere, "staging is none of its business"


def test_two_releases_in_flight_a_hold_and_a_readme_disturb_no_release(story: Story) -> None:
    before = len(story.history("staging"))
    first = story.build_new("1.6.0")
    assert story.bump(first).code == 0

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(story.releasectl, "reconcile", "staging")
        while len(story.history("staging")) == before:
            time.sleep(0.1)
        story.commit({"README.md": b"# Changed while a release is in flight\n"}, "A word")
        assert story.releasectl("hold", "production", "--reason", "another environment").code == 0
        second = story.build_new("1.7.0")
        assert story.bump(second).code == 0
        said = running.result()
    # The bump may have come just after the last look of that pass.
    after = story.releasectl("reconcile", "staging")

    assert (said.code, after.code) == (0, 0), said.err + after.err
    newest = story.history("staging")[: len(story.history("staging")) - before]
    assert [one["services"]["web"]["digest"] for one in newest] == [second.digest, first.digest]
    assert [(one["phases"][-1]["phase"], one["attempt"]) for one in newest] == [("live", 1)] * 2
    assert story.service()["runs"] == second.digest
    assert story.releasectl("hold", "production", "--lift").code == 0


def create_production(story: Story) -> None:
    assert story.releasectl("bump", "--program", "--environment", "production").code == 0
    made = story.releasectl("reconcile", "production")
    assert made.code == 0, made.err
