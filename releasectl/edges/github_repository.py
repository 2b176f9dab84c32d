"""GitHub: the numbers of a repository and of its owner, which its tokens' subject has since July 2026.

Comes in: `owner/name`. Goes out: the same as GitHub spells it, with the numbers; None when GitHub does not tell, which
is no error: a person can give them. Only GitHub's own address is asked, a token goes nowhere else. It changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from releasectl.account import Repository

API = "https://api.github.com"
_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_REMOTE = re.compile(
    r"(?:(?:https://(?:[^/@]+@)?|ssh://git@)github\.com/|git@github\.com:)(?P<name>[^/]+/[^/]+?)(?:\.git)?/?"
)


def name_of(remote: str) -> str:
    """`owner/name` of the URL of a remote on GitHub, "" for any other."""
    found = _REMOTE.fullmatch(remote)
    return found["name"] if found and is_name(found["name"]) else ""


def is_name(text: str) -> bool:
    """Is it `owner/name`?"""
    return bool(_NAME.fullmatch(text))


@dataclass(frozen=True)
class GithubRepository:
    """Asked with GITHUB_TOKEN or GH_TOKEN where there is one: without, a private repository is not told."""

    environment: Mapping[str, str]

    def ask(self, name: str) -> Repository | None:
        """None when it is not there for us, or nobody answers."""
        token = self.environment.get("GITHUB_TOKEN") or self.environment.get("GH_TOKEN")
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        api = (self.environment.get("GITHUB_API_URL") or API).rstrip("/")
        try:
            answer = httpx.get(f"{api}/repos/{name}", headers=headers, timeout=10.0, follow_redirects=False)
            said = answer.json() if answer.is_success else {}
            return Repository(str(said["full_name"]), str(int(said["id"])), str(int(said["owner"]["id"])))
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
