"""Drift issue: at most one open issue for an environment says what was changed by hand, while it lasts.

Comes in: a Drift, or why nobody can say. Goes out: an issue that is opened, edited in place where its text differs, or
closed with a last text; never a comment. Drift that comes after a close opens a new issue: the closed one is a story
that ended, with people, words and an end of its own. Names and values are words of others and do nothing.
"""

import json
from collections.abc import Iterable, Iterator

from releasectl.comment import code, cut, text
from releasectl.drift import Difference, Drift
from releasectl.errors import ControllerError
from releasectl.forge import Issue, Issues

ROWS = 100  # differences in the table


def marker(environment: str) -> str:
    """The first line of it."""
    return f"<!-- release-controller: drift {environment} -->"


def keep(found: Drift, issues: Issues) -> Issue | None:
    """Opened, edited or closed, as the drift says; None where there is neither drift nor an issue."""
    if found.all:
        return issues.put(marker(found.environment), _title(found.environment), body(found))
    return issues.close(marker(found.environment), clean(found))


def keep_untold(environment: str, error: ControllerError, issues: Issues) -> Issue:
    """That nobody can say is a finding, too: what is unknown is not called the same."""
    return issues.put(marker(environment), _title(environment), untold(environment, error))


def _title(environment: str) -> str:
    """Always the same: whoever gives it a better one keeps it."""
    return f"Drift in {environment}"


def body(found: Drift) -> str:
    """What differs, and the two ways out."""
    return cut(
        [
            f"{code(found.environment)} is not as {_since(found)} left it.",
            "",
            *_table("Release drift", found.release),
            *_table("Infrastructure drift", found.infrastructure),
            *_ways_out(found),
        ]
    )


def clean(found: Drift) -> str:
    """The last text."""
    since = f"as {_since(found)} left it" if found.deployment else "empty: nothing was ever applied there"
    return f"No drift any more: {code(found.environment)} is {since}.\n"


def untold(environment: str, error: ControllerError) -> str:
    """Why nobody can say."""
    return cut(
        [
            f"Whether {code(environment)} is as it was released, nobody can say:",
            "",
            f"- {text(error.message)}",
            f"- {text(error.remedy)}",
            "",
            f"Look again: {code(f'releasectl drift {environment}')}",
        ]
    )


def _since(found: Drift) -> str:
    """A deployment's id begins with its time."""
    day, hour = found.deployment[:8], found.deployment[9:13]
    at = f"{day[:4]}-{day[4:6]}-{day[6:]} {hour[:2]}:{hour[2:]} UTC" if day.isdigit() else "unknown time"
    return f"deployment {code(found.deployment)} of {text(at)}"


def _table(title: str, differences: tuple[Difference, ...]) -> Iterator[str]:
    if not differences:
        return
    yield f"**{title}**"
    yield ""
    yield "| resource | property | recorded | found |"
    yield "|---|---|---|---|"
    yield from (_row(one) for one in differences[:ROWS])
    yield ""
    if len(differences) > ROWS:
        yield f"and {len(differences) - ROWS} more"
        yield ""


def _row(one: Difference) -> str:
    resource = code(f"{one.type.rpartition(':')[2]} {one.name}".strip())
    if not one.path:
        return f"| {resource} | | it was there | deleted by hand |"
    return f"| {resource} | {code(one.path)} | {_value(one.recorded)} | {_value(one.found)} |"


def _value(value: object) -> str:
    """The engine masks secrets before anything of ours sees them."""
    if value is None:
        return "nothing"
    return code(value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def _ways_out(found: Drift) -> Iterable[str]:
    if found.ignored:
        yield f"{len(found.ignored)} more are ignored by the settings."
        yield ""
    yield f"- Take it back: {code(f'releasectl drift {found.environment} --remediate --reason WHY')}"
    yield f"- Propose the digest that runs: {code(f'releasectl drift {found.environment} --adopt')}"
    yield f"- The way back: {text(found.repair.sentence)}"
    yield from (f"- No way back: {text(problem)}" for problem in found.problems)
    yield from (f"- {text(note)}" for note in found.notes)
