"""Proposals: what people and machines write into a release file, as files, a message and a reason.

Comes in: a release file's bytes and what is known of git and of earlier deployments. Goes out: changed files, or
the reason why nothing changes. Pure: asked again for each new tip, so two proposals at once never lose an update.
It never commits, and never asks a gate that may wait: that is admission's business at apply.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from releasectl.admission import concerns, is_rejected
from releasectl.edit import edit
from releasectl.errors import ControllerError, Retry
from releasectl.pipeline import Rejection
from releasectl.record import Deployment, Phase
from releasectl.release import Pin, Release, parse_release

# What a program consists of: a commit that changes one of these is a new program.
_FORMATS = ("release", "document", "strict_yaml", "ignore")
PROGRAM = ("stacks", "Pulumi.yaml", *(f"releasectl/{name}.py" for name in _FORMATS))

Edits = dict[tuple[str, ...], str]


class UnknownService(ControllerError):
    """A service that the release file does not name.

    Why: A typing error, or a service that was not added yet.
    Do: Check the name; add a new service to `releases/ENVIRONMENT.yaml` in a pull request.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


class Rejected(ControllerError):
    """A build that was rejected in this environment, or in one before it.

    Why: A file in `releases/rejected/` names its digest or its source commit, usually since a rollback.
    Do: Release a build of another commit, or lift it: `releasectl reject ENVIRONMENT SERVICE DIGEST --lift`.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


class NothingLive(ControllerError):
    """A deployment that proved nothing, or an environment that has none which did.

    Why: Only what was live and proven is promoted, restarted or gone back to.
    Do: Choose a live one of `releasectl history ENVIRONMENT`, or release something there first.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Build:
    """One built image of one service."""

    service: str
    digest: str
    version: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Proposal:
    """`files` is empty when nothing has to change; `reason` says why either way."""

    reason: str
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    message: str = ""


def bump(
    path: str,
    raw: bytes,
    *,
    build: Build | None,
    program: str,
    is_ancestor: Callable[[str, str], bool],
    rejections: Mapping[str, Rejection] | None = None,
) -> Proposal:
    """Pin a newer build, a newer program, or both. Never goes back: of two builds the newer commit wins.

    `program` is the newest program on main, or "" to leave it (see `newer_program`). `is_ancestor(older, newer)`
    answers about source commits. `rejections`, by path, are those in force. Raises UnknownService, Rejected,
    InvalidFile.
    """
    release = parse_release(path, raw)
    changes: Edits = {}
    reasons = []
    if build is not None:
        pinned, why = _build_changes(path, release, build, is_ancestor=is_ancestor, rejections=rejections or {})
        changes |= pinned
        reasons.append(why)
    if program and program != release.program:
        changes["program",] = program
        reasons.append(f"program {program[:12]}")
    if not changes:
        return Proposal("; ".join(reasons) or f"{path} pins it already")
    message = f"Bump {_environment(path)}: {', '.join(reasons)}\n\nRelease-Action: bump\n"
    return Proposal("; ".join(reasons), {path: edited(path, raw, changes)}, message)


def _build_changes(
    path: str,
    release: Release,
    build: Build,
    *,
    is_ancestor: Callable[[str, str], bool],
    rejections: Mapping[str, Rejection],
) -> tuple[Edits, str]:
    pin = _pin(path, release, build.service, "bumping")
    require_not_rejected(f"bumping {build.service} in {_environment(path)}", build, rejections, release.services)
    if pin.digest == build.digest:
        return {}, f"{build.service} {build.digest[:19]} is pinned already"
    if pin.commit and build.commit and pin.commit != build.commit and is_ancestor(build.commit, pin.commit):
        return {}, f"{build.service} is pinned at the newer commit {pin.commit[:12]}"
    return pin_edits(build.service, build), f"{build.service} {build.version or build.digest[:19]}"


def newer_program(pinned: str, newest: str, is_ancestor: Callable[[str, str], bool]) -> str:
    """`newest`, the newest program on main, unless what is pinned has it already; then "" for "leave it"."""
    return "" if pinned and is_ancestor(newest, pinned) else newest


def promote(path: str, raw: bytes, source: Deployment, rejections: Mapping[str, Rejection]) -> Proposal:
    """Pin in the file what `source`, a deployment of the previous environment, proved: digests and program.

    Services that it has no digest of are left. Raises NothingLive, Rejected, InvalidFile.
    """
    environment = _environment(path)
    what = f"promoting to {environment}"
    release = parse_release(path, raw)
    _require_live(what, source)
    if not release.program:
        raise NothingLive(
            f"{what}: it has no program yet, so there is no registry to bring an image to",
            f"Create it first: releasectl bump --program --environment {environment}, then releasectl reconcile.",
        )
    changes: Edits = {}
    names = []
    for name, pin in proven(source).items():
        if name in release.services and release.services[name].digest != pin.digest:
            require_not_rejected(what, Build(name, pin.digest, pin.version, pin.commit), rejections, release.services)
            changes |= pin_edits(name, pin)
            names.append(f"{name} {pin.version or pin.digest[:19]}")
    if release.program != source.program:
        changes["program",] = source.program
        names.append(f"program {source.program[:12]}")
    if not changes:
        return Proposal(f"it pins what deployment {source.id} proved already")
    message = f"Promote to {environment}: {', '.join(names)}\n\nProven in {source.environment} by {source.id}.\n"
    return Proposal(", ".join(names), {path: edited(path, raw, changes)}, message)


def promotion_branch(environment: str, source: Deployment) -> str:
    """Where a promotion is proposed: one branch for one proven release, so that asking twice proposes once."""
    return f"releasectl/promote-{environment}-{source.identity[:12]}"


def is_promotion_to(environment: str, branch: str) -> bool:
    """Is this a branch on which a promotion to that very environment was proposed?"""
    return bool(re.fullmatch(rf"releasectl/promote-{re.escape(environment)}-[0-9a-f]{{12}}", branch))


def adopt(path: str, raw: bytes, builds: Iterable[Build], rejections: Mapping[str, Rejection]) -> Proposal:
    """Pin what somebody made run by hand. Raises UnknownService, Rejected, InvalidFile."""
    release, environment = parse_release(path, raw), _environment(path)
    changes: Edits = {}
    names = []
    for build in builds:
        what = f"adopting {build.service} in {environment}"
        require_not_rejected(what, build, rejections, release.services)
        if _pin(path, release, build.service, "adopting").digest != build.digest:
            changes |= pin_edits(build.service, build)
            names.append(f"{build.service} {build.digest[:19]}")
    if not changes:
        return Proposal("no other digest runs than what is pinned")
    reason = ", ".join(names)
    message = f"Adopt in {environment}: {reason}\n\nIt runs there already, by hand.\n"
    return Proposal(reason, {path: edited(path, raw, changes)}, message)


def adoption_branch(environment: str, builds: Iterable[Build]) -> str:
    """Where an adoption is proposed: one branch for one set of digests, so that asking twice proposes once."""
    digests = "-".join(build.digest[7:19] for build in builds)
    return f"releasectl/adopt-{environment}-{digests or 'nothing'}"


def redeploy(path: str, raw: bytes, services: Iterable[str], now: datetime) -> Proposal:
    """Restart services on the same images; all that have one when none is named. Raises UnknownService, NothingLive."""
    release, environment = parse_release(path, raw), _environment(path)
    released = {name for name, pin in release.services.items() if pin.digest}
    asked = tuple(services)
    for name in asked:
        _pin(path, release, name, "restarting")
        if name not in released:
            raise NothingLive(f"restarting {name} in {environment}: it has no digest yet", "Release it first.")
    names = sorted(asked or released)
    if not names:
        return Proposal("no service has a digest yet, so there is nothing to restart")
    changes: Edits = {("services", name, "restart"): f"{now:%Y-%m-%dT%H:%M:%SZ}" for name in names}
    reason = f"restart {', '.join(names)}"
    return Proposal(reason, {path: edited(path, raw, changes)}, f"Restart {environment}: {', '.join(names)}\n")


def empty(path: str, raw: bytes) -> Proposal:
    """The file of an environment that is being taken away: no program, no digests; every key stays."""
    release, environment = parse_release(path, raw), _environment(path)
    if not release.program and not any(pin.digest for pin in release.services.values()):
        return Proposal(f"{path} is empty already")
    changes: Edits = {("program",): ""}
    for name in release.services:
        changes |= {("services", name, key): "" for key in ("digest", "version", "commit")}
    return Proposal(f"{path} is emptied", {path: edited(path, raw, changes)}, f"Tear down {environment}\n")


def proven(source: Deployment) -> dict[str, Pin]:
    """The pins of a deployment that have a digest."""
    return {name: pin for name, pin in source.services.items() if pin.digest}


def _require_live(what: str, source: Deployment) -> None:
    if source.phase is not Phase.LIVE or not proven(source):
        why = f"is {source.phase}, not live" if source.phase is not Phase.LIVE else "released no service"
        raise NothingLive(
            f"{what}: deployment {source.id} of {source.environment} {why}",
            f"Choose one that is: releasectl history {source.environment}",
        )


def require_not_rejected(what: str, build: Build, rejections: Mapping[str, Rejection], services: Iterable[str]) -> None:
    """Raises Rejected with the reason, if this digest or a build of the same source commit was rejected."""
    for path, rejection in rejections.items():
        if concerns(path, build.service, services) and is_rejected(build.digest, build.commit, rejection):
            same = build.digest == rejection.digest
            which = f"digest {build.digest[:19]}" if same else f"a build of commit {build.commit[:12]}"
            raise Rejected(
                f"{what}: {which} of {build.service} is rejected by {path}: {rejection.reason}",
                f"Release another build, or delete {path} by a commit.",
            )


def pin_edits(service: str, pin: Build | Pin) -> Edits:
    """What has to be written to pin a build."""
    key = ("services", service)
    return {(*key, "digest"): pin.digest, (*key, "version"): pin.version, (*key, "commit"): pin.commit}


def edited(path: str, raw: bytes, changes: Edits) -> bytes:
    """The file with the changes; what a person typed goes to main only if the next reader accepts it."""
    result = edit(path, raw, changes)
    parse_release(path, result)
    return result


def _pin(path: str, release: Release, service: str, doing: str) -> Pin:
    if service not in release.services:
        raise UnknownService(
            f"{doing} {service} in {path}: it names {', '.join(release.services)}",
            "Check the name, or add the service to the file in a pull request.",
        )
    return release.services[service]


def _environment(path: str) -> str:
    return path.removeprefix("releases/").removesuffix(".yaml")
