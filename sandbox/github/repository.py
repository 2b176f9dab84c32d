"""The bare git repository behind the sandbox's GitHub: refs, trees, blobs, commits, merges, comparisons.

Comes in: a path, and for a stale look the refs as they were. Goes out: what git itself says; commits made here are
real ones. It never forces a ref: whoever moves one says from where.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Files = Mapping[str, bytes | None]


class GitSaysNo(Exception):
    """git ended badly."""


class Conflict(Exception):
    """Two commits that cannot be merged by themselves."""


@dataclass(frozen=True)
class Entry:
    """Of a tree."""

    mode: str
    type: str
    sha: str
    size: int
    path: str


@dataclass(frozen=True)
class Made:
    """A commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    date: str
    message: str


@dataclass(frozen=True)
class Changed:
    """One file between two commits."""

    path: str
    status: str
    before: str
    additions: int
    deletions: int
    blob: str


@dataclass(frozen=True)
class Repository:
    """`refs` is None for now, or what they were at an earlier moment."""

    path: Path
    refs: Mapping[str, str] | None = None

    def all_refs(self) -> dict[str, str]:
        """Every ref with its commit."""
        if self.refs is not None:
            return dict(self.refs)
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return {name: sha for name, _, sha in (line.partition(" ") for line in lines)}

    def ref(self, name: str) -> str:
        """The commit of `refs/...`, "" without it."""
        return self.all_refs().get(name, "")

    def commit_of(self, name: str) -> str:
        """The commit of a branch, a tag or a commit's id, "" without it."""
        for ref in (f"refs/heads/{name}", f"refs/tags/{name}"):
            if found := self.ref(ref):
                return self._peeled(found)
        return self._peeled(name) if set(name) <= set("0123456789abcdef") and len(name) >= 7 else ""

    def set_ref(self, name: str, new: str, old: str) -> None:
        """Move a ref from `old`; "" means that it is not there. Raises GitSaysNo."""
        self.git("update-ref", name, new, old or "0" * 40)

    def drop_ref(self, name: str) -> None:
        """Take a ref away."""
        self.git("update-ref", "-d", name)

    def tree(self, name: str) -> tuple[str, tuple[Entry, ...]]:
        """The id and the entries of a tree or a commit's tree. Raises GitSaysNo."""
        sha = self.git("rev-parse", "--verify", "--quiet", f"{name}^{{tree}}")
        lines = [line for line in self.git("ls-tree", "-z", "-l", sha).split("\0") if line]
        return sha, tuple(_entry(line) for line in lines)

    def blob(self, sha: str) -> bytes:
        """Raises GitSaysNo."""
        return self.raw("cat-file", "blob", sha)

    def file(self, commit: str, path: str) -> bytes | None:
        """The bytes of a file, None without it."""
        try:
            return self.raw("cat-file", "blob", f"{commit}:{path}")
        except GitSaysNo:
            return None

    def write_tree(self, base: str, files: Files) -> str:
        """The tree of `base` with these files; None takes one away."""
        index = {"GIT_INDEX_FILE": str(self.path / f"index-{os.getpid()}")}
        self.git("read-tree", base or "--empty", variables=index)
        lines = b""
        for path, content in files.items():
            mode, blob = "0", "0" * 40
            if content is not None:
                mode, blob = "100644", self.raw("hash-object", "-w", "--stdin", stdin=content).decode().strip()
            lines += f"{mode} {blob}\t{path}\0".encode()
        self.raw("update-index", "-z", "--index-info", stdin=lines, variables=index)
        return self.git("write-tree", variables=index)

    def write_commit(self, tree: str, parents: Sequence[str], message: str, who: tuple[str, str]) -> str:
        """A commit of nobody's branch. `who` is its author; GitHub commits it."""
        identity = {
            "GIT_AUTHOR_NAME": who[0], "GIT_AUTHOR_EMAIL": who[1],
            "GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com",
        }  # fmt: skip
        options = [word for parent in parents for word in ("-p", parent)]
        return (
            self.raw("commit-tree", tree, *options, "-F", "-", stdin=message.encode(), variables=identity)
            .decode()
            .strip()
        )

    def merged_tree(self, ours: str, theirs: str) -> str:
        """The tree of a merge. Raises Conflict."""
        try:
            return self.git("merge-tree", "--write-tree", ours, theirs)
        except GitSaysNo as error:
            raise Conflict(str(error)) from error

    def about(self, commit: str) -> Made:
        """Raises GitSaysNo."""
        fields = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%B"
        sha, tree, parents, author, email, date, message = self.git("log", "-1", f"--format={fields}", commit).split(
            "\0"
        )
        return Made(sha, tree, tuple(parents.split()), author, email, date, message.strip())

    def log(self, commit: str, count: int) -> tuple[str, ...]:
        """The newest commits."""
        return tuple(self.git("log", f"-{count}", "--format=%H", commit).split())

    def count(self, older: str, newer: str) -> tuple[int, int]:
        """How many commits `newer` has more, and how many less."""
        behind, ahead = self.git("rev-list", "--left-right", "--count", f"{older}...{newer}").split()
        return int(ahead), int(behind)

    def merge_base(self, one: str, other: str) -> str:
        """Raises GitSaysNo."""
        return self.git("merge-base", one, other)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Is one part of the history of the other?"""
        try:
            self.git("merge-base", "--is-ancestor", older, newer)
        except GitSaysNo:
            return False
        return True

    def changed(self, base: str, head: str) -> tuple[Changed, ...]:
        """The files between the merge base and the head."""
        ends = (self.merge_base(base, head), head)
        counts = self.git("diff", "--numstat", "-z", "--no-renames", *ends).split("\0")
        lines = {path: (added, gone) for added, gone, path in (one.split("\t", 2) for one in counts if one)}
        raw = [word for word in self.git("diff", "--raw", "-z", "--abbrev=40", "-M", *ends).split("\0") if word]
        return tuple(_changed(raw, lines))

    def git(self, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
        """One command's output as text. Raises GitSaysNo."""
        return self.raw(*arguments, variables=variables).decode(errors="replace").strip()

    def raw(self, *arguments: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> bytes:
        """One command's output. Raises GitSaysNo."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(self.path), "-c", "core.quotePath=off", *arguments], input=stdin, capture_output=True,
            env=clean | {"LC_ALL": "C"} | dict(variables or {}), check=False, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise GitSaysNo(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def _peeled(self, name: str) -> str:
        try:
            return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except GitSaysNo:
            return ""


def _entry(line: str) -> Entry:
    about, path = line.split("\t", 1)
    mode, kind, sha, size = about.split()
    return Entry(mode, kind, sha, int(size) if size != "-" else 0, path)


def _changed(raw: list[str], lines: Mapping[str, tuple[str, str]]) -> list[Changed]:
    names = {"A": "added", "D": "removed", "M": "modified", "T": "changed", "R": "renamed", "C": "copied"}
    found, words = [], iter(raw)
    for about in words:
        *_, blob, letter = about.split()
        first = next(words)
        path, before = (next(words), first) if letter[0] in "RC" else (first, "")
        added, gone = (0 if each == "-" else int(each) for each in lines.get(path, ("0", "0")))
        found.append(Changed(path, names[letter[0]], before, added, gone, blob))
    return found
