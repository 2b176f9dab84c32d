"""Check runs. Only an App writes them (a workflow's token is one, too), and only its own are its to update."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.state import CheckRun, now

_KNOWN = ("external_id", "status", "conclusion", "details_url", "output")


def listing(view: View, asked: Asked, ref: str) -> Reply:
    """List the newest check runs of a commit, or all of them."""
    commit, name = view.repository.commit_of(ref), asked.params.get("check_name", "")
    if not commit:
        raise No(422, f"No commit found for SHA: {ref}")
    found = [one for one in view.state.checks.values() if one.commit == commit and name in ("", one.name)]
    if asked.params.get("filter", "latest") == "latest":
        found = list({(one.name, one.slug): one for one in sorted(found, key=lambda one: one.id)}.values())
    return Reply([_shape(view, one) for one in found], within="check_runs")


def create(view: View, asked: Asked) -> Reply:
    """Write one."""
    slug, commit = _app(asked), view.repository.commit_of(asked.given("head_sha"))
    if not commit:
        raise No(422, f"No commit found for SHA: {asked.given('head_sha')}")
    made = CheckRun(view.state.next_id(), commit, asked.given("name"), slug, now(), _given(asked))
    view.state.checks[made.id] = made
    return Reply(_shape(view, made), 201)


def update(view: View, asked: Asked, check: str) -> Reply:
    """Update one."""
    found = view.state.checks.get(int(check)) if check.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    if found.slug != _app(asked):
        raise No(403, "Invalid app_id `9001` - check run can only be modified by the GitHub App that created it.")
    found.given |= _given(asked)
    return Reply(_shape(view, found))


def _app(asked: Asked) -> str:
    if asked.token.kind == "person":
        raise No(403, "You must authenticate via a GitHub App.")
    return asked.token.slug


def _given(asked: Asked) -> dict[str, Any]:
    given = {name: asked.body[name] for name in _KNOWN if name in asked.body}
    if len((given.get("output") or {}).get("summary") or "") > 65535:
        raise No(422, "Invalid request.\n\nOnly 65535 characters are allowed; 65536 were supplied.")
    return given


def _shape(view: View, check: CheckRun) -> dict[str, Any]:
    given, output = check.given, check.given.get("output") or {}
    done = given.get("conclusion")
    url = f"{view.api}/check-runs/{check.id}"
    return {
        "id": check.id, "head_sha": check.commit, "node_id": f"CR_{check.id}", "external_id": given.get("external_id"),
        "url": url, "html_url": f"{view.page}/runs/{check.id}", "details_url": given.get("details_url"),
        "status": "completed" if done else given.get("status", "queued"), "conclusion": done,
        "started_at": check.created, "completed_at": check.created if done else None, "name": check.name,
        "output": {
            "title": output.get("title"), "summary": output.get("summary"), "text": None, "annotations_count": 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": 1}, "app": shapes.integration(view, check.slug), "pull_requests": [],
    }  # fmt: skip


ROUTES = (
    Route("GET", "/commits/{ref}/check-runs", listing, "checks"),
    Route("POST", "/check-runs", create, "checks"),
    Route("PATCH", "/check-runs/{check}", update, "checks"),
)
