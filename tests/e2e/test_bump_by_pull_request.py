"""A bump by one pull request, through the command line, with the sandbox's GitHub over real HTTP on the same remote."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox import remote
from sandbox.github.desk import Desk
from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import Repository
from sandbox.place import Sandbox
from sandbox.remote import git
from tests.e2e.conftest import PROJECT, Said, Story, told

BRANCH = "releasectl/bump-staging"
PATH = "releases/staging.yaml"


@dataclass(frozen=True)
class Table:
    """A clone of a fresh remote, and the GitHub that has the same one."""

    story: Story
    github: Github
    desk: Desk

    def bump(self, how: str = "open") -> Said:
        return self.story.releasectl("bump", "--program", "--pull-request", how, "--json")

    def with_(self, **variables: str) -> "Table":
        sandbox = self.story.sandbox
        return replace(self, story=Story(replace(sandbox, variables={**sandbox.variables, **variables})))

    def tip(self, branch: str = BRANCH) -> str:
        return self.github.repository.ref(f"refs/heads/{branch}")

    def new_program(self) -> str:
        """Somebody changes the program on main."""
        program = (self.github.repository.file("refs/heads/main", "stacks/__main__.py") or b"") + b"\n# more\n"
        return self.github.rival("main", {"stacks/__main__.py": program})


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    remote.make(tmp_path, PROJECT)
    github = Github(Repository(tmp_path / "remote.git"))
    with opened(github) as url:
        variables = {
            "RELEASECTL_PATIENCE": "3", "GITHUB_TOKEN": github.token(), "GITHUB_API_URL": url,
            "GITHUB_SERVER_URL": github.server, "GITHUB_REPOSITORY": github.name,
        }  # fmt: skip
        yield Table(Story(Sandbox(tmp_path, variables, {})), github, Desk(github))


def pulls(table: Table) -> list[Any]:
    return list(table.github.state.pulls.values())


def test_a_bump_opens_one_pull_request_and_asked_again_moves_nothing(table: Table) -> None:
    main = table.tip("main")

    first = table.bump()
    tip = table.tip()
    again = table.bump()

    assert (first.code, first.json["action"]) == (0, "propose"), first.err
    assert (again.code, again.json["action"]) == (0, "rest"), again.err
    assert (len(pulls(table)), table.tip(), table.tip("main")) == (1, tip, main)
    assert main.encode() in (table.github.repository.file(tip, PATH) or b"")
    assert tip in table.github.state.signed


def test_a_newer_program_goes_into_the_same_pull_request_with_main_taken_in(table: Table) -> None:
    table.bump()
    newer = table.new_program()

    said = table.bump()

    assert (said.code, said.json["action"]) == (0, "take-in"), said.err
    assert len(pulls(table)) == 1
    assert newer.encode() in (table.github.repository.file(table.tip(), PATH) or b"")
    assert table.github.repository.is_ancestor(newer, table.tip())
    assert newer[:12] in pulls(table)[0].body


def test_it_is_merged_once_the_check_passed_and_not_before(table: Table) -> None:
    table.desk.protect("main", ["checks"], only_by_pull=True)
    table.bump()

    waiting = table.bump("merge")
    table.desk.check(table.tip(), "checks", "failure")
    red = table.bump("merge")
    table.desk.check(table.tip(), "checks", "success")
    merged = table.bump("merge")

    assert (waiting.code, waiting.json["waits"]) == (4, "check `checks` has not begun")
    assert (red.code, red.json["waits"]) == (4, "check `checks` says failure")
    assert merged.code == 0, merged.err
    assert merged.json["merged"] == table.tip("main")
    assert table.tip() == "", "the branch is gone"
    assert table.bump("merge").json["action"] == "rest"


def test_a_hold_stops_the_merge_and_not_the_proposal(table: Table) -> None:
    table.bump()
    table.desk.check(table.tip(), "checks", "success")
    assert table.story.releasectl("hold", "staging", "--reason", "a test").code == 0

    said = table.bump("merge")

    assert (said.code, said.json["waits"]) == (4, "the environment is on hold")
    assert said.json["action"] == "take-in"
    assert table.github.repository.file("refs/heads/main", "releases/holds/staging.yaml")


def test_when_main_has_all_of_it_the_pull_request_is_withdrawn(table: Table) -> None:
    table.bump()
    assert table.story.releasectl("bump", "--program").code == 0

    said = table.bump()

    assert (said.code, said.json["action"], said.json["pull"]) == (0, "withdraw", None), said.err
    assert (pulls(table)[0].state, table.tip()) == ("closed", "")


def test_after_a_close_by_hand_the_next_bump_begins_anew(table: Table) -> None:
    table.bump()
    pulls(table)[0].state, pulls(table)[0].last_head, pulls(table)[0].last_base = (
        "closed",
        table.tip(),
        table.tip("main"),
    )

    said = table.bump()

    assert (said.code, said.json["action"], said.json["pull"]["number"]) == (0, "propose", 2), said.err


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("lost", "POST", "/git/refs$"), ("lost", "POST", "/graphql$"), ("broken-after", "POST", "/pulls$"),
        ("stale", "GET", "/pulls$"), ("stale", "GET", "/git/ref/"), ("secondary", "POST", "/graphql$"),
    ],
)  # fmt: skip
def test_a_bad_moment_leaves_one_pull_request_with_one_commit(table: Table, kind: str, method: str, path: str) -> None:
    table.desk.order(kind, method=method, path=path)

    said = table.bump()

    assert said.code == 0, said.err
    assert len(pulls(table)) == 1
    assert table.github.repository.count("main", table.tip()) == (1, 0)


def test_somebody_s_own_commit_on_the_branch_is_kept(table: Table) -> None:
    table.bump()
    table.github.rival(BRANCH, {"NOTES": b"mine"})
    table.new_program()

    said = table.bump()

    assert (said.code, said.json["action"]) == (0, "amend"), said.err
    assert table.github.repository.file(table.tip(), "NOTES") == b"mine"


# ---- what GitHub says no by ----


def test_without_a_token_or_a_repository_it_is_told_before_anybody_is_asked(table: Table) -> None:
    told(table.with_(GITHUB_TOKEN="").bump(), "NoGithub", 2)
    told(table.with_(GITHUB_REPOSITORY="").bump(), "NoGithub", 2)
    assert table.github.asked == []


def test_a_token_that_may_not_is_told(table: Table) -> None:
    reader = table.desk.token(permissions={"contents": "read", "pull_requests": "read"})

    told(table.with_(GITHUB_TOKEN=reader).bump(), "GithubDenied", 3)
    assert table.tip() == ""


@pytest.mark.parametrize(
    ("kind", "name"), [("primary", "GithubThrottled"), ("broken", "GithubUnreachable"), ("garbled", "GithubFailed")]
)
def test_a_bad_day_of_github_is_told(table: Table, kind: str, name: str) -> None:
    table.desk.order(kind, times=99, seconds=3600)

    said = table.with_(RELEASECTL_PATIENCE="0").bump()

    told(said, name, 3)
    assert table.story.sandbox.variables["GITHUB_TOKEN"] not in said.out + said.err
    assert git(table.story.sandbox.remote, "branch", "--list", BRANCH) == ""
