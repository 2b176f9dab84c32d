"""Expressions of metric math: text to a tree, and a tree to a value.

Comes in: an expression as an alarm has it, series by their ids, the periods that are looked at. Goes out: a value,
or an ExpressionError that says what is wrong and where. It knows the part of AWS's language that alarms need:
numbers, ids, + - * / ^, comparisons, AND, OR, IF, FILL, SUM, MAX, MIN, AVG and arrays. Nothing else is guessed at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sandbox.cloudwatch import series
from sandbox.cloudwatch.series import NotComputable, Value

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
# From the loosest to the tightest; AWS names the operators and is silent about their order, which is the usual one.
_LEVELS = (("OR",), ("AND",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"), ("^",))
_SAME = {"&&": "AND", "||": "OR"}
_DEEPEST = 50  # brackets in brackets
_FUNCTIONS = "FILL, IF, SUM, MAX, MIN and AVG"


class ExpressionError(Exception):
    """The expression cannot be read, or does what metric math does not have."""


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Name:
    id: str


@dataclass(frozen=True)
class Repeat:
    """The word REPEAT in FILL."""


@dataclass(frozen=True)
class Negative:
    of: "Node"


@dataclass(frozen=True)
class Operation:
    name: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Call:
    function: str
    arguments: "tuple[Node, ...]"


@dataclass(frozen=True)
class Array:
    items: "tuple[Node, ...]"


Node: TypeAlias = Number | Name | Repeat | Negative | Operation | Call | Array


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    reader = _Reader(text)
    tree = reader.level(0)
    reader.end()
    return tree


def ids(node: Node) -> frozenset[str]:
    """The ids that an expression needs."""
    if isinstance(node, Name):
        return frozenset({node.id})
    inner: tuple[Node, ...] = ()
    if isinstance(node, Negative):
        inner = (node.of,)
    elif isinstance(node, Operation):
        inner = (node.left, node.right)
    elif isinstance(node, Call):
        inner = node.arguments
    elif isinstance(node, Array):
        inner = node.items
    return frozenset().union(*map(ids, inner))


def evaluate(node: Node, known: Callable[[str], Value], periods: range) -> Value:
    """The value of a tree; `known` gives the series of an id. Raises ExpressionError."""
    try:
        return _value(node, known, periods)
    except NotComputable as error:
        raise ExpressionError(f"Metric math has no {error}.") from error


def _value(node: Node, known: Callable[[str], Value], periods: range) -> Value:
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return known(node.id)
    if isinstance(node, Negative):
        return series.negative(_value(node.of, known, periods))
    if isinstance(node, Operation):
        return series.combine(node.name, _value(node.left, known, periods), _value(node.right, known, periods))
    if isinstance(node, Array):
        return series.array([_value(item, known, periods) for item in node.items])
    if isinstance(node, Call):
        return _called(node.function, [_argument(each, known, periods) for each in node.arguments], periods)
    raise NotComputable("REPEAT outside of FILL")


def _argument(node: Node, known: Callable[[str], Value], periods: range) -> Value | None:
    return None if isinstance(node, Repeat) else _value(node, known, periods)


def _called(function: str, arguments: list[Value | None], periods: range) -> Value:
    given = [each for each in arguments if each is not None]
    if arguments[0] is None or (function != "FILL" and len(given) < len(arguments)):
        raise NotComputable("REPEAT outside of FILL")
    if function == "FILL":
        return series.fill(arguments[0], arguments[1], periods)
    if function == "IF":
        return series.choose(given[0], given[1], given[2] if len(given) > 2 else None, periods)
    return series.reduce(function, given[0])


_ARGUMENTS: Mapping[str, tuple[int, ...]] = {"FILL": (2,), "IF": (2, 3), **dict.fromkeys(series.REDUCTIONS, (1,))}


class _Reader:
    """Reads an expression from the left to the right, once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def level(self, depth: int) -> Node:
        """What is joined by the operators of this level or of tighter ones."""
        if depth == len(_LEVELS):
            return self._single()
        left = self.level(depth + 1)
        while (name := _SAME.get(self._next(), self._next())) in _LEVELS[depth]:
            self._at += 1
            left = Operation(name, left, self.level(depth + 1))
        return left

    def end(self) -> None:
        if self._next():
            raise self._wrong("an operator")

    def _single(self) -> Node:
        kind, text, _ = self._tokens[self._at]
        if text == "-":
            self._at += 1
            return Negative(self._deeper(self._single))
        if text in ("(", "["):
            return self._deeper(self._bracketed)
        if kind == "sign" or not text:
            raise self._wrong("a number, an id or a function")
        self._at += 1
        if kind == "number":
            return Number(float(text))
        return self._deeper(self._call, text) if self._next() == "(" else self._word(text)

    def _deeper(self, read: Callable[..., Node], *given: str) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ExpressionError(f"The expression has more than {_DEEPEST} levels of brackets.")
        node = read(*given)
        self._depth -= 1
        return node

    def _bracketed(self) -> Node:
        if self._next() == "[":
            return Array(self._list("[", "]"))
        inner = self._list("(", ")")
        if len(inner) != 1:
            raise ExpressionError(f"Brackets hold one expression in '{self._text}', not {len(inner)}.")
        return inner[0]

    def _call(self, function: str) -> Node:
        arguments = self._list("(", ")")
        if function not in _ARGUMENTS:
            raise ExpressionError(f"Unsupported function '{function}'. The sandbox's metric math has {_FUNCTIONS}.")
        if len(arguments) not in _ARGUMENTS[function]:
            wanted = " or ".join(map(str, _ARGUMENTS[function]))
            raise ExpressionError(f"{function} takes {wanted} arguments and is given {len(arguments)}.")
        return Call(function, arguments)

    def _word(self, word: str) -> Node:
        if word == "REPEAT":
            return Repeat()
        if not word[0].islower():
            raise ExpressionError(f"'{word}' is no id, which begins with a small letter, and no function.")
        return Name(word)

    def _list(self, opening: str, closing: str) -> tuple[Node, ...]:
        self._take(opening)
        items = [self.level(0)]
        while self._next() == ",":
            self._at += 1
            items.append(self.level(0))
        self._take(closing)
        return tuple(items)

    def _take(self, text: str) -> None:
        if self._next() != text:
            raise self._wrong(f"'{text}'")
        self._at += 1

    def _next(self) -> str:
        return self._tokens[self._at][1]

    def _wrong(self, wanted: str) -> ExpressionError:
        _, text, start = self._tokens[self._at]
        there = f"'{text}' at position {start + 1}" if text else "the end"
        return ExpressionError(f"Error in expression '{self._text}': expected {wanted}, found {there}.")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and start of each token; the end is an empty one."""
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            raise ExpressionError(f"Error in expression '{text}': unexpected '{text[start]}' at position {start + 1}.")
        yield found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)
        at = found.end()
    yield "", "", end
