"""The page for newcomers is played: every command of its transcripts, in one shell, with what it says compared."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import place
from tests.docs.pages import PROJECT, blocks

PAGE = PROJECT / "docs" / "start.md"
LONGEST = 200  # lines
PERSON = {
    f"GIT_{who}_{what}": said
    for who in ("AUTHOR", "COMMITTER")
    for what, said in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


@dataclass(frozen=True)
class Shown:
    """A command and what the page says that it says, both streams together."""

    command: str
    said: str


def shown() -> list[Shown]:
    """All of them, in the order of the page."""
    found = []
    for block in blocks(PAGE):
        if block.runnable == "start":
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, said = part.partition("\n")
                while command.endswith("\\"):
                    more, _, said = said.partition("\n")
                    command = f"{command}\n{more}"
                found.append(Shown(command, said))
    return found


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What the commands really say, one after the other in one shell, in a folder like a reader's."""
    projects = tmp_path_factory.mktemp("projects")
    (projects / "shop").mkdir()
    lines = [f"printf '\\036'; {{ {each.command}\n}} 2>&1" for each in shown()]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_", "GIT"))}
    try:
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)], cwd=projects / "shop", env={**clean, **PERSON, "PATH": path},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        yield [alike(each.replace(str(projects.resolve()), "/projects")) for each in done.stdout.split("\036")[1:]]
    finally:
        if (projects / "sandbox").exists():
            place.down(place.find(projects / "sandbox"))


def alike(text: str) -> str:
    """Without what is another one each time: commits, and where the engine is."""
    text = re.sub(r"\b[0-9a-f]{12}\b(?!-)", lambda found: found[0] if found[0].isdigit() else "COMMIT", text)
    return re.sub(r"3\.\d+\.\d+, \S+", "ENGINE", text).strip()


def test_every_command_says_what_the_page_shows(said: list[str]) -> None:
    assert said == [alike(each.said) for each in shown()]


def test_the_page_is_short_and_ends_with_a_look_that_finds_no_problem(said: list[str]) -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= LONGEST
    assert shown()[-1].command == "releasectl doctor"
    assert "0 problem" in said[-1]
