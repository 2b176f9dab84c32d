"""What a table about types of the provider says: a program in versions, what changes, what a hand does to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

Cloud = Callable[[str], Any]
Ids = Mapping[str, str]
Paths = Mapping[str, Mapping[str, str]]
ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Life:
    """A program in three versions, what the second changes in place, what the third replaces, and a hand's doing.

    The program gets the ids to adopt, none when it is to make everything itself. `imports` are ids for an adoption
    where they are not the resource's own; `adopted` is what no API tells, so that the first update writes it down.
    """

    program: Callable[[int, Ids], None]
    updates: Paths
    replaces: Paths
    by_hand: Callable[[Cloud, Ids], None]
    drift: Paths
    gone: frozenset[str] = frozenset()  # what the hand deleted
    imports: Mapping[str, str] = field(default_factory=dict)
    adopted: Paths = field(default_factory=dict)


def options(ids: Ids, name: str) -> pulumi.ResourceOptions:
    """Adopt what has an id."""
    return pulumi.ResourceOptions(import_=ids.get(name))


def policy(action: str, effect: str = "Allow") -> str:
    """A resource's policy: the account may do this, or nobody."""
    who = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"} if effect == "Allow" else "*"
    statement = {"Effect": effect, "Principal": who, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def permission(action: str) -> str:
    """An identity's policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
