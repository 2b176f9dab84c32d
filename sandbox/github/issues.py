"""Issues: opened, edited, closed, listed newest first in pages, with the pull requests among them as on GitHub."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.comments import LONGEST
from sandbox.github.state import Issue, Pull, now


def listing(view: View, asked: Asked) -> Reply:
    """List issues and pull requests."""
    wanted = asked.params.get("state", "open")
    everything: tuple[Issue | Pull, ...] = (*view.state.issues.values(), *view.state.pulls.values())
    found = sorted((one for one in everything if wanted in ("all", one.state)), key=lambda one: -one.number)
    return Reply([_shape(view, one) for one in found], within="-")


def get(view: View, _asked: Asked, number: str) -> Reply:
    """Get one."""
    return Reply(_shape(view, _issue(view, number)))


def create(view: View, asked: Asked) -> Reply:
    """Open one."""
    person, time, state = asked.token.person, now(), view.state
    title, body = asked.given("title"), _body(asked)
    made = Issue(state.next_number(), state.next_id(), title, body, person, time, time)
    state.issues[made.number] = made
    view.happened("issues", asked.token, str(made.number), "", action="opened")
    return Reply(_shape(view, made), 201)


def update(view: View, asked: Asked, number: str) -> Reply:
    """Edit, close or reopen one."""
    issue, given = _issue(view, number), asked.body or {}
    if given.get("state", "open") not in ("open", "closed"):
        raise No(422, "Validation Failed", {"resource": "Issue", "code": "invalid", "field": "state"})
    before = issue.state
    issue.title, issue.state = given.get("title", issue.title), given.get("state", issue.state)
    issue.body, issue.updated = _body(asked) if "body" in given else issue.body, now()
    if issue.state != before:
        issue.closed, issue.reason = (now(), given.get("state_reason")) if issue.state == "closed" else (None, None)
    action = "edited" if issue.state == before else "closed" if issue.state == "closed" else "reopened"
    view.happened("issues", asked.token, number, "", action=action)
    return Reply(_shape(view, issue))


def _body(asked: Asked) -> str:
    body = str(asked.body.get("body") or "")
    if len(body) > LONGEST:
        said = f"body is too long (maximum is {LONGEST} characters)"
        raise No(422, "Validation Failed", {"resource": "Issue", "code": "custom", "message": said})
    return body


def _issue(view: View, number: str) -> Issue:
    found = view.state.issues.get(int(number)) if number.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return found


def _shape(view: View, one: Issue | Pull) -> dict[str, Any]:
    """An Issue, in whose shape a pull request is listed, too."""
    url, kind = f"{view.api}/issues/{one.number}", "pull" if isinstance(one, Pull) else "issues"
    page, pull_api = f"{view.page}/{kind}/{one.number}", f"{view.api}/pulls/{one.number}"
    pull = {"url": pull_api, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
    return {
        "id": one.id, "node_id": f"I_{one.id}", "url": url, "repository_url": view.api, "number": one.number,
        "labels_url": f"{url}/labels{{/name}}", "comments_url": f"{url}/comments", "events_url": f"{url}/events",
        "html_url": page, "state": one.state, "state_reason": one.reason if isinstance(one, Issue) else None,
        "title": one.title, "body": one.body, "user": shapes.user(view, one.author), "labels": [],
        "assignee": None, "assignees": [], "milestone": None, "locked": False, "author_association": "MEMBER",
        "comments": sum(comment.number == one.number for comment in view.state.comments.values()),
        "closed_at": one.closed or None, "created_at": one.created,
        "updated_at": one.updated if isinstance(one, Issue) else one.created,
    } | ({"pull_request": pull} if isinstance(one, Pull) else {})  # fmt: skip


ROUTES = (
    Route("GET", "/issues", listing, "issues"),
    Route("POST", "/issues", create, "issues"),
    Route("GET", "/issues/{number}", get, "issues"),
    Route("PATCH", "/issues/{number}", update, "issues"),
)
