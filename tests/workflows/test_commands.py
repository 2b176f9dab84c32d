"""Every command in a workflow's script is one that the program takes: else a typing error is found on main."""

import importlib.util
import re

import click
import pytest

from releasectl.cli import cli as releasectl
from tests.docs.command_words import Command, parse, simple
from tests.workflows.files import PROJECT, Job, ours

OURS = ours()
CONTROLLER, PYTHON = ".venv/bin/releasectl", ".venv/bin/python"
DIGEST = "sha256:" + "a" * 64
STANDS_FOR = {"DIGEST": DIGEST, "COMMIT": "b" * 40, "HEAD": "b" * 40, "MENDED": "--mended", "REF": "refs/tags/v1.0.0"}


def filled(script: str) -> str:
    """The script with values in the place of its variables and a file in that of a pattern; 1 is name, number, text."""
    script = re.sub(r"<<<\s*\S+", "", script.replace("\\\n", " "))
    script = re.sub(r"\S*\*\S*", "pyproject.toml", script)
    return re.sub(r'\$\{?(\w+)(?::\+"\$\w+")?\}?', lambda found: STANDS_FOR.get(found[1], "1"), script)


def shown(job: Job) -> list[Command]:
    """The commands of a job's scripts."""
    lines = [line for script in job.scripts for line in filled(script).splitlines()]
    return [Command(job.place, words, True) for line in lines for words in simple(line)]


COMMANDS = [command for file in OURS.files for job in file.jobs for command in shown(job)]


def starting(*words: str) -> list[Command]:
    """The commands that begin so, without those words."""
    return [
        Command(each.place, each.words[len(words) :], True) for each in COMMANDS if each.words[: len(words)] == words
    ]


@pytest.mark.parametrize("command", starting(CONTROLLER), ids=lambda each: " ".join(each.words))
def test_the_controller_takes_the_command(command: Command) -> None:
    parse(releasectl, command)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param('releasectl recon "$X"', AssertionError, id="a command that is not there"),
        pytest.param('releasectl reconcile "$X" --gitlab', click.NoSuchOption, id="an option that is not there"),
        pytest.param('releasectl reconcile "$X" "$X"', click.UsageError, id="a word too many"),
        pytest.param('releasectl hold --reason "$X"', click.MissingParameter, id="a word too few"),
        pytest.param("releasectl drift staging --issue=x", click.BadOptionUsage, id="a flag with a value"),
        pytest.param('releasectl bump web "$DIGEST" --wait soon', click.BadParameter, id="no number"),
    ],
)
def test_a_command_with_a_mistake_is_found(script: str, error: type[Exception]) -> None:
    [words] = simple(filled(script))

    with pytest.raises(error):
        parse(releasectl, Command("", words[1:], True))


def test_every_step_that_names_the_controller_is_looked_at() -> None:
    scripts = [script for file in OURS.files for job in file.jobs for script in job.scripts]
    named = sum(len(re.findall(r"(?<![=\w])releasectl ", script)) for script in scripts)

    assert named == len(starting(CONTROLLER)) >= 15


def test_every_module_that_is_run_is_there() -> None:
    named = {command.words[1] for command in starting(PYTHON) if command.words[0] == "-m"}

    assert named
    assert {name for name in named if importlib.util.find_spec(name) is None} == set()


def test_every_make_target_that_is_called_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    called = {word for command in starting("make") for word in command.words if "=" not in word}

    assert called
    assert called <= targets


def test_every_folder_that_pytest_is_given_is_there() -> None:
    [words] = [each.words for each in starting("uv", "run", "--frozen", "pytest")]
    folders = [word for word in words if "/" in word and not word.startswith("-")]

    assert folders
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []
    assert importlib.util.find_spec("pytest_cov"), "--cov is an option of pytest-cov's"


def test_a_workflow_that_is_started_by_another_takes_what_it_is_given() -> None:
    for command in starting("gh", "workflow", "run"):
        name, *words = command.words
        file = OURS.file(f".github/workflows/{name}")
        fields = [words[number + 1].partition("=")[0] for number, word in enumerate(words) if word == "--field"]

        assert file, command
        assert set(fields) <= set(file.inputs("workflow_dispatch")), command
