"""A release goes live; one whose instance never gets healthy is caught, although `pulumi up` is green."""

import json

from tests.e2e.conftest import Story


def test_a_bumped_digest_goes_live_and_a_second_pass_changes_nothing(story: Story) -> None:
    built = story.build("1.0.0")
    bumped = story.releasectl("bump", "web", built.digest, "--commit", story.source_commit, "--version", "1.0.0")
    assert bumped.code == 0, bumped.err

    released = story.releasectl("reconcile", "staging", "--json")
    before = story.everything()
    again = story.releasectl("reconcile", "staging", "--json")

    assert released.code == 0, released.err
    assert story.last()["serving"] == {"web": built.digest}
    assert (again.code, again.json["action"]) == (0, "rest")
    assert story.everything() == before


def test_a_silent_rollback_is_recorded_as_failed_with_what_still_serves_and_the_last_log_lines(story: Story) -> None:
    good = story.build("1.1.0")
    assert story.releasectl("bump", "web", good.digest, "--commit", story.source_commit, "--version", "1.1.0").code == 0
    assert story.releasectl("reconcile", "staging").code == 0
    story.commit({"service/NEWS": b"broken\n"}, "Break the service")
    bad = story.build("1.2.0", WEB_FAIL="health")
    assert story.releasectl("bump", "web", bad.digest, "--commit", story.source_commit, "--version", "1.2.0").code == 0

    said = story.releasectl("reconcile", "staging")

    back, failed = story.history(count=2)
    folder = story.sandbox.clone / ".git" / "releasectl" / "staging" / failed["id"]
    assert json.loads((folder / "up.json").read_text())["ok"] is True, "the engine itself saw nothing wrong"
    assert said.code == 1
    assert [moment["phase"] for moment in failed["phases"]] == ["applying", "verifying", "failed"]
    assert failed["serving"] == {"web": good.digest}
    assert "ROLLBACK_SUCCEEDED" in failed["phases"][-1]["message"]
    assert f"{good.digest} still serves" in failed["phases"][-1]["message"]
    assert "WEB_FAIL" in "".join(failed["log"]["web"]) or "503" in "".join(failed["log"]["web"])
    assert (back["kind"], back["serving"]) == ("rollback", {"web": good.digest}), "and it takes itself back"
    assert story.status()["services"]["web"]["runs"] == good.digest
