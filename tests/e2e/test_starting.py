"""A commit that a workflow makes with its own token starts nothing, so `--start` starts its deployment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import DIGEST, told
from tests.e2e.hub import Hub, without_aws

RELEASE = "releases/staging.yaml"
HOLD = ("hold", "staging", "--reason", "stock-taking")
LIFT = ("hold", "staging", "--lift")
REJECT = ("reject", "staging", "web", DIGEST, "--reason", "it counts twice")
PROGRAM = ("bump", "--program")
STARTED = [("deploy-staging.yml", "main")]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Staging pins an image and a program, and main has a newer program."""
    with without_aws(tmp_path) as hub:
        pins = {'digest: ""': f'digest: "{DIGEST}"', 'program: ""': f'program: "{hub.story.head}"'}
        release, program = hub.story.read(RELEASE).decode(), hub.story.read("stacks/__main__.py")
        for before, after in pins.items():
            release = release.replace(before, after, 1)
        hub.story.commit({RELEASE: release.encode()}, "Pin an image")
        hub.story.commit({"stacks/__main__.py": program + b"\n# more\n"}, "A newer program")
        yield hub


@pytest.mark.parametrize(
    ("before", "command"),
    [((), PROGRAM), ((), HOLD), (HOLD, LIFT), ((), REJECT), ((), ("redeploy", "staging"))],
    ids=["bump", "hold", "lift the hold", "reject", "redeploy"],
)
def test_the_deployment_of_what_was_committed_is_started_and_its_run_is_told(
    hub: Hub, before: tuple[str, ...], command: tuple[str, ...]
) -> None:
    assert not before or hub.releasectl(*before).code == 0
    assert hub.runs() == [], "without being asked nobody starts anything"

    said = hub.releasectl(*command, "--start", "--json")

    assert (said.code, said.json["commit"], said.json["changed"]) == (0, hub.story.head, True), said.err
    assert hub.runs() == STARTED
    [run] = hub.github.state.runs.values()
    assert (run.event, run.commit) == ("workflow_dispatch", hub.story.head)
    page = f"https://github.example/team/shop/actions/runs/{run.id}"
    assert f"staging: its deployment was started: {page}" in said.err


@pytest.mark.parametrize("command", [PROGRAM, HOLD, REJECT], ids=["bump", "hold", "reject"])
def test_what_changes_nothing_starts_nothing(hub: Hub, command: tuple[str, ...]) -> None:
    assert hub.releasectl(*command).code == 0
    head = hub.story.head

    again = hub.releasectl(*command, "--start", "--json")

    assert (again.code, again.json["changed"], hub.story.head) == (0, False, head), again.err
    assert hub.runs() == []


def test_who_may_not_start_it_is_told_with_the_commit_that_stands_and_how_to_go_on(hub: Hub) -> None:
    token, newest = hub.desk.token(permissions={"contents": "write"}), hub.story.head

    said = hub.releasectl(*PROGRAM, "--start", "--json", GITHUB_TOKEN=token)

    told(said, "GithubDenied", 3)
    assert newest.encode() in hub.story.read(RELEASE)
    assert f"commit {hub.story.head[:12]} is on main and was not started" in said.err
    assert "gh workflow run deploy-staging.yml --ref main" in said.err
    assert hub.runs() == []


def test_a_workflow_that_nobody_may_start_is_told(hub: Hub) -> None:
    path = ".github/workflows/deploy-staging.yml"
    hub.story.commit({path: hub.story.read(path).replace(b"  workflow_dispatch:\n", b"")}, "By a push alone")

    said = hub.releasectl(*PROGRAM, "--start", "--json")

    told(said, "GithubFailed", 3)
    assert "Workflow does not have 'workflow_dispatch' trigger" in said.err


def test_a_pull_request_is_merged_and_not_started(hub: Hub) -> None:
    said = hub.releasectl(*PROGRAM, "--start", "--pull-request", "merge")

    assert said.code == 2
    assert "a merge starts its deployment" in said.err


def test_without_github_nothing_is_committed_that_could_not_be_started(hub: Hub) -> None:
    head = hub.story.head

    told(hub.releasectl(*PROGRAM, "--start", "--json", GITHUB_TOKEN=""), "NoGithub", 2)
    assert hub.story.head == head
