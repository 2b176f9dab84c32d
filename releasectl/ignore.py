"""Ignore rules: which differences between the recorded and the live state nobody minds, and why.

Comes in: the rules of a settings file, and a property of a resource. Goes out: whether a rule covers it. The
program and the controller both ask here, so that what a report leaves out is what a release leaves alone. It is
part of the program: it imports nothing and asks nobody.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

# `a.b`, `a[0]`, and `a["b.c"]` where a key would be mistaken for a path: the engine's spelling.
_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]"]+)')


@dataclass(frozen=True)
class Rule:
    """`resource` is a glob over a resource's name, or over `type::name`; `property` a path whose `*` stands for one
    whole step and which covers all below it; "" is every property.
    """

    resource: str
    property: str
    reason: str


def steps(path: str) -> tuple[str, ...]:
    """`tags["a.b"].c[0]` -> ("tags", "a.b", "c", "0")."""
    return tuple(quoted or number or name for quoted, number, name in _STEP.findall(path))


def is_path(text: str) -> bool:
    """Can the engine read it as a path, with `*` for whole steps alone?"""
    return not _STEP.sub("", text).strip(".") and all("*" not in step or step == "*" for step in steps(text))


def concerns(rule: Rule, kind: str, name: str) -> bool:
    """Is the rule about this resource? `kind` is its type's token."""
    return fnmatchcase(f"{kind}::{name}" if "::" in rule.resource else name, rule.resource)


def covers(rule: Rule, kind: str, name: str, path: str) -> bool:
    """Is the property, or one above it, what the rule names?"""
    return concerns(rule, kind, name) and len(steps(rule.property)) <= len(steps(path)) and overlaps(rule, path)


def overlaps(rule: Rule, path: str) -> bool:
    """Is one of the two paths the other, or above it?"""
    return all("*" in pair or pair[0] == pair[1] for pair in zip(steps(rule.property), steps(path), strict=False))
