"""Forge: what the core asks of the place where the repository is reviewed, as values and a few small protocols.

Comes in: what a command wants there. Goes out: what the forge has. The real one is `edges/github/`; it is to World
what the rest of the outside is: no default, whoever makes a Forge says what is real. Nothing here decides or asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

MAIN = "main"


@dataclass(frozen=True)
class Actor:
    """Who did something. Names can be spoofed by similar names, ids cannot; None where the forge does not tell it."""

    login: str
    id: int | None = None

    def is_same(self, other: "Actor") -> bool:
        """The same account? By id; by the exact name only where one of the two has no id."""
        if self.id is None or other.id is None:
            return self.login == other.login
        return self.id == other.id


@dataclass(frozen=True)
class Comparison:
    """How `newer` stands to `older`: ahead, behind, identical or diverged, by how many commits, and since which one."""

    status: str
    ahead: int
    behind: int
    base: str


@dataclass(frozen=True)
class Pull:
    """A pull request. `commit` is the head's, `merged` the commit that it became, "" before."""

    number: int
    url: str
    title: str
    body: str
    head: str
    commit: str
    base: str
    author: Actor
    is_open: bool
    merged: str = ""
    is_foreign: bool = False  # its head is in another repository, a fork's or a deleted one


@dataclass(frozen=True)
class ChangedFile:
    """A file that a pull request changes; `before` is its name until now."""

    path: str
    status: str
    before: str = ""


@dataclass(frozen=True)
class Merge:
    """What came of asking for a merge: a commit, or why there is none. A refusal is no error."""

    commit: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Comment:
    """A comment of a pull request or an issue."""

    id: int
    url: str
    body: str
    author: Actor


@dataclass(frozen=True)
class Issue:
    """An issue, which is no pull request."""

    number: int
    url: str
    title: str
    body: str
    author: Actor
    is_open: bool


@dataclass(frozen=True)
class Shown:
    """A deployment as the forge shows it, by its newest status; `key` is what we know it by."""

    id: int
    key: str
    state: str = ""
    url: str = ""
    log: str = ""
    description: str = ""


@dataclass(frozen=True)
class Check:
    """A check run that a commit has; `conclusion` is "" until it is completed."""

    id: int
    name: str
    status: str
    conclusion: str
    app: str
    url: str
    key: str = ""

    @property
    def passes(self) -> bool:
        """GitHub counts neutral and skipped as passed."""
        return self.conclusion in ("success", "neutral", "skipped")


@dataclass(frozen=True)
class Report:
    """What a check run is to say. `key` finds it again; without a conclusion it is still in progress."""

    name: str
    key: str
    title: str
    summary: str
    conclusion: str = ""
    url: str = ""


@dataclass(frozen=True)
class Run:
    """A run of a workflow."""

    id: int
    url: str


@dataclass(frozen=True)
class Publication:
    """A release page of a tag, with the names of its files."""

    id: int
    tag: str
    url: str
    is_draft: bool
    files: tuple[str, ...] = ()


class Branches(Protocol):
    """The repository's content, without a clone."""

    def tip(self, branch: str) -> str:
        """The commit of a branch, "" without one."""

    def read(self, commit: str, path: str) -> bytes | None:
        """A plain file's bytes at a commit, None when it is not there. Never follows a link."""

    def compare(self, older: str, newer: str) -> Comparison:
        """How two commits stand to each other."""

    def make(self, branch: str, commit: str) -> None:
        """A new branch. Raises Stale when there is one with another commit."""

    def remove(self, branch: str) -> None:
        """Remove a branch; nothing when it is gone already."""

    def commit(self, branch: str, message: str, files: Mapping[str, bytes | None], *, expected: str) -> str:
        """A signed commit on a branch whose tip is `expected`. Raises Stale when it is not, or no longer."""

    def take_in(
        self, branch: str, other: str, message: str, files: Mapping[str, bytes | None], *, expected: str
    ) -> str:
        """Merge commit `other` into a branch whose tip is `expected`: the tree of `other`, with these files."""


class Pulls(Protocol):
    """Pull requests."""

    def get(self, number: int) -> Pull:
        """One, however it stands."""

    def find(self, head: str, base: str = MAIN) -> Pull | None:
        """The open one of a branch of this repository; a fork's branch of the same name is none."""

    def of(self, commit: str) -> tuple[Pull, ...]:
        """Those that brought a commit of main, by merging it or by its merge; () of a commit that came without one."""

    def standing(self, base: str = MAIN) -> tuple[Pull, ...]:
        """All open ones of branches of this repository."""

    def create(self, head: str, title: str, body: str, *, base: str = MAIN) -> Pull:
        """Open one; the open one of the branch where there is one already."""

    def update(self, number: int, title: str, body: str) -> Pull:
        """Give it another title and text."""

    def close(self, number: int) -> Pull:
        """Close it without a merge."""

    def files(self, number: int) -> tuple[ChangedFile, ...]:
        """All that it changes. Raises ControllerError where the forge does not list all of them."""

    def merge(self, number: int, commit: str, *, title: str = "", message: str = "") -> Merge:
        """Merge it if its head is still `commit`. Raises Stale when it moved."""


class Comments(Protocol):
    """Comments of a pull request or an issue; ours are known by a marker in the first line and by their author."""

    def all(self, number: int) -> tuple[Comment, ...]:
        """Every comment, oldest first."""

    def find(self, number: int, marker: str) -> Comment | None:
        """Ours with this marker."""

    def put(self, number: int, marker: str, body: str) -> Comment:
        """Write or edit ours in place; nobody else's is ever touched."""


class Issues(Protocol):
    """Issues; ours are known as our comments are. Only open ones are looked at: a closed one is a story that ended."""

    def find(self, marker: str) -> Issue | None:
        """Our open one with this marker, of several the oldest."""

    def put(self, marker: str, title: str, body: str) -> Issue:
        """Open ours, or edit the open one in place; others of ours with the marker are closed."""

    def close(self, marker: str, body: str) -> Issue | None:
        """Give our open one its last text and close it; None where there is none."""


class Checks(Protocol):
    """Check runs."""

    def of(self, commit: str) -> tuple[Check, ...]:
        """The newest run of each check of a commit."""

    def put(self, commit: str, report: Report) -> Check:
        """Write or update ours, which is known by the report's name and key."""


class Mirror(Protocol):
    """The forge's own page of deployments, which mirrors our record."""

    def newest(self, environment: str) -> Shown | None:
        """The newest of ours, in two questions however many there are."""

    def open(self, environment: str, commit: str, *, key: str, description: str = "") -> int:
        """Show a deployment, known by `key`; its id there. Asked again, the same."""

    def tell(self, deployment: int, state: str, *, url: str = "", log: str = "", description: str = "") -> None:
        """Show how it stands, and where the environment is reached."""


class Workflows(Protocol):
    """Workflows that can be started by hand."""

    def dispatch(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> Run:
        """Start one; its run."""


class Publications(Protocol):
    """Releases, in the forge's sense: a page of a tag, with files."""

    def find(self, tag: str) -> Publication | None:
        """The one of a tag, a draft as well."""

    def draft(self, tag: str, commit: str, *, title: str, notes: str) -> Publication:
        """Make a draft, or give the one that is there."""

    def attach(self, publication: Publication, name: str, content: bytes, *, kind: str) -> Publication:
        """Add a file; nothing when it has one of that name and size."""

    def publish(self, publication: Publication, *, is_latest: bool = True) -> Publication:
        """Make a draft public."""


class Forge(Protocol):
    """Everything of it that we use; each part is asked for only where it is needed."""

    def me(self) -> Actor:
        """Who we are there."""

    @property
    def branches(self) -> Branches:
        """Content."""

    @property
    def pulls(self) -> Pulls:
        """Pull requests."""

    @property
    def comments(self) -> Comments:
        """Comments."""

    @property
    def issues(self) -> Issues:
        """Issues."""

    @property
    def checks(self) -> Checks:
        """Check runs."""

    @property
    def mirror(self) -> Mirror:
        """Deployments as the forge shows them."""

    @property
    def workflows(self) -> Workflows:
        """Workflows."""

    @property
    def publications(self) -> Publications:
        """Releases."""
