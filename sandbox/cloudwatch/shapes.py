"""Requests checked against botocore's own model of CloudWatch.

Comes in: an operation's name and the request as parsed JSON. Goes out: everything that the model finds wrong
with it, as sentences in AWS's own wording. botocore checks neither patterns nor enums nor maxima on the
client's side, so the service has to. Members that the model does not know are passed over, as on AWS.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "boolean": bool,
    "timestamp": (int, float),
}


@lru_cache
def model() -> ServiceModel:
    """botocore's model of CloudWatch, API version 2010-08-01."""
    return botocore.session.get_session().get_service_model("cloudwatch")


def problems(operation: str, request: object) -> list[str]:
    """What is wrong with `request`; empty when nothing is. Values of sensitive members are not repeated."""
    shape = model().operation_model(operation).input_shape
    return [] if shape is None else list(_check(shape, request, "request"))


def _check(shape: Shape, value: object, where: str) -> Iterator[str]:
    expected = _TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        yield f"Value at '{where}' failed to satisfy constraint: Member must be a {shape.type_name}"
    elif isinstance(shape, StructureShape):
        yield from _check_structure(shape, value, where)
    elif isinstance(shape, ListShape):
        for position, entry in enumerate(_as_list(value)):
            yield from _check(shape.member, entry, f"{where}[{position}]")
    elif isinstance(shape, MapShape):
        for key, entry in _as_dict(value).items():
            yield from _check(shape.key, key, f"{where} key")
            yield from _check(shape.value, entry, f"{where}.{key}")
    else:
        yield from _check_scalar(shape, value, where)


def _check_structure(shape: StructureShape, value: object, where: str) -> Iterator[str]:
    given = {key: entry for key, entry in _as_dict(value).items() if entry is not None}
    for name in shape.required_members:
        if name not in given:
            yield f"Value null at '{where}.{name}' failed to satisfy constraint: Member must not be null"
    for name, member in shape.members.items():
        if name in given:
            yield from _check(member, given[name], f"{where}.{name}")


def _check_scalar(shape: Shape, value: Any, where: str) -> Iterator[str]:
    rules = shape.metadata
    shown = "" if rules.get("sensitive") else f"'{value}' "
    said = f"Value {shown}at '{where}' failed to satisfy constraint: Member must"
    measure, unit = (len(value), " length") if isinstance(shape, StringShape) else (value, " value")
    if "min" in rules and measure < rules["min"]:
        yield f"{said} have{unit} greater than or equal to {rules['min']}"
    if "max" in rules and measure > rules["max"]:
        yield f"{said} have{unit} less than or equal to {rules['max']}"
    if isinstance(shape, StringShape):
        if shape.enum and value not in shape.enum:
            yield f"{said} satisfy enum value set: [{', '.join(shape.enum)}]"
        if "pattern" in rules and not re.fullmatch(rules["pattern"], value, re.DOTALL):
            yield f"{said} satisfy regular expression pattern: {rules['pattern']}"


def _as_dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
