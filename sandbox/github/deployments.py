"""Deployments and their statuses, as GitHub shows them beside an environment."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.state import Deployed, now

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def listing(view: View, asked: Asked) -> Reply:
    """List deployments, newest first."""
    environment, sha = asked.params.get("environment", ""), asked.params.get("sha", "")
    found = [
        one
        for one in view.state.deployments.values()
        if environment in ("", one.environment) and sha in ("", one.commit)
    ]
    return Reply([_shape(view, one) for one in sorted(found, key=lambda one: -one.id)], within="-")


def create(view: View, asked: Asked) -> Reply:
    """Make one."""
    ref = asked.given("ref")
    commit = view.repository.commit_of(ref)
    if not commit:
        raise No(422, f"No ref found for: {ref}")
    environment, person = asked.body.get("environment", "production"), asked.token.person
    made = Deployed(view.state.next_id(), commit, ref, environment, person, now(), dict(asked.body))
    view.state.deployments[made.id] = made
    view.happened("deployment", asked.token, ref, commit, environment=environment)
    return Reply(_shape(view, made), 201)


def statuses(view: View, _asked: Asked, deployment: str) -> Reply:
    """List the statuses of one, newest first."""
    return Reply(list(reversed(_deployment(view, deployment).statuses)), within="-")


def tell(view: View, asked: Asked, deployment: str) -> Reply:
    """Give one a status."""
    found, state = _deployment(view, deployment), asked.given("state")
    if state not in STATES:
        raise No(422, "Validation Failed", {"resource": "DeploymentStatus", "code": "invalid", "field": "state"})
    number, time = view.state.next_id(), now()
    url = f"{view.api}/deployments/{found.id}"
    status = {
        "id": number, "url": f"{url}/statuses/{number}", "node_id": f"DS_{number}", "state": state,
        "creator": shapes.user(view, asked.token.person), "description": asked.body.get("description", ""),
        "environment": found.environment, "target_url": asked.body.get("log_url", ""), "created_at": time,
        "updated_at": time, "deployment_url": url, "repository_url": view.api,
        "environment_url": asked.body.get("environment_url", ""), "log_url": asked.body.get("log_url", ""),
    }  # fmt: skip
    found.statuses.append(status)
    view.happened("deployment_status", asked.token, found.ref, found.commit, state=state)
    return Reply(status, 201)


def _deployment(view: View, deployment: str) -> Deployed:
    found = view.state.deployments.get(int(deployment)) if deployment.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return found


def _shape(view: View, one: Deployed) -> dict[str, Any]:
    url = f"{view.api}/deployments/{one.id}"
    return {
        "url": url, "id": one.id, "node_id": f"DE_{one.id}", "sha": one.commit, "ref": one.ref, "task": "deploy",
        "payload": one.given.get("payload") or {}, "original_environment": one.environment,
        "environment": one.environment, "description": one.given.get("description"),
        "creator": shapes.user(view, one.creator), "created_at": one.created, "updated_at": one.created,
        "statuses_url": f"{url}/statuses", "repository_url": view.api,
    }  # fmt: skip


ROUTES = (
    Route("GET", "/deployments", listing, "deployments"),
    Route("POST", "/deployments", create, "deployments"),
    Route("GET", "/deployments/{deployment}/statuses", statuses, "deployments"),
    Route("POST", "/deployments/{deployment}/statuses", tell, "deployments"),
)
