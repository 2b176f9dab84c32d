"""Somebody else at work is left alone; a signal lets the running step end, and the next run goes on by itself."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from releasectl.edges.engine import find
from sandbox.crash import PATIENCE, SERVICE, applied, intended, on_host, reconciling, stepped
from tests.contract.waiting import until
from tests.e2e.conftest import Story, told
from tests.e2e.resting import at_rest, bumped, checkpoint, ended, operations, recovered

pytestmark = pytest.mark.nightly

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


# ---- somebody else ----


def test_a_persons_update_is_waited_for_and_its_lock_is_never_taken_away(story: Story, tmp_path: Path) -> None:
    digest = bumped(story, "1.7.0")
    with person(story, tmp_path) as go:
        refused = story.releasectl("reconcile", "staging", "--no-wait", "--json")
        told(refused, "StackLocked", 4)
        assert f"(pid {lock(story)['pid']}) since " in refused.json["message"]
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


# ---- another host ----

RUN = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "team/shop",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
}


@dataclass
class Actions:
    """GitHub's answer to how a run stands."""

    status: str = "in_progress"
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        actions = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                actions.asked.append(self.path)
                said = {"status": actions.status, "updated_at": datetime.now(UTC).isoformat()}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: object) -> None:
                """Nobody needs it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


other_host = pytest.mark.skipif(
    subprocess.run([*on_host("ci-1"), "true"], capture_output=True, check=False).returncode != 0,
    reason="this kernel gives nobody a namespace with another host name",
)


@other_host
def test_a_run_that_died_on_another_host_is_taken_over_once_github_says_that_it_ended(story: Story) -> None:
    digest = bumped(story, "1.8.5")
    before = operations(story)
    with reconciling(story, host="ci-1", **RUN) as controller:
        controller.until(stepped("start", SERVICE))
        controller.kill("controller", "worker", "engine")
    assert lock(story)["hostname"] == "ci-1"
    actions = Actions()
    with actions.serving() as url:
        asking = {**RUN, "GITHUB_RUN_ID": "8", "GITHUB_API_URL": url, "GITHUB_TOKEN": "token"}
        alone = story.releasectl("reconcile", "staging", **RUN)
        waiting = story.releasectl("reconcile", "staging", **asking)
        actions.status = "completed"
        said = story.releasectl("reconcile", "staging", **asking)

    assert (alone.code, waiting.code, said.code) == (4, 4, 0), said.err
    assert "releasectl unlock staging" in alone.out, "without a token nobody can tell"
    assert "another controller works on deployment" in waiting.out
    assert "taking away the lock of a dead engine: root@ci-1" in said.err
    assert actions.asked[0] == "/repos/team/shop/actions/runs/7/attempts/1"
    at_rest(story, digest)
    assert operations(story)[len(before) :] in (["UPDATE_SERVICE"], ["UPDATE_SERVICE"] * 2)


@other_host
def test_where_nobody_can_tell_a_person_says_that_it_is_dead_and_that_is_on_record(story: Story) -> None:
    digest = bumped(story, "1.8.7")
    with reconciling(story, host="laptop-of-ann") as controller:
        controller.until(stepped("start", SERVICE))
        controller.kill("controller", "worker", "engine")
    before = lock(story)

    waiting = story.releasectl("reconcile", "staging")
    asked = story.releasectl("unlock", "staging")
    assert (waiting.code, asked.code) == (4, 2)
    assert f"root@laptop-of-ann (pid {before['pid']}) since " in asked.out
    assert "applying by pid" in asked.out
    assert lock(story) == before, "nothing is taken away unasked"

    told = story.releasectl("unlock", "staging", "--yes")
    assert told.code == 0, told.err
    assert "as a person says" in story.last()["phases"][-1]["message"]
    recovered(story, digest)
    assert story.releasectl("unlock", "staging").out == "staging: nobody holds it\n"


# ---- interrupted ----


def test_the_first_signal_lets_the_running_step_end_and_the_next_run_goes_on_by_itself(story: Story) -> None:
    digest = bumped(story, "1.9.0")
    before = operations(story)
    with reconciling(story, "staging", "--json") as controller:
        controller.until(stepped("start", SERVICE))
        controller.process.send_signal(signal.SIGTERM)
        said = controller.ended()

    told(said, "Interrupted", 130)
    assert ended(story)[0] == "interrupted"
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
