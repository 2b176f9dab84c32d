"""Real git for the contract tests: a bare repository as the remote, and clones of it, without anybody's settings."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from releasectl.edges.git import Git

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
