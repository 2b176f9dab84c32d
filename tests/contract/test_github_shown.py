"""Check runs, deployments, workflows and releases on GitHub, over real HTTP: shown once, whatever gets lost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from releasectl.edges.again import PATIENCE
from releasectl.edges.github import Github
from releasectl.edges.github.account import Account
from releasectl.edges.github.errors import GithubDenied, GithubFailed
from releasectl.edges.github_runs import GithubRuns
from releasectl.forge import Mirror, Report, Shown
from tests.contract.answers import Answer, serving
from tests.contract.github import Place, github_at
from tests.twins.forge import Mirror as Twin

REPORT = Report("preview", "staging", "1 change", "a table", url="https://github.example/run")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


# ---- checks ----


def test_a_check_begins_and_ends_as_one(place: Place) -> None:
    begun = place.edge.checks.put(place.main, REPORT)
    ended = place.edge.checks.put(place.main, Report("preview", "staging", "yes", "a table", "success"))

    assert (begun.status, begun.conclusion, begun.passes) == ("in_progress", "", False)
    assert (ended.id, ended.conclusion, ended.passes) == (begun.id, "success", True)
    assert place.edge.checks.of(place.main) == (ended,)


def test_checks_of_two_environments_do_not_overwrite_each_other(place: Place) -> None:
    staging = place.edge.checks.put(place.main, REPORT)
    tokyo = place.edge.checks.put(place.main, Report("preview tokyo", "staging-tokyo", "", "", "failure"))

    assert {one.id for one in place.edge.checks.of(place.main)} == {staging.id, tokyo.id}


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_check_whose_answer_was_lost_is_not_written_twice(place: Place, fault: str) -> None:
    place.desk.order(fault, method="POST", path="/check-runs$")

    made = place.edge.checks.put(place.main, REPORT)

    assert list(place.github.state.checks) == [made.id]


def test_another_app_s_check_with_our_name_and_key_is_left_alone(place: Place) -> None:
    other = place.as_token(place.desk.token(login="other-app", kind="app"))
    theirs = other.checks.put(place.main, Report("preview", "staging", "all well", "", "success"))

    ours = place.edge.checks.put(place.main, Report("preview", "staging", "not well", "", "failure"))

    assert ours.id != theirs.id
    assert {(one.app, one.conclusion) for one in place.edge.checks.of(place.main)} == {
        ("other-app", "success"), ("github-actions", "failure"),
    }  # fmt: skip


def test_a_summary_that_is_too_long_is_cut_and_says_so(place: Place) -> None:
    made = place.edge.checks.put(place.main, Report("preview", "staging", "", "x" * 70_000, "success"))

    summary = place.github.state.checks[made.id].given["output"]["summary"]
    assert len(summary) == 65_535
    assert summary.endswith("The rest is cut: see the output of the run.*")


def test_a_person_s_token_cannot_write_a_check(place: Place) -> None:
    person = place.as_token(place.desk.token(login="alice", kind="person"))

    with pytest.raises(GithubDenied, match="must authenticate via a GitHub App"):
        person.checks.put(place.main, REPORT)


# ---- deployments ----


def test_a_deployment_is_shown_once_with_its_address(place: Place) -> None:
    mirror = place.edge.mirror
    shown = mirror.open("staging", place.main, key="20261125T1-ab", description="web 1.4")
    mirror.tell(shown, "in_progress")
    mirror.tell(shown, "success", url="https://shop.example", log="https://github.example/run", description="live")
    mirror.tell(shown, "success", url="https://shop.example", log="https://github.example/run", description="live")

    kept = place.github.state.deployments[shown]
    assert [one["state"] for one in kept.statuses] == ["in_progress", "success"]
    assert kept.statuses[-1]["environment_url"] == "https://shop.example"
    assert mirror.open("staging", place.main, key="20261125T1-ab") == shown
    assert mirror.open("staging", place.main, key="20261125T2-cd") != shown
    assert mirror.open("production", place.main, key="20261125T1-ab") != shown


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_deployment_whose_answers_were_lost_is_shown_once(place: Place, fault: str) -> None:
    place.desk.order(fault, method="POST", path="/deployments$")
    place.desk.order(fault, method="POST", path="/statuses$")

    shown = place.edge.mirror.open("staging", place.main, key="one")
    place.edge.mirror.tell(shown, "success")

    assert list(place.github.state.deployments) == [shown]
    assert len(place.github.state.deployments[shown].statuses) == 1


@pytest.mark.parametrize("kind", ["twin", "edge"])
def test_what_is_shown_is_found_by_its_key_and_told_once(place: Place, kind: str) -> None:
    mirror: Mirror = place.edge.mirror if kind == "edge" else Twin()
    assert mirror.newest("staging") is None
    first = mirror.open("staging", place.main, key="one", description="web 1.4")
    assert mirror.newest("staging") == Shown(first, "one")
    mirror.tell(first, "in_progress")
    mirror.tell(first, "success", url="https://shop.example", log="https://github.example/run", description="live")
    mirror.tell(first, "success", url="https://shop.example", log="https://github.example/run", description="live")
    second = mirror.open("production", place.main, key="one")

    assert mirror.open("staging", place.main, key="one") == first != second
    assert mirror.newest("production") == Shown(second, "one")
    assert mirror.newest("staging") == Shown(
        first, "one", "success", "https://shop.example", "https://github.example/run", "live"
    )


def test_the_newest_of_ours_is_told_in_two_questions_however_many_there_are(place: Place) -> None:
    mirror = place.edge.mirror
    assert mirror.newest("staging") is None
    for number in range(40):
        mirror.tell(mirror.open("staging", place.main, key=f"{number}"), "success")
    mirror.open("production", place.main, key="elsewhere")
    shown = mirror.open("staging", place.main, key="newest")
    assert mirror.newest("staging") == Shown(shown, "newest")
    mirror.tell(shown, "failure", url="https://shop.example", log="https://github.example/run", description="red")
    by_a_job = {"ref": place.main, "environment": "staging"}
    place.edge.wire.ask("making one by a job", "POST", "deployments", dict[str, object], json=by_a_job)
    before = len(place.github.asked)

    found = mirror.newest("staging")

    assert found == Shown(shown, "newest", "failure", "https://shop.example", "https://github.example/run", "red")
    assert len(place.github.asked) - before == 2


# ---- workflows ----


def test_a_workflow_is_started_and_its_run_is_told(place: Place) -> None:
    run = place.edge.workflows.dispatch("deploy.yml", "main", {"environment": "staging"})

    kept = place.github.state.runs[run.id]
    assert (kept.inputs, kept.commit) == ({"environment": "staging"}, place.main)
    assert run.url == f"https://github.example/team/shop/actions/runs/{run.id}"
    assert GithubRuns(place.environment).ended(run.url) is None
    place.desk.finish(run.id)
    assert GithubRuns(place.environment).ended(run.url) is not None


def test_what_a_workflow_s_own_token_does_starts_nothing_but_what_it_dispatches(place: Place) -> None:
    place.edge.workflows.dispatch("deploy.yml", "main", {"environment": "staging"})
    place.edge.pulls.merge(number := place.pull(), place.edge.pulls.get(number).commit)
    bot = place.as_token(place.desk.token(login="release-bot", kind="app"))
    bot.branches.commit("main", "By the App", {"x": b""}, expected=place.main)

    starts = {(one["name"], one["actor"], one["starts"]) for one in place.desk.events()}
    assert ("workflow_dispatch", "github-actions[bot]", "yes") in starts
    assert ("push", "github-actions[bot]", "no") in starts
    assert ("push", "github-actions[bot]", "yes") not in starts
    assert ("pull_request", "github-actions[bot]", "after approval") in starts
    assert ("push", "release-bot[bot]", "yes") in starts


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_start_whose_answer_was_lost_is_found_among_the_newer_runs(place: Place, fault: str) -> None:
    earlier = place.edge.workflows.dispatch("deploy.yml", "main", {"environment": "staging"})
    place.desk.order(fault, method="POST", path="/dispatches$")

    run = place.edge.workflows.dispatch("deploy.yml", "main", {"environment": "staging"})

    assert list(place.github.state.runs) == [earlier.id, run.id]


def test_a_server_that_does_not_tell_the_run_is_asked_which_is_new(place: Place) -> None:
    runs = {"workflow_runs": [{"id": 5, "html_url": "u"}]}
    answers = [b'{"workflow_runs": []}', b"", json.dumps(runs).encode()]
    with serving(lambda asked: Answer(204 if asked.method == "POST" else 200, answers.pop(0))) as old:
        github = Github(Account.read(place.environment | {"GITHUB_API_URL": old.url}))

        assert github.workflows.dispatch("deploy.yml", "main", {}).id == 5


@pytest.mark.parametrize(
    ("workflow", "inputs", "words"),
    [
        ("none.yml", {}, "Not Found"),
        ("deploy.yml", {"who": "x"}, "Unexpected inputs"),
        ("deploy.yml", {}, "not provided"),
    ],
)
def test_a_workflow_that_cannot_be_started_so_is_told(
    place: Place, workflow: str, inputs: dict[str, str], words: str
) -> None:
    with pytest.raises((GithubDenied, GithubFailed), match=words):
        place.edge.workflows.dispatch(workflow, "main", inputs)
    assert place.github.state.runs == {}


# ---- releases ----


def test_a_release_is_whole_before_it_is_public(place: Place) -> None:
    releases = place.edge.publications
    draft = releases.draft("v1.4.0", place.main, title="1.4.0", notes="What is new")
    assert place.github.repository.ref("refs/tags/v1.4.0") == ""

    filled = releases.attach(draft, "shop-1.4.0.whl", b"PK\x03", kind="application/zip")
    again = releases.attach(draft, "shop-1.4.0.whl", b"PK\x03", kind="application/zip")
    public = releases.publish(filled)

    assert (draft.is_draft, public.is_draft) == (True, False)
    assert again.files == public.files == ("shop-1.4.0.whl",)
    assert place.github.repository.ref("refs/tags/v1.4.0") == place.main
    assert releases.find("v1.4.0") == public
    assert releases.draft("v1.4.0", place.main, title="", notes="") == public
    assert releases.find("v1.4") is None


@pytest.mark.parametrize("fault", ["lost", "broken-after"])
def test_a_release_whose_answers_were_lost_is_made_once(place: Place, fault: str) -> None:
    for method, path in (("POST", "/releases$"), ("POST", "/assets$"), ("PATCH", "/releases/")):
        place.desk.order(fault, method=method, path=path)
    releases = place.edge.publications

    draft = releases.draft("v1.4.0", place.main, title="1.4.0", notes="")
    releases.publish(releases.attach(draft, "sums", b"abc", kind="text/plain"))

    assert list(place.github.state.releases) == [draft.id]
    assert [one.name for one in place.github.state.releases[draft.id].assets] == ["sums"]


def test_a_file_of_the_same_name_is_never_overwritten(place: Place) -> None:
    releases = place.edge.publications
    draft = releases.draft("v1.4.0", place.main, title="", notes="")
    releases.attach(draft, "sums", b"abc", kind="text/plain")

    with pytest.raises(GithubFailed, match="another file of this name"):
        releases.attach(draft, "sums", b"abcd", kind="text/plain")


def test_a_published_release_takes_no_more_files(place: Place) -> None:
    releases = place.edge.publications
    public = releases.publish(releases.draft("v1.4.0", place.main, title="", notes=""))

    with pytest.raises(GithubFailed, match="immutable"):
        releases.attach(public, "late", b"x", kind="text/plain")
