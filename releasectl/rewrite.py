"""Byte-exact edits of what a YAML file is made of: a scalar, a list, a key's name, an entry that is not there yet.

Comes in: the bytes, the keys that lead to a place, and what should stand there. Goes out: the bytes with that changed
and nothing else: comments, quotes, order and line ends stay. Each edit is proven by reading the result again; what
cannot be proven is refused. Never dumps a file anew, never takes an entry away, never judges a value.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from releasectl import document
from releasectl.document import Document, shown
from releasectl.edit import CannotEdit, ways
from releasectl.errors import InvalidFile

Value = str | int | float | bool | Sequence["Value"] | Mapping[str, "Value"]
Key = tuple[str, ...]
Node = Any  # PyYAML's stubs do not say what a node's value is

# What no reader of YAML, 1.1 or 1.2, takes for anything but this text, also inside `[]`.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def put(path: str, raw: bytes, key: Key, value: Value, *, every_scalar_is_text: bool = False) -> bytes:
    """The file with `value` at `key`. What leads there is made where it is not there; a list keeps its order.

    Raises InvalidFile if the file is no strict YAML, CannotEdit if there is no way to write it.
    """
    file = _File(path, raw, every_scalar_is_text)
    found = _at(file.document.data, key)
    if isinstance(value, list | tuple) and isinstance(found, list):
        value = [*(item for item in found if item in value), *(item for item in value if item not in found)]
    wanted = _with(file.document.data, key, value)
    if wanted == file.document.data:
        return raw
    return file.proven(wanted, f"writing {shown(flow(value))} to {shown('.'.join(key))}", _candidates(file, key, value))


def rename(path: str, raw: bytes, key: Key, name: str, *, every_scalar_is_text: bool = False) -> bytes:
    """The file with another name for the key at `key`; what it holds stays. Raises InvalidFile, CannotEdit."""
    file = _File(path, raw, every_scalar_is_text)
    doing = f"renaming {shown('.'.join(key))} to {shown(name)}"
    if not file.has(key):
        raise CannotEdit(f"{doing} in {path}: it is not there", f"Edit {path} by hand.")
    wanted = copy.deepcopy(file.document.data)
    holder = _at(wanted, key[:-1])
    holder[name] = holder.pop(key[-1])
    named = file.entry(key)[0]
    return file.proven(wanted, doing, (file.replaced(named, text) for text in (name, json.dumps(name))))


def flow(value: Value) -> str:
    """A value on one line, as YAML that means the same to every reader."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _WORDS else json.dumps(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class _File:
    """One file: its bytes, what they mean, and where PyYAML says that each part of them stands."""

    path: str
    raw: bytes
    every_scalar_is_text: bool

    @cached_property
    def document(self) -> Document:
        return document.load(self.path, self.raw, every_scalar_is_text=self.every_scalar_is_text)

    @cached_property
    def text(self) -> str:
        return self.raw.decode()

    @cached_property
    def line_end(self) -> str:
        return "\r\n" if b"\r\n" in self.raw else "\n"

    @cached_property
    def root(self) -> Node:
        return yaml.compose(self.text, Loader=yaml.SafeLoader)

    def node(self, key: Key) -> Node:
        """What stands at a key that is there."""
        return self.entry(key)[1] if key else self.root

    def entry(self, key: Key) -> tuple[Node, Node]:
        """The nodes of a key that is there and of its value."""
        pairs = self.node(key[:-1]).value
        return next((name, value) for name, value in pairs if name.value == key[-1])

    def has(self, key: Key) -> bool:
        return _at(self.document.data, key) is not None

    def replaced(self, node: Node, text: str) -> str:
        return self.text[: node.start_mark.index] + text + self.text[node.end_mark.index :]

    def inserted(self, at: int, lines: Sequence[str]) -> str:
        """The text with whole lines after the line that holds the place `at`."""
        end = self.text.find("\n", at)
        before, after = (self.text + self.line_end, "") if end < 0 else (self.text[: end + 1], self.text[end + 1 :])
        return before + "".join(line + self.line_end for line in lines) + after

    def proven(self, wanted: Mapping[str, object], doing: str, candidates: Iterator[str]) -> bytes:
        """The first candidate that means exactly what is wanted. Raises CannotEdit with what was wrong with them."""
        cause = "the rest of the file would change with it"
        for candidate in candidates:
            try:
                result = document.load(
                    self.path, candidate.encode(), every_scalar_is_text=self.every_scalar_is_text
                )  # fmt: skip
            except InvalidFile as error:
                cause = error.findings[0].message
                continue
            if result.data == wanted:
                return candidate.encode()
        raise CannotEdit(f"{doing} in {self.path}: {cause}", f"Edit {self.path} by hand.")


def _at(data: Any, key: Key) -> Any:
    """What the data holds there, None where nothing is: no strict file holds a null."""
    for step in key:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def _with(data: Mapping[str, object], key: Key, value: Value) -> Mapping[str, object]:
    """A copy of the data with another value, and whatever leads to it."""
    wanted: dict[str, Any] = copy.deepcopy(dict(data))
    holder = wanted
    for step in key[:-1]:
        inner = holder.setdefault(step, {})
        if not isinstance(inner, dict):
            raise CannotEdit(f"writing {shown('.'.join(key))}: {shown(step)} holds no keys", "Edit the file by hand.")
        holder = inner
    holder[key[-1]] = _plain(value)
    return wanted


def _plain(value: Value) -> object:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _candidates(file: _File, key: Key, value: Value) -> Iterator[str]:
    """The ways to write the value there: in the place of another, or as an entry of what leads to it."""
    if file.has(key):
        return _in_its_place(file, file.node(key), value)
    there = key[:-1]
    while not file.has(there) and there:
        there = there[:-1]
    for step in reversed(key[len(there) + 1 :]):
        value = {step: value}
    return _as_an_entry(file, file.node(there), key[len(there)], value)


def _in_its_place(file: _File, node: Node, value: Value) -> Iterator[str]:
    if isinstance(node, yaml.ScalarNode) and isinstance(value, str):
        old = file.text[node.start_mark.index : node.end_mark.index]
        if old.startswith(("|", ">")):
            return
        yield from (file.replaced(node, written.decode()) for written in ways(old.encode(), value))
    elif isinstance(node, yaml.SequenceNode) and not node.flow_style and isinstance(value, list) and value:
        yield _block_list(file, node, value)
    elif isinstance(node, yaml.ScalarNode) or node.flow_style:
        yield file.replaced(node, flow(value))


def _block_list(file: _File, node: Node, items: Sequence[Value]) -> str:
    """One item on each line: the lines of those that stay are left alone, comments and all."""
    lines = file.text.splitlines(keepends=True)
    there = {item.value: item.start_mark.line for item in node.value}
    last = max(there.values())
    dash = " " * node.start_mark.column + "- "
    end = "" if lines[last].endswith("\n") else file.line_end
    new = [f"{dash}{flow(item)}{file.line_end}" for item in items if item not in there]
    gone = {line for item, line in there.items() if item not in items}
    kept = [line for number, line in enumerate(lines[: last + 1]) if number not in gone]
    return "".join([*kept, end if new else "", *new, *lines[last + 1 :]])


def _as_an_entry(file: _File, parent: Node, name: str, value: Value) -> Iterator[str]:
    """After the last entry of a mapping: on lines of its own, or inside its braces."""
    if not isinstance(parent, yaml.MappingNode):
        return
    if parent.flow_style:
        before = ", " if parent.value else ""
        at = parent.value[-1][1].end_mark.index if parent.value else parent.start_mark.index + 1
        yield f"{file.text[:at]}{before}{name}: {flow(value)}{file.text[at:]}"
        return
    indent = " " * parent.value[0][0].start_mark.column
    lines = [f"{indent}{line}" for line in _lines(name, value)]
    yield file.inserted(_end(file, parent), lines)


def _lines(name: str, value: Value) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *(f"  {inner}: {flow(held)}" for inner, held in value.items())]
    return [f"{name}: {flow(value)}"]


def _end(file: _File, node: Node) -> int:
    """Where the last thing that a node holds ends: PyYAML's own mark is behind the comments that follow."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(file, last[1] if isinstance(node, yaml.MappingNode) else last)
    return len(file.text[: node.end_mark.index].rstrip())
