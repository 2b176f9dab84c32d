"""Pull requests on GitHub: found by their branch, opened once, edited in place, merged through the merge API.

Comes in: a branch or a number. Goes out: values of releasectl/forge.py. A fork's branch of the same name is never
taken for ours, and a list of files that GitHub may have cut is never taken for whole.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from releasectl.edges.github.errors import GithubFailed
from releasectl.edges.github.wire import Keyed, Model, Wire
from releasectl.errors import Stale
from releasectl.forge import MAIN, Actor, ChangedFile, Merge, Pull
from releasectl.plain_text import never_skipping

MOST_FILES = 3000  # https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files: "a maximum of 3000 files"
GHOST = "ghost"  # as GitHub calls whoever deleted an account


class User(Model):
    """Whoever did something."""

    login: str
    id: int


class _Repository(Model):
    full_name: str


class _End(Model):
    ref: str
    sha: str
    repo: _Repository | None = None


class _Pull(Keyed):
    number: int
    html_url: str
    title: str
    body: str | None = None
    state: str
    user: User | None = None
    head: _End
    base: _End
    merged_at: str | None = None
    merge_commit_sha: str | None = None
    changed_files: int = 0


class _File(Model):
    filename: str
    status: str
    previous_filename: str = ""


class _Merged(Model):
    sha: str


@dataclass(frozen=True)
class GithubPulls:
    """See forge.Pulls."""

    wire: Wire

    def get(self, number: int) -> Pull:
        """One, however it stands."""
        return self._pull(self._get(number))

    def find(self, head: str, base: str = MAIN) -> Pull | None:
        """The open one of a branch of this repository."""
        owner = self.wire.account.owner
        listed = self.wire.pages(
            f"looking for a pull request of {head}", "pulls", _Pull, state="open", head=f"{owner}:{head}", base=base
        )
        found = (self._pull(one) for one in listed)
        return next((one for one in found if one.head == head and one.base == base and not one.is_foreign), None)

    def of(self, commit: str) -> tuple[Pull, ...]:
        """The merged ones into main that brought a commit; none of what GitHub does not know."""
        what = f"looking for the pull request of {commit[:12]}"
        try:
            listed = self.wire.pages(what, f"commits/{quote(commit, safe='')}/pulls", _Pull)
        except GithubFailed as error:
            if error.status != 422:  # "No commit found for SHA"
                raise
            return ()
        return tuple(one for one in map(self._pull, listed) if one.merged and one.base == MAIN)

    def standing(self, base: str = MAIN) -> tuple[Pull, ...]:
        """All open ones of branches of this repository."""
        listed = self.wire.pages("listing the open pull requests", "pulls", _Pull, state="open", base=base)
        return tuple(one for one in map(self._pull, listed) if one.base == base and not one.is_foreign)

    def create(self, head: str, title: str, body: str, *, base: str = MAIN) -> Pull:
        """Open one; the open one of the branch where there is one already."""
        asked = {"title": never_skipping(title), "body": body, "head": head, "base": base}

        def post() -> Pull:
            return self._pull(self.wire.ask(f"opening a pull request of {head}", "POST", "pulls", _Pull, json=asked))

        try:
            return self.wire.create(post, lambda: self.find(head, base))
        except GithubFailed as error:  # "A pull request already exists": by another run, or by a call of ours
            there = self.find(head, base) if error.status == 422 else None
            if there is None:
                raise
            return there

    def update(self, number: int, title: str, body: str) -> Pull:
        """Give it another title and text."""
        return self._patch(f"editing pull request {number}", number, title=never_skipping(title), body=body)

    def close(self, number: int) -> Pull:
        """Close it without a merge."""
        return self._patch(f"closing pull request {number}", number, state="closed")

    def files(self, number: int) -> tuple[ChangedFile, ...]:
        """All that it changes. Raises GithubFailed where GitHub does not list all of them."""
        what = f"listing the files of pull request {number}"
        expected = self._get(number).changed_files
        read = self.wire.plain_pages(what, f"pulls/{number}/files", _File)
        found = {one.filename: ChangedFile(one.filename, one.status, one.previous_filename) for one in read}
        if len(found) >= MOST_FILES or len(found) != expected:
            raise GithubFailed(
                f"{what}: {len(found)} of {expected} are listed", "Split it, or run the same command again."
            )
        return tuple(found[path] for path in sorted(found))

    def merge(self, number: int, commit: str, *, title: str = "", message: str = "") -> Merge:
        """By a merge commit, if the head is still `commit` and GitHub lets us. Raises Stale when either end moved."""
        what = f"merging pull request {number}"
        words = {"commit_title": title, "commit_message": message} if title else {}

        def put() -> Merge:
            asked: dict[str, Any] = {"sha": commit, "merge_method": "merge", **words}
            return Merge(self.wire.ask(what, "PUT", f"pulls/{number}/merge", _Merged, json=asked).sha)

        try:
            return self.wire.create(put, lambda: self._merged(number))
        except GithubFailed as error:
            if (done := self._merged(number)) is not None:
                return done
            if error.status == 409:
                raise Stale(f"{what}: its head or its base moved", "Run the same command again.") from error
            if error.status in (405, 422):
                return Merge(refusal=error.message.removeprefix(f"{what}: "))
            raise

    def _merged(self, number: int) -> Merge | None:
        found = self.get(number)
        return Merge(found.merged) if found.merged else None

    def _get(self, number: int) -> _Pull:
        return self.wire.ask(f"looking at pull request {number}", "GET", f"pulls/{number}", _Pull)

    def _patch(self, what: str, number: int, **changes: str) -> Pull:
        return self._pull(self.wire.ask(what, "PATCH", f"pulls/{number}", _Pull, json=changes))

    def _pull(self, told: _Pull) -> Pull:
        ours = told.head.repo is not None and told.head.repo.full_name == self.wire.account.repository
        return Pull(
            number=told.number,
            url=told.html_url,
            title=told.title,
            body=told.body or "",
            head=told.head.ref,
            commit=told.head.sha,
            base=told.base.ref,
            author=actor(told.user),
            is_open=told.state == "open",
            merged=(told.merge_commit_sha or "") if told.merged_at else "",
            is_foreign=not ours,
        )


def actor(user: User | None) -> Actor:
    """Whoever it was."""
    return Actor(user.login, user.id) if user else Actor(GHOST)
