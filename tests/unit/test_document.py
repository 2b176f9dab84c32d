"""Strict YAML: what is refused, where, in which words; and what is read from what stands there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import Field

from releasectl.document import load, parse, validate
from releasectl.errors import Finding, InvalidFile


def findings(raw: bytes, *, every_scalar_is_text: bool = True) -> tuple[Finding, ...]:
    with pytest.raises(InvalidFile) as caught:
        load("some.yaml", raw, every_scalar_is_text=every_scalar_is_text)
    return caught.value.findings


FORM = {
    "empty": (b"", "1:1", "the file is empty"),
    "only a comment": (b"# nothing\n", "1:1", "the file is empty"),
    "a list at the top": (b"- a\n", "1:1", "the top level is not a mapping"),
    "a scalar at the top": (b"a\n", "1:1", "the top level is not a mapping"),
    "not UTF-8": (b"a: b\nc: \xff\n", "2:4", "byte 0xff is not UTF-8"),
    "UTF-16": ("a: b\n".encode("utf-16"), "1:1", "the file is UTF-16"),
    "NUL": (b"a: x\x00y\n", "1:5", "U+0000"),
    "a lone carriage return": (b"a: b # old\rc: d\n", "1:11", "U+000D"),
    "a text that runs backwards": ("a: b # \u202eevil\n".encode(), "1:8", "U+202E"),
    "a line break that git does not know": ("a: b # x\u2028c: d\n".encode(), "1:9", "U+2028"),
    "a second byte order mark": ("\ufeff\ufeffa: b\n".encode(), "1:2", "U+FEFF"),
    "an escape character by escape": (b'a: "\\e[31m"\n', "1:4 a", "U+001B"),
    "half a character by escape": (b'a: "\\ud800"\n', "1:4 a", "U+D800"),
    "two documents": (b"a: b\n---\na: c\n", "2:1", "a second document starts here"),
    "a directive": (b"%YAML 1.2\n---\na: b\n", "1:1", "a directive with `%`"),
    "a key twice": (b"a: b\nc:\n  d: e\n  d: f\n", "4:3 c.d", "`d` stands here again; line 3 has it too"),
    "an alias": (b"a: *b\n", "1:4 a", "`*b` repeats another value"),
    "an anchor": (b"a: &b c\n", "1:4 a", "`&b` names this value"),
    "a tag": (b"a: !!int 1\n", "1:4 a", "the tag `tag:yaml.org,2002:int`"),
    "a tag that would run code": (b"a: !!python/object/apply:os.system [ls]\n", "1:4 a", "the tag"),
    "the tag of nothing": (b"a: ! b\n", "1:4 a", "the tag `!`"),
    "a tag on a key": (b"!!str a: b\n", "1:1 a", "a key carries a tag"),
    "a merge": (b"a: b\n<<: {c: d}\n", "2:1 <<", "`<<` merges"),
    "a list as key": (b"? [a, b]\n: c\n", "1:3 ?", "a mapping or a list stands where a key belongs"),
    "an alias as key": (b"a: b\n*b : c\n", "2:1 ?", "an alias stands where a key belongs"),
    "a key of nothing": (b"null: b\n", "1:1 null", "a key is missing before the colon"),
    "no value": (b"a:\n", "1:3 a", "there is no value"),
    "null": (b"a: null\n", "1:4 a", "there is no value"),
    "tilde": (b"a: [~]\n", "1:5 a.0", "there is no value"),
    "an open quote": (b'a: b\nc: "d\n', "3:1", "this is not YAML: found unexpected end of stream"),
    "a tab as indentation": (b"a:\n\tb: c\n", "2:1", "this is not YAML"),
    "an undefined tag handle": (b"a: !x!y z\n", "1:4", "this is not YAML"),
    "an escape beyond Unicode": (b'a: "\\UFFFFFFFF"\n', "1:1", "this is not YAML"),
    "a version of absurd length": (b"%YAML 1." + b"9" * 5000 + b"\n---\na: b\n", "1:1", "this is not YAML"),
    "too deep": (b"a: " + b"[" * 16 + b"]" * 16 + b"\n", "1:19", "more than 16"),
    "far too deep": (b"[" * 60_000, "1:17", "more than 16"),
    "too long": (b"#" * 65_537, "1:1", "the file has 65537 bytes, more than the 65536"),
}


@pytest.mark.parametrize(("raw", "place", "words"), FORM.values(), ids=FORM.keys())
def test_a_broken_form_is_one_finding_with_its_place_and_a_remedy(raw: bytes, place: str, words: str) -> None:
    (finding,) = findings(raw)

    assert finding.where == f"some.yaml:{place}"
    assert words in finding.message
    assert finding.remedy[0].isupper()


def test_an_invalid_file_prints_every_finding_in_the_order_of_the_lines() -> None:
    raw = b"a: *x\nb: &y 1\na: c\nd: \x07\ne: !t f\nf:\ng: [1\n"

    places = [finding.where.split()[0] for finding in findings(raw)]

    assert places == [f"some.yaml:{line}" for line in ("1:4", "2:4", "3:1", "4:4", "5:4", "6:3", "8:1")]


def test_a_broken_form_never_prints_a_control_character() -> None:
    raw = b'"\\e[31m\\n\\u202e": 1\n"\\e": !<\x1b> x\n'

    assert all(character.isprintable() or character == "\n" for f in findings(raw) for character in str(f))


PLAIN = {
    "1.10": 1.1,
    "0x1F": 31,
    "0o17": 15,
    "-12": -12,
    "+3": 3,
    ".5": 0.5,
    "1e3": 1000.0,
    "true": True,
    "False": False,
    "yes": "yes",
    "off": "off",
    "12:30": "12:30",
    "2026-11-21": "2026-11-21",
    "1_000": "1_000",
    "0b1": "0b1",
    "tRue": "tRue",
}


@pytest.mark.parametrize(("text", "value"), PLAIN.items(), ids=PLAIN.keys())
def test_a_plain_scalar_is_resolved_by_yaml_1_2_or_is_the_text_that_stands_there(text: str, value: object) -> None:
    raw = f"a: {text}\nb: '{text}'\n".encode()

    resolved = load("f", raw, every_scalar_is_text=False).data
    literal = load("f", raw, every_scalar_is_text=True).data

    assert resolved == {"a": value, "b": text}
    assert type(resolved["a"]) is type(value)
    assert literal == {"a": text, "b": text}


@pytest.mark.parametrize("text", ["010", "-007", ".inf", "-.Inf", ".nan", "1e999", "9" * 33, "1" * 5000])
def test_a_number_that_readers_may_take_for_different_values_is_a_finding(text: str) -> None:
    (finding,) = findings(f"a: {text}\n".encode(), every_scalar_is_text=False)

    assert "no number that everyone reads the same way" in finding.message
    assert finding.remedy == "Put it in quotes if it is text."


def test_keys_are_text_whatever_they_look_like() -> None:
    document = load("f", b"on: a\n1: b\ntrue: c\n'<<': d\n'': e\n", every_scalar_is_text=False)

    assert document.data == {"on": "a", "1": "b", "true": "c", "<<": "d", "": "e"}


SPANS = {
    "plain": (b"a: b\n", b"b"),
    "single quotes": (b"a: 'b''c' # d\n", b"'b''c'"),
    "double quotes": (b'a: "b"\n', b'"b"'),
    "flow": (b"{x: y, a: b , c: d}\n", b"b"),
    "after wide characters": ("# \N{SNOWMAN}\n\N{LATIN SMALL LETTER E WITH ACUTE}: \U0001f600\na: b\n".encode(), b"b"),
    "wide itself": ("a: \U0001f600\N{LATIN SMALL LETTER E WITH ACUTE}z # x\n".encode(), "\U0001f600\u00e9z".encode()),
    "after a byte order mark": ("\ufeffa: b\n".encode(), b"b"),
    "with CRLF": (b"# x\r\nx: y\r\na: b\r\nz: 1\r\n", b"b"),
    "over two lines": (b"a: b\n  c\nd: e\n", b"b\n  c"),
}


@pytest.mark.parametrize(("raw", "scalar"), SPANS.values(), ids=SPANS.keys())
def test_a_span_holds_exactly_the_bytes_of_its_scalar(raw: bytes, scalar: bytes) -> None:
    span = load("f", raw, every_scalar_is_text=True).spans["a",]

    assert raw[span.start : span.end] == scalar


@dataclass(frozen=True)
class Part:
    size: int
    kind: Literal["small", "large"] = "small"
    names: tuple[str, ...] = ()
    factor: float = 1.0
    strict: bool = False


@dataclass(frozen=True)
class Whole:
    title: str
    parts: Annotated[Mapping[str, Part], Field(min_length=1)]


ONE = b"title: t\nparts: {a: {size: 1, "
CONTENT = {
    "text as number": (b"title: 1\nparts: {a: {size: 1}}", "1:8 title", "`title` should be text, not the number 1"),
    "number as text": (b"title: t\nparts: {a: {size: '1'}}", "2:19 parts.a.size", "whole number, not the text `1`"),
    "a fraction": (b"title: t\nparts: {a: {size: 1.5}}", "2:19 parts.a.size", "whole number, not the number 1.5"),
    "missing": (b"title: t\nparts: {a: {}}", "2:9 parts.a.size", "`size` is missing"),
    "missing at the top": (b"parts: {a: {size: 1}}", "1:1 title", "`title` is missing"),
    "misspelt": (b"titel: t\nparts: {a: {size: 1}}", "1:1 titel", "not a key here; did you mean `title`?"),
    "unknown": (ONE + b"x: 2}}", "2:22 parts.a.x", "`x` is not a key here"),
    "no mapping": (b"title: t\nparts: [1]", "2:1 parts", "`parts` should be a mapping, not a list"),
    "no mapping inside": (b"title: t\nparts: {a: 1}", "2:12 parts.a", "`a` should be a mapping, not the number 1"),
    "no list": (ONE + b"names: b}}", "2:29 parts.a.names", "`names` should be a list, not the text `b`"),
    "an item": (ONE + b"names: [b, 2]}}", "2:33 parts.a.names.1", "item 2 of `names` should be text"),
    "a choice": (ONE + b"kind: lage}}", "2:28 parts.a.kind", "`kind` is `lage`; did you mean `large`?"),
    "a boolean": (ONE + b"strict: yes}}", "2:30 parts.a.strict", "true or false, not the text `yes`"),
    "a number": (ONE + b"factor: true}}", "2:30 parts.a.factor", "a number, not the boolean true"),
    "nothing in it": (b"title: t\nparts: {}", "2:1 parts", "`parts` is empty"),
}


@pytest.mark.parametrize(("raw", "place", "words"), CONTENT.values(), ids=CONTENT.keys())
def test_wrong_content_is_said_in_plain_words_with_its_place(raw: bytes, place: str, words: str) -> None:
    document = load("f", raw, every_scalar_is_text=False)

    with pytest.raises(InvalidFile) as caught:
        validate(document, Whole)

    (finding,) = caught.value.findings
    assert finding.where == f"f:{place}"
    assert words in finding.message
    assert finding.rule == "file"


def test_valid_content_becomes_a_frozen_value() -> None:
    document = load("f", b"title: t\nparts: {a: {size: 1, factor: 2, names: [b]}}", every_scalar_is_text=False)

    assert validate(document, Whole) == Whole("t", {"a": Part(1, names=("b",), factor=2.0)})


def test_findings_about_form_and_content_come_together_and_none_twice() -> None:
    raw = b"title: 1\ntitle:\nparts: {a: {size: , kind: x}}\n"

    with pytest.raises(InvalidFile) as caught:
        parse("f", raw, Whole, every_scalar_is_text=False)

    assert [finding.message for finding in caught.value.findings] == [
        "`title` should be text, not the number 1",
        "`title` stands here again; line 1 has it too",
        "there is no value",
        "there is no value",
        "`kind` is `x`",
    ]
