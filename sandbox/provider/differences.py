"""What would change, in the terms of the engine's detailed diff.

Comes in: new inputs, the recorded outputs, the recorded inputs. Goes out: property path -> add, update or delete, and
whether that means replacement. The recorded outputs are what is compared, as Terraform compares a configuration with
its state: so an image that App Runner rolled back shows as a change again.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sandbox.provider.resource import Place, ResourceType
from sandbox.provider.schema import inputs_of
from sandbox.provider.values import DEFAULTS, Properties, is_blank, is_unknown, plain


class Change(StrEnum):
    """One property's change; the engine's names without `-replace`."""

    ADD = "add"
    UPDATE = "update"
    DELETE = "delete"


def differences(kind: ResourceType, news: Properties, outputs: Properties, old_inputs: Properties) -> dict[str, Change]:
    """Property path -> change; empty when the resource is as the program wants it."""
    return dict(_walk(Place(kind, inputs_of(kind.token)), plain(news), outputs, plain(old_inputs)))


def top(path: str) -> str:
    """The property of the resource that a path lies in."""
    return path.partition(".")[0].partition("[")[0]


def deletes_first(kind: ResourceType, news: Properties) -> bool:
    """Must the old one go before the new one comes?

    The bridge's rule: a resource whose name was given and not made up cannot exist twice.
    """
    return kind.delete_first or (kind.auto_named and kind.name not in news.get(DEFAULTS, []))


def _walk(place: Place, new: Any, old: Any, given: Any) -> Iterator[tuple[str, Change]]:
    if is_unknown(new):
        yield place.path, Change.ADD if is_blank(old) else Change.UPDATE
    elif is_blank(new) and is_blank(old):
        return
    elif isinstance(new, dict) and isinstance(old, dict):
        for key in _keys(place, new, old, given):
            inner = given.get(key) if isinstance(given, dict) else None
            yield from _walk(place.inner(key), new.get(key), old.get(key), inner)
    elif isinstance(new, list) and isinstance(old, list):
        yield from _walk_list(place, new, old, given)
    elif place.same(new, old):
        return
    elif is_blank(new) and not isinstance(new, bool | int):
        yield place.path, Change.DELETE
    else:
        yield place.path, Change.ADD if is_blank(old) else Change.UPDATE


def _keys(place: Place, new: dict[str, Any], old: dict[str, Any], given: Any) -> list[str]:
    """The keys to compare: of a map all; of an object those that are given now, or were given and no longer are."""
    if place.shape.kind == "map":
        return sorted(new.keys() | old.keys())
    was = given.keys() if isinstance(given, dict) else set()
    dropped = {key for key in was - new.keys() if not place.inner(key).is_computed}
    return sorted(new.keys() | dropped)


def _walk_list(place: Place, new: list[Any], old: list[Any], given: Any) -> Iterator[tuple[str, Change]]:
    if place.same(new, old):
        return
    for index in range(max(len(new), len(old))):
        inner = given[index] if isinstance(given, list) and index < len(given) else None
        there = new[index] if index < len(new) else None
        before = old[index] if index < len(old) else None
        yield from _walk(place.inner(index), there, before, inner)
