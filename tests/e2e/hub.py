"""A sandbox whose remote stands on GitHub, too, and what a person sees there: pull requests, comments, runs, issues.

Comes in: a story. Goes out: the same story, whose commands know that GitHub over real HTTP, and its pages as they are
now. What happens on GitHub itself, a check, a merge, somebody's comment, is done through its desk or its API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from releasectl.edges.github import Github as Edge
from releasectl.edges.github.account import Account
from sandbox import remote
from sandbox.github.desk import Desk
from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import Repository
from sandbox.place import Sandbox
from sandbox.remote import git
from tests.e2e.conftest import PROJECT, Said, Story

RUN = "https://github.example/team/shop/actions/runs/7"


@dataclass(frozen=True)
class Hub:
    """`files` is where a job is told its outputs and its summary."""

    story: Story
    github: Github
    desk: Desk
    files: Path

    def releasectl(self, *arguments: str, **variables: str) -> Said:
        """One command, as a job runs it."""
        return self.story.releasectl(*arguments, **variables)

    def pull(self, number: int) -> Any:
        """A pull request as it is."""
        return self.github.state.pulls[number]

    def standing(self) -> dict[int, str]:
        """The open pull requests and their branches."""
        return {number: one.head for number, one in self.github.state.pulls.items() if one.state == "open"}

    def comments(self, number: int) -> list[str]:
        """Of a pull request."""
        return [one.body for one in self.github.state.comments.values() if one.number == number]

    def checks(self, commit: str) -> dict[str, str]:
        """Each check of a commit, and what it says."""
        found = self.github.state.checks.values()
        return {one.name: str(one.given["conclusion"]) for one in found if one.commit == commit}

    def issues(self) -> list[tuple[str, str, str]]:
        """State, title and text of each, oldest first."""
        return [(one.state, one.title, one.body) for one in self.github.state.issues.values()]

    def runs(self) -> list[tuple[str, str]]:
        """The workflows that somebody started, and where."""
        return [(one.workflow, one.branch) for one in self.github.state.runs.values()]

    def deployed(self, identifier: str) -> list[str]:
        """The states that the page of deployments had for one of ours."""
        shown = [one for one in self.github.state.deployments.values() if one.given["payload"]["key"] == identifier]
        return [str(status["state"]) for one in shown for status in one.statuses]

    def merge(self, number: int) -> str:
        """Somebody presses the button, and then the one that deletes the branch; the merge commit."""
        edge = Edge(Account.read({**self.story.sandbox.variables}))
        pull = edge.pulls.get(number)
        done = edge.pulls.merge(number, pull.commit)
        edge.branches.remove(pull.head)
        assert done.commit, done.refusal
        return done.commit

    def app(self) -> dict[str, str]:
        """What a job has that is the App's, whose merge starts workflows."""
        return {"GITHUB_TOKEN": self.desk.token(login="release-bot", kind="app")}

    def tag(self, name: str, commit: str) -> str:
        """Somebody pushes a tag with a message; the commit."""
        git(self.story.sandbox.remote, "tag", "--annotate", "--message", name, name, commit)
        return commit

    def tip(self, branch: str) -> str:
        """Of a branch, "" without it."""
        return self.github.repository.ref(f"refs/heads/{branch}")

    def output(self, name: str) -> list[str]:
        """The lines of the newest output of this name, as the next step of the job gets them."""
        lines = (self.files / "output").read_text().splitlines()
        begin = max(at for at, line in enumerate(lines) if line.startswith(f"{name}<<"))
        end = lines[begin].removeprefix(f"{name}<<")
        return [line for line in lines[begin + 1 : lines.index(end, begin + 1)] if line]


@contextmanager
def without_aws(folder: Path) -> Iterator[Hub]:
    """A new remote on GitHub and its clone alone, for what asks nobody else."""
    remote.make(folder, PROJECT)
    with on_github(Story(Sandbox(folder, {}, {})), folder) as hub:
        yield hub


@contextmanager
def on_github(story: Story, folder: Path) -> Iterator[Hub]:
    """Its GitHub is open; `folder` is for the job's files."""
    github = Github(Repository(story.sandbox.remote))
    with opened(github) as url:
        variables = {
            "RELEASECTL_PATIENCE": "3", "GITHUB_TOKEN": github.token(), "GITHUB_API_URL": url,
            "GITHUB_SERVER_URL": github.server, "GITHUB_REPOSITORY": github.name, "GITHUB_RUN_ID": "7",
            "GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }  # fmt: skip
        sandbox = replace(story.sandbox, variables={**story.sandbox.variables, **variables})
        yield Hub(Story(sandbox), github, Desk(github), folder)
