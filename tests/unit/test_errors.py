"""Errors for people and for programs: one sentence, one remedy, and when to try again."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest

import releasectl
from releasectl.errors import ControllerError, Finding, InvalidFile, Retry

CORE = [name for _, name, is_package in iter_modules(releasectl.__path__) if not is_package]
FINDINGS = (
    Finding("file", "a.yaml:1:1", "is empty", "Write it."),
    Finding("key", "a.yaml:2:1", "is unknown", "Drop it."),
)


def families() -> Iterator[type[ControllerError]]:
    for name in CORE:
        for _, found in inspect.getmembers(import_module(f"releasectl.{name}"), inspect.isclass):
            if issubclass(found, ControllerError) and found.__module__ == f"releasectl.{name}":
                yield found


def test_an_error_is_told_as_json_with_its_name_and_remedy() -> None:
    class TooLate(ControllerError):
        pass

    assert TooLate("releasing: it is late", "Go home.").as_json() == {
        "error": "TooLate",
        "message": "releasing: it is late",
        "remedy": "Go home.",
    }
    assert str(TooLate("releasing: it is late", "Go home.")) == "releasing: it is late"


def test_an_invalid_file_tells_everything_that_is_wrong_with_it() -> None:
    error = InvalidFile("a.yaml", iter(FINDINGS))

    assert error.message == (
        "reading a.yaml: 2 findings\n  a.yaml:1:1: is empty\n    Write it.\n  a.yaml:2:1: is unknown\n    Drop it."
    )
    assert (error.exit_code, error.retry) == (2, Retry.AFTER_CHANGE)
    assert error.as_json()["findings"] == [vars(finding) for finding in FINDINGS]
    assert "1 finding\n" in InvalidFile("a.yaml", FINDINGS[:1]).message


@pytest.mark.parametrize("family", [pytest.param(each, id=each.__name__) for each in families()])
def test_the_family_is_flat_and_each_of_it_says_what_it_is(family: type[ControllerError]) -> None:
    assert family is ControllerError or family.__bases__ == (ControllerError,)
    assert family.__doc__
    assert family.retry in Retry
    assert family.exit_code in (1, 2, 3, 4, 130)
