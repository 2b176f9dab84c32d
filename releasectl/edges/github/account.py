"""Account: which server, which repository, as whom.

Comes in: the environment's variables and the clone's remote. Goes out: an Account, and a client of githubkit that
speaks to this server alone and follows no redirect. A token or a key is never in a message nor in a repr.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from githubkit import AppAuthStrategy, AppInstallationAuthStrategy, GitHub, TokenAuthStrategy

from releasectl.edges.again import patience
from releasectl.edges.github.errors import NoGithub

GITHUB = "https://github.com"
LONGEST = 30.0  # seconds for one answer
_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,100}"
_REPOSITORY = re.compile(rf"{_NAME}/{_NAME}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
Auth = TokenAuthStrategy | AppAuthStrategy | AppInstallationAuthStrategy
Client = GitHub[Any]


@dataclass(frozen=True)
class App:
    """A GitHub App. `id` is its number or its client id."""

    id: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Account:
    """`repository` is OWNER/NAME. Either a token or an app."""

    api: str
    repository: str
    token: str = field(default="", repr=False)
    app: App | None = None
    patience: float | None = None  # seconds, where nobody may wait as long as RELEASECTL_PATIENCE says

    @classmethod
    def read(cls, environment: Mapping[str, str], remote: str = "") -> "Account":
        """By GITHUB_REPOSITORY or a remote's URL; GITHUB_TOKEN, GH_TOKEN or RELEASECTL_APP_*. Raises NoGithub."""
        server = (environment.get("GITHUB_SERVER_URL") or GITHUB).rstrip("/")
        usual = "https://api.github.com" if server == GITHUB else f"{server}/api/v3"
        api = (environment.get("GITHUB_API_URL") or usual).rstrip("/")
        repository = environment.get("GITHUB_REPOSITORY") or repository_of(remote, server)
        if not _REPOSITORY.fullmatch(repository):
            raise NoGithub(
                f"looking for the repository on {server}: GITHUB_REPOSITORY or the remote says {repository!r}",
                "Set GITHUB_REPOSITORY to OWNER/NAME.",
            )
        app = _app(environment)
        token = "" if app else (environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN") or "").strip()
        if not app and not _TOKEN.fullmatch(token):  # httpx tells a header that it does not like with its value
            what = "is none that could be sent" if token else "is not set"
            raise NoGithub(f"asking GitHub about {repository}: the token {what}", "Set GITHUB_TOKEN.")
        return cls(api, repository, token, app)

    @property
    def owner(self) -> str:
        """Of the repository."""
        return self.repository.partition("/")[0]

    def as_token(self) -> TokenAuthStrategy:
        """By the token."""
        return TokenAuthStrategy(self.token)

    def as_app(self, app: App) -> AppAuthStrategy:
        """By the App's own key, which may ask where it is installed and little else."""
        return AppAuthStrategy(*((app.id, app.key) if app.id.isdigit() else (None, app.key, app.id)))

    @property
    def uploads(self) -> str:
        """Where files of releases go."""
        if self.api == "https://api.github.com":
            return "https://uploads.github.com"
        return self.api.removesuffix("/v3") + "/uploads" if self.api.endswith("/api/v3") else self.api

    def client(self, auth: Auth) -> Client:
        """No cache, no retry of its own: what a write means when asked twice, only we know."""
        return GitHub(
            auth, base_url=self.api, follow_redirects=False, http_cache=False, auto_retry=False,
            timeout=min(LONGEST, max(1.0, patience()), self.patience or LONGEST), user_agent="release-controller",
        )  # fmt: skip


def repository_of(remote: str, server: str = GITHUB) -> str:
    """OWNER/NAME of a remote's URL on the server, in any of the forms that git takes; "" of any other."""
    host = urlsplit(server).hostname or ""
    address = remote if "://" in remote else "ssh://" + remote.replace(":", "/", 1)
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http", "ssh") or (parts.hostname or "") != host:
        return ""
    return parts.path.strip("/").removesuffix(".git")


def _app(environment: Mapping[str, str]) -> App | None:
    number, key = environment.get("RELEASECTL_APP_ID", ""), environment.get("RELEASECTL_APP_KEY", "")
    if bool(number) != bool(key):
        raise NoGithub(
            "reading the App from the environment: only one of RELEASECTL_APP_ID and RELEASECTL_APP_KEY is set",
            "Set both: the App's id, and its private key or the file that holds it.",
        )
    if not number:
        return None
    if "-----BEGIN" in key:
        return App(number, key)
    try:
        return App(number, Path(key).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise NoGithub(
            f"reading the App's key: RELEASECTL_APP_KEY is no PEM and names no readable file: {type(error).__name__}",
            "Give the private key itself, or the path of its file.",
        ) from error
