"""What pulumi_aws says about a type: names as on the wire, basic types, what is required, what is only an output.

Comes in: a type token such as `aws:ecr/repository:Repository`. Goes out: a Shape, read once from the SDK's own
classes, nested ones too, and everything that is wrong with given inputs. It never guesses: a name that the SDK does
not know is wrong.
"""

import collections.abc
import difflib
import functools
import importlib
import inspect
import sys
import threading
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pulumi import Output
from pulumi._types import (
    input_type_py_to_pulumi_names,
    input_type_types,
    is_input_type,
    resource_types,
)

from sandbox.provider.values import DEFAULTS, is_unknown, join

_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class Shape:
    """`kind` is string, boolean, integer, number, list, map, object or any.

    `fields` of an object, or of the document that a string may be given as; `element` of a list or map.
    """

    kind: str
    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    element: "Shape | None" = None


@functools.cache
def inputs_of(token: str) -> Shape:
    """The inputs of a resource type, as an object."""
    with _IMPORTING:
        resource = _resource(token)
        module, name = sys.modules[resource.__module__], resource.__name__
        # The SDK says `InitArgs` where a block of another type is called `BucketVersioningArgs` already.
        return _object(getattr(module, f"{name}InitArgs", None) or getattr(module, f"{name}Args"))


@functools.cache
def outputs_of(token: str) -> frozenset[str]:
    """The names of all outputs of a resource type; every input is one, too."""
    with _IMPORTING:
        return frozenset(resource_types(_resource(token)))


# pulumi_aws loads its modules lazily, and a second thread can see one that is half there.
_IMPORTING = threading.RLock()


def _resource(token: str) -> type:
    _, module, name = token.split(":")
    found: type = getattr(importlib.import_module(f"pulumi_aws.{module.partition('/')[0]}"), name)
    return found


def _object(args: type) -> Shape:
    names = input_type_py_to_pulumi_names(args)
    parameters = inspect.signature(args).parameters
    return Shape(
        "object",
        fields={name: _shape(hint) for name, hint in input_type_types(args).items()},
        required=frozenset(wire for name, wire in names.items() if _is_required(parameters, name)),
    )


def _is_required(parameters: Mapping[str, inspect.Parameter], name: str) -> bool:
    return name in parameters and parameters[name].default is inspect.Parameter.empty


def _shape(hint: Any) -> Shape:
    options = list(_alternatives(hint))
    objects = [option for option in options if is_input_type(option)]
    if objects:
        # `str | PolicyDocumentArgs`: JSON text, which may be given as an object.
        found = _object(objects[0])
        return Shape("string", found.fields, found.required) if str in options else found
    shapes = [_plain_shape(option) for option in options]
    # Several possibilities, such as the text or list of texts of a policy's Action, are not checked further.
    return shapes[0] if len({shape.kind for shape in shapes}) == 1 else Shape("any")


def _plain_shape(hint: Any) -> Shape:
    origin = typing.get_origin(hint)
    if origin in (collections.abc.Sequence, list):
        return Shape("list", element=_shape(typing.get_args(hint)[0]))
    if origin in (collections.abc.Mapping, dict):
        return Shape("map", element=_shape(typing.get_args(hint)[1]))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Shape("string")
    return Shape(_SCALARS.get(hint, "any"))


def _alternatives(hint: Any) -> Iterator[Any]:
    """The types that a value may have, without the SDK's wrappers around them."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(hint):
            yield from _alternatives(part)
    elif origin not in (Output, collections.abc.Awaitable) and hint is not type(None):
        yield hint


def problems(shape: Shape, value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Everything that is wrong with a value: the property's path and the reason."""
    if value is None or is_unknown(value) or shape.kind == "any":
        return
    if isinstance(value, dict) and shape.fields:
        yield from _object_problems(shape, value, path)
    elif isinstance(value, dict) and shape.kind == "map" and shape.element:
        for key, item in value.items():
            yield from problems(shape.element, item, join(path, key))
    elif isinstance(value, list) and shape.kind == "list" and shape.element:
        for index, item in enumerate(value):
            yield from problems(shape.element, item, join(path, index))
    elif not _fits(shape.kind, value):
        yield path, f"expected a value of type {shape.kind}, got {_kind(value)}"


def _object_problems(shape: Shape, value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if key in shape.fields:
            yield from problems(shape.fields[key], item, join(path, key))
        elif key != DEFAULTS:
            near = difflib.get_close_matches(key, shape.fields, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            yield join(path, key), f"pulumi-aws does not know this property{hint}"
    for key in sorted(shape.required):
        if value.get(key) is None:
            yield join(path, key), "this property is required and has no value"


def _fits(kind: str, value: Any) -> bool:
    given = _kind(value)
    return given == kind or (kind == "number" and given == "integer")


def _kind(value: Any) -> str:
    return _SCALARS.get(type(value), "list" if isinstance(value, list) else "object")
