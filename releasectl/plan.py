"""Plan: what would a release change? Engine events -> Plan.

Comes in: the step events of a preview, reduced by the worker to plain data. Goes out: the changes in a stable
order, their counts, an identity for them, and which of them a release may not make by itself. It never runs the
engine and never decides: a finding is a sentence about the plan.
"""

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from releasectl.errors import Finding
from releasectl.outputs import Allowed
from releasectl.unequal import document, unequal

DISRUPTIVE = ("delete", "replace")  # words first in a report: something that exists goes away
REVISE = "revise"  # what replacing is called where it takes nothing away: a new revision, and the old one stays


@dataclass(frozen=True)
class PropertyChange:
    """One property of one resource; values are JSON, secrets read "[secret]"."""

    path: str
    kind: str  # add, delete, update, and the same with "-replace"
    before: object = None
    after: object = None


@dataclass(frozen=True)
class Change:
    """What happens to one resource."""

    operation: str  # create, update, replace, delete, import, ...
    type: str
    urn: str
    properties: tuple[PropertyChange, ...] = ()
    unprotects: bool = False

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Pending:
    """What an engine that died had begun, as the state remembers it: nobody knows how it ended."""

    operation: str  # creating, updating, deleting
    type: str
    urn: str
    inputs: Mapping[str, object] = field(default_factory=dict)  # secrets read "[secret]"

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Plan:
    """A preview as data. `identity` is the same for two previews that would do the same."""

    changes: tuple[Change, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()

    @property
    def identity(self) -> str:
        """A hash over the sorted logical steps with their differences (engine-independent, 64 hex characters)."""
        text = json.dumps(_ADAPTER.dump_python(self.changes, mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many resources each operation touches."""
        return dict(sorted(Counter(change.operation for change in self.changes).items()))

    @property
    def sentence(self) -> str:
        """The plan in a few words: `1 replace, 2 create`, the disruptive first; `no changes`."""
        counts = Counter(self.word(change) for change in self.changes)
        order = sorted(counts, key=lambda name: (name not in DISRUPTIVE, name))
        return ", ".join(f"{counts[name]} {name}" for name in order) or "no changes"

    def word(self, change: Change) -> str:
        """The operation for people: a type that any release may replace is only revised."""
        return REVISE if change.operation == "replace" and change.type in self._revised else change.operation

    @functools.cached_property
    def _revised(self) -> frozenset[str]:
        """By the program's shape, which a plan of half a program does not have."""
        try:
            shape = _SHAPE.validate_python(self.outputs.get("shape", ()))
        except ValidationError:
            return frozenset()
        return frozenset(rule.type for rule in shape if "replace" in rule.operations)


_SHAPE = TypeAdapter(tuple[Allowed, ...])
_ADAPTER = TypeAdapter(tuple[Change, ...])
_STEPS = TypeAdapter(list[Change])
_PENDING = TypeAdapter(tuple[Pending, ...])


def from_steps(
    steps: Sequence[Mapping[str, object]],
    outputs: Mapping[str, object],
    pending: Sequence[Mapping[str, object]] = (),
) -> Plan:
    """A plan from the worker's steps (see edges/worker.py); the order in which the engine told them is not kept."""
    changes = [
        change for change in _STEPS.validate_python(list(steps)) if change.operation != "same" or change.unprotects
    ]
    ordered = sorted(changes, key=lambda change: (change.urn, change.operation))
    return Plan(tuple(ordered), outputs, _PENDING.validate_python(list(pending)))


def inner(prop: PropertyChange) -> tuple[PropertyChange, ...]:
    """What differs inside, where both sides are documents or texts that hold one; else the property itself.

    What a preview does not know yet is no document, so nothing inside it is allowed by itself.
    """
    before, after = document(prop.before), document(prop.after)
    if not isinstance(before, dict | list) or not isinstance(after, dict | list):
        return (prop,)
    found = unequal(before, after, prop.path)
    return tuple(replace(prop, path=path, before=one, after=other) for path, one, other in found) or (prop,)


def outside(plan: Plan, shape: Iterable[Allowed]) -> tuple[Finding, ...]:
    """The changes that a change of digests or a restart alone may not make."""
    allowed = tuple(shape)
    return tuple(
        Finding(
            "plan-shape",
            change.urn,
            f"this release would {change.operation} {change.type} `{change.name}`{_paths(change)}",
            "Change `program` or the settings in the same commit if this is meant; otherwise look for drift.",
        )
        for change in plan.changes
        if change.unprotects or not any(_fits(change, rule) for rule in allowed)
    )


def beyond_repair(plan: Plan, replaceable: Iterable[str]) -> tuple[Finding, ...]:
    """The changes that a drift fix may not make: the release was reviewed, so only what takes something away is asked.

    `replaceable` are types that hold nothing of their own; what is only revised takes nothing away either.
    """
    harmless = tuple(replaceable)
    return tuple(
        Finding(
            "plan-shape",
            change.urn,
            f"taking the drift back would {change.operation} {change.type} `{change.name}`{_paths(change)}",
            "Mend it by hand, or make the change that you see part of the program or the settings.",
        )
        for change in plan.changes
        if change.unprotects or not (plan.word(change) in ("create", "update", REVISE) or change.type in harmless)
    )


def _fits(change: Change, rule: Allowed) -> bool:
    if change.type != rule.type or change.operation not in rule.operations:
        return False
    if change.operation == "create" or not rule.properties:
        return True
    return all(_path_fits(path, rule.properties) for path in _touched(change))


def _path_fits(path: str, allowed: Sequence[str]) -> bool:
    return any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")) for prefix in allowed)


def _touched(change: Change) -> list[str]:
    return [one.path for prop in change.properties for one in inner(prop)]


def _paths(change: Change) -> str:
    return f" ({', '.join(_touched(change))})" if change.properties else ""
