"""GitHub for doctor: how a repository is protected, and what its workflows are given.

Comes in: a repository, a branch or an environment. Goes out: facts, None for what is not there, or one error that says
why they cannot be asked. Only the server that the environment names is asked, and no token goes anywhere else. It
reads, and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from releasectl.doctor_facts import PROTECTED, Branch, Place
from releasectl.edges.again import ForNow, again, patience, retry_after
from releasectl.edges.github_runs import api_of
from releasectl.errors import ControllerError, Retry


class RepositoryNotTold(ControllerError):
    """How the repository is protected cannot be asked: no token, no permission, no such repository, no answer.

    Why: GitHub tells rules, environments and variables only to a token that may read them.
    Do: Set `GITHUB_TOKEN` with `contents: read`, `environments: read` and `actions variables: read`, such as what
    `gh auth token` prints; then run `releasectl doctor` again.
    """

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class DoctorGithub:
    """Repositories on the server of GITHUB_SERVER_URL, asked at GITHUB_API_URL with GITHUB_TOKEN or GH_TOKEN."""

    environment: Mapping[str, str]

    def branch(self, repository: str, name: str) -> Branch:
        """The rules of a branch, whether it is there or not. Raises RepositoryNotTold, as do all the others."""
        rules = self._there(f"{repository}/rules/branches/{quote(name, safe='')}")  # [] for a branch without any
        there = self._ask(f"{repository}/branches/{quote(name, safe='')}") or {}
        checks = (
            str(check["context"])
            for each in rules
            if each["type"] == "required_status_checks"
            for check in each.get("parameters", {}).get("required_status_checks", [])
        )
        # Whether `protected` alone also speaks of rulesets, GitHub does not say; this is the older kind's own word.
        older = bool(there.get("protected")) and bool(there.get("protection", {}).get("enabled"))
        return Branch(older, tuple(str(each["type"]) for each in rules), tuple(checks))

    def place(self, repository: str, name: str) -> Place | None:
        """An environment, None when there is no such."""
        path = f"{repository}/environments/{quote(name, safe='')}"
        said = self._ask(path)
        if said is None:
            return None
        rules = tuple(str(each["type"]) for each in said.get("protection_rules", []))
        return Place(
            rules, self._refs(path, said.get("deployment_branch_policy")), self._variables(f"{path}/variables")
        )

    def variables(self, repository: str) -> Mapping[str, str]:
        """The variables of the repository itself."""
        return self._variables(f"{repository}/actions/variables")

    def _refs(self, path: str, policy: Mapping[str, bool] | None) -> tuple[str, ...] | None:
        """https://docs.github.com/en/rest/deployments/branch-policies"""
        if not policy:
            return None
        if not policy.get("custom_branch_policies"):
            return (PROTECTED,)
        said = self._there(f"{path}/deployment-branch-policies?per_page=100")
        return tuple(f"{each.get('type', 'branch')}:{each['name']}" for each in said.get("branch_policies", []))

    def _variables(self, path: str) -> Mapping[str, str]:
        said = self._there(f"{path}?per_page=30")
        return {str(each["name"]): str(each["value"]) for each in said.get("variables", [])}

    def _there(self, path: str) -> Any:
        """The answer of what is always there: 404 means that the repository is not, or not for this token."""
        said = self._ask(path)
        if said is None:
            raise RepositoryNotTold(f"asking GitHub for {path}: it is not there, or hidden from this token", _REMEDY)
        return said

    def _ask(self, path: str) -> Any:
        """The answer as JSON, None for 404."""
        token = self.environment.get("GITHUB_TOKEN") or self.environment.get("GH_TOKEN")
        if not token:
            raise RepositoryNotTold(f"asking GitHub for {path}: there is no token", _REMEDY)
        return again(lambda: self._once(path, token))

    def _once(self, path: str, token: str) -> Any:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        asking, url = f"asking GitHub for {path}", f"{api_of(self.environment)}/repos/{path}"
        try:
            answer = httpx.get(url, headers=headers, timeout=min(10.0, patience()), follow_redirects=False)
        except httpx.RequestError as error:
            cause = str(error) or type(error).__name__
            raise ForNow(RepositoryNotTold(f"{asking}: unreachable: {cause}", _LATER)) from error
        code, after = answer.status_code, retry_after(answer.headers.get("Retry-After", ""))
        if code == 429 or (code == 403 and (after or answer.headers.get("X-RateLimit-Remaining") == "0")):
            raise ForNow(RepositoryNotTold(f"{asking}: throttled: status {code}", _LATER), after)
        if code >= 500:
            raise ForNow(RepositoryNotTold(f"{asking}: unreachable: status {code}", _LATER), after)
        if code == 404:
            return None
        if code != 200:
            raise RepositoryNotTold(f"{asking}: denied: status {code}", _REMEDY)
        try:
            return answer.json()
        except ValueError as error:
            raise RepositoryNotTold(f"{asking}: the answer is no JSON", _LATER) from error


_REMEDY = "Set GITHUB_TOKEN to a token that may read this repository's rules, environments and variables."
_LATER = "Wait a minute, then run `releasectl doctor` again."
