"""The one pull request of an environment into which bumps go: what it is to hold, and the next move towards that.

Comes in: the release file on main and on the pull request's branch, and how a bump is written into a file. Goes out:
the bytes that the branch is to have, and one Move. Of two builds the newer commit wins, whatever comes first and
wherever it is pinned by now; asked again, nothing moves. Pure: it asks nobody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from releasectl.comment import code, text
from releasectl.forge import Check
from releasectl.pipeline import Rejection
from releasectl.proposals import Build, Proposal, Rejected, bump, newer_program
from releasectl.release import parse_release

REQUIRED = "checks"  # the one check that stands for all


class Act(StrEnum):
    """What to do with the branch and its pull request."""

    REST = "rest"  # both are as they should be
    PROPOSE = "propose"  # a new branch from main, a commit, a pull request
    AMEND = "amend"  # a further commit on the branch
    TAKE_IN = "take-in"  # the same, with main merged into the branch
    WITHDRAW = "withdraw"  # main has all of it


@dataclass(frozen=True)
class Seen:
    """The branch as it is. `proposed` is its release file, None without an open pull request; `before` what main had
    when the branch left it."""

    on_main: bytes
    proposed: bytes | None = None
    before: bytes = b""
    has_main: bool = False
    is_ours: bool = True  # it changes the release file alone


@dataclass(frozen=True)
class Move:
    """What to do, and with which file."""

    act: Act
    wanted: bytes
    reason: str


def bump_branch(environment: str) -> str:
    """Where bumps of an environment are proposed."""
    return f"releasectl/bump-{environment}"


def move(seen: Seen, wanted: bytes, reason: str) -> Move:
    """The next move, given what `wanted_file` says."""
    if wanted == seen.on_main:
        return Move(Act.REST if seen.proposed is None else Act.WITHDRAW, wanted, reason)
    if seen.proposed is None:
        return Move(Act.PROPOSE, wanted, reason)
    if not seen.has_main and seen.is_ours:
        return Move(Act.TAKE_IN, wanted, reason)
    return Move(Act.REST if wanted == seen.proposed else Act.AMEND, wanted, reason)


def wanted_file(
    path: str, seen: Seen, propose: Callable[[bytes], Proposal], carry: Callable[[bytes, Build | None, str], Proposal]
) -> tuple[bytes, str]:
    """Main's file with what is proposed already, as far as it is still news, and with the new bump; and why."""
    carried = seen.on_main
    if seen.proposed is not None:
        carried = _carried(path, seen, carry)
    new = propose(carried)
    return new.files.get(path, carried) or carried, new.reason


def _carried(path: str, seen: Seen, carry: Callable[[bytes, Build | None, str], Proposal]) -> bytes:
    raw, proposed, before = seen.on_main, parse_release(path, seen.proposed or b""), parse_release(path, seen.before)
    known = parse_release(path, raw)
    builds = [
        Build(name, pin.digest, pin.version, pin.commit)
        for name, pin in proposed.services.items()
        # What the branch did not touch is older than what main has now, a rollback perhaps.
        if pin.digest and name in known.services and pin != before.services.get(name)
    ]
    program = proposed.program if proposed.program != before.program else ""
    for build in (*builds, None):
        try:
            new = carry(raw, build, program if build is None else "")
        except Rejected:  # since it was proposed: then it goes
            continue
        raw = new.files.get(path, raw) or raw
    return raw


def carrying(
    path: str, is_ancestor: Callable[[str, str], bool], rejections: Mapping[str, Rejection]
) -> Callable[[bytes, Build | None, str], Proposal]:
    """How what is proposed already is written into main's file: by the same rules as a new bump."""

    def carry(raw: bytes, build: Build | None, program: str) -> Proposal:
        pinned = parse_release(path, raw).program
        newer = newer_program(pinned, program, is_ancestor) if program else ""
        return bump(path, raw, build=build, program=newer, is_ancestor=is_ancestor, rejections=rejections)

    return carry


def title_and_body(environment: str, path: str, on_main: bytes, wanted: bytes) -> tuple[str, str]:
    """Of the pull request. Versions and commits are what somebody typed: they are shown and do nothing."""
    before, after = parse_release(path, on_main), parse_release(path, wanted)
    rows = [
        f"| {code(name)} | {code(before.services[name].version or before.services[name].digest[:19] or 'nothing')} "
        f"| {code(pin.version or pin.digest[:19])} | {code(pin.digest[:19])} | {code(pin.commit[:12])} |"
        for name, pin in after.services.items()
        if name in before.services and pin != before.services[name]
    ]
    table = ["| service | from | to | digest | commit |", "|---|---|---|---|---|", *rows, ""] if rows else []
    program = [f"The program becomes {code(after.program[:12])}.", ""] if after.program != before.program else []
    rest = f"Merging it deploys {text(environment)}. Newer builds are added to this pull request in place."
    return f"Bump {environment}", "\n".join((*table, *program, rest))


def why_not_merged(checks: tuple[Check, ...], *, held: bool) -> str:
    """Why a pull request is not merged now, "" if nothing speaks against it. No check is no yes."""
    if held:
        return "the environment is on hold"
    required = [one for one in checks if one.name == REQUIRED]
    if not required:
        return f"check `{REQUIRED}` has not begun"
    for one in checks:
        if one.conclusion and not one.passes:
            return f"check `{one.name}` says {one.conclusion}"
    return "" if all(one.passes for one in required) else f"check `{REQUIRED}` is not done"
