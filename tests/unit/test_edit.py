"""Byte-exact edits: how each writing of a scalar takes a new text, and what is refused."""

import pytest

from releasectl.edit import CannotEdit, edit
from releasectl.errors import InvalidFile

WAYS = {
    "plain stays plain": (b"a: b\n", "c", b"a: c\n"),
    "plain with spaces stays plain": (b"a: b\n", "1.4 (hot fix)", b"a: 1.4 (hot fix)\n"),
    "plain becomes quoted for nothing": (b"a: b # x\n", "", b'a: "" # x\n'),
    "plain becomes quoted for null": (b"a: b\n", "null", b'a: "null"\n'),
    "plain becomes quoted for a comment sign": (b"a: b\n", "c #d", b'a: "c #d"\n'),
    "plain becomes quoted for a colon": (b"a: b\n", "c: d", b'a: "c: d"\n'),
    "plain becomes quoted for an indicator": (b"a: b\n", "*c", b'a: "*c"\n'),
    "plain becomes quoted for outer spaces": (b"a: b\n", " c ", b'a: " c "\n'),
    "plain becomes quoted in flow": (b"{a: b, x: y}\n", "c, d", b'{a: "c, d", x: y}\n'),
    "plain over two lines": (b"a: b\n  c\nx: y\n", "d", b"a: d\nx: y\n"),
    "single quotes stay": (b"a: 'b'\n", "c", b"a: 'c'\n"),
    "single quotes double themselves": (b"a: 'b'\n", "it's", b"a: 'it''s'\n"),
    "single quotes keep a backslash": (b"a: 'b'\n", "c\\n", b"a: 'c\\n'\n"),
    "single quotes give way to a line break": (b"a: 'b'\n", "c\nd", b'a: "c\\nd"\n'),
    "double quotes stay": (b'a: "b"\n', "c", b'a: "c"\n'),
    "double quotes escape": (b'a: "b"\n', 'c"\\d', b'a: "c\\"\\\\d"\n'),
    "double quotes keep wide characters": (b'a: "b"\n', "\N{SNOWMAN}", 'a: "\N{SNOWMAN}"\n'.encode()),
    "double quotes over two lines": (b'a: "b\n  c" # d\nx: y\n', "e", b'a: "e" # d\nx: y\n'),
    "a byte order mark and CRLF stay": (b"\xef\xbb\xbf# x\r\na: b\r\n", "c", b"\xef\xbb\xbf# x\r\na: c\r\n"),
    "no line end stays none": (b"a: b", "c", b"a: c"),
    "JSON": (b'{"a":"b","x":"y"}', "c", b'{"a":"c","x":"y"}'),
    "the same text changes nothing": (b'a: "\\x62"\n', "b", b'a: "\\x62"\n'),
}


@pytest.mark.parametrize(("raw", "text", "expected"), WAYS.values(), ids=WAYS.keys())
def test_an_edit_changes_only_the_bytes_of_its_scalar(raw: bytes, text: str, expected: bytes) -> None:
    assert edit("f", raw, {("a",): text}) == expected


def test_several_scalars_change_at_once() -> None:
    raw = b"services: {web: {digest: '', version: ''}} # both\nprogram: ''\n"

    edited = edit(
        "f", raw, {("services", "web", "version"): "1", ("program",): "p", ("services", "web", "digest"): "sha256:a"}
    )

    assert edited == b"services: {web: {digest: 'sha256:a', version: '1'}} # both\nprogram: 'p'\n"


def test_no_changes_change_nothing() -> None:
    assert edit("f", b"a: b\n", {}) == b"a: b\n"


REFUSED = {
    "a key that is not there": (b"a: {digest: b}\n", ("a", "digst"), "`a.digst` is not there", "name `a.digest`"),
    "a key of another kind": (b"a: {digest: b}\n", ("a",), "`a` in f:1:1: it holds other keys", "keys below it"),
    "a literal block": (b"a: |\n  b\nc: d\n", ("a",), "its text is a block", "on one line"),
    "a folded block": (b"a: >-\n  b\n", ("a",), "its text is a block", "on one line"),
}


@pytest.mark.parametrize(("raw", "key", "words", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_edited_is_refused_by_name(raw: bytes, key: tuple[str, ...], words: str, remedy: str) -> None:
    with pytest.raises(CannotEdit) as caught:
        edit("f", raw, {key: "new"})

    assert words in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e", "\ud800", "\ufeff", "x" * 70_000])
def test_a_text_that_no_file_may_hold_is_refused(text: str) -> None:
    with pytest.raises(CannotEdit, match=r"writing .* to `a` in f:1:1"):
        edit("f", b"a: b\n", {("a",): text})


def test_an_invalid_file_is_not_edited() -> None:
    with pytest.raises(InvalidFile):
        edit("f", b"a: b\na: c\n", {("a",): "d"})
