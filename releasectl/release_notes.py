"""Release notes: which commits a proposal brings, and which it takes away.

Comes in: the release on main, the proposed one, the pipeline's sources, and the commits between two of them as a
function. Goes out: Notes for each service and for the program that change. It knows nothing of git.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from releasectl.errors import ControllerError
from releasectl.pipeline import Source
from releasectl.proposals import PROGRAM
from releasectl.release import Pin, Release

MOST = 100  # commits that are told; the rest is counted

PROGRAM_NAME = "program"


@dataclass(frozen=True)
class Commit:
    """One commit; `subject` is the first line of what was said."""

    sha: str
    author: str
    subject: str


# (older, newer, *paths) -> what newer has and older has not; newest first
Between = Callable[..., tuple[Commit, ...]]


@dataclass(frozen=True)
class Notes:
    """What changes for one service, or for the program: a sentence, and the commits as far as they are known."""

    name: str
    sentence: str
    brings: tuple[Commit, ...] = ()
    takes_away: tuple[Commit, ...] = ()
    untold: int = 0


def notes(before: Release, after: Release, sources: Mapping[str, Source], between: Between) -> tuple[Notes, ...]:
    """For everything that changes, in the order of the file, the program last."""
    return (*_services(before, after, sources, between), *_program(before, after, between))


def _services(
    before: Release, after: Release, sources: Mapping[str, Source], between: Between
) -> Iterator[Notes]:  # fmt: skip
    for name, pin in after.services.items():
        old = before.services.get(name)
        if pin.digest and (old is None or old.digest != pin.digest):
            yield _service(name, old, pin, source=sources.get(name), between=between)


def _service(name: str, old: Pin | None, new: Pin, *, source: Source | None, between: Between) -> Notes:
    change = f"{label(new)}, the first release" if old is None or not old.digest else f"{label(old)} -> {label(new)}"
    if old is None or not old.digest:
        return Notes(name, change)
    if source is None or source.repository:
        where = f"it is built from {source.repository}" if source else "the pipeline does not say what it is built from"
        return Notes(name, f"{change}; {where}, whose history is not here")
    if not old.commit or not new.commit:
        return Notes(name, f"{change}; the pin does not say which commit it was built from")
    if old.commit == new.commit:
        return Notes(name, f"{change}; another build of the same commit {new.commit[:12]}")
    return _told(name, change, old.commit, new.commit, paths=(source.path,), between=between)


def _program(before: Release, after: Release, between: Between) -> Iterator[Notes]:
    old, new = before.program, after.program
    if new and old != new:
        change = f"{old[:12]} -> {new[:12]}" if old else f"{new[:12]}, the first one"
        yield (
            _told(PROGRAM_NAME, change, old, new, paths=PROGRAM, between=between)
            if old
            else Notes(PROGRAM_NAME, change)
        )


def _told(name: str, change: str, old: str, new: str, *, paths: tuple[str, ...], between: Between) -> Notes:
    """Commits in both directions: a proposal that goes back takes some away."""
    try:
        brings, takes_away = between(old, new, *paths), between(new, old, *paths)
    except ControllerError as error:
        return Notes(name, f"{change}; the commits between cannot be told: {error.message}")
    if not brings and not takes_away:
        return Notes(name, f"{change}; no commit between them changed {', '.join(paths)}")
    left = max(0, MOST - len(brings))
    untold = len(brings) + len(takes_away) - len(brings[:MOST]) - len(takes_away[:left])
    return Notes(name, change, brings[:MOST], takes_away[:left], untold)


def label(pin: Pin) -> str:
    """A pin for people."""
    return pin.version or pin.digest[:19]
