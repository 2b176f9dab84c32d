"""Unequal: the innermost places where two values differ.

Comes in: two values of JSON, or texts that hold a document of JSON. Goes out: paths with what is at either side. Lists
of texts are sets to AWS, and lists of names with one value each are mappings; others are compared one by one. Pure: it
knows nothing of resources, plans or drift.
"""

import json
from collections.abc import Iterator
from typing import Any


def unequal(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The innermost places where two values differ: path, before, after; None where there is nothing."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from unequal(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _unequal_lists(before, after, path)
    else:
        yield path, before, after


def document(value: object) -> Any:
    """A policy or a container definition is a text that holds a document."""
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
    except ValueError:
        return value


def _unequal_lists(before: list[Any], after: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    if all(isinstance(one, str) for one in (*before, *after)):
        lacking, more = [one for one in before if one not in after], [one for one in after if one not in before]
        if lacking or more:
            yield path, ", ".join(lacking) or None, ", ".join(more) or None
        return
    named, now_named = _by_name(before), _by_name(after)
    if named is not None and now_named is not None:
        yield from unequal(named, now_named, path)
        return
    for index in range(max(len(before), len(after))):
        one, other = (each[index] if index < len(each) else None for each in (before, after))
        yield from unequal(one, other, f"{path}[{index}]")


def _by_name(listed: list[Any]) -> dict[str, Any] | None:
    """A container's environment and its secrets: [{name, value}] and [{name, valueFrom}], in whatever order."""
    named = {}
    for one in listed:
        keys = set(one) - {"__defaults"} if isinstance(one, dict) else set()  # the engine's own mark
        if keys not in ({"name", "value"}, {"name", "valueFrom"}) or one["name"] in named:
            return None
        named[str(one["name"])] = one.get("value", one.get("valueFrom"))
    return named
