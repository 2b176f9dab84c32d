"""A release on GitHub, through the command line: its deployments, its pull request, the summary of the run.

One story in the order of the tests: the sandbox's GitHub stands over real HTTP before the remote of a real sandbox.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from releasectl.edges.github import Github as Edge
from releasectl.edges.github.account import Account
from sandbox.github.desk import Desk
from sandbox.github.door import opened
from sandbox.github.github import Github
from sandbox.github.repository import Repository
from sandbox.image import Image
from tests.e2e.by_hand import NAME, Hand
from tests.e2e.conftest import Said, Story, told

RUN = "https://github.example/team/shop/actions/runs/7"
MARKER = "<!-- release-controller: release staging -->"
HOSTILE = "1.1.0 @team <img src=x> [x](https://evil.example)"
BROKEN = {"WEB_FAIL": "health"}
LATENCY = f"{NAME}-latency"


@dataclass(frozen=True)
class Watched:
    """A sandbox, and the GitHub that has the same repository."""

    story: Story
    github: Github
    desk: Desk
    summary: Path

    def reconcile(self, *more: str, **variables: str) -> Said:
        return self.story.releasectl("reconcile", "staging", "--github", *more, **variables)

    def merge(self, built: Image, version: str) -> int:
        """The bump's pull request, merged on GitHub; its number."""
        bumped = self.story.bump(built, "--version", version, "--pull-request", "merge", "--json")
        assert bumped.code in (0, 4), bumped.err
        number = int(bumped.json["pull"]["number"])
        edge = Edge(Account.read({**self.story.sandbox.variables}))
        edge.pulls.merge(number, edge.pulls.get(number).commit)
        edge.branches.remove("releasectl/bump-staging")
        return number

    def states(self) -> dict[str, list[str]]:
        """Of each deployment that is shown, by our id."""
        shown = self.github.state.deployments.values()
        return {one.given["payload"]["key"]: [status["state"] for status in one.statuses] for one in shown}

    def comments(self, number: int) -> list[Any]:
        return [one for one in self.github.state.comments.values() if one.number == number]


@pytest.fixture(scope="module")
def watched(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    summary = tmp_path_factory.mktemp("run") / "summary.md"
    github = Github(Repository(story.sandbox.remote))
    with opened(github) as url:
        variables = {
            "RELEASECTL_PATIENCE": "3", "GITHUB_TOKEN": github.token(), "GITHUB_API_URL": url,
            "GITHUB_SERVER_URL": github.server, "GITHUB_REPOSITORY": github.name, "GITHUB_RUN_ID": "7",
            "GITHUB_STEP_SUMMARY": str(summary),
        }  # fmt: skip
        sandbox = replace(story.sandbox, variables={**story.sandbox.variables, **variables})
        yield Watched(Story(sandbox), github, Desk(github), summary)


def test_a_release_that_gets_live_is_a_success_with_its_address_and_its_pull_request_hears_it(watched: Watched) -> None:
    number = watched.merge(watched.story.build_new("1.0.0"), "1.0.0")

    said = watched.reconcile()

    assert said.code == 0, said.err
    last = watched.story.last()
    assert watched.states()[last["id"]] == ["in_progress", "in_progress", "success"]
    newest = next(one for one in watched.github.state.deployments.values() if one.given["payload"]["key"] == last["id"])
    assert newest.commit == last["commit"]
    assert newest.statuses[-1]["environment_url"] == watched.story.service()["url"]
    assert newest.statuses[-1]["log_url"] == RUN
    assert newest.statuses[-1]["description"] == "live and proven: web 1.0.0"
    [comment] = watched.comments(number)
    assert comment.body.startswith(f"{MARKER}\n### <code>staging</code>: live")
    assert "web 1.0.0" in comment.body
    assert watched.story.service()["url"] in comment.body
    assert "staging</code>: live" in watched.summary.read_text()


def test_a_pass_with_nothing_to_do_asks_two_questions_and_writes_nothing(watched: Watched) -> None:
    before, asked = watched.summary.read_text(), len(watched.github.asked)

    said = watched.reconcile("--json")

    assert (said.code, said.json["action"]) == (0, "rest"), said.err
    assert [method for method, _ in watched.github.asked[asked:]] == ["GET", "GET"]
    assert watched.summary.read_text() == before


def test_a_release_that_fails_is_a_failure_and_its_way_back_a_success_and_words_of_others_do_nothing(
    watched: Watched,
) -> None:
    number = watched.merge(watched.story.build_new("1.1.0", **BROKEN), HOSTILE)
    planted = watched.desk.comment("mallory", number, f"{MARKER}\nAll is well.")
    spoofed = watched.desk.comment("github-actions[bot]", number, f"{MARKER}\nAll is well.")

    said = watched.reconcile()

    assert said.code == 1, said.err
    back, failed = watched.story.history(count=2)
    assert [watched.states()[one["id"]][-1] for one in (failed, back)] == ["failure", "success"]
    kept = {one.id: one.body for one in watched.comments(number)}
    assert kept.pop(planted) == kept.pop(spoofed) == f"{MARKER}\nAll is well."
    [body] = kept.values()
    assert f"failed, and was taken back by commit {watched.story.head[:12]}" in body
    assert "web 1.0.0" in body
    assert "ROLLBACK&#95;SUCCEEDED" in body, "why"
    assert "Last log lines" in body
    for part in ("@team", "<img", "](http"):
        assert part not in body + watched.summary.read_text()


@pytest.mark.parametrize("kind", ["broken", "cut", "primary", "garbled"])
def test_on_a_bad_day_of_github_a_release_goes_on_and_the_next_pass_shows_it(watched: Watched, kind: str) -> None:
    number = watched.merge(watched.story.build_new(f"1.2-{kind}"), f"1.2-{kind}")
    watched.desk.order(kind, times=10_000, seconds=3600)

    said = watched.reconcile(RELEASECTL_PATIENCE="1")
    watched.desk.calm()

    assert said.code == 0, said.err
    last = watched.story.last()
    assert last["phases"][-1]["phase"] == "live"
    assert last["id"] not in watched.states()
    assert said.err.count("a later pass shows the rest") == 1
    assert watched.story.sandbox.variables["GITHUB_TOKEN"] not in said.out + said.err
    assert watched.comments(number) == []
    assert watched.reconcile().code == 0
    assert watched.states()[last["id"]] == ["success"]


def test_what_waits_and_what_is_passed_by_hear_it(watched: Watched) -> None:
    assert watched.story.releasectl("hold", "staging", "--reason", "stock-taking").code == 0
    first = watched.merge(watched.story.build_new("1.3.0"), "1.3.0")
    assert watched.reconcile("--no-wait").code == 0  # who waits is woken by the next run
    [waiting] = [one.body for one in watched.comments(first)]
    second = watched.merge(watched.story.build_new("1.4.0"), "1.4.0")
    assert watched.story.releasectl("hold", "staging", "--lift").code == 0

    assert watched.reconcile().code == 0

    assert "staging</code>: waits" in waiting
    assert "stock-taking" in waiting
    [passed], [live] = ([one.body for one in watched.comments(number)] for number in (first, second))
    assert "staging</code>: superseded" in passed
    assert "web 1.4.0" in passed
    assert "staging</code>: live" in live


def test_all_environments_are_shown_and_without_a_token_nothing_is_begun(watched: Watched) -> None:
    every = watched.story.releasectl("reconcile", "--all", "--github", "--json")
    without = watched.reconcile("--json", GITHUB_TOKEN="")

    assert [one["environment"] for one in every.json][:1] == ["staging"], every.err
    told(without, "NoGithub", 2)


def test_a_summary_that_cannot_be_written_stops_nothing(watched: Watched) -> None:
    watched.story.build_new("1.5.0")
    assert watched.story.releasectl("redeploy", "staging").code == 0

    said = watched.reconcile(GITHUB_STEP_SUMMARY="/nowhere/summary.md")

    assert said.code == 0, said.err
    assert "writing the step's summary to /nowhere/summary.md" in said.err


# ---- drift ----


def issues(watched: Watched) -> list[tuple[str, str]]:
    return [(one.state, one.body) for one in watched.github.state.issues.values()]


def test_drift_is_one_issue_from_its_first_sight_to_its_end(watched: Watched) -> None:
    look, hand = ("drift", "staging", "--issue"), Hand(watched.story, ())
    planted = watched.desk.issue("mallory", "Drift in staging", "<!-- release-controller: drift staging -->\nnone")
    assert watched.story.releasectl(*look).code == 0
    assert len(issues(watched)) == 1, "nothing to tell"
    [threshold] = {one["Threshold"] for one in hand.cloudwatch.describe_alarms(AlarmNames=[LATENCY])["MetricAlarms"]}

    hand.alarm(Threshold=9000.0)
    first = watched.story.releasectl(*look)
    again = watched.story.releasectl(*look)
    hand.alarm(Threshold=8000.0)
    other = watched.story.releasectl(*look)
    _, told_last = issues(watched)
    hand.alarm(Threshold=threshold)
    clean = watched.story.releasectl(*look)

    assert [said.code for said in (first, again, other, clean)] == [1, 1, 1, 0], other.err
    assert told_last[0] == "open"
    assert "<code>MetricAlarm web-latency</code> | <code>threshold</code>" in told_last[1]
    assert "<code>8000" in told_last[1]
    assert [state for state, _ in issues(watched)] == ["open", "closed"]
    assert "No drift any more" in issues(watched)[-1][1]
    assert watched.github.state.issues[planted].body.endswith("none")
    edits = [one for one in watched.desk.events() if one["name"] == "issues"]
    assert [one["more"]["action"] for one in edits] == ["opened", "edited", "closed"]


def test_that_nobody_can_say_is_an_issue_too_and_github_s_bad_day_hides_no_answer(watched: Watched) -> None:
    look = ("drift", "staging", "--issue", "--json")
    nowhere = {"AWS_ENDPOINT_URL_APPRUNNER": "http://127.0.0.1:9", "RELEASECTL_PATIENCE": "0"}
    unsaid = watched.story.releasectl(*look, **nowhere)
    state, body = issues(watched)[-1]
    watched.desk.order("broken", times=10_000)
    hidden = watched.story.releasectl(*look, **nowhere)
    untold = watched.story.releasectl(*look, RELEASECTL_PATIENCE="0")
    watched.desk.calm()

    assert (unsaid.code, state) == (3, "open"), unsaid.err
    assert "nobody can say" in body
    assert hidden.json["error"] == unsaid.json["error"]
    assert "looking through the open issues" in hidden.err
    assert (untold.code, "GithubUnreachable" in untold.out) == (3, True), "a yes that nobody hears is none"
    assert watched.story.releasectl(*look).code == 0
    assert issues(watched)[-1][0] == "closed"


def test_an_issue_is_for_looking_alone(watched: Watched) -> None:
    said = watched.story.releasectl("drift", "staging", "--issue", "--remediate")

    assert said.code == 2
    assert "--issue goes with looking alone" in said.err
