"""The way back: when a release is taken back by a commit, and to what.

Comes in: an environment's history and the pipeline's policy. Goes out: a decision with its reason, and the
changed files of the commit. At most once in a row without a person; nothing is rejected without its own failed
proof; what is unknown is never taken back. It commits nothing itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from releasectl.edit import edit
from releasectl.evidence import newest_applied, newest_live
from releasectl.pipeline import rejection_path
from releasectl.plain_text import plain
from releasectl.proposals import Proposal
from releasectl.record import Deployment, Kind, Phase
from releasectl.release import Pin, Release, parse_release
from releasectl.target import Target, release_path, settings_path
from releasectl.verify import Health

AUTOMATIC = "automatic-rollback"
BY_MACHINE = ("bump", AUTOMATIC)


@dataclass(frozen=True)
class WayBack:
    """`good` is where to go back to, None when there is no way or none is allowed; `reason` says which."""

    good: Deployment | None
    reason: str


def from_bad(history: tuple[Deployment, ...], identity: str) -> tuple[Deployment, ...]:
    """The history from the refused or failed deployment on that main, `identity`, still names; () if there is none."""
    if history and (history[0].identity, history[0].phase) == (identity, Phase.REFUSED):
        return history
    for index, one in enumerate(history):
        if one.phase is not Phase.REFUSED:
            return history[index:] if (one.identity, one.phase) == (identity, Phase.FAILED) else ()
    return ()


def find(history: tuple[Deployment, ...], rollback: str) -> WayBack:
    """May the newest deployment be taken back, and to which one? `rollback` is the pipeline's word."""
    bad, earlier = history[0], history[1:]
    if bad.phase is Phase.REFUSED:
        applied = newest_applied(earlier)
        # Only to what is well: a refused way back must not lead to what it came from.
        well = applied is not None and applied.phase is Phase.LIVE
        return _allowed(applied, rollback, f"it was refused: {bad.message}") if applied and well else _NOTHING
    good = newest_live(earlier)
    if bad.phase is not Phase.FAILED or good is None:
        return _NOTHING
    if bad.kind is Kind.ROLLBACK:
        return WayBack(None, "it was a rollback itself; a person has to release")
    if not _changed(bad, good):
        return WayBack(None, "it changed no digest, so going back would change nothing")
    if not _person_since_last_time(bad, earlier):
        return WayBack(None, "the last release was taken back, too; a person has to release")
    return _allowed(good, rollback, f"it failed: {bad.message}")


_NEVER = Pin("", "", "", "")
_NOTHING = WayBack(None, "there is nothing to go back to")


def _allowed(good: Deployment, rollback: str, reason: str) -> WayBack:
    return WayBack(None, "the pipeline says `rollback: off`") if rollback == "off" else WayBack(good, reason)


def _person_since_last_time(bad: Deployment, earlier: tuple[Deployment, ...]) -> bool:
    """Did a person release, or anything new get live, since the last automatic rollback?"""
    if bad.action not in BY_MACHINE:
        return True
    for one in earlier:
        if one.action == AUTOMATIC:
            return False
        if one.phase is Phase.LIVE or (one.action not in BY_MACHINE and one.phase is not Phase.REFUSED):
            return True
    return True


def propose(wanted: Target, bad: Deployment, good: Deployment, *, settings: bytes | None) -> Proposal:
    """The files that take `bad` back to `good`, on top of what main says now.

    `wanted` is the environment at the tip: what was changed there since stays. `settings` are the bytes that the
    settings file had with `good`. Raises InvalidFile.
    """
    path, environment = release_path(wanted.environment), wanted.environment
    raw = wanted.files[path]
    whole = (bad.program, bad.settings) != (good.program, good.settings)
    edits = _edits(parse_release(path, raw), bad, good)
    files: dict[str, bytes | None] = {path: edit(path, raw, edits)} if edits else {}
    if whole and settings is not None and wanted.settings_identity == bad.settings != good.settings:
        files[settings_path(environment)] = settings
    rejected = () if whole else tuple(_failing(bad, good))
    for service in rejected:
        pin = bad.services[service]
        files[rejection_path(environment, service, pin.digest)] = rejection(
            pin.digest, pin.commit, reason=bad.message, deployment=bad.id
        )
    if not files:
        return Proposal(f"{environment}: main has moved on from deployment {bad.id}")
    reason = f"back to deployment {good.id}" + (f", {', '.join(rejected)} rejected" if rejected else "")
    message = f"Roll back {environment}: {reason}\n\n{bad.message}\n\nRelease-Action: {AUTOMATIC}\n"
    return Proposal(reason, files, message)


def _edits(release: Release, bad: Deployment, good: Deployment) -> dict[tuple[str, ...], str]:
    """Every pin that `bad` changed and that still stands on main, and the program."""
    edits: dict[tuple[str, ...], str] = {}
    refused = bad.phase is Phase.REFUSED  # nothing of it ran: a first digest and a restart go back, too
    pinned = _changed(bad, good, to_nothing=refused)
    for service, pin in bad.services.items():
        stands, was = release.services.get(service), good.services.get(service, _NEVER)
        if stands is None or stands.digest != pin.digest:
            continue
        if service in pinned:
            values = {"digest": was.digest, "version": was.version, "commit": was.commit}
            edits |= {("services", service, key): value for key, value in values.items()}
        if refused and stands.restart == pin.restart != was.restart:
            edits["services", service, "restart"] = was.restart
    if release.program == bad.program != good.program:
        edits["program",] = good.program
    return edits


def _changed(bad: Deployment, good: Deployment, *, to_nothing: bool = False) -> list[str]:
    """Services whose digest `bad` changed; one that runs and had none before cannot go back to nothing."""
    before = {service: good.services.get(service, _NEVER).digest for service in bad.services}
    return [
        service
        for service, pin in bad.services.items()
        if before[service] != pin.digest and (before[service] or to_nothing)
    ]


def _failing(bad: Deployment, good: Deployment) -> list[str]:
    return [service for service in _changed(bad, good) if bad.health.get(service) is Health.DEGRADED]


def rejection(digest: str, commit: str, *, reason: str, deployment: str) -> bytes:
    """The bytes of a rejection."""
    return entry({"digest": digest, "commit": commit, "reason": reason[:2000] or "it failed", "deployment": deployment})


def entry(values: Mapping[str, str]) -> bytes:
    """The bytes of a small file under `releases/`: a scalar a line, in double quotes.

    A reason may come from a log: what no reviewer can see is made visible.
    """
    seen = {key: plain(text) for key, text in values.items()}
    # Not as JSON: its escapes of a character beyond the first plane, such as an emoji, are no YAML.
    quoted = {key: yaml.safe_dump(text, default_style='"', width=float("inf")) for key, text in seen.items()}
    return "".join(f"{key}: {text}" for key, text in quoted.items()).encode()
