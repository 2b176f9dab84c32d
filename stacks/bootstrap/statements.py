"""Statements of IAM policies, and grants: what one kind of object may be read and changed by.

Comes in: actions, resources, conditions. Goes out: statements as IAM spells them. A grant keeps reading and changing
apart, so that the role of a preview is the role of a deployment without everything that changes something.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Statement = dict[str, object]
Condition = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Grant:
    """`reads` hold for every role of the environment, `writes` for its deployments alone, under `condition`.

    `reads` have no condition: what cannot be read cannot be compared with what should be.
    """

    name: str
    resources: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    condition: Condition = field(default_factory=dict)


def allow(name: str, actions: Iterable[str], resources: Iterable[str], condition: Condition | None = None) -> Statement:
    """Lists are sorted, so that the same policy is the same text."""
    return {"Sid": name, "Effect": "Allow", **_what(actions, resources, condition)}


def deny(name: str, actions: Iterable[str], resources: Iterable[str], condition: Condition | None = None) -> Statement:
    """What no other statement can allow."""
    return {"Sid": name, "Effect": "Deny", **_what(actions, resources, condition)}


def readable(grants: Iterable[Grant]) -> list[Statement]:
    """What may be read."""
    return [
        allow(f"{grant.name}Read", grant.reads, grant.resources) for grant in grants if grant.reads and grant.resources
    ]


def writable(grants: Iterable[Grant]) -> list[Statement]:
    """What may be changed, beside what may be read."""
    return [
        allow(grant.name, grant.writes, grant.resources, grant.condition)
        for grant in grants
        if grant.writes and grant.resources
    ]


def document(*statements: Statement) -> str:
    """A policy; without blanks, which count towards its size."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def _what(actions: Iterable[str], resources: Iterable[str], condition: Condition | None) -> Statement:
    known: Statement = {"Action": sorted(set(actions)), "Resource": sorted(resources)}
    return known | ({"Condition": {test: dict(keys) for test, keys in condition.items()}} if condition else {})
