"""The blocks of the pages that say so are run, in one sandbox, as a reader would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import place
from sandbox.hand import Hand
from sandbox.place import Sandbox
from tests.docs.pages import PAGES, PROJECT, Block, blocks

RUNNABLE = [block for page in PAGES for block in blocks(page) if block.runnable is not None]
LOOKS = [block for block in RUNNABLE if not block.runnable]
BREAKS = [block for block in RUNNABLE if block.runnable == "breaks staging"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which staging runs a first release: as much of the demo as the blocks need."""
    running = place.up(tmp_path_factory.mktemp("docs") / ".sandbox", PROJECT)
    try:
        hand = Hand(running)
        _succeed(hand, "bump", "--program")
        _succeed(hand, "reconcile", "staging")
        _succeed(hand, "bump", "web", hand.build("1.0.0").digest, "--version", "1.0.0")
        _succeed(hand, "reconcile", "staging")
        yield running
    finally:
        place.down(running)


def _succeed(hand: Hand, *arguments: str) -> None:
    said = hand.releasectl(*arguments)
    assert said.code == 0, said.err


def shell(sandbox: Sandbox, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script as a reader's shell runs it after `source .venv/bin/activate` and the sandbox's variables."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return subprocess.run(
        ["bash", "-e", "-u", "-o", "pipefail", "-c", script],
        cwd=folder, env={**sandbox.environment, "PATH": path}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("block", LOOKS, ids=lambda block: f"{block.page.name}:{block.line}")
def test_a_block_to_look_around_runs_as_it_is_written(sandbox: Sandbox, block: Block) -> None:
    done = shell(sandbox, block.text, sandbox.clone)

    assert done.returncode == 0, done.stderr
    assert "staging" in done.stdout


def test_a_release_that_is_broken_as_the_page_says_takes_itself_back_as_the_readme_says(sandbox: Sandbox) -> None:
    [block] = BREAKS
    digest = shell(sandbox, block.text, sandbox.folder.parent).stdout.strip()
    assert digest.startswith("sha256:")

    done = shell(sandbox, f"releasectl bump web {digest} && releasectl reconcile staging", sandbox.clone)

    assert done.returncode == 1, done.stderr
    rejection = Hand(sandbox).files("releases/rejected")[f"staging-web-{digest[7:19]}.yaml"]
    assert f"UPDATE_SERVICE ended ROLLBACK_SUCCEEDED: {digest} never got healthy" in rejection
    assert "staging live: proven" in done.stdout
    assert re.search(r"^staging: roll-back: ", done.stderr, re.MULTILINE)


def test_both_kinds_of_runnable_blocks_are_there() -> None:
    assert len(LOOKS) >= 2
    assert len(BREAKS) == 1
