"""The pages for people, as data: fenced blocks, code in running text, headings, links.

Comes in: the Markdown files of the project. Goes out: what a test can hold against the project. It knows just the
Markdown that these pages use and never renders.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.command_words import Command, simple

PROJECT = Path(__file__).resolve().parents[2]
PAGES = tuple(sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]))

_FENCE = re.compile(
    r"(?:^<!-- runnable(?P<note>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `runnable` is None unless a comment before it says so, with its note."""

    page: Path
    line: int
    language: str
    text: str
    runnable: str | None


def text_of(name: str) -> str:
    """A page by its path in the project."""
    return (PROJECT / name).read_text(encoding="utf-8")


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        note = found["note"]
        line = text.count("\n", 0, found.start()) + 1
        runnable = None if note is None else note.lstrip(": ")
        yield Block(page, line, found["language"], found["text"], runnable)


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def mentions(page: Path) -> list[str]:
    """All code in running text."""
    return _CODE.findall(prose(page))


def links(page: Path) -> list[str]:
    """Every link's target."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """What a link into the page may name after `#`."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: str) -> list[list[str]]:
    """Every table row of a page, cell by cell."""
    lines = [line for line in text_of(page).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def commands(page: Path) -> Iterator[Command]:
    """Every command that the page shows, in blocks, in transcripts and in running text."""
    for block in blocks(page):
        place = f"{page.name}:{block.line}"
        if block.language == "bash":
            shown = _script(block.text)
        elif block.language == "text":
            shown = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
        else:
            continue
        for line in shown:
            yield from (Command(place, words, True) for words in simple(line))
    for code in mentions(page):
        yield from (Command(page.name, words, False) for words in simple(code))


def _script(text: str) -> list[str]:
    """The lines of a script, without what is fed to a command."""
    fed = re.sub(r"<<'END'\n.*?^END$", "", text, flags=re.MULTILINE | re.DOTALL)
    return fed.replace("\\\n", " ").splitlines()
