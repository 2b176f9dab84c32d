"""Pull requests: opened, edited, listed with their files, and merged by real merges in the bare repository.

A merge is refused as GitHub refuses it: while a required check of the branch's protection has not passed, when the
head is another one than was said, and when git cannot merge.
"""

from typing import Any

from sandbox.github import shapes
from sandbox.github.asked import Asked, No, Reply, Route, View
from sandbox.github.content import moved, written
from sandbox.github.repository import Conflict
from sandbox.github.state import Pull, now

PASSED = ("success", "neutral", "skipped")


def listing(view: View, asked: Asked) -> Reply:
    """List pull requests."""
    state, head, base = (asked.params.get(name, "") for name in ("state", "head", "base"))
    found = [
        one
        for one in view.state.pulls.values()
        if state in ("all", one.state) or (not state and one.state == "open")
        if not base or one.base == base
        if not head or head == f"{(one.fork or view.name).partition('/')[0]}:{one.head}"
    ]
    found.sort(key=lambda one: -one.number)
    return Reply([_simple(view, one) for one in found], within="-")


def get(view: View, _asked: Asked, number: str) -> Reply:
    """Get one."""
    return Reply(_full(view, _pull(view, number)))


def create(view: View, asked: Asked) -> Reply:
    """Open one."""
    title, head, base = asked.given("title"), asked.given("head"), asked.given("base")
    for name, field in ((head, "head"), (base, "base")):
        if not view.repository.ref(f"refs/heads/{name}"):
            raise No(422, "Validation Failed", {"resource": "PullRequest", "field": field, "code": "invalid"})
    if any(
        one.head == head and one.base == base and one.state == "open" and not one.fork
        for one in view.state.pulls.values()
    ):
        said = f"A pull request already exists for {view.owner}:{head}."
        raise No(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": said})
    if not view.repository.count(base, head)[0]:
        said = f"No commits between {base} and {head}"
        raise No(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": said})
    body = asked.body.get("body") or ""
    made = Pull(view.state.next_number(), view.state.next_id(), title, body, head, base, asked.token.person, now())
    view.state.pulls[made.number] = made
    tip = view.repository.ref(f"refs/heads/{head}")
    view.happened("pull_request", asked.token, f"refs/pull/{made.number}/merge", tip, action="opened")
    return Reply(_full(view, made), 201)


def update(view: View, asked: Asked, number: str) -> Reply:
    """Edit or close one."""
    pull = _pull(view, number)
    pull.title, pull.body = asked.body.get("title", pull.title), asked.body.get("body", pull.body)
    if asked.body.get("state") == "closed" and pull.state == "open":
        _close(view, pull)
        view.happened("pull_request", asked.token, f"refs/pull/{pull.number}/merge", pull.last_head, action="closed")
    return Reply(_full(view, pull))


def files(view: View, _asked: Asked, number: str) -> Reply:
    """List the files of one."""
    pull = _pull(view, number)
    base, head = _ends(view, pull)
    found = [
        {
            "sha": one.blob, "filename": one.path, "status": one.status, "additions": one.additions,
            "deletions": one.deletions, "changes": one.additions + one.deletions,
            "blob_url": f"{view.page}/blob/{head}/{one.path}", "raw_url": f"{view.page}/raw/{head}/{one.path}",
            "contents_url": f"{view.api}/contents/{one.path}?ref={head}",
        } | ({"previous_filename": one.before} if one.before else {})
        for one in view.repository.changed(base, head)
    ]  # fmt: skip
    return Reply(found[:3000], within="-")


def of_commit(view: View, _asked: Asked, commit: str) -> Reply:
    """List those of a commit: of main's the merged ones that brought it, of any other the open ones that have it."""
    sha = view.repository.commit_of(commit)
    if not sha:
        raise No(422, f"No commit found for SHA: {commit}")
    on_main = view.repository.is_ancestor(sha, view.repository.ref("refs/heads/main"))
    found = [one for one in view.state.pulls.values() if bool(one.merged) == on_main and _has(view, one, sha)]
    return Reply([_simple(view, one) for one in found], within="-")


def _has(view: View, pull: Pull, sha: str) -> bool:
    base, head = _ends(view, pull)
    brings = view.repository.is_ancestor(sha, head) and not view.repository.is_ancestor(sha, base)
    return brings or pull.merged == sha


def merge(view: View, asked: Asked, number: str) -> Reply:
    """Merge one."""
    pull = _pull(view, number)
    if pull.state != "open":
        raise No(405, "Pull Request is not mergeable")
    base, head = _ends(view, pull)
    if asked.body.get("sha", head) != head:
        raise No(409, "Head branch was modified. Review and try the merge again.")
    if missing := missing_check(view, pull.base, head):
        raise No(405, f'Required status check "{missing}" is expected.')
    try:
        tree = view.repository.merged_tree(base, head)
    except Conflict as error:
        raise No(405, "Pull Request is not mergeable") from error
    title = asked.body.get("commit_title") or f"Merge pull request #{pull.number} from {view.owner}/{pull.head}"
    message = f"{title}\n\n{asked.body.get('commit_message') or pull.title}"
    sha = written(view, asked.token, tree, parents=(base, head), message=message)
    view.repository.set_ref(f"refs/heads/{pull.base}", sha, base)
    _close(view, pull)
    pull.merged, pull.merged_by, pull.last_base = sha, asked.token.person, base
    view.happened("pull_request", asked.token, f"refs/pull/{pull.number}/merge", head, action="closed", merged=True)
    moved(view, asked.token, pull.base, sha)
    return Reply({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def missing_check(view: View, branch: str, commit: str) -> str:
    """The first required check of a branch that the newest run of has not passed."""
    protection = view.state.protections.get(branch)
    for name in protection.checks if protection else ():
        runs = [one for one in view.state.checks.values() if one.commit == commit and one.name == name]
        newest = max(runs, key=lambda one: one.id, default=None)
        if newest is None or newest.given.get("conclusion") not in PASSED:
            return name
    return ""


def _close(view: View, pull: Pull) -> None:
    pull.last_base, pull.last_head = _ends(view, pull)
    pull.state, pull.closed = "closed", now()


def _pull(view: View, number: str) -> Pull:
    found = view.state.pulls.get(int(number)) if number.isdigit() else None
    if found is None:
        raise No(404, "Not Found")
    return found


def _ends(view: View, pull: Pull) -> tuple[str, str]:
    """The commits of its base and its head."""
    if pull.state != "open":
        return pull.last_base, pull.last_head
    head = f"refs/pull/{pull.number}/head" if pull.fork else f"refs/heads/{pull.head}"
    return view.repository.ref(f"refs/heads/{pull.base}"), view.repository.ref(head)


def _simple(view: View, pull: Pull) -> dict[str, Any]:
    base, head = _ends(view, pull)
    api, page = f"{view.api}/pulls/{pull.number}", f"{view.page}/pull/{pull.number}"
    issue = f"{view.api}/issues/{pull.number}"
    links = {
        "self": api, "html": page, "issue": issue, "comments": f"{issue}/comments", "commits": f"{api}/commits",
        "review_comments": f"{api}/comments", "review_comment": f"{api}/comments{{/number}}",
        "statuses": f"{view.api}/statuses/{head}",
    }  # fmt: skip
    return {
        "url": api, "id": pull.id, "node_id": f"PR_{pull.id}", "html_url": page, "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch", "issue_url": issue, "number": pull.number, "state": pull.state,
        "locked": False, "title": pull.title, "user": shapes.user(view, pull.author), "body": pull.body,
        "labels": [], "milestone": None, "created_at": pull.created, "updated_at": pull.closed or pull.created,
        "closed_at": pull.closed or None, "merged_at": pull.closed if pull.merged else None,
        "merge_commit_sha": pull.merged or None, "author_association": "NONE" if pull.fork else "MEMBER",
        "auto_merge": None, "draft": False, "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "head": _end(view, pull.fork or view.name, pull.head, head), "base": _end(view, view.name, pull.base, base),
        "_links": {name: {"href": url} for name, url in links.items()},
        **{f"{name}_url": url for name, url in links.items() if name not in ("self", "html", "issue")},
    }  # fmt: skip


def _end(view: View, name: str, branch: str, sha: str) -> dict[str, Any]:
    repository = shapes.repository(view, name, fork=name != view.name)
    label = f"{name.partition('/')[0]}:{branch}"
    return {"label": label, "ref": branch, "sha": sha, "user": repository["owner"], "repo": repository}


def _full(view: View, pull: Pull) -> dict[str, Any]:
    base, head = _ends(view, pull)
    changed = view.repository.changed(base, head)
    blocked = missing_check(view, pull.base, head)
    return _simple(view, pull) | {
        "merged": bool(pull.merged),
        "mergeable": pull.state == "open",
        "mergeable_state": "unknown" if pull.state != "open" else "blocked" if blocked else "clean",
        "merged_by": shapes.user(view, pull.merged_by) if pull.merged_by else None,
        "comments": sum(one.number == pull.number for one in view.state.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": view.repository.count(base, head)[0],
        "additions": sum(one.additions for one in changed),
        "deletions": sum(one.deletions for one in changed),
        "changed_files": len(changed),
    }


ROUTES = (
    Route("GET", "/pulls", listing, "pull_requests"),
    Route("POST", "/pulls", create, "pull_requests"),
    Route("GET", "/pulls/{number}", get, "pull_requests"),
    Route("PATCH", "/pulls/{number}", update, "pull_requests"),
    Route("GET", "/commits/{commit}/pulls", of_commit, "pull_requests"),
    Route("GET", "/pulls/{number}/files", files, "pull_requests"),
    Route("PUT", "/pulls/{number}/merge", merge, "contents"),
)
