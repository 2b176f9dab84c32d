"""Whatever was killed at whatever moment, the next reconcile brings the environment to rest with what main pins."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from releasectl.edges import aws
from releasectl.edges.orphans import FOUND, MADE_AGAIN, Orphans
from releasectl.recover import CannotTell
from sandbox.crash import SERVICE, applied, intended, reconciling, stepped
from tests.e2e.conftest import Story
from tests.e2e.resting import at_rest, bumped, checkpoint, ended, operations, recovered

pytestmark = pytest.mark.nightly


def test_killed_inside_a_slow_create_the_object_is_adopted_and_never_made_twice(story: Story) -> None:
    built = story.build_new("1.0.0")
    assert story.bump(built, "--version", "1.0.0").code == 0
    client = story.client("apprunner")
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        # The engine tells a step before it asks for it: killed sooner, there would be nothing to adopt.
        controller.until(lambda _: bool(client.list_services()["ServiceSummaryList"]))
        controller.kill("controller", "worker", "engine")
    assert [one["type"] for one in checkpoint(story)["pending_operations"]] == ["creating"]

    said = recovered(story, built.digest)

    assert "recover: " in said
    assert "taking away the lock of a dead engine" in said
    assert "was cut off: adopting arn:aws:apprunner" in said
    assert [one["phases"][-1]["phase"] for one in story.history()[:2]] == ["live", "errored"]
    assert story.last()["attempt"] == 2
    assert operations(story) == ["CREATE_SERVICE"]


def test_killed_between_two_resources_the_rest_is_made(story: Story) -> None:
    digest = story.service()["pinned"]
    assert story.releasectl("bump", "--program", "--environment", "production").code == 0
    assert story.releasectl("reconcile", "production").code == 0
    story.merge(story.releasectl("promote", "production", "--json").json["branch"])
    with reconciling(story, "production") as controller:
        controller.until(stepped("done", "web-access"))
        controller.kill("controller", "worker", "engine")

    recovered(story, digest, "production")

    assert operations(story, "production") == ["CREATE_SERVICE"]


def test_killed_before_the_lock_nothing_was_begun_and_the_release_goes_on(story: Story) -> None:
    digest = bumped(story, "1.1.0")
    with reconciling(story) as controller:
        controller.until(intended(story))
        controller.kill("controller", "worker")
    before = operations(story)

    recovered(story, digest)

    assert operations(story) == [*before, "UPDATE_SERVICE"]
    assert ended(story) == ["", "cut-off"]


def test_killed_inside_a_slow_update_the_update_is_done_once_more_at_most(story: Story) -> None:
    digest = bumped(story, "1.2.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        controller.kill("controller", "worker", "engine")

    recovered(story, digest)

    assert operations(story)[len(before) :] in (["UPDATE_SERVICE"], ["UPDATE_SERVICE"] * 2)


def test_the_controller_alone_killed_its_worker_ends_what_it_began_and_is_adopted(story: Story) -> None:
    digest = bumped(story, "1.3.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        controller.kill("controller")
        said = recovered(story, digest)

    assert "adopt: " in said
    assert operations(story)[len(before) :] == ["UPDATE_SERVICE"]
    assert ended(story)[0] == "", "it is the same deployment, and it was never cut off"


def test_killed_after_the_last_resource_the_next_update_has_nothing_to_do(story: Story) -> None:
    digest = bumped(story, "1.4.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(stepped("done", SERVICE))
        controller.kill("controller", "worker")
        recovered(story, digest)

    assert operations(story)[len(before) :] == ["UPDATE_SERVICE"]


def test_killed_while_recording_the_result_is_recorded_by_the_next_run(story: Story) -> None:
    digest = bumped(story, "1.5.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(applied)
        controller.kill("controller")

    said = recovered(story, digest)

    assert "conclude: " in said or "prove: " in said
    assert operations(story)[len(before) :] == ["UPDATE_SERVICE"]
    assert ended(story)[0] == ""


def test_the_engine_alone_killed_the_same_controller_tries_again_and_takes_its_own_lock_away(story: Story) -> None:
    digest = bumped(story, "1.6.0")
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        controller.kill("engine")
        said = controller.ended()

    assert said.code == 0, said.err
    assert "taking away the lock of a dead engine" in said.err
    at_rest(story, digest)


# ---- what a dead engine had begun to create ----


@pytest.fixture
def orphans(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orphans]:
    """The edge itself, in the sandbox's AWS, sure at once."""
    for name, value in story.sandbox.variables.items():
        monkeypatch.setenv(name, value)
    aws.session.cache_clear()
    yield Orphans(sure=0)
    aws.session.cache_clear()


def custom(story: Story) -> list[Any]:
    return [one for one in checkpoint(story)["resources"] if one["custom"] and not one["type"].startswith("pulumi:")]


def test_every_type_of_the_program_can_be_looked_up_or_simply_made_again(story: Story) -> None:
    assert {one["type"] for one in custom(story)} <= {*MADE_AGAIN, *FOUND}


def test_what_is_there_is_found_by_its_inputs_under_the_id_that_the_state_has(story: Story, orphans: Orphans) -> None:
    looked = [one for one in custom(story) if one["type"] in FOUND]
    found = [orphans.find("eu-west-1", one["type"], one["inputs"]) for one in looked]

    assert looked
    assert found == [one["id"] for one in looked]


def test_what_is_not_there_is_not_found_and_a_strange_type_is_for_a_person(story: Story, orphans: Orphans) -> None:
    names = ("name", "serviceName", "autoScalingConfigurationName", "description")  # a key has no name of its own
    absent = dict.fromkeys(names, "nowhere")
    known = sorted({one["type"] for one in custom(story)} & FOUND.keys())

    assert [orphans.find("eu-west-1", kind, absent) for kind in known] == [None] * len(known)
    assert orphans.find("eu-west-1", MADE_AGAIN[0], {}) is None
    with pytest.raises(CannotTell, match="aws:sqs/queue:Queue"):
        orphans.find("eu-west-1", "aws:sqs/queue:Queue", {})


def test_a_service_that_app_runner_failed_to_create_is_deleted_and_not_adopted(story: Story, orphans: Orphans) -> None:
    client, arn = story.client("apprunner"), story.last()["outputs"]["services"]["web"]["service"]
    source = client.describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]
    bad = story.build_new("0.0.1", WEB_FAIL="startup").digest
    source["ImageRepository"]["ImageIdentifier"] = f"{story.repository}@{bad}"
    client.create_service(ServiceName="broken", SourceConfiguration=source)

    def find(**since: datetime) -> str | None:
        return orphans.find("eu-west-1", "aws:apprunner/service:Service", {"serviceName": "broken"}, **since)

    def there() -> list[str]:
        services = client.list_services()["ServiceSummaryList"]
        return [one["Status"] for one in services if one["ServiceName"] == "broken" and one["Status"] != "DELETED"]

    later = datetime.now(UTC) + timedelta(hours=1)
    assert (find(since=later), there()) == (None, ["CREATE_FAILED"]), "what is older is somebody else's"
    assert (find(), there()) == (None, [])
