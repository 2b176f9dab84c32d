"""Whatever was killed at whatever moment, the next reconcile brings the environment to rest with what main pins."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from releasectl.edges import aws
from releasectl.edges.engine import find
from releasectl.edges.orphans import FOUND, MADE_AGAIN, CannotTell, Orphans
from sandbox.crash import PATIENCE, SERVICE, applied, intended, processes, reconciling, stepped
from tests.contract.waiting import until
from tests.e2e.conftest import Story

RUNTIME = SERVICE.partition("::")[0]
# A person's own `pulumi up`, in a process that waits inside its program while the real engine holds the lock.
PERSON = """
import sys, time
from pathlib import Path
import pulumi.automation as auto
place = Path(sys.argv[1])
def program():
    (place / "inside").touch()
    while not (place / "go").exists():
        time.sleep(0.02)
    raise Exception("the person thought better of it")
workspace = auto.LocalWorkspace(work_dir=sys.argv[2], program=program)
stack = auto.Stack.select("staging", workspace)
try:
    stack.up()
except Exception:
    pass
"""


def checkpoint(story: Story, environment: str = "staging") -> Any:
    path = story.sandbox.folder / f"state/.pulumi/stacks/release-controller/{environment}.json"
    return json.loads(path.read_text())["checkpoint"]["latest"]


def at_rest(story: Story, digest: str, environment: str = "staging") -> None:
    """It runs what main pins, everything is on record, and nothing of a dead engine is left."""
    status = story.status(environment)
    service = status["services"]["web"]
    assert (status["action"], service["pinned"], service["runs"]) == ("rest", digest, digest)
    phases = {one["id"]: one["phases"][-1]["phase"] for one in story.history(environment)}
    assert not {"applying", "verifying"} & set(phases.values())
    state = checkpoint(story, environment)
    assert not state.get("pending_operations")
    assert not list((story.sandbox.folder / "state/.pulumi/locks").rglob("*.json"))
    urns = Counter(resource["urn"] for resource in state["resources"])
    assert max(urns.values()) == 1
    mine = str(story.sandbox.clone / ".git/releasectl" / environment)
    assert [line for _, line in processes() if mine in line] == []
    known = {resource.get("id") for resource in state["resources"] if resource["type"] == RUNTIME}
    arns = [one["ServiceArn"] for one in story.client("apprunner").list_services()["ServiceSummaryList"]]
    assert {arn for arn in arns if f"-{environment}-web/" in arn} == known, "no service that no state knows"


def recovered(story: Story, digest: str, environment: str = "staging") -> str:
    """The next reconcile; what it said."""
    said = story.releasectl("reconcile", environment)
    assert said.code == 0, said.err
    at_rest(story, digest, environment)
    return said.err


def operations(story: Story, environment: str = "staging") -> list[str]:
    """What App Runner was asked to do with the service, oldest first."""
    client = story.client("apprunner")
    arn = story.last(environment)["outputs"]["services"]["web"]["service"]
    found = client.list_operations(ServiceArn=arn)["OperationSummaryList"]
    return [one["Type"] for one in reversed(found)]


def test_killed_inside_a_slow_create_the_object_is_adopted_and_never_made_twice(story: Story) -> None:
    built = story.build_new("1.0.0")
    assert story.bump(built, "--version", "1.0.0").code == 0
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
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

    assert {one["type"] for one in looked} == set(FOUND)
    assert found == [one["id"] for one in looked]


def test_what_is_not_there_is_not_found_and_a_strange_type_is_for_a_person(orphans: Orphans) -> None:
    absent = {"name": "nowhere", "serviceName": "nowhere", "autoScalingConfigurationName": "nowhere"}

    assert [orphans.find("eu-west-1", kind, absent) for kind in FOUND] == [None] * len(FOUND)
    assert orphans.find("eu-west-1", MADE_AGAIN[0], {}) is None
    with pytest.raises(CannotTell, match="aws:sqs/queue:Queue"):
        orphans.find("eu-west-1", "aws:sqs/queue:Queue", {})


def test_a_service_that_app_runner_failed_to_create_is_deleted_and_not_adopted(story: Story, orphans: Orphans) -> None:
    client, arn = story.client("apprunner"), story.last()["outputs"]["services"]["web"]["service"]
    source = client.describe_service(ServiceArn=arn)["Service"]["SourceConfiguration"]
    bad = story.build_new("0.0.1", WEB_FAIL="startup").digest
    source["ImageRepository"]["ImageIdentifier"] = f"{story.repository}@{bad}"
    client.create_service(ServiceName="broken", SourceConfiguration=source)

    assert orphans.find("eu-west-1", "aws:apprunner/service:Service", {"serviceName": "broken"}) is None
    services = client.list_services()["ServiceSummaryList"]
    assert [one["ServiceName"] for one in services if one["Status"] != "DELETED"].count("broken") == 0


# ---- somebody else ----


def test_a_persons_update_is_waited_for_and_its_lock_is_never_taken_away(story: Story, tmp_path: Path) -> None:
    digest = bumped(story, "1.7.0")
    with person(story, tmp_path) as go:
        told = story.releasectl("reconcile", "staging", "--no-wait", "--json")
        assert (told.code, told.json["error"]) == (4, "StackLocked")
        assert f"(pid {lock(story)['pid']}) since " in told.json["message"]
        with reconciling(story) as controller:
            go.touch()
            said = controller.ended()

    assert said.code == 0, said.err
    at_rest(story, digest)


def test_a_second_controller_leaves_a_living_one_alone(story: Story) -> None:
    digest = bumped(story, "1.8.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        rival = story.releasectl("reconcile", "staging")
        said = controller.ended()

    assert (said.code, rival.code) == (0, 4), said.err
    assert "another controller works on deployment" in rival.out
    at_rest(story, digest)
    assert operations(story)[len(before) :] == ["UPDATE_SERVICE"]


# ---- interrupted ----


def test_the_first_signal_lets_the_running_step_end_and_the_next_run_goes_on_by_itself(story: Story) -> None:
    digest = bumped(story, "1.9.0")
    before = operations(story)
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        controller.process.send_signal(signal.SIGTERM)
        said = controller.ended()

    assert (said.code, ended(story)[0]) == (130, "interrupted"), said.err
    assert "stopping: the running step ends first" in said.err
    assert not checkpoint(story).get("pending_operations")
    recovered(story, digest)
    assert operations(story)[len(before) :] == ["UPDATE_SERVICE"]
    assert story.last()["attempt"] == 1


def test_the_second_signal_stops_the_engine_at_once_and_is_recorded_all_the_same(story: Story) -> None:
    digest = bumped(story, "1.10.0")
    with reconciling(story) as controller:
        controller.until(stepped("start", SERVICE))
        controller.process.send_signal(signal.SIGINT)
        time.sleep(0.1)  # the engine takes one signal at a time
        controller.process.send_signal(signal.SIGINT)
        said = controller.ended()

    assert (said.code, ended(story)[0]) == (130, "interrupted"), said.err
    assert "stopping at once" in said.err
    recovered(story, digest)


def test_a_signal_while_a_service_is_watched_ends_at_once_and_the_proof_is_made_by_the_next_run(story: Story) -> None:
    digest = bumped(story, "1.11.0")
    with reconciling(story) as controller:
        controller.until(applied)
        controller.until(intended(story))
        controller.process.send_signal(signal.SIGINT)
        said = controller.ended()

    assert said.code == 130, said.err
    recovered(story, digest)
    assert ended(story)[0] == ""


# ---- a hand ----


def bumped(story: Story, version: str) -> str:
    """A new build is pinned in staging; its digest."""
    built = story.build_new(version)
    said = story.bump(built, "--version", version)
    assert said.code == 0, said.err
    return built.digest


def ended(story: Story) -> list[str]:
    """How the last two deployments ended, newest first."""
    return [one["ended"] for one in story.history(count=2)]


def lock(story: Story) -> Any:
    (path,) = (story.sandbox.folder / "state/.pulumi/locks").rglob("*.json")
    return json.loads(path.read_text())


@contextmanager
def person(story: Story, place: Path) -> Iterator[Path]:
    """A person's own `pulumi up` of staging under way; it ends when the file that this gives is there."""
    (place / "work/stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml"):
        (place / "work" / name).write_bytes((story.sandbox.clone / name).read_bytes())
    engine = find().path.parent
    environment = {**story.sandbox.environment, "PATH": f"{engine}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen([sys.executable, "-c", PERSON, str(place), str(place / "work")], env=environment)
    try:
        until((place / "inside").exists)
        yield place / "go"
    finally:
        (place / "go").touch()
        process.wait(PATIENCE)
