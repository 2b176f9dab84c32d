"""The sandbox's GitHub answers in the shapes that GitHub documents: types generated from its schema read all of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from githubkit import GitHub, Response

from releasectl.edges.again import PATIENCE
from releasectl.forge import Report
from tests.contract.github import NAME, Place, github_at

OWNER, REPOSITORY = NAME.split("/")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv(PATIENCE, "3")
    with github_at(tmp_path) as place:
        yield place


def filled(place: Place) -> dict[str, Any]:
    """One of everything; what is needed to ask for it."""
    edge = place.edge
    number = place.pull()
    place.desk.fork_pull("mallory", "work", {"x": "y"})
    comment = edge.comments.put(number, "<!-- m -->", "text").id
    edge.checks.put(place.main, Report("preview", "staging", "t", "s"))
    check = edge.checks.put(place.main, Report("checks", "all", "t", "s", "success")).id
    shown = edge.mirror.open("staging", place.main, key="k")
    edge.mirror.tell(shown, "success", url="https://shop.example")
    run = edge.workflows.dispatch("deploy.yml", "main", {"environment": "staging"}).id
    issue = edge.issues.put("<!-- drift -->", "Drift", "text").number
    release = edge.publications.draft("v1", place.main, title="1", notes="n")
    edge.publications.publish(edge.publications.attach(release, "f", b"x", kind="text/plain"))
    tree = place.github.repository.about(place.main).tree
    blob = place.github.repository.git("rev-parse", f"{place.main}:README.md")
    return {
        "number": number, "comment": comment, "check": check, "shown": shown, "issue": issue, "run": run,
        "release": release.id, "main": place.main, "tree": tree, "blob": blob,
    }  # fmt: skip


Rest = Any  # githubkit's, typed as long as its version is known
READS: dict[str, Callable[[Rest, dict[str, Any]], Response[Any, Any]]] = {
    "ref": lambda rest, _at: rest.git.get_ref(OWNER, REPOSITORY, "heads/main"),
    "tree": lambda rest, at: rest.git.get_tree(OWNER, REPOSITORY, at["tree"]),
    "blob": lambda rest, at: rest.git.get_blob(OWNER, REPOSITORY, at["blob"]),
    "commits": lambda rest, _at: rest.repos.list_commits(OWNER, REPOSITORY, sha="main"),
    "compare": lambda rest, _at: rest.repos.compare_commits(OWNER, REPOSITORY, "main...work"),
    "pulls": lambda rest, _at: rest.pulls.list(OWNER, REPOSITORY, state="all"),
    "pull": lambda rest, at: rest.pulls.get(OWNER, REPOSITORY, at["number"]),
    "a fork's pull": lambda rest, at: rest.pulls.get(OWNER, REPOSITORY, at["number"] + 1),
    "a commit's pulls": lambda rest, at: rest.repos.list_pull_requests_associated_with_commit(
        OWNER, REPOSITORY, at["main"]
    ),
    "issues": lambda rest, _at: rest.issues.list_for_repo(OWNER, REPOSITORY, state="all"),
    "issue": lambda rest, at: rest.issues.get(OWNER, REPOSITORY, at["issue"]),
    "new issue": lambda rest, _at: rest.issues.create(OWNER, REPOSITORY, title="t", body="b"),
    "edited issue": lambda rest, at: rest.issues.update(OWNER, REPOSITORY, at["issue"], state="closed"),
    "files": lambda rest, at: rest.pulls.list_files(OWNER, REPOSITORY, at["number"]),
    "comments": lambda rest, at: rest.issues.list_comments(OWNER, REPOSITORY, at["number"]),
    "checks": lambda rest, at: rest.checks.list_for_ref(OWNER, REPOSITORY, at["main"]),
    "deployments": lambda rest, _at: rest.repos.list_deployments(OWNER, REPOSITORY),
    "statuses": lambda rest, at: rest.repos.list_deployment_statuses(OWNER, REPOSITORY, at["shown"]),
    "runs": lambda rest, _at: rest.actions.list_workflow_runs(OWNER, REPOSITORY, "deploy.yml"),
    "run": lambda rest, at: rest.actions.get_workflow_run(OWNER, REPOSITORY, at["run"]),
    "releases": lambda rest, _at: rest.repos.list_releases(OWNER, REPOSITORY),
    "release": lambda rest, at: rest.repos.get_release(OWNER, REPOSITORY, at["release"]),
    "new ref": lambda rest, at: rest.git.create_ref(OWNER, REPOSITORY, ref="refs/heads/x", sha=at["main"]),
    "moved ref": lambda rest, at: rest.git.update_ref(OWNER, REPOSITORY, "heads/main", sha=at["main"]),
    "new commit": lambda rest, at: rest.git.create_commit(
        OWNER, REPOSITORY, message="m", tree=at["tree"], parents=[at["main"]]
    ),
    "new tree": lambda rest, at: rest.git.create_tree(
        OWNER, REPOSITORY, base_tree=at["main"], tree=[{"path": "a", "mode": "100644", "type": "blob", "content": "x"}]
    ),
    "edited pull": lambda rest, at: rest.pulls.update(OWNER, REPOSITORY, at["number"], title="t"),
    "merge": lambda rest, at: rest.pulls.merge(OWNER, REPOSITORY, at["number"]),
    "edited comment": lambda rest, at: rest.issues.update_comment(OWNER, REPOSITORY, at["comment"], body="b"),
    "new comment": lambda rest, at: rest.issues.create_comment(OWNER, REPOSITORY, at["number"], body="b"),
    "edited check": lambda rest, at: rest.checks.update(OWNER, REPOSITORY, at["check"], name="checks"),
    "new deployment": lambda rest, _at: rest.repos.create_deployment(OWNER, REPOSITORY, ref="main"),
    "new status": lambda rest, at: rest.repos.create_deployment_status(OWNER, REPOSITORY, at["shown"], state="error"),
    "dispatch": lambda rest, _at: rest.actions.create_workflow_dispatch(
        OWNER, REPOSITORY, "deploy.yml", ref="main", inputs={"environment": "x"}, return_run_details=True
    ),
    "new release": lambda rest, _at: rest.repos.create_release(OWNER, REPOSITORY, tag_name="v2"),
}


def test_every_answer_is_read_by_the_types_of_github_s_schema(place: Place) -> None:
    at = filled(place)
    client = GitHub(place.token, base_url=place.github.url, http_cache=False, auto_retry=False)

    for name, ask in READS.items():
        assert ask(client.rest, at).parsed_data is not None, name
