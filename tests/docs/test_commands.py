"""Every command that a page shows exists, with those options."""

import functools
import importlib.util
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from releasectl.cli import cli as releasectl
from releasectl.cli_reference import main as write_reference
from sandbox.__main__ import cli as sandbox
from tests.docs.command_words import Command, parse
from tests.docs.pages import PAGES, PROJECT, commands

SHOWN = [command for page in PAGES for command in commands(page)]
AWS_ALIASES = {"s3api": "s3"}
AWS_ITSELF = {("ecr", "get-login-password")}  # made by the AWS CLI, not by an API


def starting(*words: str) -> list[Any]:
    """The commands that begin so, each a test case without those words."""
    found = [command for command in SHOWN if command.words[: len(words)] == words]
    rest = {(command.place, command.words[len(words) :], command.is_whole) for command in found}
    return [pytest.param(Command(*one), id=f"{one[0]} {' '.join(one[1])}") for one in sorted(rest)]


@pytest.mark.parametrize("command", starting("releasectl"))
def test_a_shown_releasectl_command_exists_with_its_options(command: Command) -> None:
    parse(releasectl, command)


@pytest.mark.parametrize("command", starting("python", "-m", "sandbox"))
def test_a_shown_sandbox_command_exists_with_its_options(command: Command) -> None:
    parse(sandbox, command)


@pytest.mark.parametrize("command", starting("make"))
def test_a_shown_make_target_exists(command: Command) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))

    assert {word for word in command.words if "=" not in word} <= targets, command.place


@pytest.mark.parametrize("command", [one for one in starting("aws") if one.values[0].words])
def test_a_shown_aws_command_exists_with_its_options(command: Command) -> None:
    service, operation, *words = command.words
    if (service, operation) in AWS_ITSELF:
        return
    model = aws_model(AWS_ALIASES.get(service, service))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{command.place}: {service} has no {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {"--" + xform_name(name, "-") for name in (shape.members if shape else {})}

    assert {word for word in words if word.startswith("--")} <= members, command.place


@functools.cache
def aws_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def test_a_shown_python_module_exists() -> None:
    shown = {command.words[2] for command in SHOWN if command.words[:2] == ("python", "-m") and len(command.words) > 2}

    assert {name for name in shown if importlib.util.find_spec(name) is None} == set()


def test_the_pages_show_enough_to_be_worth_testing() -> None:
    shown = {command.words[1] for command in SHOWN if command.words[0] == "releasectl" and len(command.words) > 1}

    assert set(releasectl.commands) <= shown


def test_the_command_reference_is_what_the_commands_say_today() -> None:
    assert write_reference(["--check"]) == 0, "run `python -m releasectl.cli_reference`"


def test_a_stale_command_reference_is_told_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "cli.md"
    page.write_text("old")

    assert write_reference(["--check"], page) == 1
    assert "stale" in capsys.readouterr().err
    assert page.read_text() == "old"
    assert write_reference([], page) == 0
    assert write_reference(["--check"], page) == 0
