"""Comments of pull requests and issues. As on GitHub, a token that may write may also edit what others wrote."""

from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.state import Comment, now

LONGEST = 65536
_EITHER = "issues|pull_requests"


def listing(view: View, _asked: Asked, number: str) -> Reply:
    """List comments, oldest first."""
    _require(view, number)
    found = [one for one in view.state.comments.values() if one.number == int(number)]
    return Reply([shape(view, one) for one in sorted(found, key=lambda one: one.id)], within="-")


def create(view: View, asked: Asked, number: str) -> Reply:
    """Write one."""
    _require(view, number)
    token, time = asked.token, now()
    made = Comment(view.state.next_id(), int(number), _body(asked), token.person, time, time, token.slug)
    view.state.comments[made.id] = made
    view.happened("issue_comment", token, number, "", comment=made.id)
    return Reply(shape(view, made), 201)


def update(view: View, asked: Asked, comment: str) -> Reply:
    """Edit one."""
    found = _comment(view, comment)
    found.body, found.updated = _body(asked), now()
    return Reply(shape(view, found))


def delete(view: View, _asked: Asked, comment: str) -> Reply:
    """Take one away."""
    del view.state.comments[_comment(view, comment).id]
    return Reply(status=204)


def shape(view: View, comment: Comment) -> dict[str, Any]:
    """An IssueComment."""
    return {
        "id": comment.id, "node_id": f"IC_{comment.id}", "url": f"{view.api}/issues/comments/{comment.id}",
        "html_url": f"{view.page}/pull/{comment.number}#issuecomment-{comment.id}", "body": comment.body,
        "user": shapes.user(view, comment.author), "created_at": comment.created, "updated_at": comment.updated,
        "issue_url": f"{view.api}/issues/{comment.number}", "author_association": "MEMBER",
        "performed_via_github_app": shapes.integration(view, comment.slug) if comment.slug else None,
    }  # fmt: skip


def _body(asked: Asked) -> str:
    body = str(asked.given("body"))
    if len(body) > LONGEST:
        said = f"body is too long (maximum is {LONGEST} characters)"
        raise No(422, "Validation Failed", {"resource": "IssueComment", "code": "custom", "message": said})
    return body


def _require(view: View, number: str) -> None:
    if not number.isdigit() or int(number) not in {**view.state.pulls, **view.state.issues}:
        raise No(404, "Not Found")


def _comment(view: View, comment: str) -> Comment:
    found = view.state.comments.get(int(comment)) if comment.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return found


ROUTES = (
    Route("GET", "/issues/{number}/comments", listing, _EITHER),
    Route("POST", "/issues/{number}/comments", create, _EITHER),
    Route("PATCH", "/issues/comments/{comment}", update, _EITHER),
    Route("DELETE", "/issues/comments/{comment}", delete, _EITHER),
)
