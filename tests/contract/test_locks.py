"""Locks as the real engine leaves them, in a folder and in a bucket: read, told alive from dead, one taken away."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from releasectl.edges import aws
from releasectl.edges.engine import find
from releasectl.edges.locks import CannotReadLocks, Locks
from releasectl.locks import Lock
from sandbox import ministack
from sandbox.remote import SALT
from tests.contract.waiting import until
from tests.twins import SETTINGS

PROJECT = "release-controller"
SAID = {"pid": 4711, "username": "ann", "hostname": "laptop", "timestamp": "2026-11-21T00:00:28.809454185Z"}
# The real engine in the middle of an update, until it is killed.
UPDATE = """
import sys, time
from pathlib import Path
import pulumi.automation as auto
place = Path(sys.argv[1])
def program():
    (place / "inside").touch()
    while True:
        time.sleep(0.02)
workspace = auto.LocalWorkspace(work_dir=str(place), program=program)
auto.Stack.create_or_select("staging", workspace).up()
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running ministack."""
    running = ministack.start(tmp_path_factory.mktemp("ministack"))
    yield running.endpoint
    running.stop()


@pytest.fixture(params=["folder", "bucket"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty state."""
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    if request.param == "folder":
        (tmp_path / "the state").mkdir()
        yield (tmp_path / "the state").as_uri()
        return
    endpoint = request.getfixturevalue("endpoint")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    aws.session.cache_clear()
    bucket = f"state-{os.urandom(4).hex()}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=bucket)
    host = endpoint.removeprefix("http://")
    yield f"s3://{bucket}/below?region=us-east-1&endpoint={host}&disableSSL=true&s3ForcePathStyle=true"
    aws.session.cache_clear()


@pytest.fixture
def killed(backend: str, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """The real engine holds the stack; called, it kills it and gives the engine's pid."""
    place = tmp_path / "work"
    place.mkdir()
    (place / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    (place / "Pulumi.staging.yaml").write_text(f"{SETTINGS.decode()}encryptionsalt: {SALT}\n")
    given = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")} | {
        "PATH": f"{find().path.parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    process = subprocess.Popen([sys.executable, "-c", UPDATE, str(place)], env=given, stderr=subprocess.DEVNULL)
    until((place / "inside").exists)
    (held,) = Locks().held(backend, PROJECT, "staging")

    def kill() -> int:
        os.kill(held.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        # A signal is on its way when kill returns; and what is left of a process has no words.
        said = Path(f"/proc/{held.pid}/cmdline")
        until(lambda: not said.exists() or not said.read_bytes())
        return held.pid

    yield kill
    if process.poll() is None:
        kill()


def test_the_lock_of_a_real_engine_names_it_and_tells_whether_it_lives(backend: str, killed: Callable[[], int]) -> None:
    (held,) = Locks().held(backend, PROJECT, "staging")
    assert (held.host, Locks().lives(held)) == (socket.gethostname(), True)
    assert abs(held.at - datetime.now(UTC)) < timedelta(seconds=30)
    assert Locks().held(backend, PROJECT, "production") == ()
    assert Locks().held(backend, "another-project", "staging") == ()

    assert killed() == held.pid
    assert not Locks().lives(held)
    assert Locks().held(backend, PROJECT, "staging") == (held,)

    Locks().remove(held)
    Locks().remove(held)  # a rival was faster
    assert Locks().held(backend, PROJECT, "staging") == ()


def put(backend: str, name: str, raw: bytes) -> None:
    """A lock by hand."""
    key = f".pulumi/locks/organization/{PROJECT}/staging/{name}.json"
    if backend.startswith("file://"):
        path = Path(backend.removeprefix("file://").replace("%20", " ")) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
        return
    bucket = backend.removeprefix("s3://").partition("/")[0]
    endpoint = f"http://{backend.partition('endpoint=')[2].partition('&')[0]}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.put_object(Bucket=bucket, Key=f"below/{key}", Body=raw)


def test_exactly_one_lock_is_taken_away_whatever_lies_beside_it(backend: str) -> None:
    put(backend, "ann", json.dumps(SAID).encode())
    put(backend, "bob", json.dumps(SAID | {"username": "bob", "timestamp": "2026-11-21T00:00:29Z"}).encode())
    ann, bob = Locks().held(backend, PROJECT, "staging")
    assert (ann.user, bob.user, ann.pid, ann.host) == ("ann", "bob", 4711, "laptop")

    Locks().remove(ann)
    assert Locks().held(backend, PROJECT, "staging") == (bob,)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"], ids=repr)
def test_a_damaged_lock_is_there_and_names_nobody(backend: str, raw: bytes) -> None:
    put(backend, "half", raw)
    (held,) = Locks().held(backend, PROJECT, "staging")

    assert (held.user, held.host, held.pid, Locks().lives(held)) == ("", "", 0, False)
    assert "cannot be read" in str(held)
    Locks().remove(held)
    assert Locks().held(backend, PROJECT, "staging") == ()


def test_attributes_that_a_killed_engine_left_empty_are_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    folder = tmp_path / ".pulumi/stacks" / PROJECT
    folder.mkdir(parents=True)
    names = ("staging.json", "staging.json.attrs", "staging.json.bak.attrs", "production.json.attrs")
    for name in names:
        (folder / name).write_bytes(b"")
    (folder / "staging.json.bak.attrs").write_bytes(b"{}")

    assert Locks().make_readable(tmp_path.as_uri(), PROJECT, "staging") == ("staging.json.attrs removed",)
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(names) - {"staging.json.attrs"})
    assert Locks().make_readable("s3://bucket", PROJECT, "staging") == ()


def test_a_state_that_was_cut_short_is_again_what_it_was_one_write_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    folder = tmp_path / ".pulumi/stacks" / PROJECT
    folder.mkdir(parents=True)
    (folder / "staging.json").write_bytes(b'{"version": 3, "checkp')
    (folder / "staging.json.attrs").write_bytes(b"{}")
    (folder / "staging.json.bak").write_bytes(b'{"version": 3}')

    (said,) = Locks().make_readable(tmp_path.as_uri(), PROJECT, "staging")

    assert said == "staging.json is again what staging.json.bak has"
    assert (folder / "staging.json").read_bytes() == b'{"version": 3}'
    assert Locks().make_readable(tmp_path.as_uri(), PROJECT, "staging") == ()


def test_a_state_whose_copy_is_damaged_too_is_left_as_it_is_for_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    folder = tmp_path / ".pulumi/stacks" / PROJECT
    folder.mkdir(parents=True)
    for name in ("staging.json", "staging.json.bak"):
        (folder / name).write_bytes(b"{")

    assert Locks().make_readable(tmp_path.as_uri(), PROJECT, "staging") == ()
    assert (folder / "staging.json").read_bytes() == b"{"


def test_what_the_engine_takes_for_a_lock_is_one_whatever_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    folder = tmp_path / f".pulumi/locks/organization/{PROJECT}/staging"
    folder.mkdir(parents=True)
    (folder / "1.json.0a1b.tmp").touch()
    (folder / "1.json.attrs").touch()

    (held,) = Locks().held(tmp_path.as_uri(), PROJECT, "staging")
    assert held.where.endswith("/1.json.0a1b.tmp")


def test_a_pid_that_somebody_else_has_by_now_is_no_engine() -> None:
    ours = Lock("file:///nowhere", "ann", socket.gethostname(), os.getpid(), datetime.now(UTC))

    assert not Locks().lives(ours)


def test_what_a_person_set_wins_over_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    put(tmp_path.as_uri(), "ann", json.dumps(SAID).encode())

    assert len(Locks().held("s3://somewhere-else", PROJECT, "staging")) == 1


def test_a_folder_that_may_not_be_read_is_told_and_is_no_free_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    (tmp_path / ".pulumi/locks/organization" / PROJECT / "staging" / "a.json").mkdir(parents=True)

    with pytest.raises(CannotReadLocks, match="reading the locks"):
        Locks().held(tmp_path.as_uri(), PROJECT, "staging")


def test_a_lock_that_is_let_go_while_they_are_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    for name in "abcdefgh":
        put(tmp_path.as_uri(), name, json.dumps(SAID).encode())
    folder = tmp_path / f".pulumi/locks/organization/{PROJECT}/staging"
    for name in "abcdefg":  # listed, and gone by the time it is opened
        (folder / f"{name}.json").unlink()
        (folder / f"{name}.json").symlink_to(tmp_path / "let-go")

    (held,) = Locks().held(tmp_path.as_uri(), PROJECT, "staging")
    assert held.where.endswith("/h.json")


def test_a_backend_of_another_kind_shows_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)

    assert Locks().held("https://api.pulumi.com", PROJECT, "staging") == ()
    assert Locks().held("", PROJECT, "staging") == ()
