"""What the project has is told where a reader looks for it, and what is told is there."""

import importlib
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest

import releasectl
from releasectl.cli import INTERRUPTED, cli
from releasectl.errors import ControllerError
from releasectl.next_step import Action
from releasectl.record import Phase
from sandbox.__main__ import cli as sandbox
from sandbox.demo import Demo
from sandbox.hand import Hand
from sandbox.place import Sandbox
from tests.docs.pages import PAGES, PROJECT, anchors, blocks, links, rows, text_of

ARCHITECTURE, OPERATIONS, CONTRIBUTING = "docs/architecture.md", "docs/operations.md", "CONTRIBUTING.md"


def first_cells(page: str) -> set[str]:
    """All code in the first cells of a page's tables, and plain numbers."""
    cells = [row[0] for row in rows(page)]
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)} | {c for c in cells if c.isdigit()}


def exit_codes() -> set[str]:
    """Every code that a command may end with: those of all errors, and those of verdicts, waiting, interruption."""
    for module in pkgutil.walk_packages(releasectl.__path__, "releasectl."):
        importlib.import_module(module.name)
    family, codes = [ControllerError], {0, 1, 4, INTERRUPTED}
    while family:
        error = family.pop()
        codes.add(error.exit_code)
        family += error.__subclasses__()
    return {str(code) for code in codes}


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_folder_of_the_machine_it_was_written_on(page: Path) -> None:
    assert re.findall(r"/(?:work|tmp|root|home)/\S*", page.read_text(encoding="utf-8")) == []


def test_the_readme_leads_to_every_page() -> None:
    reached = {(PROJECT / link.partition("#")[0]).resolve() for link in links(PROJECT / "README.md")}

    assert set(PAGES) - reached == {PROJECT / "README.md"}


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_is_in_the_reference(command: str) -> None:
    assert f"\n## releasectl {command}\n" in text_of("docs/cli.md")


@pytest.mark.parametrize("command", sorted(sandbox.commands))
def test_every_sandbox_command_is_told_in_the_readme(command: str) -> None:
    assert f"python -m sandbox {command}" in text_of("README.md")


@pytest.mark.parametrize("page", [OPERATIONS, "docs/cli.md"])
def test_every_exit_code_is_explained(page: str) -> None:
    assert exit_codes() <= first_cells(page)


def test_every_phase_and_action_is_explained() -> None:
    assert {*Phase, *Action} <= first_cells(ARCHITECTURE)
    assert {phase for phase in Phase if phase.is_over and phase is not Phase.LIVE} <= first_cells(OPERATIONS)


def test_every_module_is_in_the_architecture() -> None:
    told = text_of(ARCHITECTURE)
    folders = "releasectl|releasectl/commands|releasectl/edges|stacks|sandbox"
    ours = [path for path in tracked() if re.fullmatch(rf"({folders})/[a-z_]+\.py", path)]
    lacking = [path for path in ours if not re.search(rf"[`/]{Path(path).stem}(\.py)?`", told)]

    assert [path for path in lacking if not Path(path).stem.startswith("__")] == []


def test_every_module_of_the_architecture_exists() -> None:
    told = re.findall(r"`(\w+/[\w/]+\.py)`", text_of(ARCHITECTURE))

    assert told
    assert [path for path in told if not (PROJECT / path).is_file()] == []


def test_the_readme_tells_every_folder_and_every_file_of_desired_state() -> None:
    told = first_cells("README.md")
    folders = {f"{path.partition('/')[0]}/" for path in tracked() if "/" in path and not path.startswith(".")}
    files = {path for path in tracked() if "/" not in path and path.endswith(".yaml")}

    assert folders | files == {cell for cell in told if cell.endswith(("/", ".yaml"))}


def test_the_demo_in_the_readme_is_the_demo_that_is_played() -> None:
    shown = next(block.text for block in blocks(PROJECT / "README.md") if block.text.startswith("$ make demo"))
    steps = [name for name, _ in Demo(Hand(Sandbox(Path(), {}, {}))).steps()]

    assert re.findall(r"^ok +(\S+)", shown, re.MULTILINE) == ["sandbox-ready", *steps]


def test_every_make_target_and_every_folder_of_tests_is_in_contributing() -> None:
    told = first_cells(CONTRIBUTING)
    targets = re.search(r"^\.PHONY: (.+)$", text_of("Makefile"), re.MULTILINE)
    folders = {str(Path(path).parent) for path in tracked() if re.search(r"tests/(?:\w+/)?test_\w+\.py$", path)}

    assert targets
    assert {f"make {target}" for target in targets[1].split()} <= told
    assert folders <= told
