"""Real git for the contract tests, without anybody's settings: a bare repository as the remote, and clones of it.

And a real registry of two accounts, which a test may put faults before.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from releasectl.edges import aws
from releasectl.edges.again import PATIENCE
from releasectl.edges.git import Git
from sandbox import ministack, process
from sandbox.runtimes.certificates import certificates
from tests.contract.answers import serving
from tests.contract.registry import HERE, THERE, Between, Side, World, side

ROOT = Path(__file__).resolve().parents[2]

BO = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Bo",
    "GIT_AUTHOR_EMAIL": "bo@example.com",
    "GIT_COMMITTER_NAME": "Bo",
    "GIT_COMMITTER_EMAIL": "bo@example.com",
}


def git(folder: Path, *arguments: str) -> str:
    """One git command, as Bo."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | BO
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Remote:
    """A bare repository, and what people do with it."""

    folder: Path

    @property
    def bare(self) -> Path:
        return self.folder / "remote.git"

    def clone(self, name: str, *options: str) -> Git:
        """A controller's clone."""
        git(self.folder, "clone", "--quiet", *options, self.bare.as_uri(), name)
        return Git(self.folder / name)

    def commit(self, files: dict[str, bytes], *, branch: str = "main", subject: str = "A change") -> str:
        """Bo pushes a commit; a new branch begins at main."""
        tree = self.folder / "bo"
        if branch not in git(tree, "branch", "--format=%(refname:short)").split():
            git(tree, "checkout", "--quiet", "-b", branch, "main")
        git(tree, "checkout", "--quiet", branch)
        git(tree, "pull", "--quiet", "--ff-only", "origin", branch) if git(
            tree, "ls-remote", "origin", f"refs/heads/{branch}"
        ) else None
        for path, raw in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(raw)
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "--allow-empty", "--message", subject)
        git(tree, "push", "--quiet", "origin", branch)
        return git(tree, "rev-parse", "HEAD")

    def tip(self, branch: str = "main") -> str:
        """The commit of a branch, "" without one."""
        return git(self.folder, "ls-remote", str(self.bare), f"refs/heads/{branch}").partition("\t")[0]

    def hook(self, name: str, script: str) -> None:
        """A hook of the remote."""
        path = self.bare / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A remote whose main has one commit with `releases/staging.yaml`."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    # What a hosting service allows: a commit may be fetched by its id alone.
    git(tmp_path / "remote.git", "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "remote.git", "bo")
    git(tmp_path / "bo", "checkout", "--quiet", "-b", "main")
    tree = tmp_path / "bo"
    (tree / "releases").mkdir()
    (tree / "releases/staging.yaml").write_bytes(b"one\n")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "The project")
    git(tree, "push", "--quiet", "origin", "main")
    return Remote(tmp_path)


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Once for all: making it takes seconds, and each test has repositories of its own."""
    folder = tmp_path_factory.mktemp("world")
    registry = ministack.start(folder)
    client = httpx.Client(base_url=registry.endpoint, trust_env=False, timeout=30)
    between = Between(client)
    known = certificates(folder)
    options = ["--authority", str(known.authority), "--key", str(known.authority.with_suffix(".key"))]
    with serving(between.answer) as proxy:
        door = process.start(
            "door",
            [sys.executable, "-m", "sandbox.registry_door", "--registry", proxy.url, *options],
            log=folder / "door.log",
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            ready=process.ready_line,
        )
        yield World(proxy.url, registry.endpoint, door.endpoint, known.authority, between)
        door.stop()
    client.close()
    registry.stop()


@pytest.fixture
def world(standing: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The ordinary environment of a controller, with no patience."""
    variables = {
        PATIENCE: "0",
        "AWS_ENDPOINT_URL": standing.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SSL_CERT_FILE": str(standing.authority),
        "HTTPS_PROXY": standing.door,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    aws.session.cache_clear()
    standing.between.reset()
    yield standing
    aws.session.cache_clear()


@pytest.fixture
def source(world: World) -> Side:
    return side(world, HERE)


@pytest.fixture
def target(world: World) -> Side:
    return side(world, THERE)
