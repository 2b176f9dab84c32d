"""GitHub's own page of deployments, which mirrors the branch `deployments` for people who look there.

Comes in: an environment, a commit, a key that finds the same deployment again. Goes out: its id there. Nothing is
ever decided by what this page says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from releasectl.edges.github.wire import Keyed, Wire
from releasectl.forge import Shown

_MOST = 140  # characters of a description


class _Deployment(Keyed):
    description: str | None = None
    payload: object = None


class _Status(Keyed):
    state: str
    description: str | None = None
    environment_url: str | None = None
    log_url: str | None = None


@dataclass(frozen=True)
class GithubMirror:
    """See forge.Mirror."""

    wire: Wire

    def newest(self, environment: str) -> Shown | None:
        """By the first page of its deployments: a job that names an environment makes some of its own among ours."""
        what = f"looking at the deployments of {environment}"
        listed = self.wire.first_page(what, "deployments", _Deployment, environment=environment)
        found = next((one for one in listed if _key(one)), None)
        if found is None:
            return None
        told = self.wire.first_page(what, f"deployments/{found.id}/statuses", _Status)
        last = max(told, key=lambda one: one.id, default=None)
        if last is None:
            return Shown(found.id, _key(found))
        url, log, said = last.environment_url or "", last.log_url or "", last.description or ""
        return Shown(found.id, _key(found), last.state, url, log, said)

    def open(self, environment: str, commit: str, *, key: str, description: str = "") -> int:
        """Nothing is merged and no context is required here: admission has decided already."""
        body = {
            "ref": commit,
            "environment": environment,
            "auto_merge": False,
            "required_contexts": [],
            "payload": {"key": key},
            "description": description[:_MOST],
        }

        def post() -> int:
            what = f"showing a deployment of {environment}"
            return self.wire.ask(what, "POST", "deployments", _Deployment, json=body).id

        found = self._find(environment, commit, key)
        return found if found is not None else self.wire.create(post, lambda: self._find(environment, commit, key))

    def tell(self, deployment: int, state: str, *, url: str = "", log: str = "", description: str = "") -> None:
        """The newest status; told twice, it is written once."""
        body = {"state": state, "description": description[:_MOST], "environment_url": url, "log_url": log}
        what, path = f"showing how deployment {deployment} stands", f"deployments/{deployment}/statuses"

        def post() -> _Status:
            return self.wire.ask(what, "POST", path, _Status, json={name: text for name, text in body.items() if text})

        def find() -> _Status | None:
            newest = max(self.wire.pages(what, path, _Status), key=lambda one: one.id, default=None)
            return newest if newest and _is(newest, body) else None

        if find() is None:
            self.wire.create(post, find)

    def _find(self, environment: str, commit: str, key: str) -> int | None:
        what = f"looking for a deployment of {environment}"
        listed = self.wire.pages(what, "deployments", _Deployment, environment=environment, sha=commit)
        return next((one.id for one in listed if _key(one) == key), None)


def _key(one: _Deployment) -> str:
    return str(one.payload.get("key", "")) if isinstance(one.payload, Mapping) else ""


def _is(one: _Status, body: dict[str, str]) -> bool:
    said = (one.state, one.description or "", one.environment_url or "", one.log_url or "")
    return said == (body["state"], body["description"], body["environment_url"], body["log_url"])
