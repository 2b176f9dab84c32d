"""Git as the place of desired state: fetch, read, export, and commits that never lose an update.

Comes in: a clone with a remote `origin`. Goes out: bytes of files at a commit, folders of a commit, new commits
on a branch of the remote by compare-and-swap (a plain push, never a forced one). It never touches the work tree,
the index or a local branch, so a person can go on working in the same clone.
"""

import os
import random
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from releasectl.errors import ControllerError, Retry
from releasectl.release_notes import Commit

REMOTE = "origin"
MAIN = "main"
ATTEMPTS = 30  # of a commit; fifty writers at once on two processors needed up to 13
TIMEOUT = 120.0  # seconds for one git command; a clone over a slow line needs most of it


class GitFailed(ControllerError):
    """A git command ended badly for a reason that has no name of its own here."""

    retry = Retry.BACKOFF


class NotARepository(ControllerError):
    """The folder is not a git clone."""

    exit_code = 2


class MissingRemote(ControllerError):
    """The clone has no remote, or the remote is not there or does not answer."""

    retry = Retry.BACKOFF


class UnknownCommit(ControllerError):
    """A commit that should be on main is not to be found."""

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class Stale(ControllerError):
    """Others wrote to the branch each time we tried to: the world moved, nothing was written."""

    retry = Retry.AT_ONCE


@dataclass(frozen=True)
class Git:
    """One clone. Several processes may use it at once: fetches go by refs of their own, commits by objects."""

    root: Path
    _environment: Mapping[str, str] = field(default_factory=lambda: _scrubbed(os.environ))

    @classmethod
    def find(cls, folder: Path) -> "Git":
        """The clone that `folder` is in. Raises NotARepository."""
        git = cls(folder)
        try:
            return cls(Path(git.run("rev-parse", "--show-toplevel").decode().strip()))
        except (GitFailed, NotADirectoryError) as error:
            raise NotARepository(
                f"looking for a git clone in {folder}: there is none",
                "Run this inside a clone of your project.",
            ) from error

    @property
    def folder(self) -> Path:
        """Where this clone keeps what is nobody's history: our deployments' work folders."""
        common = self.run("rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()
        return Path(common) / "releasectl"

    def fetch(self, branch: str = MAIN) -> str:
        """The remote's tip of `branch`, its history fetched; "" when the remote has no such branch.

        Asks first and fetches only what is new. Raises MissingRemote.
        """
        ref = f"refs/releasectl/{branch}"
        for attempt in range(5):
            tip = self._tip(branch)
            if not tip or self._is_part_of(tip, ref):
                return tip
            try:
                self.run("fetch", "--quiet", "--no-tags", REMOTE, f"+refs/heads/{branch}:{ref}")
            except GitFailed as error:
                # Another process of ours fetches the same branch: what it brings is what we want.
                if "cannot lock ref" not in error.message:
                    raise self._remote_error(error) from error
                _pause(attempt)
        raise Stale(f"fetching {branch}: it moved under each attempt", "Run the same command again.")

    def read(self, commit: str, path: str) -> bytes | None:
        """The bytes of `path` at `commit`, None when it is not there."""
        if not self.list(commit, path):
            return None
        return self.run("cat-file", "blob", f"{commit}:{path}")

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        """Paths of all files below `folder` (or the file itself) at `commit`, sorted."""
        listing = self.run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", folder)
        return tuple(name for name in listing.decode().split("\0") if name)

    def read_many(self, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes of several files at once: one process, however many files."""
        wanted = "".join(f"{commit}:{path}\n" for path in paths).encode()
        stream = BytesIO(self.run("cat-file", "--batch", stdin=wanted))
        found = {}
        for path in paths:
            size = int(stream.readline().split()[-1])
            found[path] = stream.read(size)
            stream.read(1)
        return found

    def resolve(self, name: str) -> str:
        """The full commit of a branch, tag or abbreviated commit. Raises UnknownCommit."""
        try:
            return (
                self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
            )
        except GitFailed as error:
            raise UnknownCommit(f"looking for {name!r}: this clone has no such commit", "Fetch it first.") from error

    def newest_commit(self, commit: str, *paths: str) -> str:
        """The newest commit up to `commit` that changed one of `paths`, "" if there is none."""
        self._deepen()
        return self.run("log", "-1", "--format=%H", commit, "--", *paths).decode().strip()

    def why(self, commit: str, *paths: str) -> tuple[str, str, str]:
        """Who last changed one of `paths` up to `commit`, that commit's subject, and its trailer Release-Action."""
        self._deepen()
        form = "--format=%an%x00%s%x00%(trailers:key=Release-Action,valueonly,separator=%x2C)"
        found = self.run("log", "-1", form, commit, "--", *paths).decode(errors="replace").strip()
        who, subject, action = (*found.split("\0"), "", "")[:3]
        return who, subject, action

    def commits(self, older: str, newer: str, *paths: str) -> tuple[Commit, ...]:
        """What `newer` has and `older` has not, newest first, as far as it changed one of `paths`.

        Raises UnknownCommit when either cannot be found.
        """
        for commit in (older, newer):
            self._bring(commit)
        self._deepen()
        raw = self.run("log", "--format=%H%x00%an%x00%s", f"{older}..{newer}", "--", *paths)
        return tuple(Commit(*line.split("\0", 2)) for line in raw.decode(errors="replace").split("\n") if line)

    def user(self) -> str:
        """The name of whoever commits here."""
        return self.run("var", "GIT_AUTHOR_IDENT", environment=self._identity()).decode().partition(" <")[0]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Is `older` part of the history of `newer`? Raises UnknownCommit when either cannot be found."""
        for commit in (older, newer):
            self._bring(commit)
        done = self._call(["merge-base", "--is-ancestor", older, newer])
        if done.returncode not in (0, 1):
            raise _failed(["merge-base", "--is-ancestor", older, newer], done)
        if done.returncode == 1 and self._deepen():
            return self.is_ancestor(older, newer)
        return done.returncode == 0

    def export(self, commit: str, folder: Path) -> None:
        """Write the whole tree of `commit` into `folder`, which is made. Raises UnknownCommit."""
        self._bring(commit)
        folder.mkdir(parents=True)
        with tarfile.open(fileobj=BytesIO(self.run("archive", "--format=tar", commit))) as archive:
            archive.extractall(folder, filter="data")

    def commit(
        self,
        branch: str,
        message: str | Callable[[], str],
        change: Callable[[str], Mapping[str, bytes | None]],
        *,
        start: str = "",
        attempts: int = ATTEMPTS,
    ) -> str:
        """Commit to the remote's `branch` by compare-and-swap; the new tip, or the old one if nothing changes.

        `change` gets the tip (of a new branch `start`, where "" makes an orphan) and says which files it wants
        there (None deletes); it is asked again for each new tip, so it can never overwrite what it has not seen.
        Raises Stale, MissingRemote.
        """
        for attempt in range(attempts):
            tip = self.fetch(branch) or start
            files = change(tip)
            if not files:
                return tip
            commit = self._write_commit(tip, files, message if isinstance(message, str) else message())
            if self._push(commit, branch):
                return commit
            _pause(attempt)
        raise Stale(
            f"committing to {branch}: the branch moved under each of {attempts} attempts",
            "Run the same command again.",
        )

    def run(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Standard output of one git command. Raises GitFailed."""
        done = self._call(arguments, stdin=stdin, environment=environment)
        if done.returncode:
            raise _failed(arguments, done)
        return done.stdout

    def _call(
        self, arguments: Sequence[str], *, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-C", str(self.root), *arguments], input=stdin, capture_output=True,
                env={**self._environment, **(environment or {})}, timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise GitFailed(
                f"running `git {' '.join(arguments)}`: no answer within {TIMEOUT:.0f} s",
                "Check the connection to the remote, then run the same command again.",
            ) from error
        except FileNotFoundError as error:
            raise GitFailed("running git: it is not on PATH", "Install git.") from error

    def _is_part_of(self, tip: str, ref: str) -> bool:
        """Was this commit fetched with all that belongs to it? While another process fetches it, it may be here alone.

        A ref moves only once everything is there.
        """
        return self._call(["merge-base", "--is-ancestor", tip, ref]).returncode == 0

    def _has(self, commit: str) -> bool:
        return self._call(["cat-file", "-e", f"{commit}^{{commit}}"]).returncode == 0

    def _bring(self, commit: str) -> None:
        """Make sure that `commit` is here: a shallow clone in CI may have only the tip."""
        if self._has(commit):
            return
        try:
            self.run("fetch", "--quiet", "--no-tags", REMOTE, commit)
        except GitFailed as error:
            raise UnknownCommit(
                f"looking for commit {commit}: the remote does not have it",
                "Pin a commit that is on main, in full (40 characters).",
            ) from error

    def _deepen(self) -> bool:
        """Fetch all history if this is a shallow clone: its oldest commit looks as if it had changed every file."""
        shallow = self.run("rev-parse", "--is-shallow-repository").strip() == b"true"
        if shallow:
            self.run("fetch", "--quiet", "--unshallow", REMOTE)
        return shallow

    def _write_commit(self, parent: str, files: Mapping[str, bytes | None], message: str) -> str:
        with tempfile.TemporaryDirectory(prefix="releasectl-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if parent:
                self.run("read-tree", parent, environment=index)
            for path, content in files.items():
                if content is None:
                    self.run("update-index", "--force-remove", "--", path, environment=index)
                else:
                    blob = self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
                    self.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
            tree = self.run("write-tree", environment=index).decode().strip()
        parents = ["-p", parent] if parent else []
        return self.run(
            "commit-tree", tree, *parents, "-F", "-", stdin=message.encode(), environment=self._identity()
        ).decode().strip()  # fmt: skip

    def _identity(self) -> dict[str, str]:
        """Who commits: the clone's own user if it has one; a controller in CI often has none."""
        configured = self._call(["config", "user.email"]).stdout.strip() or "GIT_AUTHOR_EMAIL" in self._environment
        if configured:
            return {}
        name, email = "releasectl", "releasectl@localhost"
        return {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", email))
        }

    def _push(self, commit: str, branch: str) -> bool:
        """True when the remote's branch has our commit, also when the answer to our push was lost."""
        try:
            self.run("push", "--quiet", REMOTE, f"{commit}:refs/heads/{branch}")
        except GitFailed as error:
            if self._refused_for_good(error):
                raise self._remote_error(error) from error
            tip = self.fetch(branch)
            return bool(tip) and self.is_ancestor(commit, tip)
        return True

    def _tip(self, branch: str) -> str:
        try:
            answer = self.run("ls-remote", REMOTE, f"refs/heads/{branch}").decode().split()
        except GitFailed as error:
            raise self._remote_error(error) from error
        return answer[0] if answer else ""

    @staticmethod
    def _refused_for_good(error: GitFailed) -> bool:
        return any(sign in error.message for sign in ("pre-receive hook declined", "protected branch", "permission"))

    def _remote_error(self, error: GitFailed) -> ControllerError:
        urls = self._call(["remote", "get-url", REMOTE])
        if urls.returncode:
            return MissingRemote(
                f"talking to the remote of {self.root}: it has no remote `{REMOTE}`",
                f"Add it: git remote add {REMOTE} URL",
            )
        cause = error.message.split(": ", 1)[-1]
        return MissingRemote(
            f"talking to {_masked(urls.stdout.decode().strip())}: {cause}",
            "Check the address and your access: git ls-remote origin",
        )


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.05 * 2 ** min(attempt, 5)))  # noqa: S311 - jitter, not a secret


def _failed(arguments: Sequence[str], done: subprocess.CompletedProcess[bytes]) -> GitFailed:
    cause = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
    return GitFailed(f"running `git {arguments[0]}`: {cause}", "Run the command by hand to see more.")


def _masked(url: str) -> str:
    """A remote's URL may carry a token; nobody needs to read it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else url


def _scrubbed(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables a hook or a rebase sets, which would point git at another repository."""
    kept = {
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
    }
    kept |= {
        "GIT_AUTHOR_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_EXEC_PATH",
    }
    clean = {name: value for name, value in environment.items() if not name.startswith("GIT_") or name in kept}
    # Errors are recognised by their text, so it must be English; nobody is there to answer a prompt.
    return clean | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
