"""Strict YAML, first half: the bytes of a file become plain data, or everything that is wrong with their form.

Comes in: bytes. Goes out: dicts, lists and scalars with the place of every key and the byte span of every scalar,
and the problems. PyYAML delivers the events with their marks; it never constructs an object here and never
resolves a scalar by YAML 1.1. Knows nothing of any model; `document.py` is the second half.
"""

import math
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import yaml

LARGEST = 64 * 1024  # bytes; a reviewed file is far smaller
DEEPEST = 16  # mappings and lists inside one another

Event = Any  # one of PyYAML's; its stubs call every mark optional, but no event lacks one
Path = tuple[str | int, ...]  # the keys and list positions that lead to a value

# What a reviewer cannot see or sees wrongly: control characters, line breaks that git does not know, characters
# that turn the reading direction or have no width, and what no UTF-8 text may hold.
_UNSEEN = re.compile(
    r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f]"
    r"|[\ufeff\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_NULL = {"", "~", "null", "Null", "NULL"}
# YAML 1.2 core schema, chapter 10.3.2: no yes, no on, no 12:30, no dates.
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_AMBIGUOUS = re.compile(r"[-+]?0[0-9]+")


@dataclass(frozen=True)
class Span:
    """Where a scalar stands: byte offsets into the file, quotes included; line and column count from 1."""

    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong at one place; the remedy starts with a verb."""

    line: int
    column: int
    key: Path = field(compare=False)
    message: str
    remedy: str


@dataclass(frozen=True)
class Reading:
    """What a file holds. `data` is None, with problems, where the content cannot be judged.

    Values whose form is wrong are "" in `data`; `stand_ins` says which, so that nobody judges those.
    """

    problems: tuple[Problem, ...]
    data: dict[str, object] | None = None
    spans: Mapping[Path, Span] = field(default_factory=dict)
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    stand_ins: Set[Path] = frozenset()


def read(raw: bytes, *, every_scalar_is_text: bool) -> Reading:
    """Whatever the bytes are: what they hold and all that is wrong with their form. Never raises."""
    if len(raw) > LARGEST:
        message = f"the file has {len(raw)} bytes, more than the {LARGEST} that are read"
        remedy = "Shorten the file; it holds pins and policy, never payload."
        return Reading((Problem(1, 1, (), message, remedy),))
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Reading((Problem(1, 1, (), "the file is UTF-16", "Save the file as UTF-8."),))
    text, problems = _decode(raw)
    walk = _Walk(text, every_scalar_is_text=every_scalar_is_text)
    data = walk.top()
    usable = data if isinstance(data, dict) and not walk.broken else None
    return Reading((*problems, *walk.problems), usable, walk.spans, walk.places, walk.stand_ins)


def shown(text: object) -> str:
    """A value from a file as it may be printed: in backticks, no control characters, at most 60 characters."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[:100])
    return f"`{clean if len(clean) <= 60 else clean[:57] + '...'}`"


def _decode(raw: bytes) -> tuple[str, list[Problem]]:
    """The text, and a problem per line with a character that may not be there; a stand-in takes its place."""
    problems = []
    text = raw.decode("utf-8", errors="replace")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problems.append(Problem(line, column, (), message, "Save the file as UTF-8."))
    # A byte order mark at the very start means UTF-8, is written by some editors, and is kept by every edit.
    start = 1 if text.startswith("\ufeff") else 0
    for number, line in enumerate(re.findall(r"[^\n]*\n?", text), start=1):
        match = _UNSEEN.search(line, start if number == 1 else 0)
        if match:
            message = f"line {number} holds U+{ord(match[0]):04X}, a character that no reviewer can see"
            problems.append(Problem(number, match.start() + 1, (), message, "Delete the character."))
    clean = _UNSEEN.sub(lambda match: "\n" if match[0] == "\r" else "_", text[start:])
    return text[:start] + clean, problems


class _Walk:
    """One walk over the events of one file. The events bound the depth, so the walk may recurse."""

    def __init__(self, text: str, *, every_scalar_is_text: bool) -> None:
        self.problems: list[Problem] = []
        self.spans: dict[Path, Span] = {}
        self.places: dict[Path, tuple[int, int]] = {}
        self.stand_ins: set[Path] = set()
        self.broken = False  # nothing after this place could be understood
        self._every_scalar_is_text = every_scalar_is_text
        self._bytes_before = [0, *accumulate(len(c.encode("utf-8", "replace")) for c in text)]
        self._events = self._node_events(text)

    def top(self) -> object:
        """The value of the only document; with a problem, if that is not a mapping."""
        event = next(self._events, None)
        if event is None:
            if not self.broken:
                self.problems.append(Problem(1, 1, (), "the file is empty", "Write the keys it must have."))
            return None
        data = self._value(event, ())
        for _ in self._events:  # what follows the document is judged too
            pass
        if not isinstance(data, dict) and not self.broken:
            self._say(event, (), "the top level is not a mapping", "Write `key: value` lines.")
        return data

    def _say(self, event: Event, key: Path, message: str, remedy: str) -> None:
        self.problems.append(Problem(*_place_of(event.start_mark), key, message, remedy))

    def _node_events(self, text: str) -> Iterator[Event]:
        """The events of nodes, up to the first thing after which nothing can be understood."""
        depth = documents = 0
        try:
            for event in yaml.parse(text, yaml.SafeLoader):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if not self._goes_on(event, documents):
                        return
                elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                    depth += isinstance(event, yaml.CollectionStartEvent)
                    depth -= isinstance(event, yaml.CollectionEndEvent)
                    if depth > DEEPEST:
                        self.broken = True
                        message = f"more than {DEEPEST} mappings and lists stand inside one another"
                        self._say(event, (), message, "Flatten what stands here.")
                        return
                    yield event
        except yaml.MarkedYAMLError as error:
            self._unreadable(error.problem or "", error.problem_mark or error.context_mark)
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # chr() and int() of an absurd escape
            self._unreadable(str(error), None)

    def _goes_on(self, event: Event, documents: int) -> bool:
        if event.version or event.tags:
            self._say(event, (), "a directive with `%` stands before the document", "Delete its line.")
        if documents > 1:
            self._say(event, (), "a second document starts here", "Delete it; a file holds one document.")
        return documents == 1

    def _unreadable(self, cause: str, mark: Any) -> None:
        self.broken = True
        remedy = "Mend the indentation, quotes or brackets here or just above."
        place = _place_of(mark) if mark else (1, 1)
        self.problems.append(Problem(*place, (), f"this is not YAML: {shown(cause)[1:-1]}", remedy))

    def _value(self, event: Event, path: Path) -> object:
        self.places.setdefault(path, _place_of(event.start_mark))
        if isinstance(event, yaml.AliasEvent):
            self._span(event, path)
            message = f"`*{event.anchor}` repeats another value"
            return self._stand_in(event, path, message, "Write the value out here.")
        if event.anchor is not None:
            self._say(event, path, f"`&{event.anchor}` names this value for repetition", "Delete the name.")
        if event.tag is not None:
            self._say(event, path, f"the tag {shown(event.tag)} is not allowed", "Delete it; quotes make text.")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path)

    def _mapping(self, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            where = (*path, key)
            if key in found:
                message = f"{shown(key)} stands here again; line {self.places[where][0]} has it too"
                self._say(event, where, message, "Delete one of the two.")
            self.places.setdefault(where, _place_of(event.start_mark))
            value = next(self._events, None)
            if value is not None:
                found.setdefault(key, self._value(value, where))
        return found

    def _key(self, event: Event, path: Path) -> str:
        """The key as text, whatever it looks like: `on: x` has the key `on`."""
        if not isinstance(event, yaml.ScalarEvent):
            return self._no_key(event, path)
        key = _UNSEEN.sub("_", event.value)
        where = (*path, key)
        if event.style is None and key == "<<":
            self._say(event, where, "`<<` merges another mapping into this one", "Write its keys out here.")
            self.stand_ins.add(where)
        elif event.style is None and key in _NULL:
            self._say(event, where, "a key is missing before the colon", "Write the key, or put it in quotes.")
            self.stand_ins.add(where)
        if event.anchor is not None or event.tag is not None:
            self._say(event, where, "a key carries a tag or an anchor", "Delete it.")
        if key != event.value:
            self._say(event, where, *_unseen_escape(event.value))
            self.stand_ins.add(where)
        return key

    def _no_key(self, event: Event, path: Path) -> str:
        where = (*path, "?")
        what = "an alias" if isinstance(event, yaml.AliasEvent) else "a mapping or a list"
        self._say(event, where, f"{what} stands where a key belongs", "Write a plain word as the key.")
        self.stand_ins.add(where)
        if isinstance(event, yaml.CollectionStartEvent):
            self._value(event, where)
        return "?"

    def _sequence(self, path: Path) -> list[object]:
        found: list[object] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, (*path, len(found))))
        return found

    def _scalar(self, event: Event, path: Path) -> object:
        self._span(event, path)
        text: str = event.value
        if _UNSEEN.search(text):
            return self._stand_in(event, path, *_unseen_escape(text))
        if event.style is None and text in _NULL:
            return self._stand_in(event, path, "there is no value", 'Write the value, or `""` for none.')
        if event.style is not None or self._every_scalar_is_text:
            return text
        value = _resolved(text)
        if value is None:
            message = f"{shown(text)} is no number that everyone reads the same way"
            return self._stand_in(event, path, message, "Put it in quotes if it is text.")
        return value

    def _span(self, event: Event, path: Path) -> None:
        start, end = event.start_mark, event.end_mark
        span = Span(self._bytes_before[start.index], self._bytes_before[end.index], *_place_of(start))
        self.spans.setdefault(path, span)

    def _stand_in(self, event: Event, path: Path, message: str, remedy: str) -> str:
        self._say(event, path, message, remedy)
        span = self.spans[path]
        if (span.line, span.column) == _place_of(event.start_mark):  # not a repeated key's second value
            self.stand_ins.add(path)
        return ""


def _unseen_escape(text: str) -> tuple[str, str]:
    """Escapes bring in what the file's own bytes may not hold: "\\e[31m" is as bad as the byte itself."""
    found = next(_UNSEEN.finditer(text))
    return f"an escape stands for U+{ord(found[0]):04X}, which no reviewer can see", "Delete the escape."


def _resolved(text: str) -> str | bool | int | float | None:
    """A plain scalar's value by YAML 1.2's core schema; None for a number that is none.

    That is: too long, not finite, or with a leading zero (octal for YAML 1.1, decimal for 1.2).
    """
    if text in _TRUTH:
        return _TRUTH[text]
    if not (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
        return text
    if len(text) > 32 or _AMBIGUOUS.fullmatch(text):
        return None
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    number = float(text) if "n" not in text.lower() else math.inf  # .inf and .nan
    return number if math.isfinite(number) else None


def _place_of(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1
