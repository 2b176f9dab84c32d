"""Drift: what is not as it was recorded or released, sorted and told. What a refresh and Live found -> Drift.

Comes in: the resources that a refresh found changed, what the running services say, the program's own rules. Goes
out: release drift (another digest, scale, alarms, not running), infrastructure drift, what nobody minds, and the
plan that would take it back; each difference once, in a sentence. Pure: it asks nobody and writes nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from releasectl.errors import ControllerError, Retry
from releasectl.ignore import Rule, covers, steps
from releasectl.outputs import DriftRules, Service
from releasectl.plan import Plan
from releasectl.unequal import document, unequal
from releasectl.verify import Observation

DIGEST, RUNNING = "digest", "running"  # kinds of release drift that a running service tells, too
REVISION = "revision"  # another task definition with the same image
_IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
LONGEST = 90  # characters of a value in a sentence

State = Mapping[str, Mapping[str, Any]]


class NoRepair(ControllerError):
    """The engine cannot plan a way back.

    Why: What was changed by hand could only be taken back by replacing something that is protected.
    Do: Mend by hand what the message names, then run `releasectl drift ENVIRONMENT` again.
    """

    exit_code = 1
    retry = Retry.AFTER_CHANGE


@dataclass(frozen=True)
class Changed:
    """One resource that a refresh found different. `recorded` and `found` are {inputs, outputs}, secrets masked."""

    type: str
    urn: str
    gone: bool
    kinds: Mapping[str, str]  # property path -> add, update, delete, as the provider says
    recorded: State
    found: State

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Refreshed:
    """What one look at the cloud found, and the plan back; `problems` say why there is none."""

    changed: tuple[Changed, ...] = ()
    repair: Plan = field(default_factory=Plan)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One fact. `path` is "" when the whole resource is gone; `what` is "" for infrastructure."""

    urn: str
    type: str
    name: str
    path: str
    kind: str  # add, update, delete
    recorded: object = None
    found: object = None
    what: str = ""  # digest, revision, scale, alarm, running

    @property
    def sentence(self) -> str:
        """For people."""
        if self.what == DIGEST and self.path:
            return f"{self.name} runs {_digest(self.found)}, pinned is {_digest(self.recorded)}"
        if self.what == RUNNING:
            return f"{self.name} is {self.found}, not {self.recorded}"
        who = f"{self.type.rpartition(':')[2]} {self.name}"
        if not self.path:
            return f"{who} was deleted by hand"
        return f"{who}: {_said(self)}"


@dataclass(frozen=True)
class Ignored:
    """A difference that nobody minds, and why."""

    difference: Difference
    reason: str


@dataclass(frozen=True)
class Drift:
    """All of one environment. `notes` say what else a reader has to know: that main is newer, for example."""

    environment: str
    deployment: str = ""
    notes: tuple[str, ...] = ()
    release: tuple[Difference, ...] = ()
    infrastructure: tuple[Difference, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    repair: Plan = field(default_factory=Plan)
    problems: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Difference, ...]:
        """What somebody minds, that of the release first."""
        return self.release + self.infrastructure


_CHANGED = TypeAdapter(tuple[Changed, ...])


def changed(refreshed: Iterable[Mapping[str, object]]) -> tuple[Changed, ...]:
    """The worker's plain data (see edges/worker.py), in a stable order."""
    return tuple(sorted(_CHANGED.validate_python(tuple(refreshed)), key=lambda one: one.urn))


def sort(refreshed: Refreshed, live: Iterable[Difference], rules: DriftRules) -> Drift:
    """Every difference once, in its place; the environment's name and the rest are the caller's."""
    said = tuple(live)
    found = (_marked(one, rules) for each in refreshed.changed for one in differences(each))
    told = list(_by_digest(found, said))
    told += [one for one in said if not any(_same(one, other) for other in told)]
    ignored = list(_ignored(told, refreshed.changed, rules.ignore))
    minded = [one for one in told if not _rule(one, rules.ignore)]
    return Drift(
        environment="",
        release=tuple(one for one in minded if one.what),
        infrastructure=tuple(one for one in minded if not one.what),
        ignored=tuple(ignored),
        repair=refreshed.repair,
        problems=refreshed.problems,
    )


def differences(resource: Changed) -> Iterator[Difference]:
    """One for each property that the provider counts, or one for the whole resource that is gone."""
    known = Difference(resource.urn, resource.type, resource.name, "", "delete")
    if resource.gone:
        yield known
        return
    for path, kind in sorted(resource.kinds.items()):
        recorded, found = value_at(resource.recorded, path), value_at(resource.found, path)
        yield replace(known, path=path, kind=kind.removesuffix("-replace"), recorded=recorded, found=found)


def of_service(name: str, images: Iterable[str], declared: Service, seen: Observation) -> Iterator[Difference]:
    """What a running service tells of itself; `images` are the pinned digest and, for an index, its children."""
    pinned = tuple(images)
    known = Difference(declared.service, "", name, "", "update")
    if seen.serves is False:
        yield replace(known, path="status", recorded="running", found=seen.status, what=RUNNING)
    if seen.digest and seen.digest not in pinned:
        yield replace(known, path="image", recorded=pinned[0], found=seen.digest, what=DIGEST)


def value_at(state: State, path: str) -> Any:
    """The value at a path of a resource's inputs or, where they do not have it, of its outputs."""
    for side in ("inputs", "outputs"):
        value: Any = state.get(side, {})
        try:
            for step in steps(path):
                value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            continue
        return value
    return None


def _marked(difference: Difference, rules: DriftRules) -> Difference:
    """With what the program says it is."""
    for rule in rules.release:
        named = [Rule("*", path, "") for path in rule.properties or ("",)]
        whole = not difference.path  # a service that is gone runs no digest and has no scale
        if rule.type == difference.type and (whole or any(covers(one, "", "", difference.path) for one in named)):
            return replace(difference, what=rule.what)
    return difference


def _by_digest(found: Iterable[Difference], live: tuple[Difference, ...]) -> Iterator[Difference]:
    """ECS names a revision where App Runner names an image: which digest that is, the service itself tells."""
    for one in found:
        is_image = any(_IMAGE.fullmatch(str(side)) for side in (one.recorded, one.found))
        if one.what != DIGEST or not one.path or is_image:
            yield one
        elif not any(other.what == DIGEST and other.name == one.name for other in live):
            yield replace(one, what=REVISION)


def _same(one: Difference, other: Difference) -> bool:
    """Do Live and the refresh tell the same fact? Who is gone runs nothing."""
    mine = other.name == one.name and other.what == DIGEST
    return mine and (not other.path or one.what == DIGEST)


def _rule(difference: Difference, rules: Iterable[Rule]) -> Rule | None:
    """The rule that covers a difference; a resource that is gone is told whatever the rules say: it would come back."""
    if not difference.path:
        return None
    return next((rule for rule in rules if covers(rule, difference.type, difference.name, difference.path)), None)


def _ignored(
    told: Iterable[Difference], resources: Iterable[Changed], rules: tuple[Rule, ...]
) -> Iterator[Ignored]:  # fmt: skip
    """Those that the provider counts, and those that it no longer does because the program ignores them."""
    seen: set[tuple[str, str]] = set()
    for one in (*told, *(inner for each in resources for inner in _uncounted(each))):
        rule = _rule(one, rules)
        if rule and not any(urn == one.urn and _is_at_or_below(one.path, path) for urn, path in seen):
            seen.add((one.urn, one.path))
            yield Ignored(one, rule.reason)


def _uncounted(resource: Changed) -> Iterator[Difference]:
    """What differs in the properties that a program can give, whatever the provider counts."""
    if resource.gone:
        return
    given = {*resource.recorded.get("inputs", ()), *resource.found.get("inputs", ())} - {"__defaults"}
    known = Difference(resource.urn, resource.type, resource.name, "", "update")
    recorded, found = resource.recorded.get("outputs", {}), resource.found.get("outputs", {})
    for name in sorted(given):
        for path, before, after in unequal(recorded.get(name), found.get(name), name):
            kind = "add" if before is None else "delete" if after is None else "update"
            yield replace(known, path=path, kind=kind, recorded=before, found=after)


def _is_at_or_below(path: str, above: str) -> bool:
    return steps(path)[: len(steps(above))] == steps(above)


def _said(difference: Difference) -> str:
    path, recorded, found = difference.path, difference.recorded, difference.found
    inner = list(unequal(document(recorded), document(found)))
    if not inner or not inner[0][0]:
        return _between(path, recorded, found)
    where, before, after = inner[0]
    more = f", and {len(inner) - 1} more" if len(inner) > 1 else ""
    return f"{path}: {_between(where, before, after)}{more}"


def _between(path: str, recorded: object, found: object) -> str:
    if recorded is None:
        return f"{path} was added: {_shown(found)}"
    if found is None:
        return f"{path} was removed: {_shown(recorded)}"
    return f"{path} is {_shown(found)}, recorded is {_shown(recorded)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _digest(image: object) -> str:
    return str(image).rpartition("@")[2]


def as_json(found: Drift) -> dict[str, object]:
    """{environment, deployment, notes, release, infrastructure, ignored, repair, problems}; see docs/operations.md."""
    return {
        "environment": found.environment,
        "deployment": found.deployment,
        "notes": found.notes,
        "release": [_as_json(one) for one in found.release],
        "infrastructure": [_as_json(one) for one in found.infrastructure],
        "ignored": [_as_json(one.difference) | {"reason": one.reason} for one in found.ignored],
        "repair": {"sentence": found.repair.sentence, "counts": found.repair.counts},
        "problems": found.problems,
    }


def _as_json(difference: Difference) -> dict[str, object]:
    return {"sentence": difference.sentence, **asdict(difference)}


def text(found: Drift) -> str:
    """For a terminal: a sentence a line."""
    since = f" since deployment {found.deployment}" if found.deployment else ": nothing was ever applied there"
    lines = [f"{found.environment}: no drift{since}"] if not found.all else []
    for title, group in (("release drift", found.release), ("infrastructure drift", found.infrastructure)):
        if group:
            lines.append(f"{found.environment}: {title}{since}")
            lines += [f"- {one.sentence}" for one in group]
    if found.ignored:
        lines.append(f"{len(found.ignored)} differences are ignored by the settings; --json tells them")
    if found.all:
        lines.append(f"the way back: {found.repair.sentence}")
    lines += [f"no way back: {problem}" for problem in found.problems]
    return "\n".join([*lines, *found.notes])
