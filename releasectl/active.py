"""Active: which version of each service runs in an environment by now, and since when, as its record tells it.

Comes in: the history, newest first. Goes out: one Active for each service. After a release that failed it is what
served at the end of its proof, and not what was pinned. Where nobody could say, it says so. It asks nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from releasectl.record import Deployment, Phase

History = tuple[Deployment, ...]


@dataclass(frozen=True)
class Active:
    """`digest` is "" where nobody can say; `version` is the label that was pinned with it, "" without one."""

    service: str
    digest: str
    version: str = ""
    since: datetime | None = None
    url: str = ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.version or self.digest[:19] or "unknown"

    @property
    def sentence(self) -> str:
        """For a text."""
        if not self.digest:
            proven = f"; proven last was {self.version}" if self.version else ""
            return f"{self.service}: nobody can say what is active{proven}"
        digest = f" ({self.digest[:19]})" if self.version else ""
        return f"{self.service} {self.name}{digest} is active" + (f" since {told(self.since)}" if self.since else "")


def told(at: datetime) -> str:
    """A time for people."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def active(history: History) -> tuple[Active, ...]:
    """Of every service that was ever pinned with a digest, by the newest deployment that was applied."""
    applied = tuple(one for one in history if one.phase is not Phase.REFUSED)
    if not applied:
        return ()
    return tuple(_active(name, applied) for name, pin in applied[0].services.items() if pin.digest)


def _active(name: str, applied: History) -> Active:
    runs = _runs(applied[0], name)
    if not runs:
        proven = next((one for one in applied if one.phase is Phase.LIVE and name in one.services), None)
        return Active(name, "", (proven.services[name].version or proven.services[name].digest[:19]) if proven else "")
    live = next((one for one in applied if _is_live_with(one, name, runs)), None)
    return Active(
        name,
        live.services[name].digest if live else runs,
        _label(name, runs, applied),
        min(_unbroken(name, runs, applied), default=None),
        _url(applied[0], name),
    )


def _runs(deployment: Deployment, name: str) -> str:
    """What a deployment left running: what it pinned once it is live, else what its proof saw; "" if it saw nothing."""
    if deployment.phase is Phase.LIVE and name in deployment.services:
        return deployment.services[name].digest
    return deployment.serving.get(name, "")


def _is_live_with(deployment: Deployment, name: str, digest: str) -> bool:
    """Of an index a runnable child serves, so either of the two is as good."""
    if deployment.phase is not Phase.LIVE or name not in deployment.services:
        return False
    return digest in (deployment.services[name].digest, deployment.serving.get(name))


def _label(name: str, digest: str, applied: History) -> str:
    pinned = (one for one in applied if name in one.services)
    found = (one.services[name].version for one in pinned if digest in (one.services[name].digest, _served(one, name)))
    return next((version for version in found if version), "")


def _served(deployment: Deployment, name: str) -> str:
    """A child of an index, where it is certain that it belongs to what was pinned."""
    return deployment.serving.get(name, "") if deployment.phase is Phase.LIVE else ""


def _unbroken(name: str, digest: str, applied: History) -> Iterator[datetime]:
    """When each deployment with it got live, back to where something else ran, or nobody knew what."""
    for one in applied:
        if _is_live_with(one, name, digest):
            yield one.since
        elif _runs(one, name) != digest:
            return


def _url(deployment: Deployment, name: str) -> str:
    services = deployment.outputs.get("services")
    declared = services.get(name) if isinstance(services, dict) else None
    return str(declared.get("url") or "") if isinstance(declared, dict) else ""
