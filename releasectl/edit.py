"""Byte-exact edits of a release file, or of any other file under `releases/`.

Comes in: the bytes and new texts for named scalars. Goes out: the bytes with those scalars replaced and nothing
else, whatever the formatting. Each edit is proven by reading the result again; what cannot be proven is refused.
Never dumps YAML, never adds or removes a key, never judges a value.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from releasectl.document import Document, load, near, shown
from releasectl.errors import ControllerError, InvalidFile, Retry


class CannotEdit(ControllerError):
    """The scalar is not there, or no way of writing the new text leaves the rest of the file alone.

    Why: Commands change single texts of a release file and nothing else; a block (`|`, `>`) cannot be replaced
    so.
    Do: Edit the file by hand, in a pull request: each value on its own line, in quotes.
    """

    exit_code = 2
    retry = Retry.AFTER_CHANGE


def edit(path: str, raw: bytes, changes: Mapping[tuple[str, ...], str]) -> bytes:
    """The file with other texts for some scalars, such as {("services", "web", "digest"): "sha256:..."}.

    Quotes are kept where the new text fits in them, else it gets double quotes. Raises InvalidFile if the file is
    no strict YAML, CannotEdit if a key is not there or its scalar cannot be replaced alone.
    """
    document = load(path, raw, every_scalar_is_text=True)
    for key, text in changes.items():
        raw, document = _with_one(document, raw, key, text)
    return raw


def _with_one(document: Document, raw: bytes, key: tuple[str, ...], text: str) -> tuple[bytes, Document]:
    """The file and its document with one scalar replaced."""
    if key not in document.spans:
        raise _no_scalar(document, key)
    wanted = copy.deepcopy(document.data)
    holder: Any = wanted
    for step in key[:-1]:
        holder = holder[step]
    if holder[key[-1]] == text:
        return raw, document
    holder[key[-1]] = text
    span = document.spans[key]
    cause: InvalidFile | None = None
    old = raw[span.start : span.end]
    if old.startswith((b"|", b">")):
        message = f"editing {_named(document, key)}: its text is a block, which cannot be replaced alone"
        raise CannotEdit(message, f"Write {shown(key[-1])} on one line, in quotes.")
    for written in ways(old, text):
        candidate = raw[: span.start] + written + raw[span.end :]
        try:
            result = load(document.path, candidate, every_scalar_is_text=True)
        except InvalidFile as error:
            cause = error
            continue
        if result.data == wanted:
            return candidate, result
    where = _named(document, key)
    reason = cause.findings[0].message if cause else "the rest of the file would change with it"
    raise CannotEdit(f"writing {shown(text)} to {where}: {reason}", "Edit the file by hand.") from cause


def ways(old: bytes, text: str) -> Iterator[bytes]:
    """How the text may be written in the place of `old`: as that one was, then in double quotes."""
    if old.startswith(b"'"):
        yield b"'" + text.replace("'", "''").encode("utf-8", "replace") + b"'"
    elif not old.startswith(b'"'):
        yield text.encode("utf-8", "replace")
    # A JSON string without non-ASCII escapes is a double-quoted YAML scalar.
    yield json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")


def _no_scalar(document: Document, key: tuple[str, ...]) -> CannotEdit:
    if key in document.places:
        message = f"editing {_named(document, key)}: it holds other keys, not one text"
        return CannotEdit(message, "Name one of the keys below it.")
    dotted = ".".join(key)
    hint = near(dotted, (".".join(map(str, path)) for path in document.spans))
    remedy = f"Add it to {document.path}" + (f", or name `{hint}` if that was meant." if hint else ".")
    return CannotEdit(f"editing {document.path}: {shown(dotted)} is not there", remedy)


def _named(document: Document, key: tuple[str, ...]) -> str:
    line, column = document.places[key]
    return f"{shown('.'.join(key))} in {document.path}:{line}:{column}"
