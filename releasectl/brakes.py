"""Brakes: hold, reject, and a person's rollback, as files, a message and a reason.

Comes in: what stands at the tip of main, and an environment's history. Goes out: a Proposal, empty when it stands
there already, so that asking twice does no harm. Holds and rejections are files of their own, made and lifted by
creating and deleting them: no open pull request can be in their way. Pure; it commits nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from releasectl.errors import ControllerError, InvalidFile, Retry
from releasectl.evidence import newest_applied
from releasectl.pipeline import Rejection, hold_path, parse_hold, parse_rejection, rejection_path
from releasectl.proposals import Build, Edits, NothingLive, Proposal, edited, pin_edits, proven, require_not_rejected
from releasectl.record import Deployment, Kind, Phase
from releasectl.release import Pin
from releasectl.target import Target, release_path, settings_path
from releasectl.way_back import entry, rejection


class WrongWords(ControllerError):
    """What was typed makes no valid file.

    Why: A hold or a rejection is a file on main; its reason is too long, or what should be a digest is none.
    Do: Mend the words as the message says and run the command again; nothing was committed.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


def hold(environment: str, before: bytes | None, *, by: str, reason: str, now: datetime) -> Proposal:
    """Do not change this environment. `before` is the hold that stands there. Raises WrongWords, InvalidFile."""
    path = hold_path(environment)
    if before is not None:
        stands = parse_hold(path, before)
        return Proposal(f"{stands.by} holds it since {stands.at:%Y-%m-%d %H:%M} UTC: {stands.reason}")
    raw = entry({"by": by, "reason": reason, "at": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
    _require_readable(f"holding {environment}", parse_hold, path, raw)
    return Proposal(f"held: {reason}", {path: raw}, f"Hold {environment}: {_first_line(reason)}\n")


def lift_hold(environment: str, before: bytes | None) -> Proposal:
    """Let the environment change again."""
    if before is None:
        return Proposal("nobody holds it")
    return Proposal("held no more", {hold_path(environment): None}, f"Lift the hold of {environment}\n")


def reject(
    environment: str, service: str, before: bytes | None, *, pin: Pin, reason: str, deployment: str
) -> Proposal:  # fmt: skip
    """Never pin this digest here. `before` is the rejection that stands there. Raises WrongWords, InvalidFile."""
    path, what = rejection_path(environment, service, pin.digest), f"{service} {pin.digest[:19]}"
    if before is not None:
        return Proposal(f"{what} is rejected already: {parse_rejection(path, before).reason}")
    raw = rejection(pin.digest, pin.commit, reason=reason, deployment=deployment)
    _require_readable(f"rejecting {service} in {environment}", parse_rejection, path, raw)
    message = f"Reject {what} in {environment}: {_first_line(reason)}\n"
    return Proposal(f"{what} is rejected: {reason}", {path: raw}, message)


def lift_rejection(environment: str, service: str, digest: str, before: bytes | None) -> Proposal:
    """Let the digest be pinned again."""
    path, what = rejection_path(environment, service, digest), f"{service} {digest[:19]}"
    if before is None:
        return Proposal(f"{what} is not rejected")
    return Proposal(f"{what} is rejected no more", {path: None}, f"Let {what} into {environment} again\n")


def _require_readable(what: str, parse: Callable[[str, bytes], object], path: str, raw: bytes) -> None:
    """What a person typed goes to main only if the next reader accepts it."""
    try:
        parse(path, raw)
    except InvalidFile as error:
        finding = error.findings[0]
        raise WrongWords(f"{what}: {finding.message}", finding.remedy) from error


def known(history: tuple[Deployment, ...], service: str, digest: str) -> tuple[str, str]:
    """The newest deployment that pinned a digest, and the source commit that it named; "" where nothing is known."""
    for one in history:
        pin = one.services.get(service)
        if pin is not None and pin.digest == digest:
            return one.id, pin.commit
    return "", ""


def last_good(wanted: Target, history: tuple[Deployment, ...]) -> Deployment | None:
    """Where a rollback goes: the newest live deployment before the one that main pins now, that differs from it.

    Before the one that first brought it, not before a rollback to it: a second rollback goes further back and never
    forward again. It has to have a digest for every service that has one now: nothing is rolled back to nothing.
    """
    same = [index for index, one in enumerate(history) if not _differs(wanted, one)]
    brought = [index for index in same if history[index].kind is not Kind.ROLLBACK]
    standing = (*brought[:1], *same[-1:], -1)[0]
    needed = {name for name, pin in wanted.release.services.items() if pin.digest}
    return next(
        (
            one
            # Without a program it was a teardown: what was before it is gone with its images.
            for one in takewhile(lambda one: one.program, history[standing + 1 :])
            if one.phase is Phase.LIVE and needed and needed <= set(proven(one)) and _differs(wanted, one)
        ),
        None,
    )


def on_its_way_back(wanted: Target, history: tuple[Deployment, ...]) -> Deployment | None:
    """What main pins, if that was live once and is yet to be applied again: asked twice, a rollback is one."""
    applied = newest_applied(history)
    if applied is None or not _differs(wanted, applied):
        return None
    return next((one for one in history if one.phase is Phase.LIVE and not _differs(wanted, one)), None)


@dataclass(frozen=True)
class Verdict:
    """Why a person rejects what a rollback takes away."""

    reason: str
    history: tuple[Deployment, ...]


def rollback(
    wanted: Target,
    good: Deployment,
    *,
    settings: bytes | None,
    rejections: Mapping[str, Rejection],
    verdict: Verdict | None = None,
) -> Proposal:
    """Pin again what `good` proved: digests, program, settings. With a verdict, what goes away is rejected.

    `settings` are the bytes that the settings file had with `good`. Raises NothingLive, Rejected, InvalidFile.
    """
    environment, path = wanted.environment, release_path(wanted.environment)
    what = f"rolling back {environment}"
    if good.phase is not Phase.LIVE or not proven(good):
        raise NothingLive(
            f"{what}: deployment {good.id} never ran a service, proven",
            f"Choose one that did: releasectl history {environment}",
        )
    gone: list[str] = []
    changes: Edits = {}
    for name, pin in proven(good).items():
        stands = wanted.release.services.get(name)
        if stands is not None and stands.digest != pin.digest:
            offered = Build(name, pin.digest, pin.version, pin.commit)
            require_not_rejected(what, offered, rejections, wanted.release.services)
            changes |= pin_edits(name, pin)
            gone.append(name)
    if wanted.release.program != good.program:
        changes["program",] = good.program
    files: dict[str, bytes | None] = {path: edited(path, wanted.files[path], changes)} if changes else {}
    if settings is not None and wanted.settings_identity != good.settings:
        files[settings_path(environment)] = settings
    if not files:
        return Proposal(f"it pins what deployment {good.id} proved already")
    for name in gone:
        files |= {path: raw for path, raw in _rejected(wanted, name, verdict).items() if path not in rejections}
    reason = f"back to deployment {good.id}: {_named(good)}"
    return Proposal(reason, files, f"Roll back {environment} to {_named(good)}\n\nProven by deployment {good.id}.\n")


def _rejected(wanted: Target, service: str, verdict: Verdict | None) -> Mapping[str, bytes | None]:
    pin = wanted.release.services[service]
    if not pin.digest or verdict is None:
        return {}
    deployment, _ = known(verdict.history, service, pin.digest)
    return reject(wanted.environment, service, None, pin=pin, reason=verdict.reason, deployment=deployment).files


def rollback_branch(environment: str, good: Deployment) -> str:
    """Where a person's rollback is proposed."""
    return f"releasectl/rollback-{environment}-to-{good.id}"


def _differs(wanted: Target, one: Deployment) -> bool:
    """Another release than main's; a restart alone is none."""
    digests = {name: pin.digest for name, pin in wanted.release.services.items()}
    theirs = {name: pin.digest for name, pin in one.services.items()}
    return (digests, wanted.release.program, wanted.settings_identity) != (theirs, one.program, one.settings)


def _named(good: Deployment) -> str:
    return ", ".join(f"{name} {pin.version or pin.digest[:19]}" for name, pin in proven(good).items())


def _first_line(reason: str) -> str:
    return reason.partition("\n")[0][:72]
