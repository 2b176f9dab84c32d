"""GitHub Apps: known by their public key, they exchange a signed JWT for an installation's token of an hour.

Comes in: an App's request. Goes out: which installation it has here, or a token with the permissions that the App has.
A JWT that is too old, lives too long, or is signed by another key is refused.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt

from sandbox.github.asked import No, Reply
from sandbox.github.shapes import GITHUB_ACTIONS, user
from sandbox.github.state import ALL, Permissions, Person

if TYPE_CHECKING:
    from sandbox.github.github import Github

_LONGEST = 600  # seconds that a JWT may live


@dataclass(frozen=True)
class App:
    """`id` is a number, as a text; `public_key` is PEM."""

    id: str
    slug: str
    public_key: str
    installation: int = 501
    permissions: Permissions | None = None


def person(login: str) -> Person:
    """Somebody, always with the same id."""
    return Person(login, 1000 + int(hashlib.sha256(login.encode()).hexdigest()[:6], 16))


def bot(slug: str) -> Person:
    """The account in whose name an App acts."""
    if slug == "github-actions":
        return GITHUB_ACTIONS
    return Person(f"{slug}[bot]", person(f"{slug}[bot]").id, "Bot")


def answer(github: "Github", method: str, path: str, headers: Mapping[str, str]) -> Reply:
    """What an App may ask as itself."""
    app = _who(github, headers)
    if method == "GET" and path == f"/repos/{github.name}/installation":
        return Reply(_installation(github, app))
    if method == "POST" and path == f"/app/installations/{app.installation}/access_tokens":
        token = github.token(app.slug, permissions=dict(app.permissions or ALL), kind="app")
        expires = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        return Reply({"token": token, "expires_at": expires, "permissions": dict(app.permissions or ALL)}, 201)
    raise No(404, "Not Found")


def _who(github: "Github", headers: Mapping[str, str]) -> App:
    word = headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        issuer = str(jwt.decode(word, options={"verify_signature": False}).get("iss"))
        app = github.apps[issuer]
        claims = jwt.decode(word, app.public_key, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]})
    except (jwt.InvalidTokenError, KeyError) as error:
        raise No(401, "A JSON web token could not be decoded") from error
    if claims["exp"] - claims["iat"] > _LONGEST:
        raise No(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _installation(github: "Github", app: App) -> dict[str, Any]:
    account = user(github.view(), Person(github.name.partition("/")[0], 7000, "Organization"))
    url = f"{github.url}/app/installations/{app.installation}"
    return {
        "id": app.installation, "account": account, "repository_selection": "selected", "app_id": int(app.id),
        "access_tokens_url": f"{url}/access_tokens", "repositories_url": f"{github.url}/installation/repositories",
        "html_url": f"{github.server}/settings/installations/{app.installation}", "target_id": 7000,
        "target_type": "Organization", "permissions": dict(app.permissions or ALL), "events": [],
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "single_file_name": None,
        "app_slug": app.slug, "suspended_by": None, "suspended_at": None,
    }  # fmt: skip
