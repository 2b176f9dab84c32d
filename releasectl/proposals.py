"""Proposals: a change of desired state as files, a message and a reason; someone else commits it.

Comes in: a release file's bytes and what is known of git. Goes out: changed files, or the reason why nothing
changes. Pure: asked again for each new tip, so two proposals at once never lose an update.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from releasectl.edit import edit
from releasectl.errors import ControllerError, Retry
from releasectl.release import parse_release

# What a program consists of: a commit that changes one of these is a new program.
PROGRAM = ("stacks", "Pulumi.yaml", "releasectl/release.py", "releasectl/document.py", "releasectl/strict_yaml.py")


class UnknownService(ControllerError):
    """A service that the release file does not name."""

    exit_code = 2
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
    path: str, raw: bytes, *, build: Build | None, program: str, is_ancestor: Callable[[str, str], bool]
) -> Proposal:  # fmt: skip
    """Pin a newer build, a newer program, or both. Never goes back: of two builds the newer commit wins.

    `program` is the newest program on main, or "" to leave it. `is_ancestor(older, newer)` answers about commits
    on main. Raises UnknownService, InvalidFile.
    """
    release = parse_release(path, raw)
    changes: dict[tuple[str, ...], str] = {}
    reasons = []
    if build is not None:
        pinned, why = _build_changes(path, raw, build, is_ancestor)
        changes |= pinned
        reasons.append(why)
    if program and program != release.program:
        changes["program",] = program
        reasons.append(f"program {program[:12]}")
    if not changes:
        return Proposal("; ".join(reasons) or f"{path} pins it already")
    message = f"Bump {path.removeprefix('releases/').removesuffix('.yaml')}: {', '.join(reasons)}\n"
    edited = edit(path, raw, changes)
    parse_release(path, edited)  # what a person typed goes to main only if the next reader accepts it
    return Proposal("; ".join(reasons), {path: edited}, message)


def _build_changes(
    path: str, raw: bytes, build: Build, is_ancestor: Callable[[str, str], bool]
) -> tuple[dict[tuple[str, ...], str], str]:
    services = parse_release(path, raw).services
    if build.service not in services:
        raise UnknownService(
            f"bumping {build.service} in {path}: it names {', '.join(services)}",
            "Check the name, or add the service to the file in a pull request.",
        )
    pin = services[build.service]
    if pin.digest == build.digest:
        return {}, f"{build.service} {build.digest[:19]} is pinned already"
    if pin.commit and build.commit and pin.commit != build.commit and is_ancestor(build.commit, pin.commit):
        return {}, f"{build.service} is pinned at the newer commit {pin.commit[:12]}"
    key = ("services", build.service)
    new: dict[tuple[str, ...], str] = {
        (*key, "digest"): build.digest,
        (*key, "version"): build.version,
        (*key, "commit"): build.commit,
    }
    return new, f"{build.service} {build.version or build.digest[:19]}"
