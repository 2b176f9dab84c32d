"""Branches on GitHub: tips, files, comparisons, and signed commits by compare-and-swap. No clone, no force.

Comes in: names of branches, commits, bytes. Goes out: commits that GitHub signs, each with the parent that was
expected, or Stale. A commit whose answer was lost is looked for on the branch before it is asked for again.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.wire import Model, Wire
from releasectl.errors import Stale
from releasectl.forge import Comparison
from releasectl.plain_text import never_skipping

LARGEST = 1 << 20  # bytes of a file; what we read this way is small
_LOOK_BACK = 30  # commits of a branch among which a lost one is looked for
_COMMIT = """mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}"""


class _Object(Model):
    sha: str


class _Ref(Model):
    object: _Object


class _Entry(Model):
    path: str
    mode: str
    type: str
    sha: str
    size: int | None = None


class _Tree(Model):
    sha: str
    tree: tuple[_Entry, ...]
    truncated: bool = False


class _Blob(Model):
    content: str
    encoding: Literal["base64"]


class _Compared(Model):
    status: Literal["ahead", "behind", "identical", "diverged"]
    ahead_by: int
    behind_by: int
    merge_base_commit: _Object


class _Told(Model):
    message: str
    tree: _Object


class _Commit(Model):
    sha: str
    commit: _Told
    parents: tuple[_Object, ...]


@dataclass(frozen=True)
class GithubBranches:
    """See forge.Branches."""

    wire: Wire

    def tip(self, branch: str) -> str:
        """The commit of a branch, "" without one."""
        found = self.wire.maybe(f"looking at branch {branch}", f"git/ref/heads/{quote(branch)}", _Ref)
        return found.object.sha if found else ""

    def read(self, commit: str, path: str) -> bytes | None:
        """By the trees above it, which tell a link from a file; the contents API would follow the link."""
        what, sha = f"reading {path} at {commit[:12]}", commit
        *folders, name = path.split("/")
        for folder in folders:
            found = self._entry(what, sha, folder)
            if found is None or found.type != "tree":
                return None
            sha = found.sha
        found = self._entry(what, sha, name)
        if found is None or found.type == "tree":
            return None
        if found.type != "blob" or found.mode not in ("100644", "100755"):
            raise GithubFailed(f"{what}: it is no plain file but a link or a submodule", "Make it a plain file.")
        if (found.size or 0) > LARGEST:
            raise GithubFailed(f"{what}: {found.size} bytes are more than {LARGEST}", "Make the file smaller.")
        return self._blob(what, found.sha)

    def compare(self, older: str, newer: str) -> Comparison:
        """How `newer` stands to `older`."""
        path = f"compare/{quote(older, safe='')}...{quote(newer, safe='')}"
        told = self.wire.ask(
            f"comparing {older[:12]} with {newer[:12]}", "GET", path, _Compared, params={"per_page": "1"}
        )
        return Comparison(told.status, told.ahead_by, told.behind_by, told.merge_base_commit.sha)

    def make(self, branch: str, commit: str) -> None:
        """A new branch. Raises Stale when there is one with another commit."""
        what = f"making branch {branch}"

        try:
            self.wire.ask(what, "POST", "git/refs", _Ref, json={"ref": f"refs/heads/{branch}", "sha": commit})
        except GithubFailed as error:
            if error.status != 422 or not (there := self.tip(branch)):
                raise
            if there != commit:  # else it was made by the call whose answer was lost
                raise Stale(f"{what}: it is there already, at {there[:12]}", "Run the same command again.") from error

    def remove(self, branch: str) -> None:
        """Remove a branch; nothing when it is gone already."""
        self.wire.do(f"removing branch {branch}", "DELETE", f"git/refs/heads/{quote(branch)}", gone=(404, 422))

    def commit(self, branch: str, message: str, files: Mapping[str, bytes | None], *, expected: str) -> str:
        """By createCommitOnBranch, which GitHub signs and which does nothing unless the tip is `expected`."""
        what, message = f"committing to {branch}", never_skipping(message)
        headline, _, body = message.strip().partition("\n")
        changes = {
            "additions": [{"path": path, "contents": _base64(raw)} for path, raw in files.items() if raw is not None],
            "deletions": [{"path": path} for path, raw in files.items() if raw is None],
        }
        asked = {
            "branch": {"repositoryNameWithOwner": self.wire.account.repository, "branchName": branch},
            "expectedHeadOid": expected,
            "message": {"headline": headline, "body": body.strip()},
            "fileChanges": changes,
        }

        def post() -> str:
            data = self.wire.graphql(what, _COMMIT, {"input": asked})
            try:
                return str(data["createCommitOnBranch"]["commit"]["oid"])
            except (KeyError, TypeError) as error:
                raise GithubFailed(f"{what}: the answer names no commit", "Look at the branch.") from error

        try:
            return self.wire.create(post, lambda: self._made(branch, message, files, (expected,)))
        except GithubFailed as error:
            if error.word != "STALE_DATA" and "but it did not" not in error.message:
                raise
            raise Stale(f"{what}: it is no longer at {expected[:12]}", "Run the same command again.") from error

    def take_in(
        self, branch: str, other: str, message: str, files: Mapping[str, bytes | None], *, expected: str
    ) -> str:
        """Tree, commit, then a fast-forward of the branch; without an author given, GitHub signs such a commit, too."""
        what = f"taking {other[:12]} into {branch}"
        entries = [
            {"path": path, "mode": "100644", "type": "blob"}
            | ({"sha": None} if raw is None else {"content": raw.decode()})
            for path, raw in files.items()
        ]
        base = other
        if entries:
            base = self.wire.ask(what, "POST", "git/trees", _Object, json={"base_tree": other, "tree": entries}).sha
        else:
            base = self._tree(what, other).sha
        body = {"message": never_skipping(message.strip()), "tree": base, "parents": [expected, other]}
        made = self.wire.ask(what, "POST", "git/commits", _Object, json=body).sha
        moving = {"sha": made, "force": False}
        try:
            self.wire.ask(what, "PATCH", f"git/refs/heads/{quote(branch)}", _Ref, json=moving)
        except GithubFailed as error:
            if error.status != 422:
                raise
            if self.tip(branch) != made:
                raise Stale(f"{what}: it is no longer at {expected[:12]}", "Run the same command again.") from error
        return made

    def _made(
        self, branch: str, message: str, files: Mapping[str, bytes | None], parents: tuple[str, ...]
    ) -> str | None:
        """The commit that a lost answer would have named: its message, parents and files."""
        params = {"sha": branch, "per_page": str(_LOOK_BACK)}
        newest = self.wire.ask(
            f"looking for our commit on {branch}", "GET", "commits", tuple[_Commit, ...], params=params
        )
        for one in newest:
            same = one.commit.message.split() == message.split() and tuple(p.sha for p in one.parents) == parents
            if same and all(self._has(one.sha, path, raw) for path, raw in files.items()):
                return one.sha
        return None

    def _has(self, commit: str, path: str, raw: bytes | None) -> bool:
        return self.read(commit, path) == raw

    def _entry(self, what: str, tree: str, name: str) -> _Entry | None:
        found = self._tree(what, tree)
        if found.truncated:
            raise GithubFailed(f"{what}: the folder has too many files to be listed", "Have fewer files there.")
        return next((one for one in found.tree if one.path == name), None)

    def _tree(self, what: str, tree: str) -> _Tree:
        return self.wire.ask(what, "GET", f"git/trees/{tree}", _Tree)

    def _blob(self, what: str, sha: str) -> bytes:
        found = self.wire.ask(what, "GET", f"git/blobs/{sha}", _Blob)
        try:
            raw = base64.b64decode(found.content)
        except (binascii.Error, ValueError) as error:
            raise GithubFailed(f"{what}: the answer is no base64", "Try again.") from error
        if hashlib.sha1(b"blob %d\0%s" % (len(raw), raw), usedforsecurity=False).hexdigest() != sha:
            raise GithubFailed(f"{what}: the bytes are not those of {sha[:12]}", "Run the same command again.")
        return raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
