"""The sandbox's GitHub as a process of its own: started, asked, told what people do, ended."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.process import Running, ready_line, start
from sandbox.remote import git


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    remote, work = tmp_path / "remote.git", tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(work))
    (work / "file").write_text("one")
    git(work, "checkout", "--quiet", "-b", "main")
    git(work, "add", "file")
    git(work, "commit", "--quiet", "--message", "First")
    git(work, "push", "--quiet", "origin", "main")
    argv = [sys.executable, "-m", "sandbox.github", "--repository", str(remote), "--name", "team/shop"]
    running = start("github", argv, log=tmp_path / "github.log", environment=os.environ, ready=ready_line)
    yield running
    running.stop()


def test_it_serves_a_repository_that_people_push_to(running: Running, tmp_path: Path) -> None:
    url, headers = f"{running.endpoint}/repos/team/shop", {"authorization": f"token {running.ready['token']}"}
    tip = httpx.get(f"{url}/git/ref/heads/main", headers=headers).json()["object"]["sha"]
    assert tip == git(tmp_path / "work", "rev-parse", "HEAD")

    git(tmp_path / "work", "commit", "--quiet", "--allow-empty", "--message", "Second")
    git(tmp_path / "work", "push", "--quiet", "origin", "main")

    assert httpx.get(f"{url}/git/ref/heads/main", headers=headers).json()["object"]["sha"] != tip
    assert httpx.get(f"{url}/git/ref/heads/main").status_code == 401


def test_its_desk_takes_words_and_names_those_that_it_knows(running: Running) -> None:
    desk = f"{running.endpoint}/_sandbox"
    token = httpx.post(f"{desk}/token", json={"permissions": {}}).json()
    httpx.post(f"{desk}/order", json={"kind": "broken"})

    asked = [
        httpx.get(f"{running.endpoint}/repos/team/shop/pulls", headers={"authorization": f"token {token}"}).status_code
        for _ in range(2)
    ]

    assert asked == [502, 403]
    assert httpx.post(f"{desk}/events").json() == []
    assert "fork_pull" in httpx.post(f"{desk}/no_such_word").json()["message"]
    assert httpx.post(f"{desk}/__init__", json={"github": 1}).status_code == 404
    assert httpx.post(f"{desk}/order", json={"kind": "hail"}).status_code == 422


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "sandbox.github", "--repository", str(tmp_path / "none")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Name a bare git repository" in done.stderr
