"""GitHub Actions: when did a run end?

Comes in: the URL of a run, from a record, so anybody may have written it. Goes out: a time, or None while the run
goes on. Only the server that we belong to is asked, at the address that the environment names: no URL of a record
is ever followed, and no token goes anywhere else. It starts, stops and changes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from releasectl.edges.again import ForNow, again, patience, retry_after
from releasectl.errors import ControllerError, Retry

GITHUB = "https://github.com"
_NAME = r"(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}"  # of an owner or a repository; never a step up
_RUN = re.compile(rf"/(?P<path>{_NAME}/{_NAME}/actions/runs/[0-9]{{1,20}}(/attempts/[0-9]{{1,6}})?)")
_REMEDY = "Open the run in a browser and look whether it is over."


def server_of(environment: Mapping[str, str]) -> str:
    """The server that we belong to: GitHub, or an enterprise's own."""
    return (environment.get("GITHUB_SERVER_URL") or GITHUB).rstrip("/")


def api_of(environment: Mapping[str, str]) -> str:
    """Where that server is asked."""
    server = server_of(environment)
    usual = "https://api.github.com" if server == GITHUB else f"{server}/api/v3"
    return (environment.get("GITHUB_API_URL") or usual).rstrip("/")


class RunNotTold(ControllerError):
    """Whether a run of the CI is over cannot be asked: no token, another server, no such run, no answer.

    Why: A deployment and its lock name a run of GitHub Actions; only once that has ended may they be taken away.
    Do: Set `GITHUB_TOKEN` with the permission `actions: read`; or look at the run yourself, then `releasectl
    unlock ENVIRONMENT`.
    """

    retry = Retry.BACKOFF


@dataclass(frozen=True)
class GithubRuns:
    """Runs on the server of GITHUB_SERVER_URL, asked at GITHUB_API_URL with GITHUB_TOKEN or GH_TOKEN."""

    environment: Mapping[str, str]

    def ended(self, run: str) -> datetime | None:
        """When the run of `https://HOST/OWNER/REPO/actions/runs/ID[/attempts/N]` ended. Raises RunNotTold.

        Without `/attempts/N` the newest attempt is meant. The time is `updated_at` of a run whose `status` is
        `completed` (https://docs.github.com/en/rest/actions/workflow-runs), so never before the true end.
        """
        path = self._path(run)
        token = self.environment.get("GITHUB_TOKEN") or self.environment.get("GH_TOKEN")
        if not token:
            raise RunNotTold(f"asking GitHub for {run}: there is no token", "Set GITHUB_TOKEN, with `actions: read`.")
        told = again(lambda: self._ask(f"{api_of(self.environment)}/repos/{path}", token, run))
        try:
            return datetime.fromisoformat(told["updated_at"]) if told["status"] == "completed" else None
        except (KeyError, TypeError, ValueError) as error:
            raise RunNotTold(f"asking GitHub for {run}: the answer is none: {error!r}", _REMEDY) from error

    def _path(self, run: str) -> str:
        server = server_of(self.environment)
        rest = run.removeprefix(server)
        found = _RUN.fullmatch(rest) if rest != run else None
        if not found:
            raise RunNotTold(f"asking GitHub for {run!r}: it is no run on {server}", _REMEDY)
        return found["path"]

    def _ask(self, url: str, token: str, run: str) -> Any:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        asking = f"asking GitHub for {run}"
        try:
            answer = httpx.get(url, headers=headers, timeout=min(10.0, patience()), follow_redirects=False)
        except httpx.RequestError as error:
            cause = str(error) or type(error).__name__
            raise ForNow(RunNotTold(f"{asking}: unreachable: {cause}", _REMEDY)) from error
        code, after = answer.status_code, retry_after(answer.headers.get("Retry-After", ""))
        if code == 429 or (code == 403 and (after or answer.headers.get("X-RateLimit-Remaining") == "0")):
            raise ForNow(RunNotTold(f"{asking}: throttled: status {code}", "Wait, then run the command again."), after)
        if code >= 500:
            raise ForNow(RunNotTold(f"{asking}: unreachable: status {code}", _REMEDY), after)
        if code in (401, 403):
            raise RunNotTold(f"{asking}: denied: status {code}", "Give GITHUB_TOKEN the permission `actions: read`.")
        if code != 200:
            raise RunNotTold(f"{asking}: status {code}", _REMEDY)
        try:
            return answer.json()
        except ValueError as error:
            raise RunNotTold(f"{asking}: the answer is no JSON", _REMEDY) from error
