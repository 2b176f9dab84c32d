"""Report: a plan, a deployment, an environment in words for a terminal.

Comes in: values of the core. Goes out: text. Health and status lines hold no times that change by themselves, so
that two looks at the same state read the same; and nothing in them is obeyed by a terminal. It asks nobody and decides
nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from releasectl.admission import Admission
from releasectl.outputs import DnsRecord, Service
from releasectl.plain_text import plain
from releasectl.plan import Change, Plan, inner
from releasectl.record import Deployment
from releasectl.release_notes import Commit
from releasectl.verify import Observation

if TYPE_CHECKING:
    from releasectl.preview import Preview
    from releasectl.reconcile import Standing
    from releasectl.teardown import Leaving


def plan(planned: Plan) -> str:
    """The plan: words first, then a line for each resource with its properties."""
    lines = [f"plan {planned.identity[:12]}: {planned.sentence}"]
    for change in planned.changes:
        lines.append(
            f"  {planned.word(change):8} {change.type} {change.name}{' (protection lifted)' * change.unprotects}"
        )
        lines += [f"             {line}" for line in _properties(change)]
    return plain("\n".join(lines))


def _properties(change: Change) -> Iterable[str]:
    if change.operation in ("create", "delete"):
        return
    for one in (one for prop in change.properties for one in inner(prop)):
        yield f"{one.path}: {_value(one.before)} -> {_value(one.after)}"


def _value(value: object) -> str:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:87]}..."


def deployment(recorded: Deployment) -> str:
    """One deployment: verdict, origin, findings, last log lines."""
    lines = [
        f"{recorded.environment} {recorded.phase}: {recorded.message}",
        f"deployment {recorded.id} of {recorded.commit[:12]}, by {recorded.by}: {recorded.reason}",
        *([recorded.late] if recorded.late else []),
        *(f"- {finding}" for finding in recorded.findings),
        *(f"{note.at:%Y-%m-%d %H:%M} UTC: {note.message}" for note in recorded.notes),
    ]
    for service, log in recorded.log.items():
        lines += [f"last log lines of {service}:", *(f"  {line}" for line in log)]
    return plain("\n".join(lines))


def history(recorded: Iterable[Deployment]) -> str:
    """A line for each deployment, newest first."""
    return table(
        ("started", "phase", "deployment", "pins", "why"),
        [
            (f"{one.started:%Y-%m-%d %H:%M:%S}", one.phase, one.id, _pins(one), f"{one.by}: {one.reason}")
            for one in recorded
        ],
    )


def _pins(recorded: Deployment) -> str:
    pins = [f"{name} {pin.version or pin.digest[:19]}" for name, pin in recorded.services.items() if pin.digest]
    return ", ".join(pins) or "nothing yet"


def explain(standing: "Standing", commands: str = "") -> str:
    """Why an environment stands where it stands, in order: what happened, what the gates say, what comes next."""
    last, step = standing.deployment, standing.step
    lines = [f"{standing.environment}"]
    if last:
        lines += [f"  {moment.at:%Y-%m-%d %H:%M:%S}  {moment.phase}: {moment.message}" for moment in last.phases]
    else:
        lines.append("  nothing was ever released here")
    lines += [f"  {line}" for line in gates(standing.situation.admission)]
    until = f", not before {moment_of(step.until, standing.situation.now)} UTC" if step.until else ""
    lines.append(f"  next: {step.action}{until}: {step.reason}")
    if commands:
        lines.append(f"  {commands}")
    return plain("\n".join(lines))


def gates(admission: Admission) -> list[str]:
    """A line for each gate that says no, and what helps."""
    return [line for no in admission.nos for line in (str(no), f"    {no.finding.remedy}")]


def moment_of(until: datetime, now: datetime) -> str:
    """A time of today without its date."""
    return f"{until:%H:%M:%S}" if until.date() == now.date() else f"{until:%Y-%m-%d %H:%M}"


def preview(seen: "Preview") -> str:
    """What a proposal would do: what people must not overlook first, then the plan, the gates, the commits."""
    lines = [f"! {line}" for line in seen.warnings]
    lines.append(plan(seen.plan))
    lines += [f"{copy.service}: {copy.digest[:19]} is copied from {copy.source} first" for copy in seen.copies]
    lines += gates(seen.admission) or ["no gate says no"]
    for one in seen.notes:
        lines.append(f"{one.name} {one.sentence}")
        lines += [f"  + {_commit(commit)}" for commit in one.brings]
        lines += [f"  - {_commit(commit)}" for commit in one.takes_away]
        if one.untold:
            lines.append(f"  and {one.untold} more")
    return plain("\n".join(lines))


def _commit(commit: Commit) -> str:
    return f"{commit.sha[:12]} {commit.subject} ({commit.author})"


def leaving(going: "Leaving") -> str:
    """What a teardown would take away."""
    lines = [f"{going.environment}: {going.resources.sentence}"]
    lines += [
        f"  {change.type} {change.name}{' (protected)' * change.unprotects}" for change in going.resources.changes
    ]
    lines += [f"  {count} images in {name}" for name, count in going.images.items() if count]
    return plain("\n".join(lines))


def status(standing: "Standing", seen: Mapping[str, Observation]) -> list[tuple[str, ...]]:
    """Rows: environment, service, pinned, runs, health, where it stands."""
    rows: list[tuple[str, ...]] = []
    for name, pin in standing.target.release.services.items():
        observation = seen.get(name)
        runs = observation.digest[:19] if observation and observation.digest else "-"
        rows.append((standing.environment, name, pin.digest[:19] or "-", runs, _health(observation), _next(standing)))
    return rows


def besides(services: Mapping[str, Service]) -> list[str]:
    """What else a look has to tell of services: what belongs into the DNS, and what still runs beside."""
    return [plain(line) for name, service in services.items() for line in _besides(name, service)]


def _besides(name: str, service: Service) -> Iterator[str]:
    if service.leaving and service.leaving.service:
        where = f" at {service.leaving.url}" if service.leaving.url else ""
        yield f"{name} also runs on {service.leaving.runtime}{where}, until `leaving` is taken out of the settings"
    if service.domain:
        target = DnsRecord(service.domain.name, "CNAME", service.domain.target)
        for record in service.domain.records or ((target,) if target.value else ()):
            yield f"{name} needs in the DNS: {record.name} {record.type} {record.value}"


def _next(standing: "Standing") -> str:
    step = standing.step
    return f"{step.action} until {moment_of(step.until, standing.situation.now)}" if step.until else step.action


def _health(observation: Observation | None) -> str:
    if observation is None:
        return "-"
    return {True: "healthy", False: "degraded", None: "unknown"}[observation.is_well]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they have to be."""
    head, *rows = [[plain(str(cell)) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )
