"""Git as the place of desired state: fetch, read, export, and commits that never lose an update.

Comes in: a clone with a remote `origin`. Goes out: bytes of files at a commit, folders of a commit, new commits
on a branch of the remote by compare-and-swap (a plain push, never a forced one). It never touches the work tree,
the index or a local branch, so a person can go on working in the same clone.
"""

import os
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path

from releasectl.edges.again import again
from releasectl.edges.git_process import GitFailed, GitProcess, scrubbed
from releasectl.edges.git_remote import Remote
from releasectl.errors import ControllerError, UnknownCommit
from releasectl.missed import Landed
from releasectl.plain_text import never_skipping
from releasectl.release_notes import Commit

MAIN = "main"


class NotARepository(ControllerError):
    """The folder is not a git clone.

    Why: Commands read and write main through the clone that they are run in.
    Do: Change into a clone of your project and run the command there.
    """

    exit_code = 2


@dataclass(frozen=True)
class Git:
    """One clone. Several processes may use it at once: fetches go by refs of their own, commits by objects."""

    root: Path
    _environment: Mapping[str, str] = field(default_factory=lambda: scrubbed(os.environ))

    @classmethod
    def find(cls, folder: Path) -> "Git":
        """The clone that `folder` is in. Raises NotARepository."""
        done = GitProcess(folder).call("rev-parse", "--show-toplevel")
        if done.returncode:
            cause = done.stderr.decode(errors="replace").strip() or "there is none"
            raise NotARepository(
                f"looking for a git clone in {folder}: {cause}", "Run this inside a clone of your project."
            )
        return cls(Path(done.stdout.decode().strip()))

    @property
    def folder(self) -> Path:
        """Where this clone keeps what is nobody's history: our deployments' work folders."""
        common = self.run("rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()
        return Path(common) / "releasectl"

    def url(self) -> str:
        """Where the remote is, "" without one."""
        return self._git.call("remote", "get-url", "origin").stdout.decode(errors="replace").strip()

    def fetch(self, branch: str = MAIN) -> str:
        """The remote's tip of `branch`, its history fetched; "" when the remote has no such branch.

        Raises what a remote says: MissingRemote, RemoteDenied, RemoteThrottled, RemoteUnreachable.
        """
        return self.fetch_refs(f"refs/heads/{branch}")[0]

    def fetch_refs(self, *refs: str) -> tuple[str, ...]:
        """The same for several refs by their full names: asks once, and fetches only what is new."""
        tips = self._remote.tips(*refs)
        wanted = [
            f"+{ref}:{_ours(ref)}"
            for ref, tip in zip(refs, tips, strict=True)
            # Part of a ref of ours, and not only here: a ref moves once everything is there, a commit may come alone.
            if tip and not self._git.tells("merge-base", "--is-ancestor", tip, _ours(ref))
        ]
        if wanted:
            self._remote.fetch(*wanted)
        return tips

    def read(self, commit: str, path: str) -> bytes | None:
        """The bytes of `path` at `commit`, None when it is not there."""
        if not self.list(commit, path):
            return None
        return self.run("cat-file", "blob", f"{commit}:{path}")

    def list(self, commit: str, folder: str) -> tuple[str, ...]:
        """Paths of all files below `folder` (or the file itself) at `commit`, sorted."""
        asked = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", folder)
        try:
            listing = self.run(*asked)
        except GitFailed:  # a shallow clone does not have what a deployment of last week was made from
            self._bring(commit)
            listing = self.run(*asked)
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

    def tree(self, commit: str, folder: str) -> str:
        """The id of a folder's tree at a commit, "" when it is not there. Raises UnknownCommit."""
        self._bring(commit)
        done = self._git.call("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{folder}")
        return done.stdout.decode().strip()

    def tag(self, name: str) -> str:
        """The commit of a tag of the remote, "" without it."""
        found = self.fetch_refs(f"refs/tags/{name}")[0]
        return self.resolve(found) if found else ""

    def tags(self) -> tuple[str, ...]:
        """The names of all tags of the remote."""
        return tuple(name.removeprefix("refs/tags/") for name in self._remote.names("refs/tags/*"))

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

    def landed(self, commit: str, *paths: str) -> Landed | None:
        """By first parents: the merge counts and not what it merged, whose time may be days before."""
        self._deepen()
        raw = self.run("log", "-1", "--first-parent", "--format=%H %cI", commit, "--", *paths).decode().split()
        return Landed(raw[0], datetime.fromisoformat(raw[1]).astimezone(UTC)) if raw else None

    def shrunk(self, older: str, newer: str, pattern: str) -> tuple[str, ...]:
        """Files that match `pattern` and do not begin in `newer` with all the bytes that they had in `older`."""
        raw = self.run("diff", "--numstat", "--no-renames", "-z", older, newer, "--", pattern).decode()
        counts = (entry.split("\t", 2) for entry in raw.split("\0") if entry)
        suspects = [path for _added, gone, path in counts if gone != "0"]
        return tuple(p for p in suspects if not (self.read(newer, p) or b"").startswith(self.read(older, p) or b""))

    def commits(self, older: str, newer: str, *paths: str) -> tuple[Commit, ...]:
        """What `newer` has and `older` has not, newest first, as far as it changed one of `paths`.

        Raises UnknownCommit when either cannot be found.
        """
        for commit in (older, newer):
            self._bring(commit)
        self._deepen()
        raw = self.run("log", "--format=%H%x00%an%x00%s", f"{older}..{newer}", "--", *paths)
        return tuple(Commit(*line.split("\0", 2)) for line in raw.decode(errors="replace").split("\n") if line)

    def changed(self, older: str, newer: str) -> dict[str, str]:
        """Every path that differs, with git's mode of it in `newer`; of a renamed file, both. Raises GitFailed."""
        asked = ("--raw", "--no-renames", "--ignore-submodules=none", "-z", "--end-of-options", older, newer)
        words = os.fsdecode(self.run("diff", *asked)).split("\0")[:-1]  # in turns: modes and more, path
        return {path: about.split()[1] for about, path in zip(words[::2], words[1::2], strict=True)}

    def user(self) -> str:
        """The name of whoever commits here."""
        return self.run("var", "GIT_AUTHOR_IDENT", environment=self._identity()).decode().partition(" <")[0]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Is `older` part of the history of `newer`? Raises UnknownCommit when either cannot be found."""
        for commit in (older, newer):
            self._bring(commit)
        return self._reaches(newer, older) or (self._deepen() and self._reaches(newer, older))

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
        fetch: Callable[[], str] | None = None,
        along: Sequence[str] = (),
    ) -> str:
        """Commit to the remote's `branch` by compare-and-swap; the new tip, or the old one if nothing changes.

        `change` gets the tip (of a new branch `start`, where "" makes an orphan) and says which files it wants
        there (None deletes); it is asked again for each new tip, so it can never overwrite what it has not seen.
        `fetch` gives the tip in another way than `self.fetch`; refs of `along` move with the branch or not at all.
        Raises Stale and what a remote says.
        """
        pushed: list[str] = []

        def once() -> str:
            tip = fetch() if fetch else self.fetch(branch)
            for commit in pushed:  # did one arrive, and only its answer was lost?
                if tip and self.is_ancestor(commit, tip):
                    return commit
            files = change(tip or start)
            if not files:
                return tip or start
            words = never_skipping(message if isinstance(message, str) else message())
            pushed.append(self._write_commit(tip or start, files, words))
            self._remote.push(pushed[-1], f"refs/heads/{branch}", *along)
            return pushed[-1]

        return again(once, first=0.05, longest=1.6)

    def ref(self, name: str) -> str:
        """The commit of a ref of this clone, "" without it."""
        return self._git.call("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").stdout.decode().strip()

    def keep(self, name: str, commit: str) -> None:
        """Set a ref of this clone. When another process of ours sets it at this moment, theirs is as good."""
        if self.ref(name) != commit:
            self._git.call("update-ref", name, commit)

    def run(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Standard output of one git command, which asks nobody outside. Raises GitFailed."""
        return self._git.run(*arguments, stdin=stdin, environment=environment)

    @cached_property
    def _git(self) -> GitProcess:
        return GitProcess(self.root, self._environment)

    @cached_property
    def _remote(self) -> Remote:
        return Remote(self._git)

    def _reaches(self, newer: str, older: str) -> bool:
        """Is `older` part of the history of `newer`, as far as it is here?"""
        return not self.run("rev-list", "-1", older, f"^{newer}")

    def _bring(self, commit: str) -> None:
        """Make sure that `commit` is here with all that belongs to it.

        A shallow clone in CI may have only the tip; and while another process fetches, a commit may be here alone.
        """
        if self._git.tells("rev-list", "--objects", "--quiet", commit, "--not", "--all"):
            return
        try:
            self._remote.fetch(commit)
        except UnknownCommit as error:
            raise UnknownCommit(
                f"looking for commit {commit}: the remote does not have it",
                "Pin a commit that is on main, in full (40 characters).",
            ) from error

    def _deepen(self) -> bool:
        """Fetch all history if this is a shallow clone: its oldest commit looks as if it had changed every file.

        Was it one? Of all branches, since each may have been fetched without its history.
        """
        shallow = self._is_shallow()
        if shallow:
            try:
                self._remote.fetch("--unshallow", f"+refs/heads/*:{_ours('refs/heads/*')}")
            except ControllerError:
                if self._is_shallow():  # or another process of ours was faster
                    raise
        return shallow

    def _is_shallow(self) -> bool:
        return self.run("rev-parse", "--is-shallow-repository").strip() == b"true"

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
        configured = self._git.call("config", "user.email").stdout.strip() or "GIT_AUTHOR_EMAIL" in self._environment
        if configured:
            return {}
        name, email = "releasectl", "releasectl@localhost"
        return {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", name), ("EMAIL", email))
        }


def _ours(ref: str) -> str:
    """Where a ref of the remote is kept in the clone: `refs/heads/main` -> `refs/releasectl/origin/heads/main`."""
    return f"refs/releasectl/origin/{ref.removeprefix('refs/')}"
