"""Whatever the bytes: a value or every finding. Whatever the formatting: an edit changes its scalars alone."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from releasectl.edit import CannotEdit, edit
from releasectl.errors import InvalidFile
from releasectl.pipeline import parse_hold, parse_override, parse_pipeline, parse_rejection
from releasectl.release import Pin, Release, parse_release

ROOT = Path(__file__).parents[2]
modestly = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# ---- releases, and every way of writing one ----

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:+-]*[A-Za-z0-9]")
NULLS = ("null", "Null", "NULL")
hexadecimal = st.text("0123456789abcdef", min_size=64, max_size=64)
digests = hexadecimal.map("sha256:".__add__)
commits = hexadecimal.map(lambda text: text[:40])
versions = st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs")), max_size=20).filter(
    lambda text: text.isprintable() and "\u200b" not in text
)
restarts = st.datetimes().map(lambda time: time.isoformat(timespec="seconds") + "Z")
pins = st.builds(Pin, digests | st.just(""), versions, commits | st.just(""), restarts | st.just(""))
names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
releases = st.builds(Release, st.just("1"), commits, st.dictionaries(names, pins, min_size=1, max_size=3))

Key = tuple[str, ...]
Piece = tuple[str, Key | None]  # text, and the key of the scalar that it is
Tree = dict[str, Any]  # of texts and trees


comments = st.sampled_from(["", "", " # note", "  # \N{SNOWMAN} Gr\u00fc\u00dfe 'x' \"y\" {z: 1}"])


def scalar(draw: st.DrawFn, text: str) -> str:
    ways = [json.dumps(text, ensure_ascii=False), "'" + text.replace("'", "''") + "'"]
    if PLAIN.fullmatch(text) and text not in NULLS:
        ways.append(text)
    return draw(st.sampled_from(ways))


def label(draw: st.DrawFn, name: str) -> str:
    return draw(st.sampled_from([f"{name}:", f"{name}:", f'"{name}":', f"'{name}':", f"{name} :"]))


def ending(draw: st.DrawFn) -> Piece:
    return draw(comments) + "\n" + draw(st.sampled_from(["", "", "\n", "   # alone\n"])), None


def block(draw: st.DrawFn, tree: Tree, path: Key, indent: int) -> list[Piece]:
    pieces: list[Piece] = []
    for name in draw(st.permutations(list(tree))):
        value, below = tree[name], (*path, name)
        start = " " * indent + label(draw, name)
        if isinstance(value, str):
            gap = " " * draw(st.integers(1, 3))
            pieces += [(start + gap, None), (scalar(draw, value), below), ending(draw)]
        elif draw(st.booleans()):
            pieces += [(start + " ", None), *flow(draw, value, below), ending(draw)]
        else:
            deeper = indent + draw(st.integers(1, 5))
            pieces += [(start, None), ending(draw), *block(draw, value, below, deeper)]
    return pieces


def flow(draw: st.DrawFn, tree: Tree, path: Key) -> list[Piece]:
    pieces: list[Piece] = [("{", None)]
    for name in draw(st.permutations(list(tree))):
        value, below = tree[name], (*path, name)
        inner = [(scalar(draw, value), below)] if isinstance(value, str) else flow(draw, value, below)
        pieces += [(label(draw, name) + " ", None), *inner, (draw(st.sampled_from([", ", " , ", ",\n      "])), None)]
    return [*pieces, ("}", None)]


@st.composite
def writings(draw: st.DrawFn) -> tuple[Release, list[Piece]]:
    """A release and the pieces of one way to write it; joined they are the file."""
    release = draw(releases)
    services: Tree = {name: dict(vars(pin)) for name, pin in release.services.items()}
    tree: Tree = {"schema": release.schema, "program": release.program, "services": services}
    written = flow(draw, tree, ()) if draw(st.integers(0, 5)) == 0 else block(draw, tree, (), 0)
    head = draw(st.sampled_from(["", "\ufeff", "# head\n", "---\n", "\ufeff# \u00fc\n"]))
    tail = draw(st.sampled_from(["", "\n", "\n# tail", "\n...\n"]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    pieces = [(head, None), *written, (tail, None)]
    return release, [(text if key else text.replace("\n", line_end), key) for text, key in pieces]


def joined(pieces: list[Piece]) -> bytes:
    return "".join(text for text, _ in pieces).encode()


@given(writings())
@modestly
def test_however_a_release_is_written_it_is_read(writing: tuple[Release, list[Piece]]) -> None:
    release, pieces = writing

    assert parse_release("f", joined(pieces)) == release


@given(writings(), st.data())
@modestly
def test_an_edit_changes_exactly_its_scalars_and_gives_the_changed_release(
    writing: tuple[Release, list[Piece]], data: st.DataObject
) -> None:
    release, pieces = writing
    name = data.draw(st.sampled_from(sorted(release.services)))
    fields = data.draw(st.sets(st.sampled_from(["digest", "version", "commit", "restart"]), min_size=1))
    new = data.draw(pins)
    pin = replace(release.services[name], **{field: getattr(new, field) for field in fields})
    changes: dict[Key, str] = {("services", name, field): getattr(new, field) for field in fields}
    expected = replace(release, services={**release.services, name: pin})

    raw = edit("f", joined(pieces), changes)

    assert parse_release("f", raw) == expected
    around = "".join("(.*?)" if key in changes else re.escape(text) for text, key in pieces)
    assert re.fullmatch(around, raw.decode(), re.DOTALL)


@given(writings(), st.data())
@modestly
def test_an_edit_and_its_reversal_keep_every_byte_that_is_no_scalar_of_theirs(
    writing: tuple[Release, list[Piece]], data: st.DataObject
) -> None:
    release, pieces = writing
    raw = joined(pieces)
    program = data.draw(commits)

    back = edit("f", edit("f", raw, {("program",): program}), {("program",): release.program})

    assert parse_release("f", back) == release
    assert len(back) == len(raw)  # a commit fits into any quotes, so even the quotes are the old ones


# ---- any bytes at all ----

PARSERS: dict[str, Callable[[str, bytes], object]] = {
    "release": parse_release,
    "pipeline": parse_pipeline,
    "hold": parse_hold,
    "rejection": parse_rejection,
    "override": parse_override,
}
SEEDS = [
    (ROOT / "releases" / "staging.yaml").read_bytes(),
    (ROOT / "pipeline.yaml").read_bytes(),
    b"by: ann\nreason: r\nat: 2026-11-21T10:00:00Z\n",
    b"digest: sha256:0\ncommit: ''\nreason: r\ndeployment: d\n",
    b"gate: soak\nidentity: 0\nreason: r\nuntil: 2026-11-21T10:00:00Z\n",
]
TOKENS = [
    b"&a ", b"*a", b"[", b"]", b"{", b"}", b": ", b"? ", b"- ", b", ", b"  ", b"#", b"'", b'"', b"|\n", b">-\n", b"@",
    b"%", b"!", b"!!int ", b"!<x>", b"\n", b"\r", b"\r\n", b"\t", b"---\n", b"...\n", b"<<: ", b"null", b"~",
    b"%YAML 1.1\n", b"%TAG ! x\n",
    b"\xef\xbb\xbf", b"\xff", b"\x00", b"\x85", b"\xc2\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80",
    b'"\\UFFFFFFFF"', b'"\\ud800"', b'"\\e"', b"1e999", b"010", b".nan", b"9" * 40, b"days: [fri]", b"zone: ..",
    b"0001-01-01", b"9999-12-31",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid file with some tokens put into it or in place of what stood there."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(raw)))
        raw = raw[:start] + draw(st.sampled_from(TOKENS)) + raw[start + draw(st.sampled_from([0, 0, 1, 4, 30])) :]
    return raw


anything = st.binary(max_size=200) | damaged() | st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS.keys())
@given(raw=anything)
@example(raw=b"[" * 60_000)
@example(raw=b"a: &a [*a]\n")
@example(raw=b"%YAML 1." + b"9" * 5000 + b"\n---\n")
@modestly
def test_any_bytes_give_a_value_or_findings_that_can_be_shown(
    parse: Callable[[str, bytes], object], raw: bytes
) -> None:
    invalid = complaint(parse, raw)

    if invalid is not None:
        assert invalid.findings
        assert len(set(invalid.findings)) == len(invalid.findings)
        for finding in invalid.findings:
            assert re.match(r"some\.yaml:[0-9]+:[0-9]+( |$)", finding.where)
            assert finding.message
            assert finding.remedy.endswith(".")
            assert (finding.where + finding.message + finding.remedy).isprintable()


def complaint(parse: Callable[[str, bytes], object], raw: bytes) -> InvalidFile | None:
    try:
        parse("some.yaml", raw)
    except InvalidFile as invalid:
        return invalid
    return None


@given(anything, versions)
@modestly
def test_an_edit_of_any_bytes_is_exact_or_refused(raw: bytes, text: str) -> None:
    key = ("services", "web", "version")
    try:
        before = parse_release("f", raw)
        after = parse_release("f", edit("f", raw, {key: text}))
    except (InvalidFile, CannotEdit):
        return

    assert after == replace(before, services={**before.services, "web": replace(before.services["web"], version=text)})


# ---- several breakages at once ----

SOUND = [
    "# head",
    "schema: 1",
    "program: " + "a" * 40,
    "services:",
    "  web:",
    "    digest: sha256:" + "b" * 64,
    "    version: v",
    "    commit: " + "c" * 40,
    '    restart: ""',
    "  api:",
    "    digest: sha256:" + "b" * 64,
    "    version: w",
    "    commit: " + "c" * 40,
    '    restart: ""',
    "# tail",
]
# line number -> what to put there, and what then has to be said
BREAKAGES: dict[int, dict[str, str]] = {
    1: {"# \u202e": "U+202E", "# \x1b[2J": "U+001B", "# \udcff": "byte 0xff is not UTF-8"},
    2: {
        "schema: 2": "`schema` is `2`",
        "schema: 1\nschema: 1": "stands here again",
        "shema: 1": "did you mean `schema`",
    },
    3: {"program: main": "a branch, a tag", "program: ''": "`program` is empty", "program:": "no value"},
    6: {"    digest: v1": "looks like a tag", "    digest: !x y": "the tag `!x`", "    digest: *d": "repeats another"},
    7: {"    version: &v w": "names this value", "    version: [w]": "not a list", "    version: ~": "no value"},
    8: {"    commit: abc": "3 hex characters", "    comit: ''": "did you mean `commit`", "    <<: {}": "merges"},
    9: {"    restart: now": "which is no time", '    restart: "\\e"': "an escape stands for U+001B"},
    10: {"  Api:": "no name for a service", "  web_2:": "no name for a service"},
    12: {"    version: w\n    extra: x": "`extra` is not a key", "    version: " + "w" * 129: "129 characters"},
    15: {"[a, b]: c": "a key belongs", "more: x": "`more` is not a key here", "---": "a second document"},
}


def test_the_file_that_is_broken_next_is_sound() -> None:
    assert parse_release("f", "\n".join(SOUND).encode()).program == "a" * 40


@given(st.data())
@modestly
def test_every_one_of_several_breakages_is_reported(data: st.DataObject) -> None:
    numbers = data.draw(st.sets(st.sampled_from(sorted(BREAKAGES)), min_size=1))
    lines, said = list(SOUND), []
    for number in numbers:
        lines[number - 1], words = data.draw(st.sampled_from(sorted(BREAKAGES[number].items())))
        said.append(words)
    raw = "\n".join(lines).encode("utf-8", "surrogateescape")

    with pytest.raises(InvalidFile) as caught:
        parse_release("f", raw)

    messages = [finding.message for finding in caught.value.findings]
    assert [words for words in said if not any(words in message for message in messages)] == []
