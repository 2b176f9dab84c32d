"""Commands as words: the simple commands of a shell's line, and whether a command line takes them.

Comes in: a line of a page or of a workflow. Goes out: words, or what click says of them. It runs nothing, and knows
just the shell that pages and workflows use: pipes, lists, variables in front, `$(...)`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Command:
    """A command that is shown; `is_whole` is False for one that is only mentioned in running text."""

    place: str
    words: tuple[str, ...]
    is_whole: bool


def simple(line: str) -> Iterator[tuple[str, ...]]:
    """The simple commands of a line, also those inside `$(...)`."""
    for inner in re.findall(r"\$\(([^()]+)\)", line):
        yield from simple(inner)
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # running text has apostrophes
        return
    command: list[str] = []
    for word in [*words, ";"]:
        if word in ("|", "&&", ";"):
            if command:
                yield tuple(command)
            command = []
        elif command or "=" not in word:  # variables in front of a command
            command.append(word)


def parse(group: click.Group, command: Command) -> None:
    """Raises what click says of a command that does not exist or does not take these words."""
    if not command.words or command.words[0] in ("-h", "--help", "--version"):
        return
    name, *arguments = command.words
    assert name in group.commands, f"{command.place}: there is no `{name}`"
    parent = click.Context(group, **group.context_settings)  # click keeps the help option of the first context
    try:
        group.commands[name].make_context(name, list(arguments), parent)
    except click.MissingParameter:
        if command.is_whole:
            raise
