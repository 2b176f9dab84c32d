"""Every error class explains itself on one page, and has a test that provokes it through the command line."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from releasectl.errors import ControllerError
from releasectl.errors_reference import families, words
from releasectl.errors_reference import main as write_page
from tests.docs.pages import PROJECT

PROVING = {
    "judged",
    "told",
    "recorded",
    "diagnosed",
}  # of tests/e2e/conftest.py: the first two words are what was said and a class's name


def test_the_page_is_what_the_classes_say_today() -> None:
    assert write_page(["--check"]) == 0, "run `make schemas`"


def test_a_stale_page_is_told_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "errors.md"
    page.write_text("old")

    assert write_page(["--check"], page) == 1
    assert "docs/errors.md is stale" in capsys.readouterr().err
    assert page.read_text() == "old"
    assert write_page([], page) == 0
    assert write_page(["--check"], page) == 0


def test_a_class_that_does_not_explain_itself_is_named() -> None:
    class Mute(ControllerError):
        """It happened."""

    with pytest.raises(ValueError, match=r"test_errors\.Mute does not say what happened, `Why:` and `Do:`"):
        words(Mute)


def test_a_name_that_json_tells_means_one_class() -> None:
    names = Counter(family.__name__ for family in families())

    assert [name for name, count in names.items() if count > 1] == []


def test_every_class_is_provoked_through_the_command_line() -> None:
    provoked = {name for path in (PROJECT / "tests/e2e").glob("test_*.py") for name in named(path)}

    assert {family.__name__ for family in families()} - provoked == set()


def named(path: Path) -> set[str]:
    """All texts in tests that prove an error, their parameters included."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            inside = list(ast.walk(function))
            calls = {each.func.id for each in inside if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)}
            if calls & PROVING:
                found |= {str(each.value) for each in inside if isinstance(each, ast.Constant)}
    return found
