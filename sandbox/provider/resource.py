"""How one resource type is declared: four calls to AWS, and the rules around them.

Comes in: nothing. Goes out: the form that the modules of the services fill in, a line or two for each rule. A
declaration speaks in the provider's property names; it never sees gRPC.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.provider.schema import Shape
from sandbox.provider.values import Properties, join

# A boto3 client of the type's service; the stubs' request types would have to be spelled out for every dict here.
Client = Any


class Failed(Exception):
    """A wait that ended badly, in the provider's own words."""


@dataclass(frozen=True)
class Update:
    """One update in place: `changed` are the top-level names that differ, as Diff found them."""

    id: str
    news: Properties
    olds: Properties
    changed: frozenset[str]


@dataclass(frozen=True)
class Wait:
    """What is waited for: after which operation, with which inputs, since when, and for how long.

    `seconds` is the program's customTimeouts, None when it has none.
    """

    operation: str  # create or update
    inputs: Properties
    began: datetime
    seconds: float | None


def _nothing_to_update(_client: Client, _update: Update) -> None:
    """Every property of the type forces replacement."""


def _nothing_to_wait_for(_client: Client, _id: str, _wait: Wait) -> None:
    """AWS is done when it answers."""


@dataclass(frozen=True)
class ResourceType:
    """One `aws` type. Replacement rules are terraform-provider-aws's ForceNew, read in its source.

    read: the outputs by the provider's names, or None when the resource is gone; the last argument is what was
    known before, empty on import. An `id` among the outputs is the resource's own where an import names it otherwise.
    `computed`: dotted paths of inputs that AWS fills in when they are not given; any element of a list is `[*]`.
    `kept`: inputs that no API tells, so they stay as they were. `spellings`: dotted path -> a function under which
    two spellings of the same thing become equal. `ordered`: lists whose order means something. `renewed`: outputs
    that every update changes. `unsupported`: inputs that pulumi-aws has and the sandbox has not; `*` is any end.
    """

    token: str
    title: str  # as terraform-provider-aws names it in its errors
    service: str  # as boto3 names it
    create: Callable[[Client, Properties], str]
    read: Callable[[Client, str, Properties], Properties | None]
    delete: Callable[[Client, str, Properties], None]
    update: Callable[[Client, Update], None] = _nothing_to_update
    wait: Callable[[Client, str, Wait], None] = _nothing_to_wait_for
    replaces: frozenset[str] = frozenset()
    auto_named: bool = False
    name: str = "name"  # the property that is made up when the type is auto-named
    name_limit: int = 255
    name_start: str = ""  # what a made-up name has to begin with
    delete_first: bool = False
    # False: a failed wait after the creation leaves a resource that the engine does not know. That is what a type of
    # the plugin framework does which sets its state only at the end.
    keeps_unsettled: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    computed: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    spellings: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    renewed: frozenset[str] = frozenset()
    unsupported: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """Where in a type's inputs a walk over values is."""

    kind: ResourceType
    shape: Shape
    path: str = ""

    def inner(self, key: str | int) -> "Place":
        """One step deeper: a property, a key of a map, an element of a list."""
        shape = self.shape.fields.get(str(key)) or self.shape.element or Shape("any")
        return Place(self.kind, shape, join(self.path, key))

    @property
    def is_computed(self) -> bool:
        """Does AWS fill it in when the program does not give it?"""
        return self.pattern in self.kind.computed

    @property
    def pattern(self) -> str:
        """The path with `[*]` for every place in a list."""
        return re.sub(r"\[\d+\]", "[*]", self.path)

    def same(self, one: Any, other: Any) -> bool:
        """Are the two values equal, or two spellings of the same thing?

        Most lists of these types are sets in the provider's schema, or have one element: order is no difference.
        """
        if isinstance(one, list) and isinstance(other, list) and self.pattern not in self.kind.ordered:
            return _sorted(one) == _sorted(other)
        spelling = self.kind.spellings.get(self.pattern)
        return bool(one == other or (spelling and spelling(one) == spelling(other)))


def _sorted(items: list[Any]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def document(text: Any) -> Any:
    """JSON policies are equal when they mean the same: order of lists and lists of one do not matter.

    So the provider's suppress functions see IAM policies (awspolicyequivalence) and ECR lifecycle rules.
    """
    try:
        return _normal(json.loads(text))
    except (TypeError, ValueError):
        return text


def json_document(text: Any) -> Any:
    """JSON that is equal when its values are: the order of keys does not matter, that of lists does."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted((_normal(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value
