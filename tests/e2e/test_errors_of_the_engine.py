"""What goes wrong with the engine, its state, its locks and its program ends in an error of its own, and is mended."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Said, Story, recorded, told

pytestmark = pytest.mark.nightly

UNKNOWN = "urn:pulumi:staging::release-controller::aws:s3/bucket:Bucket::attic"
RUN = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/web", "GITHUB_RUN_ID": "19203"}


@pytest.fixture(autouse=True)
def work_tree(story: Story) -> None:
    """Each test begins with the files of main."""
    story.pull()


@pytest.mark.usefixtures("unchanged")
def test_no_engine_is_told_with_how_to_get_one(story: Story, tmp_path: Path) -> None:
    git = Path(shutil.which("git") or "git").parent
    said = story.releasectl("preview", "staging", "--json", PATH=str(git), HOME=str(tmp_path))

    told(said, "NoEngine", 3)
    assert "make setup" in said.err


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("passphrase", ["wrong", None])
def test_a_wrong_or_missing_passphrase_is_told(story: Story, passphrase: str | None) -> None:
    said = story.releasectl("preview", "staging", "--json", PULUMI_CONFIG_PASSPHRASE=passphrase)

    told(said, "WrongPassphrase", 3)
    assert "PULUMI_CONFIG_PASSPHRASE" in said.err


@pytest.mark.usefixtures("unchanged")
def test_a_worker_that_cannot_start_is_told_with_its_last_words(story: Story, tmp_path: Path) -> None:
    (tmp_path / "pulumi.py").write_text("raise ImportError('half an upgrade')\n")

    said = story.releasectl("preview", "staging", "--json", PYTHONPATH=str(tmp_path))

    told(said, "WorkerGone", 3)
    assert "half an upgrade" in said.err


@pytest.mark.usefixtures("unchanged")
def test_a_backend_that_is_not_there_is_told_in_the_engines_words(story: Story, tmp_path: Path) -> None:
    said = story.releasectl("preview", "staging", "--json", PULUMI_BACKEND_URL=(tmp_path / "nowhere").as_uri())

    told(said, "EngineFailed", 3)
    assert "nowhere" in said.err


@pytest.mark.usefixtures("unchanged")
def test_a_state_that_was_cut_short_is_told_with_where_its_copies_are(story: Story) -> None:
    with state_of(story) as path:
        path.write_bytes(path.read_bytes()[:1000])
        said = story.releasectl("preview", "staging", "--json")

    told(said, "BrokenState", 3)
    assert ".pulumi/backups" in said.err


# ---- the program ----


def test_a_program_that_raises_is_told_in_its_own_words(story: Story) -> None:
    settings = story.read("Pulumi.staging.yaml")
    (story.sandbox.clone / "Pulumi.staging.yaml").write_bytes(settings.replace(b"app-runner", b"app-walker"))

    said = story.releasectl("preview", "staging", "--json")

    told(said, "ProgramFailed", 3)
    assert "app-walker" in said.err


def test_a_program_that_tells_something_else_is_told_by_the_key(story: Story) -> None:
    program = story.read("stacks/__main__.py").replace(b"pulumi.export(key, value)", b"pulumi.export(key, [])")
    pinned = story.read("releases/staging.yaml")
    commit = story.commit({"stacks/__main__.py": program}, "Another form of outputs")
    release = re.sub(rb'(program:) *"?[0-9a-f]{40}"?', rb"\1 " + commit.encode(), pinned)
    (story.sandbox.clone / "releases/staging.yaml").write_bytes(release)

    said = story.releasectl("preview", "staging", "--json")

    told(said, "UnreadableOutputs", 3)
    assert "`environment`" in said.err
    story.commit({"stacks/__main__.py": program.replace(b"pulumi.export(key, [])", b"pulumi.export(key, value)")})


@pytest.mark.usefixtures("unchanged")
def test_a_plan_that_would_lose_what_is_protected_is_told_and_nothing_is_lost(story: Story) -> None:
    for name in ("pipeline.yaml", "releases/staging.yaml", "Pulumi.staging.yaml"):
        path = story.sandbox.clone / name
        path.write_bytes(re.sub(rb"^( +)web:", rb"\1site:", path.read_bytes(), flags=re.MULTILINE))

    said = story.releasectl("preview", "staging", "--json")

    told(said, "ProtectedResource", 1)
    assert "aws:ecr/repository:Repository web would be lost, and it is protected" in said.err


# ---- its locks, and what it left ----


@pytest.mark.usefixtures("unchanged")
def test_what_lives_is_not_taken_away(story: Story) -> None:
    living = subprocess.Popen([sys.executable, "-c", "input()", "pulumi"], stdin=subprocess.PIPE)
    try:
        with lock(story, pid=living.pid):
            said = story.releasectl("unlock", "staging", "--yes", "--json")
    finally:
        living.communicate()

    told(said, "StillAlive", 1)
    assert f"(pid {living.pid})" in said.err


@pytest.mark.usefixtures("unchanged")
def test_locks_that_cannot_be_read_are_told(story: Story) -> None:
    with lock(story, pid=1) as path:
        path.unlink()
        path.mkdir()
        said = story.releasectl("unlock", "staging", "--yes", "--json")
        path.rmdir()

    told(said, "CannotReadLocks", 3)


@pytest.mark.usefixtures("unchanged")
def test_an_answer_about_what_is_not_pending_is_told_with_what_is(story: Story) -> None:
    with pending(story):
        said = story.releasectl("unlock", "staging", "--forget", f"{UNKNOWN}-2", "--json")

    told(said, "NothingPending", 2)
    assert f"Name one of: {UNKNOWN}" in said.err


@pytest.fixture(scope="module")
def pinned(story: Story) -> str:
    """A build that main pins and nobody released."""
    built = story.build_new("1.0.0")
    assert story.bump(built).code == 0
    return built.digest


def test_what_an_engine_left_half_made_and_nobody_knows_to_look_for_is_asked_of_a_person(
    story: Story, pinned: str
) -> None:
    assert pinned
    before = story.everything()

    with pending(story):
        said = story.releasectl("reconcile", "staging", "--json")

    told(said, "CannotTell", 3)
    assert "releasectl unlock" in said.err
    assert story.everything() == before


def test_a_host_that_cannot_write_where_it_works_is_told_with_the_place(story: Story, pinned: str) -> None:
    assert pinned
    place = story.sandbox.clone / ".git/releasectl/staging"
    place.rename(place.with_name("aside"))
    place.touch()
    before = story.everything()

    said = story.releasectl("reconcile", "staging", "--json")

    told(said, "HostFailed", 3)
    assert str(place) in said.err
    assert story.everything() == before
    place.unlink()
    place.with_name("aside").rename(place)


@pytest.fixture(scope="module")
def late(story: Story, pinned: str) -> Said:
    """A run of the CI whose update has no time at all."""
    assert pinned
    policy = story.read("pipeline.yaml")
    story.commit({"pipeline.yaml": policy.replace(b"soak: 1s", b"soak: 1s\n    deadline: 0s")}, "Be quick")
    said = story.releasectl("reconcile", "staging", "--no-wait", "--json", **RUN)
    story.commit({"pipeline.yaml": policy}, "As before")
    return said


def test_an_update_that_takes_too_long_ends_on_record(story: Story, late: Said) -> None:
    assert (late.code, late.json["action"]) == (4, "back-off"), late.err
    recorded(story.last(), "TookTooLong", "running `up`: it did not end within 0 s")


def test_a_lock_of_a_run_that_nobody_can_ask_about_is_left_alone(story: Story, late: Said) -> None:
    """What another clone began is known only by the URL of its run."""
    assert late.code == 4
    folders = story.sandbox.clone / ".git/releasectl"
    folders.rename(folders.with_name("of-another-clone"))

    with lock(story, pid=0) as path:
        said = story.releasectl("unlock", "staging", "--forget", UNKNOWN, "--json", GITHUB_TOKEN=None, GH_TOKEN=None)
        assert path.exists()

    told(said, "RunNotTold", 3)
    assert "https://github.com/team/web/actions/runs/19203" in said.err


# ---- a hand ----


@contextmanager
def state_of(story: Story) -> Iterator[Path]:
    """Staging's state, put back as it was."""
    path = story.sandbox.folder / "state/.pulumi/stacks/release-controller/staging.json"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


@contextmanager
def pending(story: Story) -> Iterator[None]:
    """An engine died while it made an object of a type that the program does not have."""
    resource = {"urn": UNKNOWN, "custom": True, "type": UNKNOWN.split("::")[2], "inputs": {}}
    with state_of(story) as path:
        state: Any = json.loads(path.read_bytes())
        state["checkpoint"]["latest"]["pending_operations"] = [{"resource": resource, "type": "creating"}]
        path.write_text(json.dumps(state))
        yield


@contextmanager
def lock(story: Story, pid: int) -> Iterator[Path]:
    """A lock of staging's stack, as an engine of this host writes it."""
    path = story.sandbox.folder / "state/.pulumi/locks/organization/release-controller/staging/by-the-test.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    said: Mapping[str, object] = {
        "pid": pid, "username": "ann", "hostname": socket.gethostname(), "timestamp": datetime.now(UTC).isoformat()
    }  # fmt: skip
    path.write_text(json.dumps(said))
    yield path
    if path.exists():
        path.unlink()
