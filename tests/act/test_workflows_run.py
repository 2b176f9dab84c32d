"""The workflows that deploy and preview do on a runner what they are there for, by their own steps.

act runs them on this machine against a real sandbox, with the real engine, and against its GitHub; the actions of
others are stood for by `tests/act/actions`. One story in the order of the tests.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.remote import git
from tests.act import copies
from tests.act.runner import RUN, VARIABLES, Ran, Runner

pytestmark = pytest.mark.nightly

RELEASE = "releases/staging.yaml"
MARKER = "<!-- releasectl preview staging -->"


def push(runner: Runner) -> dict[str, Any]:
    """What GitHub tells of a push to main."""
    return {"ref": "refs/heads/main", "after": runner.hub.story.head, "deleted": False}


def opened(runner: Runner, number: int, *, source: str = "") -> dict[str, Any]:
    """What it tells of a pull request of this repository, or of a fork."""
    pull, name = runner.hub.pull(number), runner.hub.github.name
    head = {"ref": pull.head, "repo": {"full_name": source or name}}
    told = {"number": number, "title": pull.title, "head": head, "base": {"ref": "main"}}
    return {"action": "opened", "number": number, "pull_request": told, "repository": {"full_name": name}}


def propose(runner: Runner, branch: str, title: str = "A change") -> int:
    """Somebody who may push here proposes a restart of what runs."""
    clone = runner.hub.story.sandbox.clone
    runner.hub.story.pull()
    git(clone, "checkout", "--quiet", "-B", "proposal")
    release = clone / RELEASE
    release.write_text(release.read_text().replace('restart: ""', 'restart: "2026-11-26T10:00:00Z"'))
    git(clone, "commit", "--quiet", "--all", "--message", title)
    git(clone, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    git(clone, "checkout", "--quiet", "main")
    return runner.hub.desk.pull("mallory", branch, title=title)


def review(runner: Runner, number: int, **more: str) -> Ran:
    return runner.run("review", "pull_request", opened(runner, number, **more), copies.rights("review", "preview"))


# ---- the copies ----


@pytest.mark.parametrize("name", copies.WORKFLOWS)
def test_a_copy_differs_by_what_act_does_not_know_and_by_nothing_else(name: str, tmp_path: Path) -> None:
    copies.copy(tmp_path)
    before, after = ((root / copies.path(name)).read_text() for root in (copies.PROJECT, tmp_path))

    for keys, was, now in copies.differences(yaml.safe_load(before), yaml.safe_load(after)):
        if keys.endswith("/environment/deployment"):
            assert (was, now) == (False, None)
        elif was.startswith("OWNER/"):
            assert (was.partition("@")[2], now) == ("main", "./.github/workflows/preview.yml")
        else:
            assert keys.endswith("/uses")
            assert (was[:2], now[:2], was[2:]) == ("$/", "./", now[2:])


def test_every_action_of_others_has_its_stand_in_here() -> None:
    here = {path.parent.name for path in (copies.PROJECT / "tests" / "act" / "actions").glob("*/action.yml")}

    assert set(copies.foreign().values()) == here


# ---- a release ----


@pytest.fixture(scope="module")
def merged(runner: Runner) -> int:
    """A build, and the pull request that pins it, which is merged."""
    story = runner.hub.story
    built = story.build_new("1.0.0")
    bumped = story.bump(built, "--version", "1.0.0", "--pull-request", "merge", "--json")
    assert bumped.code in (0, 4), bumped.err
    number = int(bumped.json["pull"]["number"])
    runner.hub.merge(number)
    return number


@pytest.fixture(scope="module")
def deployed(runner: Runner, merged: int) -> Ran:
    """The push of that merge; the number is of a pull request that is there."""
    assert runner.hub.pull(merged).merged
    return runner.run("deploy-staging", "push", push(runner), copies.rights("deploy-staging", "deploy"))


def test_a_push_makes_staging_run_what_main_says(runner: Runner, deployed: Ran) -> None:
    assert deployed.code == 0, deployed.text
    [image] = runner.hub.story.runs().values()
    assert image.partition("@")[2] in runner.hub.story.read(RELEASE).decode()
    assert runner.hub.story.last()["phases"][-1]["phase"] == "live"


def test_every_step_of_the_workflow_ran_but_for_drift_and_for_the_app_that_there_is_not(deployed: Ran) -> None:
    own = {step["name"] for step in copies.steps(copies.PROJECT, "reconcile", "reconcile")}
    left_out = {"Be the App, which may pass the rules of main", "Look for drift"}

    assert left_out < own
    assert deployed.ended("reconcile") == dict.fromkeys(own - left_out, "success")


def test_the_role_is_the_one_that_deploys_and_its_session_names_the_run(deployed: Ran) -> None:
    assert f"role {VARIABLES['AWS_DEPLOY_ROLE']} in eu-west-1 as reconcile-{RUN}" in deployed.text


def test_the_release_is_shown_on_github_with_the_rights_that_the_workflow_has(
    runner: Runner, merged: int, deployed: Ran
) -> None:
    last = runner.hub.story.last()

    assert deployed.code == 0
    assert runner.hub.deployed(last["id"]) == ["in_progress", "in_progress", "success"]
    [comment] = [body for body in runner.hub.comments(merged) if "release staging" in body]
    assert "staging</code>: live" in comment
    assert f"/actions/runs/{RUN}" in last["holder"]["run"]


# ---- a preview ----


def test_a_pull_request_is_previewed_in_a_comment_and_a_check(runner: Runner, deployed: Ran) -> None:
    number = propose(runner, "restart")
    head, everything = runner.hub.tip("restart"), runner.hub.story.everything()

    ran = review(runner, number)

    assert (deployed.code, ran.code) == (0, 0), ran.text
    [comment] = runner.hub.comments(number)
    assert comment.startswith(MARKER)
    assert head[:12] in comment
    assert runner.hub.checks(head) == {"preview staging": "success"}
    assert f"role {VARIABLES['AWS_PREVIEW_ROLE_STAGING']} in eu-west-1 as preview-{RUN}" in ran.text
    assert runner.hub.story.everything() == everything


def test_a_pull_request_of_a_fork_starts_nothing(runner: Runner, deployed: Ran) -> None:
    number = runner.hub.desk.fork_pull("stranger", "x", {"releases/note.yaml": "a: b\n"})

    ran = review(runner, number, source="stranger/shop")

    assert (deployed.code, ran.code) == (0, 0)
    assert runner.hub.comments(number) == []
    assert ran.ended("look") == {}


# ---- words of others ----


def poisoned(folder: Path) -> tuple[str, str]:
    """A branch and a title that any shell acts on, however its script quotes them; git takes the branch as a name."""
    folder.mkdir()
    branch, title = (f"$(touch${{IFS}}{folder}/{name})" for name in ("by-branch", "by-title"))
    return f"x{branch}'{branch}'", f"{title} '{title}' `touch {folder}/by-title`"


def test_a_title_and_a_branch_of_an_attacker_reach_no_shell(runner: Runner, deployed: Ran, tmp_path: Path) -> None:
    branch, title = poisoned(tmp_path / "loot")
    number = propose(runner, branch, title)

    ran = review(runner, number)

    assert (deployed.code, ran.code) == (0, 0), ran.text
    assert runner.hub.checks(runner.hub.tip(branch)) == {"preview staging": "success"}
    assert list((tmp_path / "loot").iterdir()) == []


@pytest.mark.parametrize("quote", ["", "'", '"'], ids=["bare", "single", "double"])
@pytest.mark.parametrize("word", ["head.ref", "title"])
def test_a_workflow_that_gives_them_to_a_shell_would_be_found(
    runner: Runner, tmp_path: Path, word: str, quote: str
) -> None:
    number = propose(runner, *poisoned(tmp_path / "loot"))
    step = {"run": f"echo {quote}${{{{ github.event.pull_request.{word} }}}}{quote}"}
    careless = {"on": "pull_request", "jobs": {"careless": {"runs-on": "ubuntu-24.04", "steps": [step]}}}
    (runner.folder / copies.path("careless")).write_text(yaml.safe_dump(careless))

    ran = runner.run("careless", "pull_request", opened(runner, number), {})

    trace = {"head.ref": "by-branch", "title": "by-title"}[word]
    assert [path.name for path in (tmp_path / "loot").iterdir()] == [trace], ran.text
