"""Answers in the shapes that GitHub documents, as far as they hang on more than one kind of thing.

Comes in: what the state remembers. Goes out: JSON with every field that GitHub's schema demands; a contract test
reads all of it with the types generated from that schema.
"""

from typing import Any

from sandbox.github.asked import View
from sandbox.github.repository import Made
from sandbox.github.state import Person

GITHUB_ACTIONS = Person("github-actions[bot]", 41898282, "Bot")
_USER = (
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "repos",
    "events",
    "received_events",
)
_REPOSITORY = (
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents"),
    *("contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks"),
    *("issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones", "pulls"),
    *("notifications", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams", "trees"),
)
EPOCH = "2026-01-01T00:00:00Z"


def user(view: View, person: Person) -> dict[str, Any]:
    """A SimpleUser."""
    api = f"{view.url}/users/{person.login}"
    return {
        "login": person.login,
        "id": person.id,
        "node_id": f"U_{person.id}",
        "avatar_url": f"{view.server}/avatars/{person.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{view.server}/{person.login}",
        "type": person.type,
        "site_admin": False,
        **{f"{name}_url": f"{api}/{name}" for name in _USER},
    }


def repository(view: View, name: str = "", *, fork: bool = False) -> dict[str, Any]:
    """A Repository, which a MinimalRepository is a part of."""
    name = name or view.name
    api, owner = f"{view.url}/repos/{name}", name.partition("/")[0]
    counts = ("forks", "forks_count", "stargazers_count", "watchers_count", "size", "open_issues_count")
    return {
        "id": 7001 + fork,
        "node_id": "R_7001",
        "name": name.partition("/")[2],
        "full_name": name,
        "owner": user(view, Person(owner, 7000, "Organization")),
        "private": False,
        "html_url": f"{view.server}/{name}",
        "description": None,
        "fork": fork,
        "url": api,
        **{f"{each}_url": f"{api}/{each}" for each in _REPOSITORY},
        "git_url": f"git://{name}.git",
        "ssh_url": f"git@{name}.git",
        "clone_url": f"{view.server}/{name}.git",
        "svn_url": f"{view.server}/{name}",
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        **dict.fromkeys((*counts, "open_issues", "watchers"), 0),
        "default_branch": "main",
        **dict.fromkeys(("has_pages", "disabled", "archived", "has_discussions"), False),
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), EPOCH),
    }


def integration(view: View, slug: str) -> dict[str, Any]:
    """An App."""
    return {
        "id": 15368 if slug == "github-actions" else 9001,
        "slug": slug,
        "node_id": f"A_{slug}",
        "owner": user(view, Person("github", 9919, "Organization")),
        "name": slug,
        "description": None,
        "external_url": f"{view.server}/apps/{slug}",
        "html_url": f"{view.server}/apps/{slug}",
        "created_at": EPOCH,
        "updated_at": EPOCH,
        "permissions": {"contents": "write"},
        "events": [],
    }


def commit(view: View, made: Made) -> dict[str, Any]:
    """A Commit."""
    url = f"{view.api}/commits/{made.sha}"
    who = {"name": made.author, "email": made.email, "date": made.date}
    return {
        "url": url,
        "sha": made.sha,
        "node_id": f"C_{made.sha}",
        "html_url": f"{view.page}/commit/{made.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{view.api}/git/commits/{made.sha}",
            "author": who,
            "committer": who | {"name": "GitHub", "email": "noreply@github.com"},
            "message": made.message,
            "comment_count": 0,
            "tree": {"sha": made.tree, "url": f"{view.api}/git/trees/{made.tree}"},
            "verification": verification(view, made.sha),
        },
        "author": None,
        "committer": None,
        "parents": parents(view, made),
    }


def parents(view: View, made: Made) -> list[dict[str, str]]:
    """Of a commit."""
    return [
        {"sha": sha, "url": f"{view.api}/commits/{sha}", "html_url": f"{view.page}/commit/{sha}"}
        for sha in made.parents
    ]


def verification(view: View, sha: str) -> dict[str, Any]:
    """Did GitHub sign it? The sandbox's has no key: it remembers which commits it would have signed."""
    signed = sha in view.state.signed
    return {
        "verified": signed,
        "reason": "valid" if signed else "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": EPOCH if signed else None,
    }
