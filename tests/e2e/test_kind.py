"""Whether a change is data alone, as a workflow asks it of a real checkout before it skips its tests."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.remote import git

RELEASE, PROGRAM = "releases/staging.yaml", "stacks/__main__.py"
MODULE = (sys.executable, "-m", "releasectl.commands.kind")
Change = Callable[[Path], object]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One commit with a release file, settings and a program."""
    root = tmp_path / "checkout"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    for path in (RELEASE, "releases/production.yaml", "Pulumi.staging.yaml", PROGRAM):
        write(path)(root)
    commit(root)
    return root


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "A change")


def write(path: str, text: str = "one: 1\n") -> Change:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return change


def both(*changes: Change) -> Change:
    return lambda root: [change(root) for change in changes]


def link(path: str, to: str) -> Change:
    def change(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(to)

    return change


def another_repository(path: str) -> Change:
    """A commit of somewhere else in the place of a file."""

    def change(root: Path) -> None:
        (root / path).unlink()
        git(root, "update-index", "--remove", "--cacheinfo", f"160000,{git(root, 'rev-parse', 'HEAD')},{path}")
        (root / path).mkdir()

    return change


def kind(root: Path, since: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MODULE, "--since", since], cwd=root, env=variables, capture_output=True, text=True, check=False
    )


EDIT = write(RELEASE, "one: 2\n")


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("data", EDIT),
        ("data", both(EDIT, write("Pulumi.staging.yaml", "two: 2\n"), write("releases/holds/staging.yaml"))),
        ("data", lambda root: (root / RELEASE).unlink()),
        ("data", lambda root: (root / RELEASE).rename(root / "releases/other.yaml")),
        ("code", lambda _: None),
        ("code", write(PROGRAM, "1/0\n")),
        ("code", both(EDIT, write(PROGRAM, "1/0\n"))),
        ("code", both(EDIT, write(".github/workflows/x.yml"))),
        ("code", both(EDIT, write("releases/__init__.py"))),
        ("code", both(EDIT, write("releases/staging.yaml.py"))),
        ("code", both(EDIT, write("releases/more/staging.yaml"))),
        ("code", both(EDIT, write("releases/a\nb.yaml"))),
        ("code", both(EDIT, write("releases/\udcff.yaml"))),
        ("code", lambda root: (root / PROGRAM).rename(root / "releases/moved.yaml")),
        ("code", link(RELEASE, "../stacks/__main__.py")),
        ("code", link("releases/new.yaml", "/etc/passwd")),
        ("code", lambda root: (root / RELEASE).chmod(0o755)),
        ("code", another_repository(RELEASE)),
    ],
    ids=[
        "a release file", "settings and a hold", "a release file that is gone", "one that was renamed", "nothing",
        "the program", "the program beside data", "a workflow", "a module beside releases", "a name that goes on",
        "a folder more", "a name of two lines", "a name that is no text", "the program under a name of data",
        "a link", "a new link", "a file that may be run", "another repository",
    ],
)  # fmt: skip
def test_only_plain_files_that_the_controller_reads_are_data(checkout: Path, says: str, change: Change) -> None:
    change(checkout)
    commit(checkout)

    said = kind(checkout, "HEAD^1")

    assert (said.returncode, said.stdout) == (0, f"{says}\n"), said.stderr


def test_a_later_step_is_told_and_without_a_commit_to_compare_with_it_is_code(checkout: Path, tmp_path: Path) -> None:
    EDIT(checkout)
    commit(checkout)
    told = tmp_path / "output"

    assert kind(checkout, "HEAD^1", GITHUB_OUTPUT=str(told)).stdout == "data\n"
    assert kind(checkout, "", GITHUB_OUTPUT=str(told)).stdout == "code\n"
    assert [line for line in told.read_text().splitlines() if line in ("data", "code")] == ["data", "code"]


@pytest.mark.parametrize("since", ["0" * 40, "--output=stolen"])
def test_a_commit_that_is_none_is_no_yes(checkout: Path, since: str) -> None:
    said = subprocess.run(
        [*MODULE, f"--since={since}"], cwd=checkout, env={}, capture_output=True, text=True, check=False
    )

    assert said.returncode != 0
    assert (said.stdout, (checkout / "stolen").exists()) == ("", False)
    assert "fatal" in said.stderr, "git's own words"
