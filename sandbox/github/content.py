"""Content: refs, trees, blobs, commits and comparisons of the bare repository, read and written as the REST API does.

A commit that an App or a workflow makes without naming an author is one that GitHub signs. A ref moves forward only,
and a protected branch only by a pull request.
"""

import base64
from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.repository import Files, GitSaysNo
from sandbox.github.state import Token

RULES = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"


def ref(view: View, _asked: Asked, branch: str) -> Reply:
    """Get a branch."""
    return Reply(_ref(view, f"refs/heads/{branch}", _tip(view, branch)))


def make_ref(view: View, asked: Asked) -> Reply:
    """Create a ref."""
    name, sha = asked.given("ref"), asked.given("sha")
    if view.repository.ref(name):
        raise No(422, "Reference already exists")
    if not view.repository.commit_of(sha):
        raise No(422, "Object does not exist")
    view.repository.set_ref(name, sha, "")
    view.happened("create", asked.token, name, sha)
    view.happened("push", asked.token, name, sha)
    return Reply(_ref(view, name, sha), 201)


def move_ref(view: View, asked: Asked, branch: str) -> Reply:
    """Update a ref."""
    name, new, old = f"refs/heads/{branch}", asked.given("sha"), view.repository.ref(f"refs/heads/{branch}")
    if not old:
        raise No(422, "Reference does not exist")
    if not asked.body.get("force") and not view.repository.is_ancestor(old, new):
        raise No(422, "Update is not a fast forward")
    require_open(view, branch)
    view.repository.set_ref(name, new, old)
    moved(view, asked.token, branch, new)
    return Reply(_ref(view, name, new))


def drop_ref(view: View, asked: Asked, branch: str) -> Reply:
    """Delete a ref."""
    if not view.repository.ref(f"refs/heads/{branch}"):
        raise No(422, "Reference does not exist")
    tip = _tip(view, branch)
    for pull in view.state.pulls.values():  # as GitHub does: a pull request without its branch is closed
        if pull.head == branch and pull.state == "open" and not pull.fork:
            pull.state, pull.last_head, pull.last_base = "closed", tip, _tip(view, pull.base)
    view.repository.drop_ref(f"refs/heads/{branch}")
    view.happened("delete", asked.token, f"refs/heads/{branch}", tip)
    return Reply(status=204)


def tree(view: View, _asked: Asked, name: str) -> Reply:
    """Get a tree."""
    try:
        sha, entries = view.repository.tree(name)
    except GitSaysNo as error:
        raise No(404, "Not Found") from error
    items = [
        {
            "path": one.path,
            "mode": one.mode,
            "type": one.type,
            "sha": one.sha,
            "url": f"{view.api}/git/{one.type}s/{one.sha}",
        }
        | ({"size": one.size} if one.type == "blob" else {})
        for one in entries
    ]
    return Reply({"sha": sha, "url": f"{view.api}/git/trees/{sha}", "tree": items, "truncated": False})


def make_tree(view: View, asked: Asked) -> Reply:
    """Create a tree on the base of another one."""
    files: Files = {
        one["path"]: None if one.get("sha", "") is None else one["content"].encode() for one in asked.given("tree")
    }
    sha = view.repository.write_tree(asked.given("base_tree"), files)
    return Reply(tree(view, asked, sha).body, 201)


def blob(view: View, _asked: Asked, sha: str) -> Reply:
    """Get a blob."""
    try:
        raw = view.repository.blob(sha)
    except GitSaysNo as error:
        raise No(404, "Not Found") from error
    return Reply(
        {
            "sha": sha, "node_id": f"B_{sha}", "size": len(raw), "url": f"{view.api}/git/blobs/{sha}",
            "content": base64.encodebytes(raw).decode(), "encoding": "base64",
        }
    )  # fmt: skip


def make_commit(view: View, asked: Asked) -> Reply:
    """Create a commit of no branch."""
    sha = written(
        view, asked.token, asked.given("tree"), parents=tuple(asked.given("parents")), message=asked.given("message")
    )
    made = view.repository.about(sha)
    who = {"name": made.author, "email": made.email, "date": made.date}
    body = {
        "sha": sha, "node_id": f"C_{sha}", "url": f"{view.api}/git/commits/{sha}", "author": who, "committer": who,
        "message": made.message, "tree": {"sha": made.tree, "url": f"{view.api}/git/trees/{made.tree}"},
        "parents": shapes.parents(view, made), "verification": shapes.verification(view, sha),
        "html_url": f"{view.page}/commit/{sha}",
    }  # fmt: skip
    return Reply(body, 201)


def commits(view: View, asked: Asked) -> Reply:
    """List commits of a branch."""
    tip = view.repository.commit_of(asked.params.get("sha", "main"))
    if not tip:
        raise No(404, "Not Found")
    return Reply([shapes.commit(view, view.repository.about(sha)) for sha in view.repository.log(tip, 100)], within="-")


def compare(view: View, _asked: Asked, ends: str) -> Reply:
    """Compare two commits."""
    repository = view.repository
    names = ends.split("...")
    older, newer = (repository.commit_of(name) for name in names) if len(names) == 2 else ("", "")
    if not older or not newer:
        raise No(404, "Not Found")
    ahead, behind = repository.count(older, newer)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}.get(
        (ahead > 0, behind > 0), "diverged"
    )  # fmt: skip
    url = f"{view.api}/compare/{ends}"
    made = [
        shapes.commit(view, repository.about(sha)) for sha in repository.git("rev-list", f"{older}..{newer}").split()
    ]
    return Reply(
        {
            "url": url, "html_url": url, "permalink_url": url, "diff_url": f"{url}.diff", "patch_url": f"{url}.patch",
            "base_commit": shapes.commit(view, repository.about(older)),
            "merge_base_commit": shapes.commit(view, repository.about(repository.merge_base(older, newer))),
            "status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead,
            "commits": made[:250],
        }
    )  # fmt: skip


def written(view: View, token: Token, tree: str, *, parents: tuple[str, ...], message: str) -> str:
    """A commit by whoever asks, signed unless a person's own token made it."""
    person = token.person
    email = f"{person.id}+{person.login}@users.noreply.github.com"
    sha = view.repository.write_commit(tree, parents, message, (person.login, email))
    if token.kind != "person":
        view.state.signed.add(sha)
    return sha


def moved(view: View, token: Token, branch: str, commit: str) -> None:
    """A branch has a new tip: a push, and news for its pull request."""
    view.happened("push", token, f"refs/heads/{branch}", commit)
    for pull in view.state.pulls.values():
        if pull.head == branch and pull.state == "open" and not pull.fork:
            view.happened("pull_request", token, f"refs/pull/{pull.number}/merge", commit, action="synchronize")


def require_open(view: View, branch: str) -> None:
    """Raises No where only pull requests may change a branch."""
    found = view.state.protections.get(branch)
    if found and found.only_by_pull:
        raise No(422, RULES)


def _tip(view: View, branch: str) -> str:
    found = view.repository.ref(f"refs/heads/{branch}")
    if not found:
        raise No(404, "Not Found")
    return found


def _ref(view: View, name: str, sha: str) -> dict[str, Any]:
    return {
        "ref": name,
        "node_id": f"REF_{sha[:8]}",
        "url": f"{view.api}/git/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{view.api}/git/commits/{sha}"},
    }


ROUTES = (
    Route("GET", "/git/ref/heads/{branch...}", ref, "contents"),
    Route("POST", "/git/refs", make_ref, "contents"),
    Route("PATCH", "/git/refs/heads/{branch...}", move_ref, "contents"),
    Route("DELETE", "/git/refs/heads/{branch...}", drop_ref, "contents"),
    Route("GET", "/git/trees/{name...}", tree, "contents"),
    Route("POST", "/git/trees", make_tree, "contents"),
    Route("GET", "/git/blobs/{sha}", blob, "contents"),
    Route("POST", "/git/commits", make_commit, "contents"),
    Route("GET", "/commits", commits, "contents"),
    Route("GET", "/compare/{ends...}", compare, "contents"),
)
