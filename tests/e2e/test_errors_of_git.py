"""What git, its remote and the branch of records say no by ends in an error of its own, and nothing is lost.

Before there is anything to ask AWS: a remote and a clone are the whole world here.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import remote
from sandbox.place import Sandbox
from sandbox.remote import git
from tests.contract.answers import Answer, serving
from tests.e2e.conftest import PROJECT, Said, Story, told

RECORD = "staging/2026/11/20261121T004000Z-3f9c1a.jsonl"
# Somebody else's commit comes first, each time.
RIVAL = """#!/bin/sh
unset $(git rev-parse --local-env-vars) GIT_QUARANTINE_PATH
cd "$(dirname "$0")/.."
git update-ref refs/heads/main $(git -c user.name=Rival -c user.email=rival@localhost \\
    commit-tree -p main -m 'A rival was faster' 'main^{tree}')
"""


@pytest.fixture
def desk(tmp_path: Path) -> Story:
    """A clone of a fresh remote."""
    remote.make(tmp_path, PROJECT)
    return Story(Sandbox(tmp_path, {"RELEASECTL_PATIENCE": "0"}, {}))


def test_a_clone_without_a_remote_is_told(desk: Story) -> None:
    git(desk.sandbox.clone, "remote", "rename", "origin", "elsewhere")

    said = desk.releasectl("reconcile", "staging", "--json")

    told(said, "MissingRemote", 3)
    assert "git remote add" in said.err


def test_a_remote_that_is_not_there_is_told(desk: Story) -> None:
    desk.sandbox.remote.rename(desk.sandbox.remote.with_name("away.git"))

    told(desk.releasectl("status", "--json"), "MissingRemote", 3)


@pytest.mark.parametrize(
    ("status", "name"),
    [(403, "RemoteDenied"), (429, "RemoteThrottled"), (503, "RemoteUnreachable"), (418, "GitFailed")],
)
def test_a_host_that_says_no_is_told_apart_and_named_without_its_token(desk: Story, status: int, name: str) -> None:
    with serving(lambda _asked: Answer(status)) as host, remote_at(desk, host.url.replace("//", "//bo:token@")):
        said = desk.releasectl("status", "--json")

    told(said, name, 3)
    assert host.url in said.err
    assert "token" not in said.err


def test_a_host_that_is_away_is_told(desk: Story) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets it, nobody answers
        with remote_at(desk, f"http://127.0.0.1:{reserved.getsockname()[1]}"):
            said = desk.releasectl("status", "--json")

    told(said, "RemoteUnreachable", 3)


def test_others_who_are_always_faster_are_told_and_nothing_is_overwritten(desk: Story) -> None:
    hook = desk.sandbox.remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(RIVAL)
    hook.chmod(0o755)

    told(desk.releasectl("hold", "staging", "--reason", "a test", "--json"), "Stale", 3)
    assert git(desk.sandbox.remote, "log", "-1", "--format=%s", "main") == "A rival was faster"
    assert desk.files("releases/holds") == {}


def test_a_folder_that_is_no_clone_is_told(tmp_path: Path) -> None:
    told(in_folder(tmp_path, os.environ["PATH"]), "NotARepository", 2)


def test_a_machine_without_git_is_told(tmp_path: Path) -> None:
    said = in_folder(PROJECT, str(tmp_path))

    told(said, "GitFailed", 3)
    assert "Install git" in said.err


# ---- the branch `deployments` ----


def test_a_record_that_nobody_of_ours_wrote_is_told_with_its_line(desk: Story) -> None:
    recorded_by_hand(desk, b"not ours\n")

    said = desk.releasectl("history", "staging", "--json")

    told(said, "UnreadableRecord", 3)
    assert f"{RECORD} on branch deployments: line 1" in said.err


@pytest.mark.parametrize("how", ["deleted", "rewritten"])
def test_a_record_branch_that_was_there_before_is_told_with_what_brings_it_back(desk: Story, how: str) -> None:
    commit = recorded_by_hand(desk, b"")
    assert desk.releasectl("history", "production", "--json").json == []
    if how == "deleted":
        git(desk.sandbox.remote, "branch", "--quiet", "-D", "deployments")
    else:
        git(desk.sandbox.remote, "update-ref", "refs/heads/deployments", "main")

    said = desk.releasectl("history", "production", "--json")

    told(said, "RewrittenRecord", 3)
    assert f"git fetch origin {commit}" in said.json["remedy"]


# ---- a hand ----


@contextmanager
def remote_at(desk: Story, url: str) -> Iterator[None]:
    """The clone's remote is another one for a while."""
    before = git(desk.sandbox.clone, "remote", "get-url", "origin")
    git(desk.sandbox.clone, "remote", "set-url", "origin", url)
    yield
    git(desk.sandbox.clone, "remote", "set-url", "origin", before)


def in_folder(folder: Path, path: str) -> Said:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("releasectl")), "status", "--json"],
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def recorded_by_hand(desk: Story, line: bytes) -> str:
    """A branch `deployments` with one file, pushed by somebody; its commit."""
    clone = desk.sandbox.clone
    git(clone, "switch", "--quiet", "--orphan", "deployments")
    (clone / RECORD).parent.mkdir(parents=True)
    (clone / RECORD).write_bytes(line)
    git(clone, "add", RECORD)
    git(clone, "commit", "--quiet", "--message", "By hand")
    git(clone, "push", "--quiet", "origin", "deployments")
    commit = git(clone, "rev-parse", "HEAD")
    git(clone, "switch", "--quiet", "main")
    return commit
