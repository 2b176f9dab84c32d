"""Outcome: what became of a release in an environment, as Markdown for its pull request and for a run's summary.

Comes in: a deployment that ended, or that a release waits or was passed by, and what is active there. Goes out: one
text. Versions, findings and log lines are words of others: they are written as text that does nothing, each line
complete in itself, so that a cut breaks nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from releasectl.active import Active, told
from releasectl.comment import code, cut, text
from releasectl.errors import Finding
from releasectl.mirror import pins
from releasectl.next_step import ATTEMPTS, Step
from releasectl.record import Deployment, Ended, Phase

LOG = 20  # lines of a service
_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?")


@dataclass(frozen=True)
class Outcome:
    """`verdict` is what happened, in words of ours; `why` and the rest may be words of others."""

    environment: str
    verdict: str
    release: str  # its versions
    active: tuple[Active, ...]
    why: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: tuple[tuple[str, str], ...] = ()  # service, line
    next: str = ""
    deployment: Deployment | None = None


def marker(environment: str) -> str:
    """The first line of the one comment of an environment."""
    return f"<!-- release-controller: release {environment} -->"


def ended(one: Deployment, active: tuple[Active, ...], *, step: Step, back: str) -> Outcome:
    """A deployment that is over; `back` is the commit that took it back, "" for none."""
    taken_back = f", and was taken back by commit {back[:12]}" if back else ""
    log = tuple((service, line) for service, lines in one.log.items() for line in lines[-LOG:])
    return Outcome(
        one.environment,
        f"{_verdict(one)}{taken_back}",
        pins(one),
        active,
        why=tuple(line for line in (one.late, "" if one.findings else one.message) if line),
        findings=one.findings,
        log=log,
        next=_next(one, step, back),
        deployment=one,
    )


def waits(environment: str, release: str, active: tuple[Active, ...], step: Step) -> Outcome:
    """Nothing was begun yet."""
    until = f", not before {told(step.until)}" if step.until else ""
    following = f"It goes on by itself with the first pass that may{until}. See releasectl explain {environment}."
    return Outcome(environment, "waits", release, active, why=(step.reason,), next=following)


def superseded(by: Deployment, active: tuple[Active, ...]) -> Outcome:
    """Main moved on before anything was begun."""
    why = f"Main named something newer, at commit {by.commit[:12]}, before this was begun. That is {_verdict(by)}."
    return Outcome(by.environment, "superseded", pins(by), active, why=(why,), deployment=by)


def _verdict(one: Deployment) -> str:
    if one.ended is Ended.BY_SIGNAL:
        return "interrupted"
    said = {Phase.LIVE: "live", Phase.FAILED: "failed", Phase.REFUSED: "refused, nothing was changed"}
    return said.get(one.phase, "ended by an error")


def _next(one: Deployment, step: Step, back: str) -> str:
    if one.phase is Phase.LIVE:
        return ""
    if one.ended is Ended.BY_SIGNAL or (one.phase is Phase.ERRORED and one.attempt < ATTEMPTS):
        return "The next pass tries it again."
    if back:
        return "Mend what is told above and release it as a new build or a new change."
    return f"{step.reason}. See releasectl explain {one.environment}."


def markdown(one: Outcome) -> str:
    """The whole text. What does not fit is cut at a line and said."""
    return cut([*_head(one), *_active(one), *_why(one), *_log(one), *_foot(one.deployment)])


def _head(one: Outcome) -> Iterator[str]:
    yield f"### {code(one.environment)}: {text(one.verdict)}"
    yield ""
    yield f"This release: {text(one.release)}"
    yield ""


def _active(one: Outcome) -> Iterator[str]:
    yield f"**Active in {code(one.environment)} when this was written:**"
    yield ""
    for each in one.active:
        where = f", at {_link(each.url)}" if each.url else ""
        yield f"- **{text(each.sentence, 300)}**{where}"
    if not one.active:
        yield "- nothing yet"
    yield ""


def _why(one: Outcome) -> Iterator[str]:
    yield from (f"- {text(line)}" for line in one.why)
    yield from (f"- **{text(each.rule)}**: {text(each.message)} <br>{text(each.remedy)}" for each in one.findings)
    if one.next:
        yield ""
        yield f"**Next:** {text(one.next)}"
    yield ""


def _log(one: Outcome) -> Iterable[str]:
    if one.log:
        yield "**Last log lines**"
        yield ""
        yield from (f"- {text(service)}: {code(line, 300)}" for service, line in one.log)
        yield ""


def _foot(one: Deployment | None) -> Iterator[str]:
    if one is not None:
        run = f", {_link(one.holder.run)}" if one.holder.run else ""
        yield f"<sub>deployment {code(one.id)} of commit {code(one.commit[:12])}{run}</sub>"


def _link(url: str) -> str:
    """A link only where it is plainly one."""
    return f"<{url}>" if _URL.fullmatch(url) else code(url)
