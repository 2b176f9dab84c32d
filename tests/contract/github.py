"""A place for the contract tests of GitHub: a bare repository, the sandbox's GitHub over real HTTP, and our edge."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releasectl.edges.github import Github as Edge
from releasectl.edges.github.account import Account
from sandbox.github.desk import Desk
from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import Repository
from sandbox.remote import git

NAME = "team/shop"
RELEASE = "releases/staging.yaml"
WORKFLOW = """on:
  workflow_dispatch:
    inputs: {environment: {required: true}, commit: {}}
jobs: {}
"""


@dataclass(frozen=True)
class Place:
    """`edge` speaks with the token of a workflow."""

    github: Github
    desk: Desk
    token: str
    edge: Edge

    @property
    def main(self) -> str:
        """Its commit."""
        return self.github.repository.ref("refs/heads/main")

    def as_token(self, token: str) -> Edge:
        """The edge with another token."""
        return Edge(Account.read(self.environment | {"GITHUB_TOKEN": token}))

    @property
    def environment(self) -> dict[str, str]:
        """As a workflow has it."""
        return {
            "GITHUB_SERVER_URL": self.github.server, "GITHUB_API_URL": self.github.url, "GITHUB_REPOSITORY": NAME,
            "GITHUB_TOKEN": self.token,
        }  # fmt: skip

    def file(self, branch: str, path: str) -> bytes | None:
        """What git has."""
        return self.github.repository.file(f"refs/heads/{branch}", path)

    def branch(self, name: str, files: Mapping[str, bytes | None] | None = None) -> str:
        """A branch from main with a commit."""
        self.edge.branches.make(name, self.main)
        return self.edge.branches.commit(name, f"Work on {name}", files or {"work": name.encode()}, expected=self.main)

    def pull(self, name: str = "work") -> int:
        """A pull request of a new branch."""
        self.branch(name)
        return self.edge.pulls.create(name, f"The {name}", "text").number

    def asked(self, method: str, ending: str) -> int:
        """How often such a request came in."""
        return sum(one == method and path.endswith(ending) for one, path in self.github.asked)


@contextmanager
def github_at(folder: Path) -> Iterator[Place]:
    """All of it in a folder."""
    path = folder / "remote.git"
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
    repository = Repository(path)
    files = {RELEASE: b"schema: 1\n", ".github/workflows/deploy.yml": WORKFLOW.encode(), "README.md": b"# Shop\n"}
    tree = repository.write_tree("", files)
    repository.set_ref("refs/heads/main", repository.write_commit(tree, (), "First\n", ("bo", "bo@example.com")), "")
    github = Github(repository, NAME)
    with opened(github):
        token = github.token()
        place = Place(github, Desk(github), token, Edge(Account("", "")))
        edge = Edge(Account.read(place.environment))
        yield Place(github, place.desk, token, edge)
        edge.wire.close()
