"""Strict YAML, second half: a file becomes a frozen value, or one error with everything that is wrong with it.

Comes in: a path (for the words only) and the bytes. Goes out: a `Document`, and from it a value of a model, a
frozen dataclass with annotated fields. Pydantic judges, strictly and without unknown keys; what it finds is said
in plain words with file, line and key. Opens no file, changes nothing.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from releasectl import strict_yaml
from releasectl.errors import Finding, InvalidFile
from releasectl.strict_yaml import Path, Problem, Reading, Span, shown

__all__ = ["Document", "Path", "Problem", "Rule", "Span", "load", "near", "parse", "shown", "validate", "wrong"]

Model = TypeVar("Model")
# Plain data -> for each place where values do not fit together: its path, a message, a remedy.
Rule = Callable[[Mapping[str, object]], Iterable[tuple[Path, str, str]]]


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapter(model: type[Model]) -> TypeAdapter[Model]:
    """Made once a model: making one costs more than reading a file."""
    if model not in _adapters:
        _adapters[model] = TypeAdapter(model)
    return _adapters[model]


@dataclass(frozen=True)
class Document:
    """A well-formed file. `data` holds plain values, `spans` each scalar's bytes, `places` each key's line, column."""

    path: str
    data: dict[str, object]
    spans: Mapping[Path, Span]
    places: Mapping[Path, tuple[int, int]]


_TEXT = ("text", "Put one text in quotes.")
_MAPPING = ("a mapping", "Write `key: value` lines below it.")
_LIST = ("a list", "Write a list such as `[a, b]`.")
_NUMBER = ("a whole number", "Write a number without quotes.")
_SHAPES = {  # pydantic's error type -> what should stand there, and the remedy
    "string_type": _TEXT,
    "dataclass_type": _MAPPING,
    "model_type": _MAPPING,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "int_type": _NUMBER,
    "int_from_float": _NUMBER,
    "float_type": ("a number", "Write a number without quotes."),
    "bool_type": ("true or false", "Write `true` or `false` without quotes."),
}


def load(path: str, raw: bytes, *, every_scalar_is_text: bool) -> Document:
    """The file as plain data. Raises InvalidFile with every finding about its form.

    With `every_scalar_is_text` a plain scalar is the text that stands there: `1.10` stays `1.10`. Without it,
    YAML 1.2's booleans and numbers are values of their own. In both, no value (`key:`, `null`) is a finding.
    """
    reading = strict_yaml.read(raw, every_scalar_is_text=every_scalar_is_text)
    if reading.data is None or reading.problems:
        raise _invalid(path, reading.problems)
    return _document(path, reading, reading.data)


def validate(document: Document, model: type[Model]) -> Model:
    """The document as a value of `model`. Raises InvalidFile with every finding about its content."""
    value, problems = _judge(document, model)
    if value is None:
        raise _invalid(document.path, problems)
    return value


def parse(path: str, raw: bytes, model: type[Model], *, every_scalar_is_text: bool, rule: Rule = lambda _: ()) -> Model:
    """`load` and `validate` in one, so that findings about form and about content come together.

    `rule` judges how values fit together; it gets the plain data, which may be of any shape.
    """
    reading = strict_yaml.read(raw, every_scalar_is_text=every_scalar_is_text)
    if reading.data is None:
        raise _invalid(path, reading.problems)
    document = _document(path, reading, reading.data)
    value, problems = _judge(document, model)
    problems += [Problem(*_place(document, key), key, *words) for key, *words in rule(document.data)]
    new = [p for p in problems if not any(p.key[:n] in reading.stand_ins for n in range(len(p.key) + 1))]
    if value is None or reading.problems or new:
        raise _invalid(path, [*reading.problems, *new])
    return value


def wrong(message: str, remedy: str) -> PydanticCustomError:
    """What a model's validator raises: `message` goes on from "`key` ", `remedy` starts with a verb."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "remedy": remedy})


def near(name: str, known: Iterable[str]) -> str:
    """The one of `known` that was probably meant by `name`, or ""."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), "")


def _document(path: str, reading: Reading, data: dict[str, object]) -> Document:
    return Document(path, data, reading.spans, reading.places)


def _invalid(path: str, problems: Iterable[Problem]) -> InvalidFile:
    return InvalidFile(path, [_finding(path, problem) for problem in sorted(set(problems))])


def _finding(path: str, problem: Problem) -> Finding:
    key = ".".join(shown(part)[1:-1] for part in problem.key)
    where = f"{path}:{problem.line}:{problem.column} {key}".rstrip()
    return Finding("file", where, problem.message, problem.remedy)


def _judge(document: Document, model: type[Model]) -> tuple[Model | None, list[Problem]]:
    adapter: TypeAdapter[Model] = _adapter(cast("Any", model))  # mypy holds that a type has no hash
    try:
        # As JSON, because there "strict" is about scalars: a dict may become a dataclass and a list a tuple.
        return adapter.validate_json(json.dumps(document.data), strict=True, extra="forbid"), []
    except ValidationError as error:
        schema = adapter.json_schema()
        return None, list(_problems(document, schema, error.errors(include_url=False)))


def _problems(document: Document, schema: Mapping[str, Any], errors: list[ErrorDetails]) -> Iterator[Problem]:
    """The model's errors in our words, without those that only follow from another.

    A misspelt key hides one that is then missing; a list of wrong items counts as too short.
    """
    hints: dict[Path, str] = {}
    paths = [_path(error["loc"], document.data) for error in errors]
    for error, path in zip(errors, paths, strict=True):
        if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
            known = _known_keys(schema, path[:-1]) - set(_at(document.data, path[:-1]))
            hints[path] = near(str(path[-1]), known)
    meant = {(*path[:-1], hint) for path, hint in hints.items()}
    judged_within = {path[:length] for path in paths for length in range(len(path))}
    for error, path in zip(errors, paths, strict=True):
        if path in hints:
            yield _unknown_key(document, path, hints[path], _known_keys(schema, path[:-1]))
        elif path not in meant and not (error["type"] == "too_short" and path in judged_within):
            message, remedy = _words(error, path)
            yield Problem(*_place(document, path), path, message, remedy)


def _unknown_key(document: Document, path: Path, hint: str, known: set[str]) -> Problem:
    place = document.places.get(path, (1, 1))
    name = shown(path[-1])
    if hint:
        return Problem(*place, path, f"{name} is not a key here; did you mean `{hint}`?", f"Rename it to `{hint}`.")
    keys = ", ".join(f"`{key}`" for key in sorted(known)) or "none"
    return Problem(*place, path, f"{name} is not a key here", f"Delete it; the keys here are {keys}.")


def _place(document: Document, path: Path) -> tuple[int, int]:
    """A scalar's own place, else its key's, else that of what should hold it."""
    for length in range(len(path), -1, -1):
        if path[:length] in document.spans:
            span = document.spans[path[:length]]
            return span.line, span.column
        if path[:length] in document.places:
            return document.places[path[:length]]
    return 1, 1


def _words(error: ErrorDetails, path: Path) -> tuple[str, str]:
    """Message and remedy for what pydantic found, without its vocabulary."""
    name, value, context = _name(path), error["input"], error.get("ctx", {})
    if error["type"] == "wrong":
        return f"{name} {context['message']}", str(context["remedy"])
    if error["type"] in ("missing", "missing_argument"):
        return f"{name} is missing", f"Add {name}; a key without a default is always written out."
    if error["type"] in ("literal_error", "enum"):
        return _choice(name, str(value), str(context.get("expected", "")))
    if error["type"] in _SHAPES:
        shape, remedy = _SHAPES[error["type"]]
        return f"{name} should be {shape}, not {_kind(value)}", remedy
    if error["type"] in ("string_too_short", "too_short") and not value:
        return f"{name} is empty", f"Write something for {name}."
    message = re.sub(r"^(Value error, |\w+ (?=should))", "", error["msg"])
    return f"{name} {message}", f"Change {name}; it is {_kind(value)} now."


def _name(path: Path) -> str:
    """What a message calls a value: its key, or its place in a list."""
    if not path:
        return "the file"
    return shown(path[-1]) if isinstance(path[-1], str) else f"item {path[-1] + 1} of {_name(path[:-1])}"


def _choice(name: str, value: str, expected: str) -> tuple[str, str]:
    hint = near(value, re.findall(r"'([^']*)'", expected))
    asked = f"; did you mean `{hint}`?" if hint else ""
    return f"{name} is {shown(value)}{asked}", f"Write one of: {expected.replace(chr(39), '`')}."


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return f"the number {value}" if not isinstance(value, bool) else f"the boolean {str(value).lower()}"


def _path(location: tuple[str | int, ...], data: Any) -> Path:
    """Pydantic's location as a path of the file: without the names of union members, which are not keys."""
    path: Path = ()
    for position, step in enumerate(location):
        if step == "[key]":
            continue
        if _holds(data, step):
            data = data[step]
        elif position < len(location) - 1 or not isinstance(data, dict):
            continue
        path = (*path, step)
    return path


def _at(data: Any, path: Path) -> Mapping[str, object]:
    """The mapping at a path of the file; an empty one if something else stands there."""
    for step in path:
        data = data[step] if _holds(data, step) else {}
    return data if isinstance(data, dict) else {}


def _holds(data: object, step: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


def _known_keys(schema: Mapping[str, Any], path: Path) -> set[str]:
    """The keys that the model's JSON schema knows at a path of the file."""
    here = _alternatives(schema, schema)
    for step in path:
        below = [_below(part, step) for part in here]
        here = [part for child in below if child for part in _alternatives(schema, child)]
    return {key for part in here for key in part.get("properties", {})}


def _alternatives(schema: Mapping[str, Any], part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A part of the schema, its reference followed and its unions laid out."""
    if "$ref" in part:
        return _alternatives(schema, schema["$defs"][part["$ref"].removeprefix("#/$defs/")])
    members = [*part.get("anyOf", []), *part.get("oneOf", [])]
    return [found for member in members for found in _alternatives(schema, member)] or [part]


def _below(part: Mapping[str, Any], step: str | int) -> Mapping[str, Any]:
    if isinstance(step, int):
        items = part.get("items", {})
    else:
        items = part.get("properties", {}).get(step) or part.get("additionalProperties", {})
        for pattern in part.get("patternProperties", {}).values():
            items = items or pattern
    return items if isinstance(items, dict) else {}
