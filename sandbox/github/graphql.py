"""The two questions of GraphQL that a release controller asks: who am I, and createCommitOnBranch.

Refusals come with status 200 and a list of errors, as GitHub gives them; STALE_DATA is the one that says that the
branch moved.
"""

import base64
from typing import Any

from sandbox.github.asked import Asked, No, Reply, View
from sandbox.github.content import moved, require_open, written


class Refused(Exception):
    """An error of GraphQL."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


def answer(view: View, asked: Asked) -> Reply:
    """One query or mutation."""
    query = str(asked.given("query"))
    try:
        return Reply({"data": _data(view, asked, query)})
    except Refused as error:
        told = {"type": error.kind, "path": ["createCommitOnBranch"], "message": error.message}
        return Reply({"data": None, "errors": [told | {"locations": [{"line": 2, "column": 3}]}]})


def _data(view: View, asked: Asked, query: str) -> dict[str, Any]:
    if "createCommitOnBranch" in query:
        return {"createCommitOnBranch": _commit(view, asked)}
    if "viewer" in query:
        return {"viewer": {"login": asked.token.person.login, "databaseId": asked.token.person.id}}
    raise Refused("undefinedField", "The sandbox's GitHub knows no such field")


def _commit(view: View, asked: Asked) -> dict[str, Any]:
    given = (asked.body.get("variables") or {}).get("input") or {}
    branch, expected = given["branch"]["branchName"], given["expectedHeadOid"]
    if asked.token.permissions.get("contents") != "write":
        raise Refused("FORBIDDEN", "Resource not accessible by integration")
    if given["branch"]["repositoryNameWithOwner"] != view.name:
        raise Refused("NOT_FOUND", "Could not resolve to a Repository")
    tip = view.repository.ref(f"refs/heads/{branch}")
    if not tip:
        raise Refused("UNPROCESSABLE", f'No ref found for "{branch}"')
    if tip != expected:
        raise Refused("STALE_DATA", f'Expected branch to point to "{expected}" but it did not. Pull and try again.')
    try:
        require_open(view, branch)
    except No as error:
        raise Refused("UNPROCESSABLE", error.message) from error
    tree = _tree(view, tip, given.get("fileChanges") or {})
    sha = written(view, asked.token, tree, parents=(tip,), message=_message(given))
    view.repository.set_ref(f"refs/heads/{branch}", sha, tip)
    moved(view, asked.token, branch, sha)
    return {"commit": {"oid": sha, "url": f"{view.page}/commit/{sha}"}}


def _tree(view: View, tip: str, changes: dict[str, Any]) -> str:
    files: dict[str, bytes | None] = {
        one["path"]: base64.b64decode(one["contents"]) for one in changes.get("additions") or ()
    }
    for one in changes.get("deletions") or ():
        if view.repository.file(tip, one["path"]) is None:
            raise Refused("UNPROCESSABLE", "A path was requested for deletion which does not exist as of commit oid")
        files[one["path"]] = None
    return view.repository.write_tree(tip, files)


def _message(given: dict[str, Any]) -> str:
    said = given["message"]
    return f"{said['headline']}\n\n{said.get('body') or ''}".strip() + "\n"
