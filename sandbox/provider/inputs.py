"""Inputs as the engine stores them: checked, completed with defaults and a name, or read back from the cloud.

Comes in: what the program gave, or what AWS told. Goes out: inputs in the bridge's form, with `__defaults` naming what
the program did not give. Pure: a name is made from the engine's own seed, never from a clock.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sandbox.provider.resource import Failed, Place, ResourceType
from sandbox.provider.schema import Shape, inputs_of, outputs_of, problems
from sandbox.provider.values import DEFAULTS, UNKNOWN, Properties, is_blank, is_unknown, plain

_DIGITS = 7  # of an automatic name


@dataclass(frozen=True)
class Configuration:
    """What the engine configured one provider with: region, and the tags that every resource gets."""

    region: str
    tags: Mapping[str, str]


def findings(kind: ResourceType, news: Properties) -> Iterator[tuple[str, str]]:
    """Path and reason of everything that is wrong with the program's inputs."""
    yield from problems(inputs_of(kind.token), news)
    for name in sorted(plain(news)):
        if any(fnmatchcase(name, pattern) for pattern in kind.unsupported):
            yield name, "the sandbox does not have this property; real pulumi-aws does"


def complete(
    kind: ResourceType, configuration: Configuration, news: Properties, *, olds: Properties, name: str, seed: bytes
) -> Properties:
    """The program's inputs and all that the provider adds to them."""
    shape = inputs_of(kind.token)
    defaults: Properties = dict(kind.defaults)
    if "region" in shape.fields:
        defaults["region"] = configuration.region
    if kind.auto_named and not news.get(kind.name):
        defaults[kind.name] = _name(kind, olds, name, seed)
    if "tags" in shape.fields and configuration.tags and not is_unknown(news.get("tags")):
        news = news | {"tags": {**configuration.tags, **(news.get("tags") or {})}}
    result: Properties = _completed(shape, defaults, news)
    return result


def _name(kind: ResourceType, olds: Properties, name: str, seed: bytes) -> str:
    """The old automatic name, or a new one: the logical name, a dash and seven hex digits, as the bridge does."""
    was_automatic = kind.name in olds.get(DEFAULTS, [kind.name])
    if was_automatic and isinstance(olds.get(kind.name), str):
        return str(olds[kind.name])
    start = f"{'' if name.startswith(kind.name_start) else kind.name_start}{name}-"
    if len(start) + _DIGITS > kind.name_limit:
        raise Failed(
            f"could not make instance of '{kind.token}': name '{start}' plus {_DIGITS} random chars is longer than "
            f"maximum length {kind.name_limit}"
        )
    return start + hashlib.sha256(seed).hexdigest()[:_DIGITS]


def _completed(shape: Shape, defaults: Mapping[str, Any], value: Any) -> Any:
    if shape.kind == "string" and shape.fields and isinstance(value, dict):
        # A policy that was given as an object. One unknown inside makes the whole text unknown.
        return UNKNOWN if _has_unknown(value) else json.dumps(plain(value), separators=(",", ":"))
    if shape.kind == "list" and shape.element and isinstance(value, list):
        return [_completed(shape.element, defaults, item) for item in value]
    if shape.kind != "object" or not isinstance(value, dict):
        return value
    result = {
        key: _completed(shape.fields[key], defaults.get(key) or {}, item)
        for key, item in value.items()
        if item is not None and key != DEFAULTS
    }
    added = {
        key: item
        for key, item in defaults.items()
        if key not in result and not isinstance(item, Mapping)
    }  # fmt: skip
    return result | added | {DEFAULTS: sorted(added)}


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unknown(item) for item in value)
    return is_unknown(value)


def planned(kind: ResourceType, news: Properties) -> Properties:
    """Outputs before the resource exists: what was given, and unknowns for what AWS will tell."""
    given = plain(news)
    shape = inputs_of(kind.token)
    told_later = {name for name in outputs_of(kind.token) if name not in shape.fields or name in kind.computed}
    later = dict.fromkeys(told_later - {"tagsAll"}, UNKNOWN)
    return with_tags_all(kind, later | given)


def with_tags_all(kind: ResourceType, outputs: Properties) -> Properties:
    """`tagsAll` is what is on the resource; the provider's own tags are merged into `tags` already."""
    if "tagsAll" not in outputs_of(kind.token):
        return outputs
    return outputs | {"tagsAll": outputs.get("tags") or {}}


def settled(kind: ResourceType, read: Properties, known: Properties) -> Properties:
    """The outputs to store: what AWS told, in the known spelling where that means the same."""
    kept = {name: known[name] for name in kind.kept | {"region"} if name in known}
    outputs = plain(read) | kept
    for path, same in kind.spellings.items():
        if path in outputs and path in known and same(known[path]) == same(outputs[path]):
            outputs[path] = known[path]
    return with_tags_all(kind, outputs)


def told(kind: ResourceType, outputs: Properties, olds: Properties) -> Properties:
    """Inputs that would give these outputs: the old ones where they still hold, AWS's answer where they do not.

    So a refresh moves the inputs with the cloud. Inputs that nobody gave appear when they are neither blank, a
    default nor filled in by AWS itself.
    """
    result: Properties = _told(Place(kind, inputs_of(kind.token)), kind.defaults, outputs, olds)
    return result


def _told(place: Place, defaults: Mapping[str, Any], now: Any, old: Any) -> Any:
    if (is_blank(now) and is_blank(old)) or (old is not None and place.same(plain(old), now)):
        return old
    if isinstance(now, list) and isinstance(old, list) and len(now) == len(old):
        pairs = zip(now, old, strict=True)
        return [_told(place.inner(at), defaults, item, before) for at, (item, before) in enumerate(pairs)]
    if place.shape.kind != "object" or not isinstance(now, dict):
        return now
    olds = old if isinstance(old, dict) else {}
    result = {}
    for key in place.shape.fields:
        inner, default = place.inner(key), defaults.get(key)
        nested = default if isinstance(default, Mapping) else {}
        if key in olds and (key in now or is_blank(olds[key])):
            result[key] = _told(inner, nested, now.get(key), olds[key])
        elif key not in olds and not is_blank(now.get(key)) and now[key] != default and not inner.is_computed:
            result[key] = _told(inner, nested, now[key], None)
    return result | {DEFAULTS: [name for name in olds.get(DEFAULTS, []) if name in result]}
