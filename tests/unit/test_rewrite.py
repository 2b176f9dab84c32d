"""Edits of what a file is made of: each is exact to the byte, and what cannot be proven is refused."""

import pytest

from releasectl.edit import CannotEdit
from releasectl.errors import InvalidFile
from releasectl.rewrite import Value, flow, put, rename

PUT: dict[str, tuple[bytes, tuple[str, ...], Value, bytes]] = {
    "a scalar keeps its quotes": (b"a: 'b' # x\n", ("a",), "c", b"a: 'c' # x\n"),
    "a text of digits is quoted": (b"a: b\n", ("a",), "123456789012", b'a: "123456789012"\n'),
    "a number": (b"a: {b: 80}\n", ("a", "b"), 60, b"a: {b: 60}\n"),
    "a truth": (b"a: false\n", ("a",), True, b"a: true\n"),
    "an empty list": (b"a: [] # x\n", ("a",), ["b@c.example"], b"a: [b@c.example] # x\n"),
    "a list of digits": (b"a: []\n", ("a",), ["123456789012"], b'a: ["123456789012"]\n'),
    "a list on one line": (b"a: [b, c]\n", ("a",), ["d", "c"], b"a: [c, d]\n"),
    "a list over lines": (b"a: [b,\n  c]\nx: y\n", ("a",), ["d"], b"a: [d]\nx: y\n"),
    "the same list in another order": (b"a: [b,  c]\n", ("a",), ["c", "b"], b"a: [b,  c]\n"),
    "a list of lines grows": (b"a:\n  - b # 1\nx: y\n", ("a",), ["b", "c"], b"a:\n  - b # 1\n  - c\nx: y\n"),
    "a list of lines changes": (b"a:\n- b\n- c # 2\n", ("a",), ["c", "d"], b"a:\n- c # 2\n- d\n"),
    "a list of lines at the end": (b"a:\n  - b", ("a",), ["b", "c"], b"a:\n  - b\n  - c\n"),
    "a list of lines with CRLF": (b"a:\r\n  - b\r\n", ("a",), ["b", "c"], b"a:\r\n  - b\r\n  - c\r\n"),
    "a key that is not there": (
        b"a:\n  b: c # x\n# y\nz: 1\n", ("a", "d"), "e", b"a:\n  b: c # x\n  d: e\n# y\nz: 1\n"),
    "a key in braces": (b"a: {b: c} # x\n", ("a", "d"), ["e"], b"a: {b: c, d: [e]} # x\n"),
    "a key in empty braces": (b"a: {}\n", ("a", "d"), "e", b"a: {d: e}\n"),
    "a key behind a comma": (b"a: {b: c,}\n", ("a", "d"), "e", b"a: {b: c, d: e,}\n"),
    "a key and what leads to it": (b"a:\n  b: c\n", ("a", "x:y", "d"), "e", b"a:\n  b: c\n  x:y:\n    d: e\n"),
    "an entry of several lines": (
        b"a:\n    b: {c: 1}\n", ("a", "d"), {"c": {"e": [1]}},
        b"a:\n    b: {c: 1}\n    d:\n      c: {e: [1]}\n"),
    "an entry of nothing": (b"a: 1\n", ("b",), {}, b"a: 1\nb: {}\n"),
    "after a block of text": (
        b"a:\n  b: |\n    c\n\n# x\nz: 1\n", ("a", "d"), "e",
        b"a:\n  b: |\n    c\n  d: e\n\n# x\nz: 1\n"),
    "after a list of lines": (b"a:\n  b:\n    - c\nz: 1\n", ("a", "d"), "e", b"a:\n  b:\n    - c\n  d: e\nz: 1\n"),
    "at the end without a line's end": (b"a: b", ("c",), "d", b"a: b\nc: d\n"),
    "with CRLF": (b"a: b\r\n", ("c",), "d", b"a: b\r\nc: d\r\n"),
    "behind a byte order mark and wide characters": (
        "\ufeff# \u2603\na: {b: \u2603}\n".encode(), ("a", "c"), "d",
        "\ufeff# \u2603\na: {b: \u2603, c: d}\n".encode()),
    "words that some readers take for a truth": (b"a: []\n", ("a",), ["no", "Off"], b'a: ["no", "Off"]\n'),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "key", "value", "expected"), PUT.values(), ids=PUT.keys())
def test_a_value_is_put_and_nothing_else_changes(
    raw: bytes, key: tuple[str, ...], value: Value, expected: bytes
) -> None:
    done = put("f", raw, key, value)

    assert done == expected
    assert put("f", done, key, value) == done


RENAMED = {
    "on a line": (b"a:\n  b: # x\n    c: 1\n", ("a", "b"), b"a:\n  new: # x\n    c: 1\n"),
    "in braces": (b"a: {b: 1, c: 2}\n", ("a", "b"), b"a: {new: 1, c: 2}\n"),
    "in quotes": (b'"a": 1\r\n', ("a",), b"new: 1\r\n"),
}


@pytest.mark.parametrize(("raw", "key", "expected"), RENAMED.values(), ids=RENAMED.keys())
def test_a_key_is_renamed_and_keeps_what_it_holds(raw: bytes, key: tuple[str, ...], expected: bytes) -> None:
    assert rename("f", raw, key, "new") == expected


def test_a_name_that_needs_quotes_gets_them() -> None:
    assert rename("f", b"a: 1\n", ("a",), "b: c") == b'"b: c": 1\n'


def test_an_empty_value_of_a_release_file_is_a_text_in_every_reading() -> None:
    raw = b"services:\n  web:\n    version: 1.10\n"

    done = put("f", raw, ("services", "api"), {"version": ""}, every_scalar_is_text=True)

    assert done == raw + b'  api:\n    version: ""\n'


@pytest.mark.parametrize(
    ("raw", "key", "value"),
    [
        pytest.param(b"a: |\n  b\n", ("a",), "c", id="a block of text"),
        pytest.param(b"a:\n  - b\n", ("a",), [], id="a list of lines that would be empty"),
        pytest.param(b"a: b\n", ("a", "c"), "d", id="a text where keys should be"),
        pytest.param(b"a: [b]\n", ("a", "c"), "d", id="a list where keys should be"),
        pytest.param(b"a:\n  b: 1\n", ("a",), {"c": 1}, id="other keys on lines of their own"),
    ],
)
def test_what_cannot_be_proven_is_left_to_a_person(raw: bytes, key: tuple[str, ...], value: Value) -> None:
    with pytest.raises(CannotEdit) as caught:
        put("f", raw, key, value)
    assert "by hand" in caught.value.remedy


def test_a_name_that_is_taken_or_a_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(CannotEdit):
        rename("f", b"a: 1\nb: 2\n", ("a",), "b")
    with pytest.raises(CannotEdit, match="it is not there"):
        rename("f", b"a: 1\n", ("b",), "c")


def test_a_broken_file_is_told_and_not_edited() -> None:
    with pytest.raises(InvalidFile):
        put("f", b"a: [\n", ("a",), "b")


def test_a_value_on_one_line_reads_the_same_everywhere() -> None:
    assert flow({"a": [1, True, "x", "1", "on", ""], "b": {}}) == '{a: [1, true, x, "1", "on", ""], b: {}}'
