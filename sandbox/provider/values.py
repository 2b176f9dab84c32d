"""Property values on the wire: Struct to plain Python and back, unknowns, and property paths.

Comes in: protobuf structs and paths such as `tags["a.b"]` or `metricQueries[0].id`. Goes out: dicts, lists, text,
numbers. Secrets never arrive here: the provider says that it does not take them, so the engine unwraps them and
marks the answer secret again where the input was.
"""

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value

Properties = dict[str, Any]

# An unknown in a preview; the engine has one for each type of value (its sdk/go/common/resource/plugin/rpc.go).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
# The bridge keeps in the inputs, per object, which of its properties came from defaults and not from the program.
DEFAULTS = "__defaults"

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


def is_unknown(value: object) -> bool:
    """Is this one value unknown until the update runs?"""
    return isinstance(value, str) and value in _UNKNOWNS


def is_blank(value: object) -> bool:
    """Terraform cannot tell "not given" from the zero of a type, so neither can its differences.

    A block of nothing but zeros is blank, too: AWS tells some blocks that were never given, switched off.
    """
    if isinstance(value, dict):
        return all(is_blank(item) for item in value.values())
    return value is None or value in ("", 0, [])


def plain(value: Any) -> Any:
    """The value without the bridge's lists of defaults and without nulls."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != DEFAULTS and item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def from_struct(struct: Struct) -> Properties:
    """Whole numbers become int, as boto3 wants them."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return None if kind in (None, "null_value") else getattr(value, kind)


def to_struct(properties: Mapping[str, Any]) -> Struct:
    """Properties without a value are left out."""
    struct = Struct()
    struct.update({key: value for key, value in properties.items() if value is not None})
    return struct


def join(path: str, key: str | int) -> str:
    """The engine's spelling: `a.b`, `a[0]`, and `a["b.c"]` where a key would be mistaken for a path."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if not path:
        return key
    if re.fullmatch(r"[^.\[\]\"]+", key):
        return f"{path}.{key}"
    return f'{path}["{key}"]'


def overlay(news: Properties, olds: Mapping[str, Any], paths: list[str]) -> Properties:
    """`news` with the values of `olds` at `paths`: what ignoreChanges means. `*` is every key, or every place."""
    result = news
    for path in paths:
        steps = [quoted or number or name for quoted, number, name in _STEP.findall(path)]
        result = _taken(result, olds, steps)
    return result


def _taken(new: Any, old: Any, steps: list[str]) -> Any:
    if not steps:
        return old
    step, rest = steps[0], steps[1:]
    if step == "*":
        return _all_taken(new, old, rest)
    if isinstance(new, list) and isinstance(old, list):
        index = int(step) if step.isdigit() else len(old)
        return [_taken(item, old[at], rest) if at == index < len(old) else item for at, item in enumerate(new)]
    if not isinstance(new, dict) or not isinstance(old, Mapping):
        return new if new is not None else old
    value = _taken(new.get(step), old.get(step), rest)
    others = {key: item for key, item in new.items() if key != step}
    return others if value is None else others | {step: value}


def _all_taken(new: Any, old: Any, rest: list[str]) -> Any:
    if isinstance(new, list) and isinstance(old, list):
        return [_taken(item, old[at], rest) if at < len(old) else item for at, item in enumerate(new)]
    if not isinstance(new, dict) or not isinstance(old, Mapping):
        return new if new is not None else old
    taken = {key: _taken(new.get(key), old.get(key), rest) for key in (*new, *(key for key in old if key not in new))}
    return {key: item for key, item in taken.items() if item is not None}
