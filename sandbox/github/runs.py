"""Workflows and their runs: dispatched and recorded, never executed.

What a dispatch may name is read from the workflow's own file at its ref: that it is there, that it may be started
by hand, and which inputs it knows.
"""

from typing import Any

import yaml

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.state import Run, now


def dispatch(view: View, asked: Asked, workflow: str) -> Reply:
    """Start a workflow by hand."""
    ref, inputs = asked.given("ref"), asked.body.get("inputs") or {}
    commit = view.repository.commit_of(ref)
    if not commit:
        raise No(422, f"No ref found for: {ref}")
    known = _inputs(view, workflow, commit)
    if unexpected := [name for name in inputs if name not in known]:
        raise No(422, f"Unexpected inputs provided: {unexpected}")
    if required := [name for name, one in known.items() if (one or {}).get("required") and name not in inputs]:
        raise No(422, f"Required input '{required[0]}' not provided")
    number, time = view.state.next_id(), now()
    count = 1 + len(view.state.runs)
    run = Run(number, count, workflow, ref, commit, "workflow_dispatch", inputs, asked.token.person, time, time)
    view.state.runs[number] = run
    view.happened("workflow_dispatch", asked.token, ref, commit, workflow=workflow, inputs=inputs, run=number)
    if not asked.body.get("return_run_details") and asked.headers.get("X-Github-Api-Version", "") < "2026-03-10":
        return Reply(status=204)
    urls = {"run_url": f"{view.api}/actions/runs/{number}", "html_url": f"{view.page}/actions/runs/{number}"}
    return Reply({"workflow_run_id": number, **urls})


def listing(view: View, asked: Asked, workflow: str) -> Reply:
    """List runs, newest first."""
    event, branch = asked.params.get("event", ""), asked.params.get("branch", "")
    found = [
        one
        for one in view.state.runs.values()
        if one.workflow == workflow and event in ("", one.event) and branch in ("", one.branch)
    ]
    return Reply([_shape(view, one) for one in sorted(found, key=lambda one: -one.id)], within="workflow_runs")


def get(view: View, _asked: Asked, run: str) -> Reply:
    """Get a run."""
    found = view.state.runs.get(int(run)) if run.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return Reply(_shape(view, found))


def _inputs(view: View, workflow: str, commit: str) -> dict[str, Any]:
    raw = view.repository.file(commit, f".github/workflows/{workflow}")
    if raw is None:
        raise No(404, "Not Found")
    written = yaml.safe_load(raw)
    triggers = written.get("on", written.get(True))  # YAML 1.1 takes the word for a boolean
    triggers = dict.fromkeys([triggers] if isinstance(triggers, str) else triggers) | (
        triggers if isinstance(triggers, dict) else {}
    )
    if "workflow_dispatch" not in triggers:
        raise No(422, "Workflow does not have 'workflow_dispatch' trigger")
    return dict((triggers["workflow_dispatch"] or {}).get("inputs") or {})


def _shape(view: View, run: Run) -> dict[str, Any]:
    url = f"{view.api}/actions/runs/{run.id}"
    repository = shapes.repository(view)
    made = view.repository.about(run.commit)
    who = {"name": made.author, "email": made.email}
    return {
        "id": run.id, "node_id": f"WR_{run.id}", "name": run.workflow, "head_branch": run.branch,
        "head_sha": run.commit, "path": f".github/workflows/{run.workflow}", "run_number": run.number,
        "run_attempt": 1, "event": run.event, "status": run.status, "conclusion": run.conclusion, "workflow_id": 1,
        "url": url, "html_url": f"{view.page}/actions/runs/{run.id}", "pull_requests": [], "created_at": run.created,
        "updated_at": run.updated, "actor": shapes.user(view, run.actor), "display_title": run.workflow,
        **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "artifacts", "cancel", "rerun")},
        "check_suite_url": f"{view.api}/check-suites/1", "workflow_url": f"{view.api}/actions/workflows/1",
        "head_commit": {
            "id": made.sha, "tree_id": made.tree, "message": made.message, "timestamp": made.date,
            "author": who, "committer": who,
        },
        "repository": repository, "head_repository": repository,
    }  # fmt: skip


ROUTES = (
    Route("POST", "/actions/workflows/{workflow}/dispatches", dispatch, "actions"),
    Route("GET", "/actions/workflows/{workflow}/runs", listing, "actions"),
    Route("GET", "/actions/runs/{run}", get, "actions"),
)
