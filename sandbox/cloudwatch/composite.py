"""Rules of composite alarms: ALARM(), OK() and INSUFFICIENT_DATA() of other alarms, joined by AND, OR and NOT.

Comes in: a rule as text, the states of alarms by name. Goes out: the names that it needs, or whether it is true.
A RuleError says what is wrong and where. Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sandbox.cloudwatch.evaluation import STATES

_TOKEN = re.compile(r'\s*(?:(?P<quoted>"[^"]*")|(?P<sign>[()])|(?P<word>[^\s()"]+))')
_DEEPEST = 50  # brackets in brackets
States = Mapping[str, str]


class RuleError(Exception):
    """The rule cannot be read."""


@dataclass(frozen=True)
class Rule:
    """`names` are the alarms that it asks for, in their order."""

    names: tuple[str, ...]
    holds: Callable[[States], bool]


def parse(text: str) -> Rule:
    """Raises RuleError."""
    reader = _Reader(text)
    rule = reader.any_of()
    reader.end()
    return Rule(tuple(dict.fromkeys(rule.names)), rule.holds)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def any_of(self) -> Rule:
        rule = self._all_of()
        while self._next() == "OR":
            self._at += 1
            rule = _joined(rule, self._all_of(), any)
        return rule

    def end(self) -> None:
        if self._next():
            raise self._wrong("AND or OR")

    def _all_of(self) -> Rule:
        rule = self._single()
        while self._next() == "AND":
            self._at += 1
            rule = _joined(rule, self._single(), all)
        return rule

    def _single(self) -> Rule:
        word = self._next()
        self._at += 1
        if word in ("TRUE", "FALSE"):
            return Rule((), lambda _states: word == "TRUE")
        if word in STATES:
            return _state(word, self._named())
        if word in ("NOT", "("):
            return self._deeper(word)
        self._at -= 1
        raise self._wrong("ALARM(), OK(), INSUFFICIENT_DATA(), NOT, TRUE, FALSE or '('")

    def _deeper(self, word: str) -> Rule:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RuleError(f"The alarm rule has more than {_DEEPEST} levels.")
        if word == "NOT":
            inner = self._single()
            rule = Rule(inner.names, lambda states: not inner.holds(states))
        else:
            rule = self.any_of()
            self._take(")")
        self._depth -= 1
        return rule

    def _named(self) -> str:
        self._take("(")
        name = self._next().strip('"')
        if not name or name in ("(", ")"):
            raise self._wrong("the name of an alarm")
        self._at += 1
        self._take(")")
        return name.partition(":alarm:")[2] if name.startswith("arn:") else name

    def _take(self, text: str) -> None:
        if self._next() != text:
            raise self._wrong(f"'{text}'")
        self._at += 1

    def _next(self) -> str:
        return self._tokens[self._at][0]

    def _wrong(self, wanted: str) -> RuleError:
        text, start = self._tokens[self._at]
        there = f"'{text}' at position {start + 1}" if text else "the end"
        return RuleError(f"Error in alarm rule '{self._text}': expected {wanted}, found {there}.")


def _joined(left: Rule, right: Rule, how: Callable[[tuple[bool, bool]], bool]) -> Rule:
    return Rule(left.names + right.names, lambda states: how((left.holds(states), right.holds(states))))


def _state(state: str, name: str) -> Rule:
    return Rule((name,), lambda states: states.get(name) == state)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise RuleError(f"Error in alarm rule '{text}': a quote at position {at + 1} has no end.")
        yield found[found.lastgroup], found.start(found.lastgroup)
        at = found.end()
    yield "", end
